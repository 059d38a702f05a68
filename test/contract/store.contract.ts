import { randomUUID } from 'node:crypto';

import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';

import { AdminError, code } from '../../control-plane/errors.js';
import { ConfigPatchSchema, Kind, ResourceKeySchema, ResourceSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { applyPatch, digestState, keyOf, sameConfig, sortResources } from '../../proto/snapshot/snapshot.js';

import type { Change, CommittedRevision, State, Store } from '../../control-plane/store/store.js';
import type { Resource, ResourceKey } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { HeldConfig } from '../../proto/snapshot/snapshot.js';

/** One database, empty at first. */
export interface StoreWorld {
  /** Opens the database; where it is shared, once more for each call. */
  open(): Promise<Store>;
  /** Ends the database. Every store must be closed by then. */
  dispose(): Promise<void>;
}

export const resource = (kind: Kind, name: string, body = name): Resource =>
  create(ResourceSchema, { kind, name, body: new TextEncoder().encode(body) });
export const key = (kind: Kind, name: string): ResourceKey => create(ResourceKeySchema, { kind, name });
export const change = (upserts: Resource[], deletes: ResourceKey[] = []): Change => ({ upserts, deletes });
export const put = (store: Store, name: string, body = name): Promise<State> =>
  store.transact('test', () => change([resource(Kind.SERVICE, name, body)]));

/** The state that revisions give when each is checked and applied, as a node does it. */
export function replayed(revisions: readonly CommittedRevision[]): HeldConfig | null {
  let held: HeldConfig | null = null;
  for (const { version, epoch, previousChain, change: bytes } of revisions) {
    const fromRevision = version.revision - 1n;
    const result = applyPatch(
      held,
      create(ConfigPatchSchema, { epoch, fromRevision, version, previousChain, change: bytes }),
    );
    if ('fault' in result) throw new Error(`revision ${version.revision}: ${result.fault}`);
    held = result.held;
  }
  return held;
}

const counterOf = (state: State): number => Number(new TextDecoder().decode(state.resources[0]?.body) || 0);

/**
 * What every Store promises, over any adapter. All cases share one database, since making one takes PGlite seconds:
 * each begins without resources, at the revision `base`.
 */
export function storeContract(makeWorld: () => Promise<StoreWorld>): void {
  let world: StoreWorld;
  let store: Store;
  let base = 0n;
  const reopen = async (): Promise<void> => {
    await store.close();
    store = await world.open();
  };

  beforeAll(async () => {
    world = await makeWorld();
    store = await world.open();
  });
  beforeEach(async () => {
    const { version } = await store.transact('wipe', ({ resources }) =>
      change(
        [],
        resources.map(({ kind, name }) => key(kind, name)),
      ),
    );
    base = version.revision;
  });
  afterAll(async () => {
    await store.close();
    await world.dispose();
  });

  it('a new database is at revision 0 of a lineage, with no resources', async () => {
    const { version, resources } = await store.read();

    expect(version).toMatchObject({ revision: 0n, digest: digestState([]) });
    expect(version.lineage).not.toBe('');
    expect(resources).toEqual([]);
    expect(await store.history(null, 10)).toEqual([]);
    expect(await store.patchesSince(0n)).toEqual([]);
  });

  it('a change is one revision, whose state transact and read give alike', async () => {
    const before = Date.now();

    const committed = await store.transact('ann', () =>
      change([resource(Kind.ROUTE, 'r'), resource(Kind.SERVICE, 'b'), resource(Kind.SERVICE, 'a')]),
    );

    const read = await store.read();
    expect(read).toEqual(committed);
    expect(read.version.revision).toBe(base + 1n);
    expect(read.resources.map(keyOf)).toEqual(['1:a', '1:b', '2:r']);
    expect(read.version.digest).toEqual(digestState(read.resources));
    expect(Math.abs(read.commitTimeMs - before)).toBeLessThan(5000);
  });

  it('upserts replace, deletes remove, and decide sees what was there', async () => {
    await store.transact('test', () => change([resource(Kind.SERVICE, 'a', '1'), resource(Kind.SERVICE, 'b', '1')]));

    const seen: string[] = [];
    await store.transact('test', (state) => {
      seen.push(...state.resources.map(keyOf), String(state.version.revision));
      return change([resource(Kind.SERVICE, 'a', '2')], [key(Kind.SERVICE, 'b')]);
    });

    expect(seen).toEqual(['1:a', '1:b', `${base + 1n}`]);
    expect((await store.read()).resources).toEqual([resource(Kind.SERVICE, 'a', '2')]);
  });

  it('every kind of resource has its place', async () => {
    const kinds = [Kind.SERVICE, Kind.ROUTE, Kind.SCHEMA, Kind.POLICY, Kind.CERTIFICATE, Kind.CONSUMER];

    const { resources } = await store.transact('test', () =>
      change(kinds.map((kind) => resource(kind, 'same name', `${kind}`))),
    );

    expect(resources.map((one) => one.kind)).toEqual(kinds);
    const again = await store.transact('test', () =>
      change(
        [],
        kinds.map((kind) => key(kind, 'same name')),
      ),
    );
    expect(again.resources).toEqual([]);
  });

  it.each([
    ['says nothing', change([])],
    ['deletes only what is not there', change([], [key(Kind.SERVICE, 'nobody'), key(Kind.ROUTE, 'a')])],
  ])('a change that %s commits nothing', async (_title, nothing) => {
    const before = await put(store, 'a');

    const after = await store.transact('test', () => nothing);

    expect(after).toBe(before);
    expect((await store.read()).version.revision).toBe(base + 1n);
  });

  it('of two upserts of one resource the later counts, and an upsert beats a delete', async () => {
    await put(store, 'a', '0');

    const { resources } = await store.transact('test', () =>
      change([resource(Kind.SERVICE, 'a', '1'), resource(Kind.SERVICE, 'a', '2')], [key(Kind.SERVICE, 'a')]),
    );

    expect(resources).toEqual([resource(Kind.SERVICE, 'a', '2')]);
    expect(replayed((await store.patchesSince(0n)) ?? [])?.resources).toEqual(resources);
  });

  it('a decide that throws leaves nothing, and its error comes through as it is', async () => {
    await put(store, 'a');
    const refusal = new AdminError(code.aborted, 'ETAG_MISMATCH', 'somebody was faster');

    await expect(
      store.transact('test', () => {
        throw refusal;
      }),
    ).rejects.toBe(refusal);
    await expect(
      store.transact('test', () => {
        throw new TypeError('a bug');
      }),
    ).rejects.toThrow('a bug');

    expect((await store.read()).version.revision).toBe(base + 1n);
    expect((await put(store, 'b')).version.revision).toBe(base + 2n);
  });

  it.each([
    ['a name with a NUL', 'a\0b'],
    ['a name longer than an index row', Array.from({ length: 1_000 }, () => randomUUID()).join('')],
  ])('%s is refused as INVALID_ARGUMENT and leaves nothing', async (_title, name) => {
    await expect(put(store, name)).rejects.toMatchObject({ code: code.invalidArgument, reason: 'NOT_STORABLE' });

    expect((await put(store, 'fine')).version.revision).toBe(base + 1n);
    expect(store.reachable).toBe(true);
  });

  it('names of any characters and bodies of any bytes come back as they were', async () => {
    const names = [
      '',
      ' ',
      "o'hara",
      '"x"',
      'a;drop table services',
      '%_\\',
      '$1',
      '日本',
      '\u{1F600}',
      '\uFFFD',
      'é',
      'e\u0301',
      'A',
      'a',
      '\n\t',
    ];
    const bytes = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
    const odd = names.map((name) => create(ResourceSchema, { kind: Kind.ROUTE, name, body: bytes }));

    await store.transact("o'actor; --", () => change(odd));
    await reopen();

    const { resources } = await store.read();
    expect(resources).toEqual(sortResources(odd));
    expect(await store.history(null, 1)).toMatchObject([{ actor: "o'actor; --" }]);
    const left = await store.transact('test', () =>
      change(
        [],
        names.slice(1).map((name) => key(Kind.ROUTE, name)),
      ),
    );
    expect(left.resources.map((one) => one.name)).toEqual(['']);
  });

  it('history is newest first, pages backwards, and replays to the state that read gives', async () => {
    for (let step = 1; step <= 7; step++) await put(store, `n${step % 3}`, `${step}`);

    const first = await store.history(null, 4);
    const second = await store.history(first.at(-1)?.version.revision ?? null, 1000);

    const all = [...first, ...second];
    expect(first).toHaveLength(4);
    expect(all.map((one) => Number(one.version.revision))).toEqual(
      Array.from({ length: Number(base) + 7 }, (_, index) => Number(base) + 7 - index),
    );
    const { version, resources } = await store.read();
    const held = replayed(all.toReversed());
    expect(held !== null && sameConfig(held.version, version)).toBe(true);
    expect(held?.resources).toEqual(resources);
  });

  it('patches since a revision reach up to the head; there are none for a revision that is not yet', async () => {
    for (let step = 1; step <= 4; step++) await put(store, `n${step}`);

    expect((await store.patchesSince(base + 2n))?.map((one) => one.version.revision)).toEqual([base + 3n, base + 4n]);
    expect(await store.patchesSince(base + 4n)).toEqual([]);
    expect(await store.patchesSince(base + 5n)).toBeNull();
  });

  it('20 concurrent writers make 20 dense revisions, each decided on the one before', async () => {
    const states = await Promise.all(
      Array.from({ length: 20 }, (_, writer) =>
        store.transact(`writer-${writer}`, (state) =>
          change([resource(Kind.SERVICE, 'counter', `${counterOf(state) + 1}`)]),
        ),
      ),
    );

    const revisions = states.map((state) => Number(state.version.revision - base)).toSorted((a, b) => a - b);
    expect(revisions).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(counterOf(await store.read())).toBe(20);
  });

  it('5,000 resources in one change go in and come back with the same digest', async () => {
    const many = Array.from({ length: 5_000 }, (_, index) => resource(Kind.ROUTE, `route-${index}`, 'x'.repeat(400)));

    const { version } = await store.transact('test', () => change(many));
    await reopen();

    const state = await store.read();
    expect(state.version).toEqual(version);
    expect(state.resources).toHaveLength(5_000);
    const none = await store.transact('test', () =>
      change(
        [],
        many.map(({ kind, name }) => key(kind, name)),
      ),
    );
    expect(none.version.digest).toEqual(digestState([]));
    expect(replayed((await store.patchesSince(0n)) ?? [])?.resources).toEqual([]);
  });

  it('what was committed, and the lineage, survive closing and opening', async () => {
    const before = await put(store, 'a');

    await reopen();

    expect(await store.read()).toEqual(before);
    expect((await put(store, 'b')).version).toMatchObject({
      revision: base + 2n,
      lineage: before.version.lineage,
    });
  });

  it('a watcher hears of a commit within 250 ms, until it stops watching', async () => {
    const changed = vi.fn<() => void>();
    const stop = store.watch(changed);
    await put(store, 'a');
    await vi.waitFor(() => expect(changed).toHaveBeenCalled(), { timeout: 250, interval: 10 });

    stop();
    changed.mockClear();
    await put(store, 'b');

    expect(changed).not.toHaveBeenCalled();
  });

  it('the only candidate is elected, and each election has a higher epoch', async () => {
    const epochs: bigint[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const over = new AbortController();
      await new Promise<void>((resolve) => {
        const elected = (epoch: bigint): void =>  (epochs.push(epoch), resolve());
        store.campaign('me', { elected, deposed: vi.fn<() => void>() }, over.signal);
      });
      over.abort();
    }

    expect(epochs[1]).toBe((epochs[0] ?? 0n) + 1n);
    await put(store, 'a');
    expect(await store.history(null, 1)).toMatchObject([{ epoch: epochs[1] }]);
  });

  it('a store that was closed answers UNAVAILABLE', async () => {
    await store.close();

    await expect(store.read()).rejects.toMatchObject({ code: code.unavailable });
    await expect(put(store, 'a')).rejects.toMatchObject({ code: code.unavailable });
    await store.close();
    await reopen();
  });
}
