import type { HttpRequest } from './request.js';

export interface LoadOptions {
  readonly port: number;
  /** Whether the port speaks TLS. */
  readonly tls: boolean;
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
  /** How late requests of a fixed rate usually left though a connection was free: the generator's own part of latencies. */
  readonly lateMicros?: number;
}
