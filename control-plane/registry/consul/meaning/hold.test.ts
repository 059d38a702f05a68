import { create } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { EndpointSchema, EndpointState } from '../../../../proto/gen/sluice/v1/snapshot_pb.js';
import { doubtRemovals, endpointsOf, firstSight, heldCount, see, settle } from './hold.js';

import type { HoldState } from './hold.js';
import type { Instance } from './translate.js';

const HOLD_MS = 30_000;

/** `a` serves, `a!` is critical, `a-` is in maintenance. */
function sight(text: string): readonly Instance[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(instance);
}

function instance(word: string): Instance {
  const id = word.charAt(0);
  const standing = word.endsWith('!') ? 'critical' : word.endsWith('-') ? 'withdrawn' : 'serving';
  const state = standing === 'serving' ? EndpointState.ACTIVE : EndpointState.OUT;
  const reason = standing === 'serving' ? '' : standing;
  return { endpoint: create(EndpointSchema, { id, address: id, port: 1, weight: 1, state, reason }), standing };
}

/** `a` is ACTIVE, `a?` SUSPECT, `a!` OUT. */
function show(state: HoldState): string {
  const marks = { [EndpointState.ACTIVE]: '', [EndpointState.SUSPECT]: '?', [EndpointState.OUT]: '!' };
  return endpointsOf(state)
    .map(({ id, state: at }) => `${id}${at === EndpointState.UNSPECIFIED ? '#' : marks[at]}`)
    .join(' ');
}

type Step =
  | readonly [atMs: number, kind: 'seen' | 'missing', sight: string, shown: string]
  | readonly [atMs: number, kind: 'time' | 'doubted', shown: string];

function play(first: string, steps: readonly Step[], holdMs = HOLD_MS): { shown: string[]; expected: string[] } {
  let state = firstSight(sight(first), holdMs);
  const shown: string[] = [];
  const expected: string[] = [];
  for (const step of steps) {
    const [atMs, kind] = step;
    if (kind === 'time') state = settle(state, atMs);
    else if (kind === 'doubted') state = doubtRemovals(state, atMs);
    else state = see(state, sight(step[2]), kind === 'missing' ? 'doubtful' : 'explicit', atMs);
    shown.push(`${atMs} ${show(state)}`);
    expected.push(`${atMs} ${step.at(-1)}`);
  }
  return { shown, expected };
}

describe('the hold', () => {
  // `missing`: an answer that proves no deregistration.
  it.each<[string, string, readonly Step[]]>([
    ['one of two critical is out', 'a b', [[0, 'seen', 'a! b', 'a! b']]],
    ['a single instance that is critical is out: that is no mass', 'a', [[0, 'seen', 'a!', 'a!']]],
    ['half is not more than half', 'a b c d', [[0, 'seen', 'a! b! c d', 'a! b! c d']]],
    ['more than half critical in one answer is held', 'a b c', [[0, 'seen', 'a! b! c', 'a? b? c']]],
    ['all critical is held', 'a b', [[0, 'seen', 'a! b!', 'a? b?']]],
    [
      'more than half within a second is held, the first ones too',
      'a b c',
      [
        [0, 'seen', 'a! b c', 'a! b c'],
        [900, 'seen', 'a! b! c', 'a? b? c'],
        [1_000, 'seen', 'a! b! c!', 'a? b? c?'],
      ],
    ],
    [
      'one after the other over more than a second is not',
      'a b c',
      [
        [0, 'seen', 'a! b c', 'a! b c'],
        [1_100, 'seen', 'a! b! c', 'a! b! c'],
        [2_200, 'seen', 'a! b! c!', 'a! b! c!'],
      ],
    ],
    [
      'it ends after its time, and does not start again for the same loss',
      'a b',
      [
        [0, 'seen', 'a! b!', 'a? b?'],
        [29_999, 'time', 'a? b?'],
        [30_000, 'time', 'a! b!'],
        [30_001, 'seen', 'a! b!', 'a! b!'],
        [60_000, 'seen', 'a b', 'a b'],
      ],
    ],
    [
      'an answer after its time ends it as well',
      'a b',
      [
        [0, 'missing', '', 'a? b?'],
        [40_000, 'seen', 'a!', 'a!'],
      ],
    ],
    [
      'each comes back on its own',
      'a b c',
      [
        [0, 'seen', 'a! b! c!', 'a? b? c?'],
        [5_000, 'seen', 'a! b c!', 'a? b c?'],
        [6_000, 'seen', 'a b c', 'a b c'],
        [30_000, 'time', 'a b c'],
      ],
    ],
    [
      'what falls again while others are held is held with them',
      'a b c',
      [
        [0, 'seen', 'a! b! c', 'a? b? c'],
        [9_000, 'seen', 'a! b! c!', 'a? b? c?'],
        [30_000, 'time', 'a! b! c!'],
      ],
    ],
    [
      'deregistration and maintenance act at once on what is held',
      'a b c',
      [
        [0, 'seen', 'a! b! c!', 'a? b? c?'],
        [1, 'seen', 'b- c!', 'b! c?'],
        [2, 'seen', 'b-', 'b!'],
      ],
    ],
    ['all deregistered is believed', 'a b c', [[0, 'seen', '', '']]],
    ['all in maintenance is believed', 'a b c', [[0, 'seen', 'a- b- c-', 'a! b! c!']]],
    ['deregistered ones do not count with one that is critical', 'a b c', [[0, 'seen', 'c!', 'c!']]],
    ['missing without proof is held, a single one too', 'a', [[0, 'missing', '', 'a?']]],
    ['a few missing without proof are gone', 'a b c', [[0, 'missing', 'a b', 'a b']]],
    [
      'what is missing stays so in the healthy answers that follow, and comes back when it is listed',
      'a b',
      [
        [0, 'missing', '', 'a? b?'],
        [100, 'seen', '', 'a? b?'],
        [200, 'seen', 'a', 'a b?'],
        [300, 'seen', 'a b!', 'a b?'],
        [400, 'seen', 'a', 'a'],
      ],
    ],
    ['a replacement is no loss', 'a b', [[0, 'missing', 'c d', 'c d']]],
    ['a replacement that is smaller is', 'a b c', [[0, 'missing', 'd', 'a? b? c? d']]],
    [
      'newcomers of the same second do not count for what was there',
      'a b c',
      [
        [0, 'seen', 'a b c d e', 'a b c d e'],
        [500, 'seen', 'a! b! c! d e', 'a! b! c! d e'],
      ],
    ],
    [
      'removals are taken back when they turn out to be of many services',
      'a b',
      [
        [0, 'seen', '', ''],
        [500, 'doubted', 'a? b?'],
        [30_500, 'time', ''],
      ],
    ],
    [
      'removals of longer ago are not',
      'a b',
      [
        [0, 'seen', '', ''],
        [1_500, 'doubted', ''],
      ],
    ],
    ['what was critical from the start never served, so it is not held', 'a! b!', [[0, 'seen', 'a! b!', 'a! b!']]],
  ])('%s', (_, first, steps) => {
    const { shown, expected } = play(first, steps);

    expect(shown).toEqual(expected);
  });

  it('of no time holds nothing', () => {
    const { shown, expected } = play('a b', [[0, 'seen', 'a! b!', 'a! b!']], 0);

    expect(shown).toEqual(expected);
  });

  it('says why, and leaves the endpoints of the answer as they are', () => {
    const before = firstSight(sight('a b c'), HOLD_MS);
    const after = see(before, sight('a! b!'), 'doubtful', 0);

    expect(endpointsOf(after).map(({ reason }) => reason)).toEqual([
      'held: critical',
      'held: critical',
      'held: missing from the answer',
    ]);
    expect(heldCount(after)).toBe(3);
    expect(after.heldUntilMs).toBe(HOLD_MS);
    expect(after.instances.map(({ endpoint }) => endpoint.state)).toEqual([EndpointState.OUT, EndpointState.OUT]);
    expect(heldCount(before)).toBe(0);
  });

  it('whatever happens: serving is ACTIVE, maintenance is OUT, ids are sorted and unique, and no hold outlasts its time', () => {
    const words = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('', '!', '-')), {
      selector: ([id]) => id,
    });
    const step = fc.record({ words, doubtful: fc.boolean(), doubted: fc.boolean(), afterMs: fc.nat(20_000) });

    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let state = firstSight(sight('a b c d'), HOLD_MS);
        let nowMs = 0;
        for (const { words: seen, doubtful, doubted, afterMs } of steps) {
          nowMs += afterMs;
          const instances = seen
            .map(([id, mark]) => `${id}${mark}`)
            .toSorted()
            .map(instance);
          state = see(state, instances, doubtful ? 'doubtful' : 'explicit', nowMs);
          if (doubted) state = doubtRemovals(state, nowMs);
          const endpoints = endpointsOf(state);
          const byId = new Map(endpoints.map((endpoint) => [endpoint.id, endpoint.state]));
          expect(endpoints.map(({ id }) => id)).toEqual([...byId.keys()].toSorted());
          const shownAs = (standing: Instance['standing']): readonly unknown[] =>
            instances.filter((each) => each.standing === standing).map(({ endpoint }) => byId.get(endpoint.id));
          expect(new Set([EndpointState.ACTIVE, ...shownAs('serving')])).toEqual(new Set([EndpointState.ACTIVE]));
          expect(new Set([EndpointState.OUT, ...shownAs('withdrawn')])).toEqual(new Set([EndpointState.OUT]));
          expect(endpoints.length - instances.length).toBeLessThanOrEqual(heldCount(state));
          expect(state.heldUntilMs ?? nowMs + 1).toBeGreaterThan(nowMs);
        }
        expect(heldCount(settle(state, nowMs + HOLD_MS))).toBe(0);
      }),
    );
  });
});
