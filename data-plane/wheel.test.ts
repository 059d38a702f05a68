import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TimerWheel, WheelTimer } from './wheel.js';

describe('TimerWheel', () => {
  let nowMs = 0;
  let expired: string[] = [];
  let wheel: TimerWheel;

  beforeEach(() => {
    nowMs = 1_000;
    expired = [];
    wheel = new TimerWheel(() => nowMs);
  });
  afterEach(() => wheel.close());

  const timer = (name: string): WheelTimer => new WheelTimer(() => expired.push(name));
  const pass = (ms: number): void => {
    for (let left = ms; left > 0; left -= 10) {
      nowMs += Math.min(10, left);
      wheel.advance();
    }
  };

  test.each([1, 49, 50, 51, 1_000, 25_600, 30_000, 60_000, 3_600_000])(
    'a timer of %i ms is never early and at most 100 ms late',
    (ms) => {
      const one = timer('one');
      wheel.set(one, ms);

      pass(ms - 1);
      expect(expired).toEqual([]);
      pass(110);
      expect(expired).toEqual(['one']);
    },
  );

  test('a timer set again later expires at the later time only', () => {
    const one = timer('one');
    wheel.set(one, 100);
    pass(90);
    wheel.set(one, 1_000);

    pass(990);
    expect(expired).toEqual([]);
    pass(120);
    expect(expired).toEqual(['one']);
  });

  test('a timer set again sooner expires at the sooner time', () => {
    const one = timer('one');
    wheel.set(one, 60_000);
    wheel.set(one, 100);

    pass(200);
    expect(expired).toEqual(['one']);
    pass(70_000);
    expect(expired).toEqual(['one']);
  });

  test('a cleared timer does not expire and can be set again', () => {
    const one = timer('one');
    wheel.set(one, 100);
    wheel.clear(one);
    pass(300);
    expect(expired).toEqual([]);

    wheel.set(one, 100);
    pass(200);
    expect(expired).toEqual(['one']);
  });

  test('a timer removed by another that expires in the same tick does not expire', () => {
    const victim = timer('victim');
    const killer = new WheelTimer(() => wheel.remove(victim));
    wheel.set(killer, 100);
    wheel.set(victim, 100);

    pass(300);
    expect(expired).toEqual([]);
  });

  test('a timer may set itself when it expires', () => {
    let count = 0;
    const again: WheelTimer = new WheelTimer(() => {
      if (++count < 3) wheel.set(again, 10);
    });
    wheel.set(again, 10);

    pass(500);
    expect(count).toBe(3);
  });

  test('after a stall of hours everything due expires once', () => {
    for (const name of ['one', 'two', 'three']) wheel.set(timer(name), 7_000);

    nowMs += 5 * 3_600_000;
    wheel.advance();
    wheel.advance();

    expect(expired.sort()).toEqual(['one', 'three', 'two']);
  });
});
