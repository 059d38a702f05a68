import { describe, expect, it } from 'vitest';

import { EmptiedLately } from './emptied.js';

describe('services that are emptied', () => {
  type Note = readonly [service: string, count: number, remaining: number, atMs: number];
  it.each<[string, readonly Note[], readonly string[]]>([
    ['alone are believed', [['a', 5, 0, 0]], []],
    [
      'together are not',
      [
        ['a', 5, 5, 0],
        ['b', 5, 0, 900],
      ],
      ['a', 'b'],
    ],
    [
      'over more than a second are',
      [
        ['a', 5, 5, 0],
        ['b', 5, 0, 1_100],
      ],
      [],
    ],
    [
      'that are a fifth of all are',
      [
        ['a', 1, 9, 0],
        ['b', 1, 8, 1],
      ],
      [],
    ],
    [
      'that are more than a fifth are not',
      [
        ['a', 1, 8, 0],
        ['b', 1, 7, 1],
      ],
      ['a', 'b'],
    ],
    [
      'twice count once',
      [
        ['a', 5, 0, 0],
        ['a', 5, 0, 10],
      ],
      [],
    ],
  ])('%s', (_, notes, doubted) => {
    const emptied = new EmptiedLately<string>();

    const results = notes.map((note) => emptied.note(...note));

    expect(results.at(-1)).toEqual(doubted);
  });
});
