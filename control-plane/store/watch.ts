import { setTimeout as sleep } from 'node:timers/promises';

import type { Connections } from './connections.js';
import type { Head } from './rows.js';

/** The port promises 250 ms; the rest is for the query. */
const POLL_MS = 200;

/**
 * Tells watchers of commits: of our own at once, of other replicas' by notification and, since those get lost with the
 * connection that listens, by a look at the head row. Runs only while somebody watches.
 */
export class Watch {
  readonly #connections: Connections;
  readonly #loadHead: () => Promise<Head>;
  readonly #watchers = new Set<() => void>();
  #stop: AbortController | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(connections: Connections, loadHead: () => Promise<Head>) {
    this.#connections = connections;
    this.#loadHead = loadHead;
  }

  add(changed: () => void): () => void {
    const watcher = (): void => changed();
    this.#watchers.add(watcher);
    if (this.#stop === undefined && this.#connections.shared) this.#start();
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#halt();
    };
  }

  call(): void {
    for (const watcher of this.#watchers) watcher();
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    this.#halt();
    await this.#running;
  }

  #start(): void {
    const { signal } = (this.#stop = new AbortController());
    const listening = this.#connections.listen(() => signal.aborted || this.call(), signal);
    this.#running = Promise.all([this.#running, listening, this.#poll(signal)]);
  }

  #halt(): void {
    this.#stop?.abort();
    this.#stop = undefined;
  }

  async #poll(signal: AbortSignal): Promise<void> {
    let seen: string | undefined;
    while (!signal.aborted) {
      // The first look calls too: what was committed between the caller's read and its watch must not be missed.
      const now = await this.#loadHead().then(
        ({ version }) => `${version.lineage}/${version.revision}`,
        () => seen,
      );
      if (now !== seen && !signal.aborted) this.call();
      seen = now;
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
