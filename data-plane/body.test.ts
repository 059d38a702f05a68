import { describe, expect, it } from 'vitest';
import { BufferedBody } from './body.js';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

describe('a body that was lent its memory', () => {
  const looks: readonly (readonly [string, (body: BufferedBody) => unknown])[] = [
    ['its bytes', (body) => body.bytes],
    ['its text', (body) => body.text],
    ['nothing', () => undefined],
  ];
  it.each(looks)('stays what it was when the memory is used again, after a look at %s', (_what, look) => {
    const memory = Buffer.from('before');
    const body = BufferedBody.lent(memory.subarray(0, 4));

    look(body);
    body.keep();
    memory.fill('x');

    expect([text(body.bytes), body.text, body.length]).toEqual(['befo', 'befo', 4]);
  });

  it('gives it without a copy to the last one who asks', () => {
    const memory = Buffer.from('before');

    const bytes = BufferedBody.lent(memory).consume();

    expect(bytes).toBe(memory);
  });
});

it.each(['text', Buffer.from('text')])('a body of %o is given to the last one who asks', (data) => {
  expect(text(new BufferedBody(data).consume())).toBe('text');
});
