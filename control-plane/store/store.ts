import type { ConfigVersion, Resource, ResourceKey } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/**
 * Where desired config is kept. Every read is whole and consistent at one revision; every change is one revision or nothing.
 * Callers: admin (reads, transact), sync (read, patches, changes, leadership). The store never judges resources.
 * Errors are AdminError, and what was not committed never shows:
 * - UNAVAILABLE, STORE_UNAVAILABLE: the database cannot be reached. Nothing was written, unless the message says that the
 *   connection broke in the commit itself and the outcome is not known. Heals by itself.
 * - UNAVAILABLE, STORE_BUSY: other writers held the head row for too long, or forced too many retries.
 * - INVALID_ARGUMENT, NOT_STORABLE: a name that Postgres cannot keep (NUL, or thousands of bytes).
 * - INTERNAL, STORE_DAMAGED: the rows are not those of the head's digest, because something else wrote to them.
 */
export interface Store {
  /** The newest committed state. Answered from memory when the head row shows no newer revision. */
  read(): Promise<State>;
  /**
   * Runs `decide` on the newest state while holding the head row, and commits what it returns as the next dense revision with
   * its patch, chain and digest. An empty change commits nothing and gives the current state. What `decide` throws is thrown on.
   * `decide` is called again from the start when the database asks for a retry (SQLSTATE 40001, 40P01), so it must be pure.
   * Of several upserts of one resource the last counts, and an upsert beats a delete; deleting what is not there is nothing.
   */
  transact(actor: string, decide: (state: State) => Change): Promise<State>;
  /** Newest first, `before` exclusive (null starts at the newest). */
  history(before: bigint | null, limit: number): Promise<CommittedRevision[]>;
  /** Patches after `revision` in order, complete up to the head, or null when they are no longer all there. */
  patchesSince(revision: bigint): Promise<CommittedRevision[] | null>;
  /**
   * Calls `changed` after commits of any replica, at the latest 250 ms later; carries no data, may call without a change.
   * `changed` must not throw. Gives the function that ends the watch.
   */
  watch(changed: () => void): () => void;
  /** Tries to become the leader until `signal` aborts, which gives leadership back; `standing` hears of each turn till then. */
  campaign(holder: string, standing: LeaderObserver, signal: AbortSignal): void;
  /** Whether the database answered last. */
  readonly reachable: boolean;
  close(): Promise<void>;
}

export interface State {
  readonly version: ConfigVersion;
  readonly commitTimeMs: number;
  /** Every resource, sorted by kind then name (code point order). */
  readonly resources: readonly Resource[];
}

export interface Change {
  /** Who the bytes are: `body` holds the encoded message, meta included. */
  readonly upserts: readonly Resource[];
  readonly deletes: readonly ResourceKey[];
}

export interface CommittedRevision {
  readonly version: ConfigVersion;
  readonly epoch: bigint;
  readonly previousChain: Uint8Array;
  /** The encoded ConfigChange that the chain covers. */
  readonly change: Uint8Array;
  readonly actor: string;
  readonly commitTimeMs: number;
}

/** Its functions must not throw. While the database cannot be reached neither is called: nobody can get a higher epoch then. */
export interface LeaderObserver {
  /**
   * Won: every leader write and message carries `epoch` from now on. Called again, without `deposed` in between, when the lock
   * was lost with its connection and won back under a higher epoch.
   */
  elected(epoch: bigint): void;
  /** Another holds the lock, or a higher epoch. */
  deposed(): void;
}
