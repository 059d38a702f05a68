import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { HoldOff } from './hold-off.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function started(): { readonly hold: HoldOff; readonly firedAt: () => number[]; readonly run: (ms: number) => void } {
  const start = performance.now();
  const fired: number[] = [];
  const hold = new HoldOff(() => fired.push(performance.now() - start));
  return { hold, firedAt: () => fired, run: (ms) => void vi.advanceTimersByTime(ms) };
}

const relaxed = { quietMs: 50, ceilingMs: 500 };
const urgent = { quietMs: 5, ceilingMs: 20 };

test('one change fires after the quiet time', () => {
  const { hold, firedAt, run } = started();

  hold.touch(relaxed);
  run(1_000);

  expect(firedAt()).toEqual([50]);
});

test('changes that keep coming fire at the ceiling', () => {
  const { hold, firedAt, run } = started();

  for (let i = 0; i < 30; i++) {
    hold.touch(relaxed);
    run(20);
  }

  expect(firedAt()[0]).toBe(500);
});

test('an urgent change takes those that wait along', () => {
  const { hold, firedAt, run } = started();

  hold.touch(relaxed);
  run(10);
  hold.touch(urgent);
  run(1_000);

  expect(firedAt()).toEqual([15]);
});

test('a relaxed change does not hold an urgent one up beyond its own times', () => {
  const { hold, firedAt, run } = started();

  hold.touch(urgent);
  for (let i = 0; i < 10; i++) {
    run(3);
    hold.touch(relaxed);
  }

  expect(firedAt()[0]).toBe(20);
});

test('what is cancelled does not fire', () => {
  const { hold, firedAt, run } = started();

  hold.touch(urgent);
  hold.cancel();
  run(1_000);

  expect(firedAt()).toEqual([]);
});
