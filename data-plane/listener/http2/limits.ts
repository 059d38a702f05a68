import type { FloodLimits } from '../../wire/http2/http2.js';

/** What a listener lets a client do over HTTP/2, and for how long. Milliseconds; 0 is no limit. */
export interface Http2ListenerLimits extends FloodLimits {
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
  /** More of it, for all requests of a connection together whose readers keep up. */
  readonly windowGrowthBytes: number;
  readonly connectionWindowBytes: number;
  readonly headerTableBytes: number;
  /** Between two pieces of a request body that somebody waits for. */
  readonly bodyIdleMs: number;
  /** A body that has been awaited for longer than `bodyIdleMs` must have come at least this fast on average. */
  readonly minBodyBytesPerSecond: number;
  /** Without a request. */
  readonly keepAliveIdleMs: number;
  /** For a client to take what has been written, or to give credit for more of an answer. */
  readonly writeStallMs: number;
  /** Without a byte either way on a WebSocket. */
  readonly tunnelIdleMs: number;
  /** Requests open and nothing heard for so long: is the client still there? */
  readonly keepAliveMs: number;
  /** How long it may take to answer that. */
  readonly keepAliveTimeoutMs: number;
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
  // A message of 64 KiB in one go. Times the streams, and the growth: 24 MiB that one client can make us hold.
  streamWindowBytes: 131_072,
  // One upload alone reaches 200 MB/s over 40 ms, where 64 KiB would make it 1.5.
  windowGrowthBytes: 8_388_608,
  // Replenished as bytes arrive: only needs to cover what is on its way.
  connectionWindowBytes: 16_777_216,
  // Clients repeat their fields; an index costs less to read than a text.
  headerTableBytes: 4_096,
  bodyIdleMs: 60_000,
  minBodyBytesPerSecond: 240,
  keepAliveIdleMs: 75_000,
  writeStallMs: 60_000,
  tunnelIdleMs: 300_000,
  // A phone that lost its network says nothing; what waits for an answer of a service should not wait for it as well.
  keepAliveMs: 60_000,
  keepAliveTimeoutMs: 20_000,
  // What is on its way when the answer leaves arrives within a round trip; resetting at once makes some clients lose the answer.
  lingerMs: 500,
  // A busy gRPC client sends up to two frames without use for each message, and useful ones give back more than that.
  frameBurst: 2_000,
  framesPerSecond: 100,
  // As nghttp2. A page that is left cancels a hundred requests; nobody does so several times a second.
  resetBurst: 1_000,
  resetsPerSecond: 33,
};
