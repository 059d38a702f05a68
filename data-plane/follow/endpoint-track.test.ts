import { beforeEach, describe, expect, test } from 'vitest';

import { EndpointFeed } from '../../control-plane/sync/endpoint-feed.js';
import { endpoint } from '../../test/support/distribution.js';
import { EndpointTrack } from './endpoint-track.js';

import type { EndpointPatch } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** A leader in epoch 1 whose registry said `sets` at the start. */
function leader(sets: Readonly<Record<string, string[]>>, epoch = 1n): EndpointFeed {
  const feed = new EndpointFeed();
  for (const [service, ids] of Object.entries(sets))
    feed.change(
      service,
      ids.map((id) => endpoint(id)),
      0,
    );
  feed.advance();
  feed.lead(epoch);
  return feed;
}

function change(feed: EndpointFeed, service: string, ids: string[]): EndpointPatch {
  feed.change(
    service,
    ids.map((id) => endpoint(id)),
    0,
  );
  const patch = feed.advance();
  if (patch === null) throw new Error('nothing has changed');
  return patch;
}

let track: EndpointTrack;
beforeEach(() => {
  track = new EndpointTrack();
});

const held = (): Record<string, string[]> =>
  Object.fromEntries(track.sets().map(({ service, endpoints }) => [service, endpoints.map(({ id }) => id)]));

describe('patches', () => {
  test('follow a snapshot; those that came before it, and one twice, do no harm', () => {
    const feed = leader({ users: ['u1'] });
    const [p2, p3] = [change(feed, 'users', ['u2']), change(feed, 'users', ['u3'])];
    const snapshot = feed.snapshot();
    const p4 = change(feed, 'users', ['u4']);

    expect([track.offer(p2), track.offer(p4)]).toEqual(['behind', 'behind']);
    expect(track.replace(snapshot)).toBe('advanced');

    expect(held()).toEqual({ users: ['u4'] });
    expect([track.offer(p3), track.offer(p4)]).toEqual(['ignored', 'ignored']);
    expect(track.isBehind).toBe(false);
  });

  test('leave the sets that they do not name as they are, as the same objects', () => {
    const feed = leader({ users: ['u1'], orders: ['o1'] });
    track.replace(feed.snapshot());
    const orders = track.get('orders');

    track.offer(change(feed, 'users', []));

    expect(held()).toEqual({ users: [], orders: ['o1'] });
    expect(track.get('orders')).toBe(orders);
  });

  test('that do not lead to what they say are not applied, and everything is asked for', () => {
    const feed = leader({ users: ['u1'] });
    track.replace(feed.snapshot());
    const patch = change(feed, 'users', ['u2']);

    expect(track.offer({ ...patch, sets: [] })).toBe('behind');

    expect(held()).toEqual({ users: ['u1'] });
    expect(track.version).toBeNull();
    track.replace(feed.snapshot());
    expect(held()).toEqual({ users: ['u2'] });
  });

  test('of a new leader are not taken for those of the former one', () => {
    track.replace(leader({ users: ['u1'] }).snapshot());
    const next = leader({ users: ['u1'] }, 2n);

    expect(track.offer(change(next, 'users', ['u2']))).toBe('behind');
    expect(held()).toEqual({ users: ['u1'] });
  });
});

describe('a new leader', () => {
  test('with the same sets needs no fetching, and its patches follow', () => {
    track.replace(leader({ users: ['u1'] }).snapshot());
    const next = leader({ users: ['u1'] }, 2n);

    expect(track.announce(next.version)).toBe('ignored');

    expect(track.version?.epoch).toBe(2n);
    expect(track.offer(change(next, 'users', ['u2']))).toBe('advanced');
  });

  test('that lists a service no more takes nothing from it while the config names it', () => {
    track.replace(leader({ users: ['u1'], orders: ['o1'] }).snapshot());
    track.keepOnly(new Set(['users']));
    const cold = leader({}, 2n);

    expect(track.announce(cold.version)).toBe('behind');
    expect(track.replace(cold.snapshot())).toBe('advanced');

    expect(held()).toEqual({ users: ['u1'] });
    expect(track.isBehind).toBe(false);
    track.offer(change(cold, 'users', []));
    expect(held()).toEqual({ users: [] });
  });
});

test.each(['config', 'endpoints'])('a removed service goes when both have said so, the %s first', (first) => {
  const feed = leader({ users: ['u1'] });
  track.replace(feed.snapshot());
  track.keepOnly(new Set(['users']));
  feed.keepOnly(new Set(), 0);
  const removal = feed.advance() as EndpointPatch;
  const steps = [() => track.keepOnly(new Set()), () => track.offer(removal)];

  for (const step of first === 'config' ? steps : steps.toReversed()) {
    expect(held()).toEqual({ users: ['u1'] });
    step();
  }

  expect(held()).toEqual({});
});

test('what a disk remembered is replaced without fetching when it is what the leader has', () => {
  const feed = leader({ users: ['u1'], orders: ['o1'] });
  track.remember(feed.snapshot().sets.toReversed());
  expect(held()).toEqual({ users: ['u1'], orders: ['o1'] });

  expect(track.announce(feed.version)).toBe('ignored');
  expect(track.offer(change(feed, 'users', []))).toBe('advanced');
});

test('an old beacon or snapshot of the same leader is ignored', () => {
  const feed = leader({ users: ['u1'] });
  const [version, snapshot] = [feed.version, feed.snapshot()];
  track.replace(snapshot);
  track.offer(change(feed, 'users', ['u2']));

  expect(track.announce(version)).toBe('ignored');
  expect(track.replace(snapshot)).toBe('ignored');
  expect(track.isBehind).toBe(false);
});
