import { valuesOf } from '../oracle/canonical.js';
import { framesInTrailers, hasEqualLengths } from '../oracle/excused.js';
import type { Message } from '../oracle/reading.js';
import type { PeerName } from './peer.js';

/** Whether a peer may refuse a request that we forward. Each excuse is as narrow as it can be, and in docs/fuzzing.md with its reason. */
export function isExcused(peer: PeerName, sent: Message, status: string): boolean {
  return peer === 'nginx' ? isExcusedForNginx(sent, status) : status === '400' && isExcusedForHaproxy(sent);
}

/** The same for what a client sent; `came` is that request and those before it on its connection. */
export function isExcusedOriginal(peer: PeerName, came: readonly Message[], status: string): boolean {
  const message = came.at(-1);
  if (message === undefined) return false;
  if (status === 'closed') return peer === 'nginx' && came.slice(0, -1).some(holdsClose);
  if (status === '400' && hasEqualLengths(message)) return true;
  if (status === '400' && peer === 'haproxy' && (hasStrangeTrailers(message) || isAbsoluteWithoutPath(message)))
    return true;
  return isExcused(peer, message, status);
}

function isExcusedForNginx({ method, target, fields }: Message, status: string): boolean {
  // It takes no TRACE, whatever is configured.
  if (status === '405') return method === 'TRACE';
  if (status !== '400') return false;
  // RFC 9110 section 9.1: a method is any token. nginx takes capitals, `_` and `-`.
  if (/[^A-Z_-]/.test(method)) return true;
  // RFC 3986 section 2.1: an encoded byte like others. nginx refuses it in paths.
  if (/^[^?]*%00/.test(target)) return true;
  // RFC 9110 section 5.3: some of these are lists, which may be on several lines.
  return onceForNginx.some((name) => valuesOf(fields, name).length > 1);
}

const onceForNginx: readonly string[] = [
  'if-modified-since',
  'if-unmodified-since',
  'if-match',
  'if-none-match',
  'if-range',
  'content-range',
  'authorization',
  'expect',
];

function isExcusedForHaproxy({ fields }: Message): boolean {
  // RFC 6455 section 4.2.1: a handshake without a key, which is for the service to refuse.
  const isWebSocket = valuesOf(fields, 'upgrade').some((value) => /(?:^|,)[ \t]*websocket[ \t]*(?:,|$)/i.test(value));
  return (isWebSocket && valuesOf(fields, 'sec-websocket-key').length === 0) || hasLongName(fields);
}

/** HAProxy takes names of up to 255 bytes, and answers 502 where a service uses a longer one. */
export function hasLongName(fields: readonly string[]): boolean {
  return fields.some((name, i) => i % 2 === 0 && name.length > 255);
}

/** RFC 9110 section 7.6.1: options are whole tokens. For nginx any value that holds `close` closes. */
function holdsClose({ fields }: Message): boolean {
  return valuesOf(fields, 'connection').some((value) => /close/i.test(value));
}

/** RFC 9110 section 6.5.1: what is for the head means nothing behind the body, and is dropped; HAProxy checks it all the same. */
function hasStrangeTrailers(message: Message): boolean {
  return framesInTrailers(message) || valuesOf(message.trailers, 'host').length > 1;
}

/** RFC 9112 section 3.2.2: an absolute form may have a query and no path. */
function isAbsoluteWithoutPath({ target }: Message): boolean {
  return /^https?:\/\/[^/?]*\?/i.test(target);
}
