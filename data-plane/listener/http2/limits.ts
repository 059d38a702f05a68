/** What a listener lets a client do over HTTP/2, and for how long. Milliseconds; 0 is no limit. */
export interface Http2ListenerLimits {
  /** From accepting a connection to the client's SETTINGS. */
  readonly headMs: number;
  /** Requests at a time on one connection. */
  readonly maxConcurrentStreams: number;
  /** Requests on one connection before it is told to go. */
  readonly maxRequestsPerConnection: number;
  readonly maxHeaderListBytes: number;
  readonly maxTargetBytes: number;
  /** What a client may send of one request before somebody reads it. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  readonly headerTableBytes: number;
  /** Between two pieces of a request body that somebody waits for. */
  readonly bodyIdleMs: number;
  /** Without a request. */
  readonly keepAliveIdleMs: number;
  /** For a client to take what has been written, or to give credit for more of an answer. */
  readonly writeStallMs: number;
  /** For the rest of a request that has been answered already; it is dropped, and the stream then reset with NO_ERROR. */
  readonly lingerMs: number;
}

/** Every limit of the client's side of HTTP/2, with its reason; where HTTP/1 has the same limit, it is the same. */
export const defaultHttp2ListenerLimits: Http2ListenerLimits = {
  headMs: 10_000,
  // As nginx and HAProxy. Browsers open about a hundred; a rapid reset or a stalled reader has no more to play with.
  maxConcurrentStreams: 128,
  maxRequestsPerConnection: 100_000,
  maxHeaderListBytes: 65_536,
  maxTargetBytes: 8_192,
  // Times the streams: 8 MiB that one client can make us hold.
  streamWindowBytes: 65_536,
  // Replenished as bytes arrive: only needs to cover what is on its way.
  connectionWindowBytes: 1_048_576,
  // Clients repeat their fields; an index costs less to read than a text.
  headerTableBytes: 4_096,
  bodyIdleMs: 60_000,
  keepAliveIdleMs: 75_000,
  writeStallMs: 60_000,
  // What is on its way when the answer leaves arrives within a round trip; resetting at once makes some clients lose the answer.
  lingerMs: 500,
};
