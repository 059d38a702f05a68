import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { LastGoodSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { Saver } from './saver.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Started {
  readonly saver: Saver;
  /** When each write began. */
  readonly at: number[];
  readonly failures: unknown[];
}

/** Writes take 10 ms. */
function started(fails = false): Started {
  const startMs = performance.now();
  const at: number[] = [];
  const failures: unknown[] = [];
  const save = async (): Promise<void> => {
    at.push(performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (fails) throw new Error('disk full');
  };
  const disk = { save, async *newestFirst() {} };
  const current = () => create(LastGoodSchema);
  const times = { configMs: 1_000, endpointsMs: 10_000 };
  return { saver: new Saver(disk, current, times, (error) => failures.push(error)), at, failures };
}

test('the first change is written at once, those after it not more than once a second', async () => {
  const { saver, at } = started();

  for (let i = 0; i < 25; i++) {
    saver.configChanged();
    await vi.advanceTimersByTimeAsync(100);
  }
  await vi.advanceTimersByTimeAsync(5_000);

  expect(at).toEqual([0, 1_000, 2_000, 3_000]);
});

test('endpoints alone are written less often, and along with a config', async () => {
  const { saver, at } = started();
  saver.endpointsChanged();
  await vi.advanceTimersByTimeAsync(100);

  saver.endpointsChanged();
  await vi.advanceTimersByTimeAsync(4_900);
  expect(at).toEqual([0]);
  saver.configChanged();
  await vi.advanceTimersByTimeAsync(20_000);

  expect(at).toEqual([0, 5_000]);
});

test('closing writes what waits, and nothing when nothing does', async () => {
  const { saver, at } = started();
  saver.configChanged();
  await vi.advanceTimersByTimeAsync(100);
  saver.configChanged();

  const closed = saver.close();
  await vi.advanceTimersByTimeAsync(100);
  await closed;
  await saver.close();

  expect(at).toEqual([0, 100]);
});

test('a write that fails is told, and the next change is written', async () => {
  const { saver, at, failures } = started(true);
  saver.configChanged();
  await vi.advanceTimersByTimeAsync(2_000);

  saver.configChanged();
  await vi.advanceTimersByTimeAsync(2_000);

  expect([at.length, failures.length]).toEqual([2, 2]);
});
