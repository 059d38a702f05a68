import { expect, it } from 'vitest';
import type { BodySource } from '../../body.js';
import { Gather } from './gather.js';

it('chunks that are lent are copied when their memory is about to be used again, each once', () => {
  const memory = Buffer.from('abcdef');
  const gathered: string[] = [];
  const idle: BodySource = { length: null, start: () => {}, resume: () => {}, cancel: () => {} };
  const gather = new Gather(idle, 100, 'payload_too_large', {
    gathered: (bytes) => gathered.push(Buffer.from(bytes).toString('latin1')),
    failed: (error) => {
      throw error;
    },
  });
  gather.start();

  gather.write(memory.subarray(0, 2));
  gather.keep();
  memory.fill('x', 0, 2);
  gather.write(memory.subarray(2, 4));
  gather.keep();
  memory.fill('y', 2, 4);
  gather.write(memory.subarray(4));
  gather.end(null);

  expect(gathered).toEqual(['abcdef']);
});
