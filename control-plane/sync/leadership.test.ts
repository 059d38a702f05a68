import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Leadership } from './leadership.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function started(): { readonly leadership: Leadership; readonly turns: (bigint | null)[] } {
  const turns: (bigint | null)[] = [];
  return { leadership: new Leadership((epoch) => turns.push(epoch)), turns };
}

test('who is elected leads until deposed', () => {
  const { leadership, turns } = started();

  leadership.elected(3n);
  leadership.elected(3n);
  leadership.deposed();

  expect(turns).toEqual([3n, null]);
  expect(leadership.highest).toBe(3n);
});

test('a beacon of a higher epoch ends it at once, one of a lower or the same does not', () => {
  const { leadership, turns } = started();
  leadership.elected(3n);

  leadership.hear(2n);
  leadership.hear(3n);
  expect(leadership.epoch).toBe(3n);
  leadership.hear(4n);

  expect(turns).toEqual([3n, null]);
});

test('it leads again when the higher epoch has fallen silent and nobody has deposed it', () => {
  const { leadership, turns } = started();
  leadership.elected(3n);
  leadership.hear(4n);

  vi.advanceTimersByTime(4_000);
  leadership.hear(4n);
  vi.advanceTimersByTime(4_000);
  expect(leadership.epoch).toBeNull();
  vi.advanceTimersByTime(2_000);

  expect(turns).toEqual([3n, null, 3n]);
});

test('once deposed, silence of the other changes nothing; a new election does', () => {
  const { leadership, turns } = started();
  leadership.elected(3n);
  leadership.hear(4n);
  leadership.deposed();

  vi.advanceTimersByTime(10_000);
  leadership.elected(5n);

  expect(turns).toEqual([3n, null, 5n]);
});
