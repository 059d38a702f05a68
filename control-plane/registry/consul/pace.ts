import { setTimeout as sleep } from 'node:timers/promises';

import type { Timing } from './timing.js';

const BURST = 2;
const REFILL_MS = 100;

/** Lets two through at once and then one per 100 ms: free when changes are rare, and a bound when Consul answers without end. */
export class TokenBucket {
  #tokens = BURST;
  #atMs = performance.now();

  /** Rejects when `signal` aborts. */
  async take(signal: AbortSignal): Promise<void> {
    const nowMs = performance.now();
    this.#tokens = Math.min(BURST, this.#tokens + (nowMs - this.#atMs) / REFILL_MS);
    this.#atMs = nowMs;
    this.#tokens -= 1;
    if (this.#tokens < 0) await sleep(-this.#tokens * REFILL_MS, undefined, { signal });
  }
}

/** Full jitter: a uniform part of the doubled wait, so that many queries that failed together do not come back together. */
export function backoffMs(failures: number, { minBackoffMs, maxBackoffMs }: Timing, random: number): number {
  return random * Math.min(maxBackoffMs, minBackoffMs * 2 ** Math.min(failures, 20));
}
