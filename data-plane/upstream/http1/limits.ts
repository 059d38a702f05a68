import type { WireLimits } from '../../wire/http1/http1.js';

/** What the gateway bears from one endpoint. Milliseconds; 0 is no limit. */
export interface Http1TransportLimits extends WireLimits {
  readonly maxConnections: number;
  /** Calls that wait for a connection. */
  readonly maxPending: number;
  readonly pendingTimeoutMs: number;
  /** How long a connection is kept without a call; an endpoint's `Keep-Alive: timeout` shortens it. */
  readonly idleTimeoutMs: number;
  /** Interim (1xx) answers to one call. */
  readonly maxInterim: number;
}

/** Every limit of the upstream side, with its reason. */
export const defaultTransportLimits: Http1TransportLimits = {
  // Upstreams are trusted more than clients, yet a head beyond this is a fault (a cookie loop) and not an answer.
  maxHeadBytes: 131_072,
  maxFieldBytes: 65_536,
  maxFields: 256,
  maxTargetBytes: 0,
  // Far above what one endpoint serves well; a bound for the day it stops answering.
  maxConnections: 1_024,
  maxPending: 1_024,
  // Waiting longer than this for a mere connection helps nobody; another endpoint may be free.
  pendingTimeoutMs: 5_000,
  // Below the 5 s after which node and uvicorn close: the side that closes first loses no request.
  idleTimeoutMs: 4_000,
  maxInterim: 32,
};
