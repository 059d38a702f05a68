import { NodePhase } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type { NodeStatus } from '../../proto/gen/sluice/v1/snapshot_pb.js';

export interface HeardNode {
  readonly status: NodeStatus;
  /** Wall time. */
  readonly lastSeenMs: number;
  /** No word for three heartbeats. */
  readonly silent: boolean;
}

export interface NodeTimes {
  readonly silentMs: number;
  /** A node that fell silent after it said that it drains is forgotten at once, any other one after this long. */
  readonly forgetMs: number;
}

interface Row {
  readonly status: NodeStatus;
  readonly lastSeenMs: number;
  silent: boolean;
}

/**
 * What this replica has heard of the nodes. Every replica hears all of them, so all answer the same. In memory only: a replica that
 * starts asks all nodes to report.
 */
export class NodeTable {
  readonly #times: NodeTimes;
  readonly #nowMs: () => number;
  readonly #rows = new Map<string, Row>();
  readonly #watchers = new Set<() => void>();
  #notifying = false;

  constructor(times: NodeTimes, nowMs: () => number) {
    this.#times = times;
    this.#nowMs = nowMs;
  }

  /** Those not forgotten, in any order. */
  nodes(): readonly HeardNode[] {
    return [...this.#rows.values()];
  }

  /** Calls `changed` after changes of what `nodes` gives, falling silent included, until the returned function is called. */
  watch(changed: () => void): () => void {
    // Two watchers may bring the same function.
    const watcher = (): void => changed();
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Nodes that are not silent. */
  get fleetSize(): number {
    let size = 0;
    for (const row of this.#rows.values()) if (!row.silent) size++;
    return size;
  }

  hear(status: NodeStatus): void {
    this.#rows.set(status.nodeId, { status, lastSeenMs: this.#nowMs(), silent: false });
    this.#notify();
  }

  /** Lets time pass: nodes fall silent or are forgotten. */
  sweep(): void {
    const { silentMs, forgetMs } = this.#times;
    const nowMs = this.#nowMs();
    for (const [id, row] of this.#rows) {
      const unheardMs = nowMs - row.lastSeenMs;
      if (unheardMs <= silentMs) continue;
      if (unheardMs > forgetMs || row.status.phase === NodePhase.DRAINING) this.#rows.delete(id);
      else if (row.silent) continue;
      row.silent = true;
      this.#notify();
    }
  }

  /** Once for all that is heard in one turn: a fleet answers a change within a moment. */
  #notify(): void {
    if (this.#notifying || this.#watchers.size === 0) return;
    this.#notifying = true;
    setImmediate(() => {
      this.#notifying = false;
      for (const watcher of this.#watchers) watcher();
    });
  }
}
