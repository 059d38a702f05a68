import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Repair } from './repair.js';

import type { RepairOutcome } from './repair.js';

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, 'random').mockReturnValue(1);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

interface Started {
  readonly repair: Repair;
  readonly at: number[];
  readonly failures: string[];
}

/** Attempts take 10 ms and end as `outcomes` say, the last of them for ever. */
function started(...outcomes: (RepairOutcome | Error)[]): Started {
  const startMs = performance.now();
  const at: number[] = [];
  const failures: string[] = [];
  const attempt = async (): Promise<RepairOutcome> => {
    at.push(performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const outcome = outcomes.length > 1 ? outcomes.shift() : outcomes[0];
    if (outcome instanceof Error) throw outcome;
    return outcome ?? 'done';
  };
  const times = { spreadMs: () => 50, baseMs: 100, capMs: 1_000 };
  return { repair: new Repair(attempt, times, (reason) => failures.push(reason)), at, failures };
}

test('many reasons before an attempt make one, those during an attempt one more', async () => {
  const { repair, at } = started('done');

  repair.want();
  repair.want();
  await vi.advanceTimersByTimeAsync(55);
  repair.want();
  repair.want();
  await vi.advanceTimersByTimeAsync(5_000);

  expect(at).toEqual([50, 110]);
});

test('failed attempts come again with growing pauses, up to a cap, and say so ever less often', async () => {
  const { repair, at, failures } = started(new Error('nobody there'));

  repair.want();
  await vi.advanceTimersByTimeAsync(6_000);

  expect(at.slice(0, 7)).toEqual([50, 160, 370, 780, 1_590, 2_600, 3_610]);
  expect([at.length, failures.length]).toEqual([9, 4]);
  await repair.close();
});

test('a busy answerer is asked no earlier than it said, which is no failure', async () => {
  const { repair, at, failures } = started({ again: 'busy', afterMs: 700 }, 'done');

  repair.want();
  await vi.advanceTimersByTimeAsync(5_000);

  expect(at).toEqual([50, 1_460]);
  expect(failures).toEqual([]);
});

test('another reason does not hurry failed attempts, except when it begins afresh', async () => {
  const { repair, at } = started(new Error('down'), new Error('down'), new Error('down'), new Error('down'), 'done');
  repair.want();
  await vi.advanceTimersByTimeAsync(800);
  expect(at).toEqual([50, 160, 370, 780]);

  repair.want();
  await vi.advanceTimersByTimeAsync(100);
  expect(at.length).toBe(4);
  repair.want(true);
  await vi.advanceTimersByTimeAsync(100);

  expect(at.slice(4)).toEqual([950]);
});

test('closing waits for the attempt, which is told to end, and begins no other', async () => {
  const { repair, at } = started(new Error('down'));
  repair.want();
  await vi.advanceTimersByTimeAsync(55);

  const closed = repair.close();
  await vi.advanceTimersByTimeAsync(10);
  await closed;
  repair.want();
  await vi.advanceTimersByTimeAsync(5_000);

  expect(at).toEqual([50]);
});
