import { follow } from './follow.js';

import type { ServiceQuery } from './service-query.js';
import type { Timing } from './timing.js';

interface Task {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Keeps the queries that are wanted answered, each by a blocking query of its own. */
export class Readers {
  readonly #timing: Timing;
  readonly #tasks = new Map<ServiceQuery, Task>();
  readonly #ending = new Set<Promise<void>>();

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** The complete list. */
  read(queries: ReadonlySet<ServiceQuery>): void {
    for (const [query, task] of this.#tasks) {
      if (!queries.has(query)) this.#stop(query, task);
    }
    for (const query of queries) {
      if (!this.#tasks.has(query)) this.#start(query);
    }
  }

  async close(): Promise<void> {
    this.read(new Set());
    await Promise.all(this.#ending);
  }

  #start(query: ServiceQuery): void {
    const stop = new AbortController();
    this.#tasks.set(query, { stop, ended: follow(query, this.#timing, stop.signal) });
  }

  #stop(query: ServiceQuery, { stop, ended }: Task): void {
    this.#tasks.delete(query);
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
    stop.abort();
  }
}
