import type { HttpRequest } from './request.js';
import { runAtRate } from './fixed-rate.js';
import { runWrk } from './wrk.js';

export { sendOnce, type HttpRequest } from './request.js';

export interface LoadOptions {
  readonly port: number;
  readonly request: HttpRequest;
  readonly connections: number;
  readonly seconds: number;
  /** The core the load generator runs on. */
  readonly core: number;
}

/** What the load generator saw. */
export interface LoadResult {
  readonly requests: number;
  readonly micros: number;
  /** Failed connections, broken answers, timeouts, and statuses that are not 2xx or 3xx. */
  readonly errors: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/**
 * Loads a port of 127.0.0.1 as hard as it can take: each connection sends as soon as it has its answer. Latencies are those
 * of a saturated system.
 */
export function saturate(options: LoadOptions): Promise<LoadResult> {
  return runWrk(options);
}

/**
 * Sends so many requests per second, whether or not earlier ones are answered. A latency begins when the request was due, so
 * a system that stalls is charged for all that had to wait.
 */
export function loadAtRate(options: LoadOptions, requestsPerSecond: number): Promise<LoadResult> {
  return runAtRate(options, requestsPerSecond);
}
