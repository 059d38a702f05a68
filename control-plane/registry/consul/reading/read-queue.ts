import { backoffMs } from './pace.js';

import type { Follower } from './follow.js';
import type { Timing } from './timing.js';

const CONCURRENT_READS = 16;

interface Course {
  failures: number;
  /** When to read again though nobody asks for it. */
  dueMs: number;
}

/**
 * Plain reads of many queries: so many at a time, and each query once at a time. They ask the leader, as what signalled the change
 * may have come from a server that is ahead of the others.
 */
export class ReadQueue<Query extends Follower> {
  readonly #timing: Timing;
  readonly #courses = new Map<Query, Course>();
  readonly #waiting = new Set<Query>();
  readonly #reading = new Map<Query, AbortController>();
  #drained = (): void => undefined;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  get queries(): readonly Query[] {
    return [...this.#courses.keys()];
  }

  /** The complete list; new ones are read at once. */
  set(queries: ReadonlySet<Query>): void {
    for (const query of this.#courses.keys()) {
      if (!queries.has(query)) this.#remove(query);
    }
    for (const query of queries) {
      if (this.#courses.has(query)) continue;
      this.#courses.set(query, { failures: 0, dueMs: Infinity });
      this.read(query);
    }
  }

  /** Soon; after the read that is under way, if there is one, as that may be from before the change. */
  read(query: Query): void {
    this.#waiting.add(query);
    this.#pump();
  }

  readDue(nowMs: number): void {
    for (const [query, { dueMs }] of this.#courses) {
      if (dueMs <= nowMs) this.read(query);
    }
  }

  async close(): Promise<void> {
    this.set(new Set());
    if (this.#reading.size > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
  }

  #remove(query: Query): void {
    this.#courses.delete(query);
    this.#waiting.delete(query);
    this.#reading.get(query)?.abort();
  }

  #pump(): void {
    for (const query of this.#waiting) {
      if (this.#reading.size >= CONCURRENT_READS) return;
      if (!this.#reading.has(query)) void this.#start(query);
    }
    if (this.#reading.size === 0) this.#drained();
  }

  async #start(query: Query): Promise<void> {
    const stop = new AbortController();
    this.#waiting.delete(query);
    this.#reading.set(query, stop);
    await this.#readOnce(query, stop.signal);
    this.#reading.delete(query);
    this.#pump();
  }

  async #readOnce(query: Query, signal: AbortSignal): Promise<void> {
    const course = this.#courses.get(query);
    if (course === undefined) return;
    const { waitMs, readTimeoutMs } = this.#timing;
    try {
      const reply = await query.ask({ index: 0, waitMs, consistency: 'default', timeoutMs: readTimeoutMs, signal });
      if (signal.aborted) return;
      query.position.accepts(reply, performance.now());
      query.answered(reply, query.position.doubt(reply));
      query.position.advance(reply);
      course.failures = 0;
      // Spread out, so that those which were read together come round apart.
      course.dueMs = performance.now() + waitMs * (0.5 + Math.random());
    } catch (error) {
      if (signal.aborted) return;
      query.position.restart();
      query.failed(error);
      course.dueMs = performance.now() + backoffMs(course.failures, this.#timing, Math.random());
      course.failures += 1;
    }
  }
}
