import type { ConfigVersion, Resource, ResourceKey } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/**
 * Where desired config is kept. Every read is whole and consistent at one revision; every change is one revision or nothing.
 * Callers: admin (reads, transact), sync (read, patches, changes, leadership). The store never judges resources.
 * Errors: AdminError UNAVAILABLE (reason STORE_UNAVAILABLE) when the database cannot be reached; what was not committed never shows.
 */
export interface Store {
  /** The newest committed state. Answered from memory when the head row shows no newer revision. */
  read(): Promise<State>;
  /**
   * Runs `decide` on the newest state while holding the head row, and commits what it returns as the next dense revision with
   * its patch, chain and digest. An empty change commits nothing and gives the current state. What `decide` throws is thrown on.
   * `decide` is called again from the start when the database asks for a retry (SQLSTATE 40001, 40P01), so it must be pure.
   */
  transact(actor: string, decide: (state: State) => Change): Promise<State>;
  /** Newest first, `before` exclusive (null starts at the newest). */
  history(before: bigint | null, limit: number): Promise<CommittedRevision[]>;
  /** Patches after `revision` in order, complete up to the head, or null when they are no longer all there. */
  patchesSince(revision: bigint): Promise<CommittedRevision[] | null>;
  /** Calls `changed` after commits of any replica, at the latest 250 ms later; carries no data, may call without a change. */
  watch(changed: () => void): () => void;
  /** Tries to become the leader until `signal` aborts; `standing.changed` hears of each turn. */
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

export interface LeaderObserver {
  /** Won: every leader write and message carries `epoch`. */
  elected(epoch: bigint): void;
  /** Another holds a higher epoch, or the lock is gone while the database answers. */
  deposed(): void;
}
