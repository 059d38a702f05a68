import { describe, expect, it } from 'vitest';

import { Position } from './position.js';
import { defaultTiming } from './timing.js';

import type { Reply } from './client.js';

function reply(index: number, more: Partial<Reply> = {}): Reply {
  return { body: [], index, lastContactMs: 0, knownLeader: true, filteredByAcls: false, ...more };
}

/** A position that has had these answers. */
function after(...replies: readonly Reply[]): Position {
  const position = new Position(defaultTiming);
  for (const each of replies) position.advance(each);
  return position;
}

describe('the position of a query', () => {
  it.each<[string, Position, number]>([
    ['starts without blocking', after(), 0],
    ['follows the index', after(reply(7), reply(9)), 9],
    ['takes 0 for 1', after(reply(0)), 1],
    ['starts again when the index went back', after(reply(9), reply(7)), 0],
    ['follows the lower index from then on', after(reply(9), reply(7), reply(7)), 7],
  ])('%s', (_, position, index) => {
    expect(position.next(0).index).toBe(index);
  });

  it('starts again after a failure', () => {
    const position = after(reply(7));

    position.restart();

    expect(position.next(0).index).toBe(0);
    expect(position.doubt(reply(8))).toBe('the watch was broken since the last answer');
    position.advance(reply(8));
    expect(position.doubt(reply(9))).toBe('');
  });

  it.each<[string, Position, Reply, string]>([
    ['the first answer', after(), reply(7), ''],
    ['an index that moved', after(reply(7)), reply(8), ''],
    ['an index that did not', after(reply(7)), reply(7), 'the index did not move'],
    ['an index that went back', after(reply(7)), reply(6), 'the index went back from 7 to 6'],
    [
      'a token that may not see all',
      after(),
      reply(7, { filteredByAcls: true }),
      'the token may not see all of the answer',
    ],
  ])('doubts what is missing by %s', (_, position, next, doubt) => {
    expect(position.doubt(next)).toBe(doubt);
  });

  it('gives a blocking read more time than Consul may take, and a plain one less', () => {
    expect(after().next(0)).toMatchObject({ timeoutMs: 5_000 });
    expect(after(reply(7)).next(0)).toMatchObject({ waitMs: 15_000, timeoutMs: 15_000 + 15_000 / 16 + 1_000 });
  });

  it('asks the leader for a minute when a stale answer was too old, and takes what the leader says', () => {
    const position = after(reply(7));
    const old = reply(8, { lastContactMs: 5_001 });

    expect(position.next(0).consistency).toBe('stale');
    expect(position.accepts(old, 0)).toBe(false);
    expect(position.next(1)).toMatchObject({ consistency: 'default', index: 0 });
    expect(position.accepts(old, 1)).toBe(true);
    expect(position.next(60_000).consistency).toBe('stale');
  });

  it('refuses what a server without a leader says', () => {
    expect(() => after().accepts(reply(7, { knownLeader: false }), 0)).toThrow('Consul has no leader');
  });
});
