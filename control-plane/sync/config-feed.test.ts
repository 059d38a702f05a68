import { describe, expect, test } from 'vitest';

import { FakeDatabase } from '../../test/support/fake-store.js';
import { routeResource } from '../../test/support/distribution.js';
import { ConfigFeed } from './config-feed.js';

import type { ConfigVersion } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** A database with revisions 1 to `count`, and the versions by revision. */
function history(count: number, bytes = 10): { readonly database: FakeDatabase; readonly versions: ConfigVersion[] } {
  const database = new FakeDatabase();
  const versions = [database.state.version];
  for (let i = 1; i <= count; i++) {
    versions.push(database.commit('test', { upserts: [routeResource(`r${i}`, bytes)], deletes: [] }).version);
  }
  return { database, versions };
}

describe('what a node is told', () => {
  test.each([
    ['has nothing', () => undefined, 'snapshot'],
    ['has the newest revision', (versions: ConfigVersion[]) => versions[5], 'unchanged'],
    ['is two revisions behind', (versions: ConfigVersion[]) => versions[3], 'patches'],
    ['is further behind than the patches reach', (versions: ConfigVersion[]) => versions[1], 'snapshot'],
    ['knows a newer revision', (versions: ConfigVersion[]) => ({ ...versions[5], revision: 9n }), 'behind'],
    ['has another history', (versions: ConfigVersion[]) => ({ ...versions[4], chain: new Uint8Array(32) }), 'snapshot'],
    [
      'has another state under the same number',
      (versions: ConfigVersion[]) => ({ ...versions[5], digest: new Uint8Array(32) }),
      'snapshot',
    ],
    ['comes from another database', (versions: ConfigVersion[]) => ({ ...versions[5], lineage: 'other' }), 'snapshot'],
  ] as const)('that %s', (_name, have, kind) => {
    const { database, versions } = history(5);
    const feed = new ConfigFeed();
    feed.advance(database.state, database.revisions.slice(2), 1n);

    expect(feed.answer(have(versions) as ConfigVersion | undefined).kind).toBe(kind);
  });

  test('that is behind gets the patches after its own revision, in order', () => {
    const { database, versions } = history(5);
    const feed = new ConfigFeed();
    feed.advance(database.state, database.revisions, 1n);

    expect(feed.answer(versions[2])).toMatchObject({
      patches: [3n, 4n, 5n].map((revision) => ({ fromRevision: revision - 1n, version: { revision } })),
    });
  });

  test('is to wait while this replica has read nothing', () => {
    expect(new ConfigFeed().answer(undefined).kind).toBe('behind');
  });

  test('is a snapshot when the patches together are larger than is sensible', () => {
    const { database, versions } = history(10, 60_000);
    const feed = new ConfigFeed();
    feed.advance(database.state, database.revisions, 1n);

    expect(feed.answer(versions[8]).kind).toBe('patches');
    expect(feed.answer(versions[1]).kind).toBe('snapshot');
  });
});

describe('going on', () => {
  test('gives the patches from the former state, with the higher of the two epochs', () => {
    const { database } = history(2);
    const feed = new ConfigFeed();
    feed.advance(database.state, database.revisions, 7n);
    database.commit('test', { upserts: [routeResource('next')], deletes: [] });

    const patches = feed.advance(database.state, database.revisions.slice(2), 7n);

    expect(patches).toMatchObject([{ epoch: 7n, fromRevision: 2n, version: { revision: 3n } }]);
    expect(feed.oldestPatchRevision).toBe(1n);
  });

  test('gives none when they are not all there, and forgets those from before the gap', () => {
    const { database, versions } = history(2);
    const feed = new ConfigFeed();
    feed.advance(database.state, database.revisions, 1n);
    for (const name of ['a', 'b']) database.commit('test', { upserts: [routeResource(name)], deletes: [] });

    expect(feed.advance(database.state, database.revisions.slice(3), 1n)).toEqual([]);
    expect(feed.oldestPatchRevision).toBe(4n);
    expect(feed.answer(versions[1]).kind).toBe('snapshot');
  });

  test('leaves out what was committed after the state was read', () => {
    const { database } = history(1);
    const feed = new ConfigFeed();
    const { state } = database;
    database.commit('test', { upserts: [routeResource('later')], deletes: [] });

    feed.advance(state, database.revisions, 1n);

    expect(feed.state?.version.revision).toBe(1n);
    expect(feed.answer(state.version).kind).toBe('unchanged');
  });

  test('keeps no more patches than it may', () => {
    const { database } = history(30, 600);
    const feed = new ConfigFeed({ maxPatches: 10, maxPatchBytes: 6_000 });

    feed.advance(database.state, database.revisions, 1n);

    expect(feed.oldestPatchRevision).toBeGreaterThan(23n);
  });
});
