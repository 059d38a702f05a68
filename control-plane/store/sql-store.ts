import { create, toBinary } from '@bufbuild/protobuf';

import {
  ConfigChangeSchema,
  ConfigPatchSchema,
  ConfigSnapshotSchema,
  ConfigVersionSchema,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import {
  applyChange,
  applyPatch,
  compareResources,
  findResource,
  holdSnapshot,
  keyOf,
  nextChain,
  sameConfig,
  sortResources,
} from '../../proto/snapshot/snapshot.js';
import { AdminError, code } from '../errors.js';
import { inTransaction } from './connections.js';
import { faultOf, toAdminError, unavailable } from './faults.js';
import { loadHead, loadHistory, loadResources, loadRevisions, lockHead, notifyCommit, writeRevision } from './rows.js';
import { Watch } from './watch.js';

import type { HeldConfig } from '../../proto/snapshot/snapshot.js';
import type { Connections, Database, Session } from './connections.js';
import type { Head } from './rows.js';
import type { Change, CommittedRevision, LeaderObserver, State, Store } from './store.js';

/** A state as callers see it, and the digest that the next one is made from. */
interface Held {
  readonly state: State;
  readonly config: HeldConfig;
}

const READ_FAILED = 'nothing was read';
const WRITE_FAILED = 'nothing was written';
const COMMIT_UNKNOWN = 'it broke during the commit: whether the change was written shows when it is back';

/** How far a replica catches up by replaying what others committed, rather than reading everything. */
const REPLAY_AT_MOST = 200n;
const ATTEMPTS = 8;

/**
 * The Store over any SQL database that `Connections` reaches. Keeps the newest state it saw in memory, verified by its digest.
 * Owns `connections`: close() closes them.
 */
export class SqlStore implements Store {
  readonly #connections: Connections;
  readonly #watch: Watch;
  readonly #closing = new AbortController();
  readonly #campaigns = new Set<Promise<void>>();
  #closed: Promise<void> | undefined;
  #held: Held | undefined;
  #reachable = true;
  #lastFailureMs = 0;
  /** Ends when the writers before have: they would only wait for each other at the head row, on a connection each. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(connections: Connections) {
    this.#connections = connections;
    this.#watch = new Watch(connections, () => this.#run(READ_FAILED, ({ quick }) => loadHead(quick)));
  }

  get reachable(): boolean {
    return this.#reachable;
  }

  async read(): Promise<State> {
    const { state } = await this.#run(READ_FAILED, async (session) => {
      const head = await loadHead(session.quick);
      if (this.#held !== undefined && sameConfig(this.#held.config.version, head.version)) return this.#held;
      return inTransaction(session, 'read', async () => this.#bringUp(session.bulk, await loadHead(session.bulk)));
    });
    return state;
  }

  async transact(actor: string, decide: (state: State) => Change): Promise<State> {
    const askedMs = performance.now();
    const turn = this.#lastWrite.then(async () => {
      if (this.#lastFailureMs > askedMs)
        throw unavailable('it failed while this write waited for its turn', WRITE_FAILED);
      return this.#write(actor, decide);
    });
    this.#lastWrite = turn.catch(() => undefined);
    return turn;
  }

  async #write(actor: string, decide: (state: State) => Change): Promise<State> {
    for (let attempt = 1; ; attempt++) {
      const progress = { decided: false };
      try {
        return await this.#attempt(actor, decide, progress);
      } catch (error) {
        if (faultOf(error) === 'retry' && attempt < ATTEMPTS) continue;
        throw toAdminError(error, progress.decided ? COMMIT_UNKNOWN : WRITE_FAILED);
      }
    }
  }

  async #attempt(actor: string, decide: (state: State) => Change, progress: { decided: boolean }): Promise<State> {
    let committed: Held | undefined;
    const held = await this.#reach((session) =>
      inTransaction(session, 'write', async () => {
        const { head, epoch, nowMs } = await lockHead(session.bulk);
        const before = await this.#bringUp(session.bulk, head);
        const change = normalise(before.state, decide(before.state));
        if (change === undefined) return before;
        const next = advance(before.config, change, { actor, epoch, commitTimeMs: nowMs });
        await writeRevision(session.bulk, before.state.resources, change, next.revision);
        await notifyCommit(session.bulk);
        progress.decided = true;
        committed = next.held;
        return committed;
      }),
    );
    this.#remember(held);
    if (committed !== undefined) this.#watch.call();
    return held.state;
  }

  history(before: bigint | null, limit: number): Promise<CommittedRevision[]> {
    return this.#run(READ_FAILED, ({ bulk }) => loadHistory(bulk, before, limit));
  }

  patchesSince(revision: bigint): Promise<CommittedRevision[] | null> {
    return this.#run(READ_FAILED, (session) =>
      inTransaction(session, 'read', async () => {
        const { version } = await loadHead(session.quick);
        if (revision > version.revision) return null;
        const patches = await loadRevisions(session.bulk, version.lineage, revision, version.revision);
        return BigInt(patches.length) === version.revision - revision ? patches : null;
      }),
    );
  }

  watch(changed: () => void): () => void {
    return this.#watch.add(changed);
  }

  campaign(holder: string, standing: LeaderObserver, signal: AbortSignal): void {
    const over = this.#connections.campaign(holder, standing, AbortSignal.any([signal, this.#closing.signal]));
    this.#campaigns.add(over);
    void over.finally(() => this.#campaigns.delete(over));
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    this.#closing.abort();
    await this.#watch.close();
    await Promise.all([...this.#campaigns, this.#lastWrite]);
    await this.#connections.close();
  }

  /** The state of `head`, which the transaction on `db` keeps still: from memory, by replay, or read whole. */
  async #bringUp(db: Database, head: Head): Promise<Held> {
    const held = this.#held;
    if (held !== undefined && sameConfig(held.config.version, head.version)) return held;
    const config = (held && (await replay(db, held.config, head))) ?? (await load(db, head));
    return this.#remember(hold(config, head.commitTimeMs));
  }

  /** Keeps the newer of two states; of two lineages, the one heard of last. */
  #remember(held: Held): Held {
    const before = this.#held?.config.version;
    const { lineage, revision } = held.config.version;
    if (before === undefined || before.lineage !== lineage || before.revision <= revision) this.#held = held;
    return held;
  }

  async #run<T>(outcome: string, work: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await this.#reach(work);
    } catch (error) {
      throw toAdminError(error, outcome);
    }
  }

  async #reach<T>(work: (session: Session) => Promise<T>): Promise<T> {
    try {
      const result = await this.#connections.run(work);
      this.#reachable = true;
      return result;
    } catch (error) {
      this.#reachable = faultOf(error) !== 'unreachable';
      if (!this.#reachable) this.#lastFailureMs = performance.now();
      throw error;
    }
  }
}

function hold(config: HeldConfig, commitTimeMs: number): Held {
  return { config, state: { version: config.version, commitTimeMs, resources: config.resources } };
}

/** `held` moved on to `head` by what was committed since, or undefined when that cannot be had or does not fit. */
async function replay(db: Database, held: HeldConfig, { version }: Head): Promise<HeldConfig | undefined> {
  const { lineage, revision } = held.version;
  if (lineage !== version.lineage || version.revision <= revision || version.revision - revision > REPLAY_AT_MOST)
    return undefined;
  let config = held;
  for (const one of await loadRevisions(db, lineage, revision, version.revision)) {
    const { version: next, epoch, previousChain, change } = one;
    const patch = create(ConfigPatchSchema, {
      epoch,
      fromRevision: next.revision - 1n,
      version: next,
      previousChain,
      change,
    });
    const result = applyPatch(config, patch);
    if ('fault' in result) return undefined;
    config = result.held;
  }
  return sameConfig(config.version, version) ? config : undefined;
}

async function load(db: Database, { version }: Head): Promise<HeldConfig> {
  const resources = await loadResources(db);
  const result = holdSnapshot(create(ConfigSnapshotSchema, { version, resources }));
  if ('held' in result) return result.held;
  const message = `the resources in the database are not those of revision ${version.revision}: they were changed past Sluice`;
  throw new AdminError(code.internal, 'STORE_DAMAGED', message);
}

/** One entry a key, deletes only of what is there, both in resource order; undefined when nothing is left of it. */
function normalise({ resources }: State, change: Change): Change | undefined {
  const upserts = sortResources(change.upserts);
  const taken = new Set(upserts.map(keyOf));
  const deletes = change.deletes
    .filter((key) => !taken.has(keyOf(key)) && findResource(resources, key) !== undefined && taken.add(keyOf(key)))
    .toSorted(compareResources);
  return upserts.length + deletes.length === 0 ? undefined : { upserts, deletes };
}

/** The next revision: dense, chained to `before`, with the digest of what it leads to. */
function advance(
  before: HeldConfig,
  change: Change,
  about: Pick<CommittedRevision, 'actor' | 'epoch' | 'commitTimeMs'>,
): { held: Held; revision: CommittedRevision } {
  const bytes = toBinary(
    ConfigChangeSchema,
    create(ConfigChangeSchema, { upserts: [...change.upserts], deletes: [...change.deletes] }),
  );
  const digest = before.digest.with(change);
  const { lineage, revision, chain: previousChain } = before.version;
  const version = create(ConfigVersionSchema, {
    lineage,
    revision: revision + 1n,
    chain: nextChain(previousChain, bytes),
    digest: digest.value,
  });
  const config = { version, digest, resources: applyChange(before.resources, change) };
  return { held: hold(config, about.commitTimeMs), revision: { ...about, version, previousChain, change: bytes } };
}
