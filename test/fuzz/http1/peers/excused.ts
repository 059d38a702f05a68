import { valuesOf } from '../oracle/canonical.js';
import { areEqualRepeats } from '../oracle/excused.js';
import type { Message } from '../oracle/reading.js';
import type { PeerName } from './peer.js';

/**
 * Why a peer may refuse a request that we forward, or null when it may not. Each excuse is as narrow as it can be, and in
 * docs/fuzzing.md with its reason.
 */
export function excusedByPeer(name: PeerName, sent: Message, status: string): string | null {
  return name === 'nginx' ? excusedByNginx(sent, status) : excusedByHaproxy(sent, status);
}

/** The same for what a client sent; `came` is that request and those before it on its connection. */
export function excusedOriginal(name: PeerName, came: readonly Message[], status: string): string | null {
  const message = came.at(-1);
  if (message === undefined) return null;
  if (status === 'closed' && came.slice(0, -1).some(({ fields }) => valuesOf(fields, 'connection').some((value) => /close/i.test(value)))) {
    return 'RFC 9110 section 7.6.1: an option that merely holds `close` closes for nginx';
  }
  if (status === '400' && areEqualRepeats(valuesOf(message.fields, 'content-length'))) return 'RFC 9112 section 6.3, item 5: one length said twice';
  if (status === '400' && name === 'haproxy' && /^https?:\/\/[^/?]*\?/i.test(message.target)) return 'RFC 9112 section 3.2.2: an absolute form whose path is empty';
  return excusedByPeer(name, message, status);
}

function excusedByNginx({ method, target, fields }: Message, status: string): string | null {
  if (status === '405' && method === 'TRACE') return 'nginx takes no TRACE, whatever is configured';
  if (status === '400' && /[^A-Z_-]/.test(method)) return 'RFC 9110 section 9.1: a method is any token; nginx takes capitals, `_` and `-`';
  if (status === '400' && /^[^?]*%00/.test(target)) return 'RFC 3986 section 2.1: %00 is a byte like others; nginx refuses it in paths';
  if (status === '400' && valuesOf(fields, 'host')[0]?.includes('..') === true) return 'RFC 3986 section 3.2.2: a name may hold anything; nginx refuses empty labels';
  if (status === '400' && onlyOnce.some((name) => valuesOf(fields, name).length > 1)) return 'RFC 9110 section 5.3: nginx refuses these when there are two, some of them lists';
  return null;
}

const onlyOnce: readonly string[] = ['if-modified-since', 'if-unmodified-since', 'if-match', 'if-none-match', 'if-range', 'content-range', 'authorization'];

function excusedByHaproxy({ fields }: Message, status: string): string | null {
  if (status !== '400') return null;
  const isWebSocket = valuesOf(fields, 'upgrade').some((value) => /(?:^|,)[ \t]*websocket[ \t]*(?:,|$)/i.test(value));
  if (isWebSocket && valuesOf(fields, 'sec-websocket-key').length === 0) return 'RFC 6455 section 4.2.1: a handshake without a key, which is for the service to refuse';
  return hasLongName(fields) ? 'HAProxy takes names of up to 255 bytes' : null;
}

/** HAProxy answers 502 where a service uses one. */
export function hasLongName(fields: readonly string[]): boolean {
  return fields.some((name, i) => i % 2 === 0 && name.length > 255);
}
