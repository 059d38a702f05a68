import { expect, test } from 'vitest';
import { shrink } from './shrink.js';

test('all that a failure does not need is left out', async () => {
  const small = await shrink('GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\nB: c\r\n\r\n', (text) => text.includes('A: \0'));

  expect(small).toBe('A: \0');
});

test('no more is tried than is allowed', async () => {
  let tries = 0;

  await shrink('a'.repeat(100), () => ++tries < 0, 10);

  expect(tries).toBe(10);
});
