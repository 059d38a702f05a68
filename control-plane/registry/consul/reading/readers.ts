import { Crowd } from './crowd.js';
import { follow } from './follow.js';

import type { ServiceQuery } from '../service-query.js';
import type { ConsulClient } from './client.js';
import type { Timing } from './timing.js';

/** An agent takes 200 connections from one address unless it is told otherwise; the rest is for reads, and for others. */
export const DEFAULT_MAX_BLOCKING = 150;
/** So that a few services more or less do not change the way of reading each time. */
const LEAVE_CROWD_SHARE = 0.8;

interface Task {
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Keeps the queries that are wanted answered: each by a blocking query of its own, or as crowds when they are too many for that. */
export class Readers {
  readonly #client: ConsulClient;
  readonly #timing: Timing;
  readonly #maxBlocking: number;
  readonly #tasks = new Map<ServiceQuery, Task>();
  /** By datacenter. */
  readonly #crowds = new Map<string, Crowd>();
  readonly #ending = new Set<Promise<void>>();

  constructor(client: ConsulClient, timing: Timing, maxBlocking: number) {
    this.#client = client;
    this.#timing = timing;
    this.#maxBlocking = maxBlocking;
  }

  /** The complete list. */
  read(queries: ReadonlySet<ServiceQuery>): void {
    const isCrowded = this.#crowds.size > 0;
    const isCrowd = queries.size > this.#maxBlocking * (isCrowded ? LEAVE_CROWD_SHARE : 1);
    this.#readAlone(isCrowd ? new Set() : queries);
    this.#readTogether(isCrowd ? byDatacenter(queries) : new Map());
  }

  async close(): Promise<void> {
    this.read(new Set());
    await Promise.all(this.#ending);
  }

  #readAlone(queries: ReadonlySet<ServiceQuery>): void {
    for (const [query, { stop, ended }] of this.#tasks) {
      if (queries.has(query)) continue;
      this.#tasks.delete(query);
      stop.abort();
      this.#end(ended);
    }
    for (const query of queries) {
      if (this.#tasks.has(query)) continue;
      const stop = new AbortController();
      this.#tasks.set(query, { stop, ended: follow(query, this.#timing, stop.signal) });
    }
  }

  #readTogether(queries: ReadonlyMap<string, ReadonlySet<ServiceQuery>>): void {
    for (const [datacenter, crowd] of this.#crowds) {
      if (queries.has(datacenter)) continue;
      this.#crowds.delete(datacenter);
      this.#end(crowd.close());
    }
    for (const [datacenter, members] of queries) {
      const crowd = this.#crowds.get(datacenter) ?? new Crowd(datacenter, this.#client, this.#timing);
      this.#crowds.set(datacenter, crowd);
      crowd.set(members);
    }
  }

  #end(ended: Promise<void>): void {
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
  }
}

function byDatacenter(queries: ReadonlySet<ServiceQuery>): ReadonlyMap<string, ReadonlySet<ServiceQuery>> {
  const groups = new Map<string, Set<ServiceQuery>>();
  for (const query of queries) {
    const group = groups.get(query.datacenter) ?? new Set();
    groups.set(query.datacenter, group.add(query));
  }
  return groups;
}
