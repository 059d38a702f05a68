import type { ErrorKind } from '../../errors.js';
import type { RequestHead } from '../../exchange.js';
import { headerValue } from '../../headers.js';
import type { HeadCollector } from '../../wire/http2/http2.js';

/** A request as an exchange has it, or why it is answered by the gateway. */
export interface ReadRequest {
  readonly head: RequestHead;
  readonly refusal: ErrorKind | null;
}

/**
 * The head of an exchange from the fields of a stream. An extended CONNECT for a WebSocket (RFC 8441) becomes the GET with
 * Upgrade that HTTP/1 knows, with `key` in the place of the key that HTTP/2 does without, so that nothing after the listener
 * needs to know the difference.
 */
export function readRequest(fields: HeadCollector, maxTargetBytes: number, key: () => string): ReadRequest {
  const { method, path, protocol, headers } = fields;
  const host = headerValue(headers, 'host');
  const authority = fields.authority === '' ? (host ?? '') : fields.authority;
  const head: RequestHead = { method, target: path, authority, version: '2', headers };
  if (fields.tooLarge) return { head, refusal: 'headers_too_large' };
  if (method === 'CONNECT' && protocol === '') return { head, refusal: 'not_implemented' };
  if (path.length > maxTargetBytes) return { head, refusal: 'uri_too_long' };
  if (!isTarget(method, path) || (host !== undefined && host !== authority)) return { head, refusal: 'bad_request' };
  if (headerValue(headers, 'expect') !== undefined && !expects100(headers))
    return { head, refusal: 'expectation_failed' };
  if (protocol === '') return { head, refusal: null };
  if (protocol !== 'websocket') return { head, refusal: 'not_implemented' };
  headers.push('connection', 'Upgrade', 'upgrade', 'websocket', 'sec-websocket-key', key());
  return { head: { ...head, method: 'GET' }, refusal: null };
}

/** Origin form, or `*` for OPTIONS (RFC 9113 section 8.3.1). */
function isTarget(method: string, path: string): boolean {
  if (path === '*') return method === 'OPTIONS';
  if (path.charCodeAt(0) !== 0x2f) return false;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code <= 0x20 || code === 0x7f || code === 0x23) return false;
  }
  return true;
}

function expects100(headers: readonly string[]): boolean {
  return headerValue(headers, 'expect')?.toLowerCase() === '100-continue';
}
