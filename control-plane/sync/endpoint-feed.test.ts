import { describe, expect, test } from 'vitest';

import { EndpointState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { endpoint } from '../../test/support/distribution.js';
import { EndpointFeed } from './endpoint-feed.js';

import type { Endpoint } from '../../proto/gen/sluice/v1/snapshot_pb.js';

const [a, b] = [endpoint('a'), endpoint('b')];

describe('a change of endpoints', () => {
  test.each<readonly [string, Endpoint[], Endpoint[], string]>([
    ['nothing differs', [a, b], [a, b], 'none'],
    ['one is added', [a], [a, b], 'relaxed'],
    ['one is gone', [a, b], [a], 'urgent'],
    ['all are gone', [a], [], 'urgent'],
    ['one takes no more requests', [a, b], [a, endpoint('b', EndpointState.OUT)], 'urgent'],
    ['one takes requests again', [a, endpoint('b', EndpointState.OUT)], [a, b], 'relaxed'],
    ['one that took none is gone', [a, endpoint('b', EndpointState.OUT)], [a], 'relaxed'],
    ['one becomes suspect', [a, b], [a, endpoint('b', EndpointState.SUSPECT)], 'relaxed'],
    ['one has another weight', [a, b], [a, { ...b, weight: 5 }], 'relaxed'],
    ['one has moved', [a, b], [a, { ...b, port: 5 }], 'urgent'],
  ])('when %s', (_name, before, after, urgency) => {
    const feed = new EndpointFeed();

    expect(feed.change('users', before, 0)).toBe('urgent');
    feed.advance();

    expect(feed.change('users', after, 0)).toBe(urgency);
  });
});

test('patches count up from the election, carry only what changed, and nothing makes none', () => {
  const feed = new EndpointFeed();
  feed.change('users', [a], 0);
  feed.change('orders', [a], 0);
  feed.advance();

  feed.lead(7n);
  expect(feed.version).toMatchObject({ epoch: 7n, sequence: 1n });
  feed.change('users', [a, b], 0);
  feed.change('users', [b], 0);

  const patch = feed.advance();
  expect(patch).toMatchObject({ fromSequence: 1n, version: { epoch: 7n, sequence: 2n } });
  expect(patch?.sets.map(({ service, endpoints }) => [service, endpoints.map(({ id }) => id)])).toEqual([
    ['users', ['b']],
  ]);
  expect(feed.advance()).toBeNull();
});

test('a change that is taken back before it is announced is none', () => {
  const feed = new EndpointFeed();
  feed.change('users', [a], 0);
  feed.advance();

  feed.change('users', [a, b], 0);
  feed.change('users', [a], 0);

  expect(feed.advance()).toBeNull();
});

test('services that are not wanted any more are announced as removed, once', () => {
  const feed = new EndpointFeed();
  feed.change('users', [a], 0);
  feed.change('orders', [a], 0);
  feed.advance();

  expect(feed.keepOnly(new Set(['orders']), 0)).toBe('relaxed');
  expect(feed.keepOnly(new Set(['orders']), 0)).toBe('none');

  expect(feed.get('users')).toBeUndefined();
  expect(feed.advance()).toMatchObject({ sets: [], removedServices: ['users'] });
  expect(feed.snapshot().sets.map(({ service }) => service)).toEqual(['orders']);
});

test('the same sets have the same digest whatever the path and the epoch', () => {
  const [one, other] = [new EndpointFeed(), new EndpointFeed()];
  one.change('users', [a, b], 0);
  one.change('orders', [b], 0);
  one.advance();
  other.change('orders', [], 0);
  other.advance();
  other.change('orders', [b], 0);
  other.change('users', [b, a], 0);
  other.advance();
  other.lead(3n);

  expect(other.version.digest).toEqual(one.version.digest);
});
