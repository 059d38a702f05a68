import type { ProxyError } from '../../errors.js';
import type { HpackEncoder, TextCache } from '../hpack/hpack.js';
import type { FloodLimits } from './flood.js';
import type { HeadCollector } from './head.js';
import type { Http2Error } from './protocol.js';
import type { OwnSettings } from './settings.js';
import type { Stream } from './stream.js';

/** Who holds the socket of a connection. */
export interface ConnectionOwner {
  /** Bytes wait in `writer`, to be written before the turn of the event loop ends. Not called again until `flushed`. */
  wantsFlush(): void;
  /** So many bytes wait in `writer` that they need not wait for the turn's end. */
  mayFlush(): void;
  /** The peer's settings have been applied, the first time or again. */
  settingsReceived(): void;
  /** The peer opened a stream; `head` is reused after the call. Observe the stream before anything else. Not of a client. */
  opened(stream: Stream, head: HeadCollector): void;
  /** A stream has ended, so there is room for another. */
  streamEnded(): void;
  /** The peer takes no more streams; those that it will not look at have failed already. */
  goAwayReceived(code: number, text: string): void;
  pingAcknowledged(): void;
  /** The connection cannot go on; its streams have failed. What is in `writer` tells the peer: write it and close. */
  failed(error: unknown): void;
  /** What a fault of a stream means to those who wait for it. */
  faultOf(error: Http2Error): ProxyError;
}

export interface ConnectionOptions {
  readonly role: 'client' | 'server';
  readonly own: OwnSettings;
  readonly flood: FloodLimits;
  readonly encoder: HpackEncoder;
  readonly texts: TextCache;
}
