import type { Timing } from './timing.js';

const BURST = 2;
const REFILL_MS = 100;

/** Lets two through at once and then one per 100 ms: free when changes are rare, and a bound when Consul answers without end. */
export class TokenBucket {
  #tokens = BURST;
  #atMs = -Infinity;

  /** Takes a token, and says how long to wait for it. */
  take(nowMs: number): number {
    this.#tokens = Math.min(BURST, this.#tokens + (nowMs - this.#atMs) / REFILL_MS) - 1;
    this.#atMs = nowMs;
    return Math.max(0, -this.#tokens * REFILL_MS);
  }
}

/** Full jitter: a uniform part of the doubled wait, so that many queries that failed together do not come back together. */
export function backoffMs(failures: number, { minBackoffMs, maxBackoffMs }: Timing, random: number): number {
  return random * Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(failures, 20));
}
