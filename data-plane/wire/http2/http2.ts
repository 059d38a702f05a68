/**
 * HTTP/2 (RFC 9113), both sides of a connection, without sockets and clocks: bytes and times in, frames and calls out.
 * `Connection` is what a listener or an upstream transport drives; it knows nothing of routes, pools or retries.
 */
export { Connection } from './connection.js';
export type { ConnectionOptions, ConnectionOwner } from './owner.js';
export type { FloodLimits } from './flood.js';
export type { HeadCollector } from './head.js';
export { connectionFields, type RequestFields } from './head-writer.js';
export {
  clientPreface,
  defaultWindowBytes,
  errorCode,
  errorName,
  Http2Error,
  type FaultReason,
  type FloodKind,
} from './protocol.js';
export type { OwnSettings } from './settings.js';
export type { Stream, StreamObserver } from './stream.js';
export type { FrameWriter } from './writer.js';
