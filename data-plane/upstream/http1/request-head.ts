import { BufferedBody } from '../../body.js';
import {
  chunkedEnd,
  chunkStart,
  endHead,
  safeTarget,
  writeMessageFields,
  type FieldsWritten,
} from '../../wire/http1/http1.js';
import type { Call } from '../transport.js';

export type RequestFraming = 'none' | 'length' | 'chunked';

/** Chunked when the length is unknown, or when there are trailers to carry. */
export function framingOf({ body }: Call): RequestFraming {
  if (body.length === null || (body instanceof BufferedBody && body.trailers !== null)) return 'chunked';
  return body.length === 0 ? 'none' : 'length';
}

/** The head of a call as latin1 text, with the fields that are the transport's to write. */
export function requestHead(call: Call, framing: RequestFraming): string {
  const { method, target, authority, headers, added, body } = call;
  const start = `${method} ${safeTarget(target)} HTTP/1.1\r\nHost: ${authority}\r\n`;
  const written = writeMessageFields(start, headers, framing === 'chunked' ? null : body.length);
  return endHead(written.text, added, framingLine(call, framing, written) + connectionLines(call, written));
}

function framingLine(call: Call, framing: RequestFraming, { hasLength }: FieldsWritten): string {
  if (hasLength) return '';
  switch (framing) {
    case 'chunked':
      return 'Transfer-Encoding: chunked\r\n';
    case 'length':
      return `Content-Length: ${call.body.length}\r\n`;
    case 'none':
      return expectsBody(call.method) ? 'Content-Length: 0\r\n' : '';
  }
}

/** RFC 9110 section 8.6: a method that anticipates content says so when there is none. */
function expectsBody(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH';
}

function connectionLines(call: Call, { hasTrailersOffer }: FieldsWritten): string {
  if (call.upgrade !== null) return `Upgrade: ${call.upgrade}\r\nConnection: Upgrade\r\n`;
  return hasTrailersOffer ? 'Connection: TE\r\n' : '';
}

/** A whole body in its framing, as latin1 text; for small ones. */
export function inlineBody(body: BufferedBody, framing: RequestFraming): string {
  const { text, trailers } = body;
  if (framing !== 'chunked') return text;
  return (text === '' ? '' : `${chunkStart(text.length)}${text}\r\n`) + chunkedEnd(trailers);
}
