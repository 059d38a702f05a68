import type { LoadOptions, LoadResult } from './contract.js';
import { runAtRate } from './fixed-rate.js';
import { runH2load } from './h2load.js';
import { runWebSocket } from './websocket.js';
import { runWrk } from './wrk.js';

export { callOnce } from './call.js';
export { openIdle } from './idle.js';
export type { LoadOptions, LoadResult } from './contract.js';
export { sendOnce, type HttpRequest } from './request.js';
export { startSlowClients, type SlowClients } from './slow-clients.js';

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

/** The same with gRPC calls over HTTP/2; each reply is `replyBytes` long. */
export function saturateCalls(options: LoadOptions, replyBytes: number): Promise<LoadResult> {
  return runH2load(options, replyBytes);
}

/** Loads a port with WebSocket messages as hard as it can take: what is counted as requests are messages that came back. */
export function saturateWebSocket(options: LoadOptions): Promise<LoadResult> {
  return runWebSocket(options);
}
