import { expect, test } from 'vitest';

import { Epochs } from './epochs.js';

test('a lower epoch is left aside and counted while a higher one is heard', () => {
  const epochs = new Epochs(30_000);

  expect([epochs.admit(3n, 0), epochs.admit(2n, 1), epochs.admit(3n, 2), epochs.admit(4n, 3)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect(epochs.highest).toBe(4n);
  expect(epochs.ignored).toBe(1);
});

test('a lower epoch counts again when the higher one has long been silent', () => {
  const epochs = new Epochs(30_000);
  epochs.admit(9n, 0);

  expect(epochs.isOutdated(1n, 30_000)).toBe(true);
  expect(epochs.admit(1n, 30_001)).toBe(true);
  expect(epochs.highest).toBe(1n);
});
