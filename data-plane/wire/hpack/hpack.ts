/**
 * HPACK (RFC 7541), both directions, for HTTP/2 connections. Pure: bytes and strings only; no frames, no limits on lists
 * (the field sink sees every field and keeps what it wants).
 */
export { HpackDecoder, HpackError, type FieldSink } from './decoder.js';
export { HpackEncoder, fieldBound, writeIndexed, writeNamed, writeNoTable } from './encoder.js';
export { TextCache } from './text-cache.js';
