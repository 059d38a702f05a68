import { ConsulError } from './client.js';

import type { Read, Reply } from './client.js';
import type { Timing } from './timing.js';

/** Where the reads of one query stand: Consul's rules for the index, and whom to ask. Times are of one monotonic clock. */
export class Position {
  readonly #timing: Timing;
  #index = 0;
  #lastIndex: number | null = null;
  #broken = false;
  #leaderReadsUntilMs = -Infinity;

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** The next blocking read. */
  next(nowMs: number): Omit<Read, 'signal'> {
    const { waitMs, readTimeoutMs, graceMs } = this.#timing;
    return {
      index: this.#index,
      waitMs,
      consistency: nowMs < this.#leaderReadsUntilMs ? 'default' : 'stale',
      timeoutMs: this.#index === 0 ? readTimeoutMs : waitMs + waitMs / 16 + graceMs,
    };
  }

  /** False when the reply is too old and the leader has to be asked. Throws when nobody knows whether it is true. */
  accepts(reply: Reply, nowMs: number): boolean {
    // A server that has just started, with no leader yet, answers 200 and the empty list to a stale read.
    if (!reply.knownLeader) throw new ConsulError('Consul has no leader');
    if (reply.lastContactMs <= this.#timing.maxLastContactMs || nowMs < this.#leaderReadsUntilMs) return true;
    this.#leaderReadsUntilMs = nowMs + this.#timing.leaderReadsMs;
    this.#index = 0;
    return false;
  }

  /** Why what is missing from the reply may still exist; '' after an unbroken watch of a healthy Consul. */
  doubt(reply: Reply): string {
    if (reply.filteredByAcls) return 'the token may not see all of the answer';
    if (this.#lastIndex === null) return '';
    if (this.#broken) return 'the watch was broken since the last answer';
    if (reply.index < this.#lastIndex) return `the index went back from ${this.#lastIndex} to ${reply.index}`;
    // Every registration and deregistration moves the index; losing the right to see them does not.
    if (reply.index === this.#lastIndex) return 'the index did not move';
    return '';
  }

  /** Index 0 would not block, so it counts as 1; one that went back belongs to another state, which is read anew. */
  advance(reply: Reply): void {
    const wentBack = this.#lastIndex !== null && reply.index < this.#lastIndex;
    this.#index = wentBack ? 0 : Math.max(1, reply.index);
    this.#lastIndex = reply.index;
    this.#broken = false;
  }

  /** After a failure Consul's state may be another one, on which the old index would block. */
  restart(): void {
    this.#index = 0;
    this.#broken = true;
  }
}
