/**
 * HTTP/1.1 as bytes and text (RFC 9112): a strict incremental parser for either side, and the serialisers of heads and
 * chunks. This room never touches a socket, a clock or a route.
 */
export type { FieldFacts as MessageFacts } from './field-facts.js';
export { MessageParser, type MessageEvents, type MessageHead, type WireLimits } from './parser.js';
export { isAuthority, splitTarget, type RequestTarget } from './target.js';
export {
  chunkedEnd,
  chunkStart,
  endHead,
  isSafeAuthority,
  safeTarget,
  statusLine,
  writeFields,
  writeMessageFields,
  type FieldsWritten,
} from './serialize.js';
export { Violation, type ViolationKind } from './violation.js';
