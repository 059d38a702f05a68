import type { ErrorKind } from '../../errors.js';
import type { RequestHead } from '../../exchange.js';
import { headerValue, isHeader, type HeaderList } from '../../headers.js';
import { isAuthority } from '../../wire/http1/http1.js';
import type { HeadCollector } from '../../wire/http2/http2.js';

/** A request as an exchange has it, or why it is answered by the gateway. */
export interface ReadRequest {
  readonly head: RequestHead;
  readonly refusal: ErrorKind | null;
  /** An extended CONNECT: what follows is no body. */
  readonly isConnect: boolean;
  /** The client waits to be told to go on before it sends the body. */
  readonly expectsContinue: boolean;
}

/**
 * The head of an exchange from the fields of a stream. An extended CONNECT for a WebSocket (RFC 8441) becomes the GET with
 * Upgrade that HTTP/1 knows, with `key` in the place of the key that HTTP/2 does without, so that nothing after the listener
 * needs to know the difference. `checkedAuthority` is one that has passed before.
 */
export function readRequest(
  fields: HeadCollector,
  maxTargetBytes: number,
  checkedAuthority: string | null,
  key: () => string,
): ReadRequest {
  const { method, path, protocol, headers } = fields;
  const authority = fields.authority === '' ? (headerValue(headers, 'host') ?? '') : fields.authority;
  const expect = headerValue(headers, 'expect');
  const expectsContinue = expect !== undefined && expect.toLowerCase() === '100-continue';
  const head: RequestHead = { method, target: path, authority, version: '2', headers };
  const refusal =
    refusalOf(fields, authority, checkedAuthority, maxTargetBytes) ??
    (expect === undefined || expectsContinue ? null : 'expectation_failed');
  if (refusal !== null || protocol === '') return { head, refusal, isConnect: false, expectsContinue };
  headers.push('connection', 'Upgrade', 'upgrade', 'websocket', 'sec-websocket-key', key());
  return { head: { ...head, method: 'GET' }, refusal, isConnect: true, expectsContinue: false };
}

function refusalOf(
  { tooLarge, method, path, protocol, headers }: HeadCollector,
  authority: string,
  checkedAuthority: string | null,
  maxTargetBytes: number,
): ErrorKind | null {
  if (tooLarge) return 'headers_too_large';
  if (method === 'CONNECT' && protocol !== 'websocket') return 'not_implemented';
  if (path.length > maxTargetBytes) return 'uri_too_long';
  if (!isTarget(method, path) || namesAnotherHost(headers, authority)) return 'bad_request';
  if (authority !== checkedAuthority && !isAuthority(authority)) return 'bad_request';
  return null;
}

/** Another recipient might go by the Host field, or by the other one. */
function namesAnotherHost(headers: HeaderList, authority: string): boolean {
  let hosts = 0;
  for (let i = 0; i < headers.length; i += 2) {
    if (!isHeader(headers[i] as string, 'host')) continue;
    if (++hosts > 1 || (headers[i + 1] as string).toLowerCase() !== authority.toLowerCase()) return true;
  }
  return false;
}

/** Origin form, or `*` for OPTIONS (RFC 9113 section 8.3.1). */
function isTarget(method: string, path: string): boolean {
  if (path === '*') return method === 'OPTIONS';
  if (path.charCodeAt(0) !== 0x2f) return false;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x23) return false;
  }
  return true;
}
