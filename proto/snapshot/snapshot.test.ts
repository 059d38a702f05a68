import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';

import {
  ConfigChangeSchema,
  ConfigPatchSchema,
  ConfigSnapshotSchema,
  ConfigVersionSchema,
  EndpointPatchSchema,
  EndpointSchema,
  EndpointSetSchema,
  EndpointVersionSchema,
  Kind,
  ResourceKeySchema,
  ResourceSchema,
} from '../gen/sluice/v1/snapshot_pb.js';
import {
  applyChange,
  applyPatch,
  checkEndpointPatch,
  checkPatch,
  compareNames,
  digestEndpoints,
  digestEndpointSet,
  digestState,
  emptyConfig,
  findResource,
  holdSnapshot,
  nextChain,
  sameConfig,
  sortResources,
  StateDigest,
} from './snapshot.js';

import type { ConfigPatch, Resource, ResourceKey } from '../gen/sluice/v1/snapshot_pb.js';
import type { HeldConfig } from './snapshot.js';

const resource = (kind: Kind, name: string, body = name): Resource =>
  create(ResourceSchema, { kind, name, body: new TextEncoder().encode(body) });
const key = (kind: Kind, name: string): ResourceKey => create(ResourceKeySchema, { kind, name });
const names = (resources: readonly Resource[]): string[] => resources.map((one) => `${one.kind}:${one.name}`);

const at = (epoch: bigint, sequence: bigint) => create(EndpointVersionSchema, { epoch, sequence });
const set = (service: string, digest: Uint8Array) => create(EndpointSetSchema, { service, digest });
const changed = (patch: ConfigPatch, fields: Partial<ConfigPatch>): ConfigPatch => ({ ...patch, ...fields });
const versionOf = (patch: ConfigPatch) => patch.version ?? create(ConfigVersionSchema);

/** The patch that an honest control plane makes of a change. */
function patchOf(have: HeldConfig, upserts: Resource[], deletes: ResourceKey[] = []): ConfigPatch {
  const change = toBinary(ConfigChangeSchema, create(ConfigChangeSchema, { upserts, deletes }));
  const version = create(ConfigVersionSchema, {
    lineage: have.version.lineage,
    revision: have.version.revision + 1n,
    chain: nextChain(have.version.chain, change),
    digest: have.digest.with({ upserts, deletes }).value,
  });
  const { revision: fromRevision, chain: previousChain } = have.version;
  return create(ConfigPatchSchema, { epoch: 1n, fromRevision, version, previousChain, change });
}

function apply(have: HeldConfig | null, patch: ConfigPatch): HeldConfig {
  const result = applyPatch(have, patch);
  if ('fault' in result) throw new Error(result.fault);
  return result.held;
}

/** A repeatable stream of numbers in [0, bound). */
function numbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

describe('order', () => {
  it('compares names by code points, not by UTF-16 units', () => {
    const sorted = ['\u{1F600}', '\uFFFD', 'a', 'é', 'B', '', 'aa'].toSorted(compareNames);

    expect(sorted).toEqual(['', 'B', 'a', 'aa', 'é', '\uFFFD', '\u{1F600}']);
  });

  it('sorts by kind before name and keeps the later of two with one key', () => {
    const sorted = sortResources([
      resource(Kind.ROUTE, 'a'),
      resource(Kind.SERVICE, 'b', 'old'),
      resource(Kind.SERVICE, 'b', 'new'),
    ]);

    expect(names(sorted)).toEqual(['1:b', '2:a']);
    expect(new TextDecoder().decode(sorted[0]?.body)).toBe('new');
  });
});

describe('findResource', () => {
  it('finds each of many sorted resources and nothing else', () => {
    const resources = sortResources(Array.from({ length: 101 }, (_, index) => resource((index % 3) + 1, `r${index}`)));

    for (const one of resources) expect(findResource(resources, one)).toBe(one);
    for (const name of ['', 'r', 'r1000', 'z']) expect(findResource(resources, key(Kind.ROUTE, name))).toBeUndefined();
    expect(findResource([], key(Kind.ROUTE, 'r1'))).toBeUndefined();
  });
});

describe('digest', () => {
  it('is the same whatever the order of the resources', () => {
    const resources = Array.from({ length: 600 }, (_, index) => resource(Kind.ROUTE, `route-${index}`));

    expect(digestState(resources)).toEqual(digestState(resources.toReversed()));
  });

  it.each([
    ['the body', [resource(Kind.ROUTE, 'ab', 'y')]],
    ['the name', [resource(Kind.ROUTE, 'ac', 'x')]],
    ['the kind', [resource(Kind.SERVICE, 'ab', 'x')]],
    ['the border between name and body', [resource(Kind.ROUTE, 'a', 'bx')]],
    ['the number of resources', [resource(Kind.ROUTE, 'ab', 'x'), resource(Kind.ROUTE, 'b', 'x')]],
    ['emptiness', []],
  ])('differs when %s differs', (_what, other) => {
    expect(digestState(other)).not.toEqual(digestState([resource(Kind.ROUTE, 'ab', 'x')]));
  });

  it('kept through random changes equals the digest made anew, and the resources stay sorted', () => {
    const next = numbers(7);
    let digest = StateDigest.empty;
    let resources: Resource[] = [];

    for (let step = 0; step < 300; step++) {
      const upserts = Array.from({ length: next(4) }, () => resource(next(3) + 1, `n${next(60)}`, `${step}`));
      const deletes = Array.from({ length: next(4) }, () => key(next(3) + 1, `n${next(60)}`));
      digest = digest.with({ upserts, deletes });
      resources = applyChange(resources, { upserts, deletes });
    }

    expect(resources).toEqual(sortResources(resources));
    expect(digest.value).toEqual(digestState(resources));
  });

  it('leaves the digest it came from alone', () => {
    const before = StateDigest.of([resource(Kind.ROUTE, 'a')]);
    const value = before.value;

    const after = before.with({ upserts: [resource(Kind.ROUTE, 'a', 'new')], deletes: [] });

    expect(before.value).toEqual(value);
    expect(after.differingBuckets(before)).toHaveLength(1);
  });
});

describe('applyChange', () => {
  const base = sortResources([resource(Kind.SERVICE, 'b'), resource(Kind.SERVICE, 'd'), resource(Kind.ROUTE, 'b')]);

  it.each([
    [
      'puts new ones in their places',
      [resource(Kind.SERVICE, 'c'), resource(Kind.SERVICE, 'a'), resource(Kind.ROUTE, 'z')],
      [],
      ['1:a', '1:b', '1:c', '1:d', '2:b', '2:z'],
    ],
    ['deletes by kind and name', [], [key(Kind.SERVICE, 'b')], ['1:d', '2:b']],
    ['ignores a delete of what is not there', [], [key(Kind.SCHEMA, 'b')], ['1:b', '1:d', '2:b']],
    ['upserts after it deletes', [resource(Kind.SERVICE, 'b')], [key(Kind.SERVICE, 'b')], ['1:b', '1:d', '2:b']],
  ])('%s', (_title, upserts, deletes, expected) => {
    expect(names(applyChange(base, { upserts, deletes }))).toEqual(expected);
  });
});

describe('patches', () => {
  const lineage = 'one';
  const first = patchOf(emptyConfig(lineage), [resource(Kind.ROUTE, 'a')]);
  const held1 = apply(null, first);
  const second = patchOf(held1, [resource(Kind.ROUTE, 'b')], [key(Kind.ROUTE, 'a')]);
  const held2 = apply(held1, second);

  it('followed one by one give the state that a snapshot gives', () => {
    const snapshot = create(ConfigSnapshotSchema, {
      version: versionOf(second),
      resources: [resource(Kind.ROUTE, 'b')],
    });
    const whole = holdSnapshot(snapshot);

    expect('held' in whole && sameConfig(whole.held.version, held2.version)).toBe(true);
    expect(names(held2.resources)).toEqual(['2:b']);
  });

  it.each([
    ['ok', held1, second],
    ['ok', null, first],
    ['stale', held2, second],
    ['stale', held2, first],
    ['gap', null, second],
    ['gap', emptyConfig(lineage), second],
    ['other-lineage', emptyConfig('two'), first],
    ['broken-chain', held1, patchOf(apply(null, patchOf(emptyConfig(lineage), [resource(Kind.ROUTE, 'x')])), [])],
    ['broken-chain', held1, patchOf(emptyConfig(lineage), [resource(Kind.ROUTE, 'other history')])],
    ['broken-chain', held1, changed(second, { change: first.change })],
    ['malformed', held1, changed(second, { fromRevision: 2n })],
    ['malformed', held1, create(ConfigPatchSchema)],
  ] as const)('%s (%#)', (verdict, have, patch) => {
    expect(checkPatch(have?.version ?? null, patch)).toBe(verdict);
  });

  it('are refused when the state they give is not the one they promise', () => {
    const lying = changed(second, { version: { ...versionOf(second), digest: held1.digest.value } });

    expect(applyPatch(held1, lying)).toEqual({ fault: 'digest-mismatch' });
  });

  it('are refused when their change cannot be decoded', () => {
    const change = new Uint8Array([0xff, 0xff]);
    const garbled = changed(second, {
      change,
      version: { ...versionOf(second), chain: nextChain(held1.version.chain, change) },
    });

    expect(applyPatch(held1, garbled)).toEqual({ fault: 'malformed' });
  });

  it('a snapshot with a resource changed on the way is refused', () => {
    const snapshot = create(ConfigSnapshotSchema, {
      version: versionOf(second),
      resources: [resource(Kind.ROUTE, 'b', 'x')],
    });

    expect(holdSnapshot(snapshot)).toEqual({ fault: 'digest-mismatch' });
    expect(holdSnapshot(create(ConfigSnapshotSchema))).toEqual({ fault: 'malformed' });
  });
});

describe('endpoints', () => {
  const one = create(EndpointSchema, { id: 'a', address: '127.0.0.1', port: 1, weight: 1 });
  const two = create(EndpointSchema, { id: 'b', address: '127.0.0.1', port: 2, weight: 1 });

  it('have a digest that does not depend on their order but on every field', () => {
    expect(digestEndpointSet([one, two])).toEqual(digestEndpointSet([two, one]));
    expect(digestEndpointSet([one])).not.toEqual(digestEndpointSet([{ ...one, weight: 2 }]));
    expect(digestEndpointSet([])).not.toEqual(digestEndpointSet([one]));
  });

  it('have a common digest that names which set belongs to which service', () => {
    const [x, y] = [digestEndpointSet([one]), digestEndpointSet([two])];

    expect(digestEndpoints([set('s', x), set('t', y)])).toEqual(digestEndpoints([set('t', y), set('s', x)]));
    expect(digestEndpoints([set('s', x), set('t', y)])).not.toEqual(digestEndpoints([set('s', y), set('t', x)]));
  });

  it.each([
    ['ok', at(1n, 4n), at(1n, 5n), 4n],
    ['stale', at(1n, 5n), at(1n, 5n), 4n],
    ['stale', at(2n, 1n), at(1n, 5n), 4n],
    ['gap', at(1n, 3n), at(1n, 5n), 4n],
    ['gap', at(1n, 4n), at(2n, 5n), 4n],
    ['gap', null, at(1n, 1n), 0n],
    ['malformed', at(1n, 4n), at(1n, 4n), 4n],
    ['malformed', at(1n, 4n), undefined, 4n],
  ] as const)('patch: %s (%#)', (verdict, have, next, fromSequence) => {
    const patch = create(EndpointPatchSchema, next === undefined ? { fromSequence } : { fromSequence, version: next });

    expect(checkEndpointPatch(have, patch)).toBe(verdict);
  });
});
