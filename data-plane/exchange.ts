import type { BodySource } from './body.js';
import type { ProxyError } from './errors.js';
import type { FieldBlock, FieldLines, HeaderList, MessageFields } from './headers.js';

/** The head of a request as a listener read it, whatever the protocol. */
export interface RequestHead {
  readonly method: string;
  /** Origin form as the client sent it: path and query. `*` for OPTIONS *. An absolute-form target is already split. */
  readonly target: string;
  /** Host (HTTP/1), :authority (HTTP/2) or the absolute-form authority; lower case is not applied; '' when absent (HTTP/1.0). */
  readonly authority: string;
  readonly version: '1.0' | '1.1' | '2';
  /** Field lines as they came, without pseudo-header fields. */
  readonly headers: HeaderList;
  /** The same over HTTP/1 where none asks for a closer look: as they can be passed on, without Host. */
  readonly lines?: FieldLines | null;
}

/** The two ends of the client's connection. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  readonly localPort: number;
  /** Null on a plain connection; the name that the client asked for in the TLS handshake, or ''. */
  readonly tlsServerName: string | null;
}

/**
 * The client's side of one request: made by a listener, handed to the proxy, and gone when `finish` has been called.
 * Exactly one of `respond`, `fail` or `upgrade` is called by the proxy; `reset` may follow when an answer cannot be completed.
 */
export interface Exchange {
  /** Unique within the process's life and sortable by time; sent as X-Request-Id when the client sent none. */
  readonly id: string;
  readonly head: RequestHead;
  readonly body: BodySource;
  readonly peer: Peer;
  /** process.hrtime-like milliseconds of the head's arrival. */
  readonly startMs: number;

  /** Sends a 1xx (not 100 or 101) that came from upstream. */
  inform(status: number, headers: HeaderList): void;
  /** Sends head and body; `added` behind `headers`. Framing fields (Content-Length, Transfer-Encoding, Connection) are the listener's: it derives them from body.length. */
  respond(status: number, headers: MessageFields, body: BodySource, added?: FieldBlock): void;
  /** Answers 101 (or 200 on HTTP/2) with these headers and joins the two byte streams: the client's bytes go to `tunnel.send`, the upstream's come from `tunnel.received`. */
  upgrade(status: number, headers: HeaderList, tunnel: Tunnel): void;
  /** The gateway's own answer for an error; a reset when a head has gone out already. The only way to answer an error. */
  fail(error: ProxyError): void;
}

/** The upstream half of an upgraded connection: two byte streams that end independently. */
export interface Tunnel {
  /** What the upstream sends. */
  readonly received: BodySource;
  /** Gives the upstream the client's bytes; called once. */
  send(body: BodySource): void;
}

/** What a listener calls, and what tells the proxy of the client. */
export interface RequestHandler {
  /** A request head is complete. The body has not been started. */
  handle(exchange: Exchange): RequestObserver;
}

export interface RequestObserver {
  /** The client went away (or its stream was reset) before the answer was complete: stop the upstream work. */
  aborted(error: ProxyError): void;
  /** A client that has said its last word does not wait for the rest of an answer that has begun, as it may for a download. */
  readonly endsWithClient?: boolean;
  /** The answer has been written completely, or given up. Called exactly once, also after `aborted`; for counters and the log. */
  finished(summary: ExchangeSummary): void;
}

export interface ExchangeSummary {
  readonly status: number;
  readonly error: ProxyError | null;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly durationMs: number;
}
