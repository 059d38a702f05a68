import { create, toBinary } from '@bufbuild/protobuf';

import { AdminError, code } from '../../control-plane/errors.js';
import { ConfigChangeSchema, ConfigVersionSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { applyChange, digestState, emptyConfig, nextChain } from '../../proto/snapshot/snapshot.js';

import type { Change, CommittedRevision, LeaderObserver, State, Store } from '../../control-plane/store/store.js';

interface Candidate {
  readonly store: FakeStore;
  readonly standing: LeaderObserver;
}

/** One database that several replicas' stores share, with the faults that tests need. The real ones have their own suite. */
export class FakeDatabase {
  state: State;
  revisions: CommittedRevision[] = [];
  down = false;
  /** Revisions before this one are gone, as after a clean-up. */
  oldest = 1n;
  #epoch: bigint;
  #leader: Candidate | null = null;
  readonly #candidates: Candidate[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(lineage = 'lineage-1', epoch = 0n) {
    this.#epoch = epoch;
    this.state = { version: emptyConfig(lineage).version, commitTimeMs: Date.now(), resources: [] };
  }

  connect(): FakeStore {
    return new FakeStore(this);
  }

  commit(actor: string, change: Change): State {
    const bytes = toBinary(
      ConfigChangeSchema,
      create(ConfigChangeSchema, { upserts: [...change.upserts], deletes: [...change.deletes] }),
    );
    const before = this.state;
    const resources = applyChange(before.resources, change);
    const version = create(ConfigVersionSchema, {
      lineage: before.version.lineage,
      revision: before.version.revision + 1n,
      chain: nextChain(before.version.chain, bytes),
      digest: digestState(resources),
    });
    const commitTimeMs = Date.now();
    this.state = { version, commitTimeMs, resources };
    const previousChain = before.version.chain;
    this.revisions.push({ version, epoch: this.#epoch, previousChain, change: bytes, actor, commitTimeMs });
    for (const watcher of this.#watchers) setTimeout(watcher, 1);
    return this.state;
  }

  watch(changed: () => void): () => void {
    const watcher = (): void => changed();
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  stand(candidate: Candidate, signal: AbortSignal): void {
    this.#candidates.push(candidate);
    signal.addEventListener('abort', () => this.leave(candidate.store), { once: true });
    this.elect();
  }

  /** The lock of this replica's connection is gone, as when its process is killed. */
  leave(store: FakeStore): void {
    const index = this.#candidates.findIndex((candidate) => candidate.store === store);
    if (index >= 0) this.#candidates.splice(index, 1);
    if (this.#leader?.store === store) this.#leader = null;
    this.elect();
  }

  elect(): void {
    if (this.#leader !== null || this.down) return;
    this.#leader = this.#candidates[0] ?? null;
    if (this.#leader !== null) this.#leader.standing.elected(++this.#epoch);
  }
}

export class FakeStore implements Store {
  readonly #database: FakeDatabase;

  constructor(database: FakeDatabase) {
    this.#database = database;
  }

  get reachable(): boolean {
    return !this.#database.down;
  }

  async read(): Promise<State> {
    return this.#reach().state;
  }

  async transact(actor: string, decide: (state: State) => Change): Promise<State> {
    const database = this.#reach();
    return database.commit(actor, decide(database.state));
  }

  async history(before: bigint | null, limit: number): Promise<CommittedRevision[]> {
    const { revisions } = this.#reach();
    const older = revisions.filter(({ version }) => before === null || version.revision < before);
    return older.toReversed().slice(0, limit);
  }

  async patchesSince(revision: bigint): Promise<CommittedRevision[] | null> {
    const { revisions, oldest } = this.#reach();
    return revision + 1n < oldest ? null : revisions.filter(({ version }) => version.revision > revision);
  }

  watch(changed: () => void): () => void {
    return this.#database.watch(changed);
  }

  campaign(_holder: string, standing: LeaderObserver, signal: AbortSignal): void {
    this.#database.stand({ store: this, standing }, signal);
  }

  async close(): Promise<void> {
    this.#database.leave(this);
  }

  #reach(): FakeDatabase {
    if (this.#database.down) throw new AdminError(code.unavailable, 'STORE_UNAVAILABLE', 'the database is down');
    return this.#database;
  }
}
