import { describe, expect, it } from 'vitest';

import { backoffMs, TokenBucket } from './pace.js';
import { defaultTiming } from './timing.js';

describe('the token bucket', () => {
  it('lets two through at once and then one per 100 ms', () => {
    const bucket = new TokenBucket();
    let nowMs = 1_000;

    const passedMs = Array.from({ length: 5 }, () => (nowMs += bucket.take(nowMs)));

    expect(passedMs).toEqual([1_000, 1_000, 1_100, 1_200, 1_300]);
  });

  it('costs nothing when it is used seldom', () => {
    const bucket = new TokenBucket();

    expect([0, 0, 200, 300, 400].map((atMs) => bucket.take(atMs))).toEqual([0, 0, 0, 0, 0]);
  });
});

it.each([
  [0, 0, 0],
  [0, 1, 200],
  [1, 1, 400],
  [3, 0.5, 800],
  [10, 1, 10_000],
  [100_000, 1, 10_000],
])('after %i failures and with the random %d the wait is %d ms', (failures, random, expected) => {
  expect(backoffMs(failures, defaultTiming, random)).toBe(expected);
});
