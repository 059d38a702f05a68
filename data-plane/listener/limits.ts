import type { WireLimits } from '../wire/http1/http1.js';

/** What a listener lets a client do, and for how long. Milliseconds; 0 is no limit. */
export interface ListenerLimits extends WireLimits {
  /** Connections at a time; more are closed at once. */
  readonly maxConnections: number;
  /** Answers on one connection before it is closed. */
  readonly maxRequestsPerConnection: number;
  /** From the first byte of a head to its last; also the TLS handshake and a PROXY header. */
  readonly headMs: number;
  /** Between two pieces of a request body. */
  readonly bodyIdleMs: number;
  /** A body that has come for longer than `bodyIdleMs` must have come at least this fast on average. */
  readonly minBodyBytesPerSecond: number;
  /** Between an answer and the next head. */
  readonly keepAliveIdleMs: number;
  /** For a client to take what has been written. */
  readonly writeStallMs: number;
  /** Without a byte either way on an upgraded connection. */
  readonly tunnelIdleMs: number;
  /** After a client has ended its side: how long its answer may take to begin. */
  readonly halfClosedMs: number;
  /** Of a request body that still comes when its answer is out; with more the connection closes. */
  readonly maxDroppedBytes: number;
  /** For a client to read a last answer while it still sends: closing earlier would reset the answer away. */
  readonly lingerMs: number;
}

/** Every limit of the client's side, with its reason. */
export const defaultLimits: ListenerLimits = {
  // As nginx's 4 x 8 KiB and node's 16 KiB, with room for large cookies and tokens; beyond that is an attack or a mistake.
  maxHeadBytes: 65_536,
  maxFieldBytes: 16_384,
  maxFields: 128,
  // As nginx; longer targets fail somewhere on the way in practice.
  maxTargetBytes: 8_192,
  // What a node's memory bears at 25 KiB each with room to spare.
  maxConnections: 50_000,
  // Keep-alive connections must end now and then, so that load balancers spread clients anew.
  maxRequestsPerConnection: 100_000,
  // A head is sent in one go; ten seconds forgive a lossy mobile link and no more.
  headMs: 10_000,
  bodyIdleMs: 60_000,
  // One byte per minute would pass the idle limit for years.
  minBodyBytesPerSecond: 240,
  // Above the 60 s of common load balancers, so that it is they who close and never race with us.
  keepAliveIdleMs: 75_000,
  writeStallMs: 60_000,
  tunnelIdleMs: 300_000,
  // A client that shut down its side may still read (`nc -N`), but mostly it has gone.
  halfClosedMs: 500,
  // To read a megabyte costs less than a new connection with TLS; whoever sends more should hear that nobody listens.
  maxDroppedBytes: 1_048_576,
  lingerMs: 2_000,
};
