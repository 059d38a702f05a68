import type { ByteSocket, SocketEvents } from '../../socket/socket.js';
import { HpackEncoder, TextCache } from '../../wire/hpack/hpack.js';
import { clientPreface, connectionFields } from '../../wire/http2/http2.js';
import type { PeerSource } from '../peer.js';
import { Http2ServerConnection, type Http2Context } from './connection.js';

export { Http2ServerConnection, type Http2Context, type Http2CutKind } from './connection.js';
export { defaultHttp2ListenerLimits, type Http2ListenerLimits } from './limits.js';

/** What all connections of a process may share. */
export function createHttp2Codec(): { readonly encoder: HpackEncoder; readonly texts: TextCache } {
  return { encoder: new HpackEncoder(connectionFields), texts: new TextCache() };
}

/**
 * Serves HTTP/2 on a connection that has chosen it, by ALPN or by its first bytes. The handler gets an exchange for every
 * stream, as it does from HTTP/1. Bytes that were read before go to `onBytes` of what is returned; `context.closed` is told
 * when the connection is gone.
 */
export function serveHttp2(
  open: (events: SocketEvents) => ByteSocket,
  source: PeerSource | null,
  context: Http2Context,
): Http2ServerConnection {
  return new Http2ServerConnection(open, source, context);
}

/** `PRI * HTTP/2.0` and the line end: nothing else begins so, and what is wrong behind it is told in HTTP/2. */
const prefaceLineBytes = 16;

/** Whether a connection's first bytes are HTTP/2 by prior knowledge; `more` when they may become so. */
export function beginsHttp2(bytes: Uint8Array): 'yes' | 'no' | 'more' {
  const length = Math.min(bytes.length, prefaceLineBytes);
  if (clientPreface.compare(bytes, 0, length, 0, length) !== 0) return 'no';
  return length === prefaceLineBytes ? 'yes' : 'more';
}
