import { describe, expect, test } from 'vitest';

import { formatDuration, parseDuration } from './units.js';

const second = 1_000_000_000n;

describe('a duration', () => {
  test.each([
    ['250ms', 250_000_000n],
    ['5s', 5n * second],
    ['1m', 60n * second],
    ['1m30s', 90n * second],
    ['1.5s', 1_500_000_000n],
    ['0.5ms', 500_000n],
    ['2h', 7200n * second],
    ['1d', 86_400n * second],
    ['10us', 10_000n],
    ['1ns', 1n],
    ['0s', 0n],
    ['0.000000001s', 1n],
  ])('%s is read', (text, nanos) => {
    const read = parseDuration(text);

    expect(read).not.toBeNull();
    expect((read?.seconds ?? 0n) * second + BigInt(read?.nanos ?? 0)).toBe(nanos);
  });

  test.each([
    '',
    '5',
    '5 s',
    ' 5s',
    '-5s',
    '+5s',
    '.5s',
    '5.s',
    '1e3s',
    '5S',
    '5sec',
    '0.1ns',
    '1s5',
    '5s ',
    '1_000ms',
    '٣s',
  ])('"%s" is none', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test.each([
    [{ seconds: 0n, nanos: 0 }, '0ns'],
    [{ seconds: 0n, nanos: 250_000_000 }, '250ms'],
    [{ seconds: 1n, nanos: 500_000_000 }, '1500ms'],
    [{ seconds: 90n, nanos: 0 }, '90s'],
    [{ seconds: 120n, nanos: 0 }, '2m'],
    [{ seconds: 86_400n, nanos: 0 }, '1d'],
    [{ seconds: 1000n, nanos: 46_875_001 }, '1000.046875001s'],
    [{ seconds: 0n, nanos: 1500 }, '1500ns'],
    [{ seconds: 400_000n, nanos: 1000 }, '400000.000001s'],
  ])('%o is written as %s', (duration, text) => {
    expect(formatDuration(duration)).toBe(text);
    expect(parseDuration(text)).toEqual(duration);
  });
});
