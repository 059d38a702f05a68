import { createHash } from 'node:crypto';
import { headerValue, type HeaderList } from '../../headers.js';

/**
 * The fields that accept a WebSocket (RFC 6455 section 4.2.2); null when the request does not make one as it should: its version
 * is not 13, or its key is not 16 bytes in base64.
 */
export function acceptFields(request: HeaderList): HeaderList | null {
  const key = headerValue(request, 'sec-websocket-key');
  if (headerValue(request, 'sec-websocket-version') !== '13' || key === undefined) return null;
  if (!/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)) return null;
  const proof = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return ['Upgrade', 'websocket', 'Sec-WebSocket-Accept', proof];
}

/**
 * Whether a page of another site asks: browsers let any page open a WebSocket, with the user's cookies, and read what comes. Callers
 * that are no browsers send no Origin.
 */
export function isForeign(origin: string | undefined, authority: string): boolean {
  if (origin === undefined) return false;
  const host = /^https?:\/\/([^/?#@]+)$/i.exec(origin)?.[1];
  return host === undefined || withoutDefaultPort(host) !== withoutDefaultPort(authority);
}

function withoutDefaultPort(authority: string): string {
  return authority.toLowerCase().replace(/:(?:80|443)$/, '');
}
