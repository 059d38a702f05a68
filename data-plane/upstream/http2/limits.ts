import type { FloodLimits } from '../../wire/http2/http2.js';

/** What the gateway uses of one endpoint over HTTP/2, and bears from it. Milliseconds; 0 is no limit. */
export interface Http2TransportLimits extends FloodLimits {
  /** Connections at a time; a second one is opened when the streams of the first run out. */
  readonly maxConnections: number;
  /** Streams on one connection, however many more the endpoint would take. */
  readonly maxStreamsPerConnection: number;
  /** Calls that wait for a connection or a stream. */
  readonly maxPending: number;
  readonly pendingTimeoutMs: number;
  /** How long a connection is kept without a call. */
  readonly idleTimeoutMs: number;
  /** After a connection could not be made: how long no other is tried; doubles up to the largest. */
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** Calls open and nothing heard for so long: is the endpoint still there? */
  readonly keepAliveMs: number;
  /** A connection that was silent for so long is asked as well when the next call goes out on it. */
  readonly staleMs: number;
  /** How long it may take to answer that. */
  readonly keepAliveTimeoutMs: number;
  readonly maxHeaderListBytes: number;
  readonly streamWindowBytes: number;
  /** More of it, for all calls of a connection together whose readers keep up. */
  readonly windowGrowthBytes: number;
  readonly connectionWindowBytes: number;
}

/** Every limit of the HTTP/2 upstream side, with its reason. */
export const defaultHttp2Limits: Http2TransportLimits = {
  // Servers allow 100 to 250 streams a connection, and watches hold theirs for hours: six thousand at a time to one endpoint.
  maxConnections: 64,
  maxStreamsPerConnection: 1_000,
  // What 64 clients may ask at once, while a first connection is made.
  maxPending: 8_192,
  // As for HTTP/1: waiting longer helps nobody; another endpoint may be free.
  pendingTimeoutMs: 5_000,
  // Connections are few, and a TLS handshake is dear; below the idle limits of common load balancers (350 s and more).
  idleTimeoutMs: 300_000,
  minBackoffMs: 100,
  // An attempt costs little, and who comes back after a long time away is to be found at once.
  maxBackoffMs: 1_000,
  // gRPC servers take offence at pings more often than every five minutes.
  keepAliveMs: 310_000,
  // What lies between may have forgotten the connection without a word: a call would wait for nobody until its time is up.
  staleMs: 60_000,
  keepAliveTimeoutMs: 20_000,
  // As for HTTP/1.
  maxHeaderListBytes: 131_072,
  // A message of 64 KiB in one go; a stalled reader holds no more than this.
  streamWindowBytes: 131_072,
  // One answer alone reaches 400 MB/s over 40 ms, from another region.
  windowGrowthBytes: 16_777_216,
  // Replenished as bytes arrive: only needs to cover what is on its way.
  connectionWindowBytes: 33_554_432,
  // As for clients, though what a service resets is bounded by what it is asked.
  frameBurst: 2_000,
  framesPerSecond: 100,
  resetBurst: 1_000,
  resetsPerSecond: 33,
};
