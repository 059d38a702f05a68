import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { beforeEach, describe, expect, test } from 'vitest';

import { ConfigPatchSchema, ConfigSnapshotSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { FakeDatabase } from '../../test/support/fake-store.js';
import { routeResource } from '../../test/support/distribution.js';
import { ConfigTrack } from './config-track.js';

import type { ConfigPatch, ConfigSnapshot, ConfigVersion } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** Patches 1 to `count` of one database, and its newest snapshot. */
function history(
  count: number,
  lineage?: string,
  bytes = 10,
): { readonly patches: ConfigPatch[]; readonly snapshot: ConfigSnapshot } {
  const database = new FakeDatabase(lineage);
  for (let i = 1; i <= count; i++) database.commit('test', { upserts: [routeResource(`r${i}`, bytes)], deletes: [] });
  const patches = database.revisions.map(({ version, previousChain, change, commitTimeMs }) =>
    create(ConfigPatchSchema, {
      fromRevision: version.revision - 1n,
      version,
      previousChain,
      change,
      commitTime: timestampFromMs(commitTimeMs),
    }),
  );
  const { version, resources, commitTimeMs } = database.state;
  const commitTime = timestampFromMs(commitTimeMs);
  return { patches, snapshot: create(ConfigSnapshotSchema, { version, resources: [...resources], commitTime }) };
}

let track: ConfigTrack;
beforeEach(() => {
  track = new ConfigTrack();
});

const [p1, p2, p3, p4] = history(4).patches as [ConfigPatch, ConfigPatch, ConfigPatch, ConfigPatch];
const revision = (): bigint | undefined => track.known?.version.revision;

describe('patches', () => {
  test('in order advance one by one', () => {
    expect([p1, p2, p3].map((patch) => track.offer(patch))).toEqual(['advanced', 'advanced', 'advanced']);
    expect(revision()).toBe(3n);
    expect(track.isBehind).toBe(false);
  });

  test('wait for one that is missing, in whatever order, and none is applied twice', () => {
    expect([p4, p3, p1, p3, p2, p1].map((patch) => track.offer(patch))).toEqual([
      'behind',
      'behind',
      'advanced',
      'behind',
      'advanced',
      'ignored',
    ]);
    expect(revision()).toBe(4n);
    expect(track.isBehind).toBe(false);
  });

  test('that wait are dropped when they are too many, which is not forgotten', () => {
    track = new ConfigTrack({ maxWaiting: 2 });
    for (const patch of [p2, p3, p4]) track.offer(patch);

    expect(track.offer(p1)).toBe('advanced');
    expect(revision()).toBe(1n);

    track = new ConfigTrack({ maxWaiting: 2 });
    for (const patch of [p2, p3, p4]) track.offer(patch);
    expect(track.isBehind).toBe(true);
  });

  test.each([
    ['of another database', () => history(1, 'another').patches[0]],
    ['of another history', () => ({ ...p2, previousChain: new Uint8Array(32) })],
    ['whose bytes were changed', () => ({ ...p2, change: new Uint8Array([1, 2]) })],
    ['whose state is not what it says', () => ({ ...p2, version: { ...p2.version, digest: new Uint8Array(32) } })],
  ])('%s change nothing and make us ask for everything', (_name, patch) => {
    track.offer(p1);

    expect(track.offer(patch() as ConfigPatch)).toBe('behind');

    expect(revision()).toBe(1n);
    expect(track.isBehind).toBe(true);
    expect(track.have).toBeUndefined();
  });

  test('without a version change nothing', () => {
    track.offer(p1);

    expect(track.offer(create(ConfigPatchSchema, { fromRevision: 1n }))).toBe('behind');

    expect(track.have?.revision).toBe(1n);
  });
});

describe('a snapshot', () => {
  test('replaces what is older, and patches that waited for it follow', () => {
    const { patches, snapshot } = history(3);
    const next = new ConfigTrack();
    next.offer(patches[0] as ConfigPatch);

    expect(next.replace(snapshot)).toBe('advanced');

    expect(next.known?.version.revision).toBe(3n);
    track.offer(p4);
    expect(track.isBehind).toBe(true);
  });

  test('older than what is known, or the same, is ignored', () => {
    const { patches, snapshot } = history(2);
    for (const patch of patches) track.offer(patch);

    expect(track.replace(snapshot)).toBe('ignored');
    expect(revision()).toBe(2n);
  });

  test('whose resources do not make its digest is not taken', () => {
    const { snapshot } = history(2);

    expect(track.replace({ ...snapshot, resources: snapshot.resources.slice(1) })).toBe('behind');
    expect(track.known).toBeNull();
  });

  test('of another database is taken over', () => {
    track.offer(p1);
    const { snapshot } = history(1, 'another');

    expect(track.replace(snapshot)).toBe('advanced');
    expect(track.known?.version.lineage).toBe('another');
  });
});

describe('what is announced', () => {
  test.each([
    ['a newer revision', { revision: 2n }, 'behind'],
    ['the same', {}, 'ignored'],
    ['an older one', { revision: 0n }, 'ignored'],
    ['another state of the same revision', { digest: new Uint8Array(32) }, 'behind'],
    ['another database', { lineage: 'another' }, 'behind'],
  ] as const)('%s', (_name, difference, taken) => {
    track.offer(p1);

    expect(track.announce({ ...p1.version, ...difference } as ConfigVersion)).toBe(taken);
    expect(track.isBehind).toBe(taken === 'behind');
  });
});
