import { TLSSocket, type ConnectionOptions as TlsOptions } from 'node:tls';
import { ProxyError, type ErrorKind } from '../../errors.js';
import type { SharedReadBuffer } from '../../socket/read-buffer.js';
import { TurnWriter } from '../../socket/turn-writer.js';
import { openSocket, type ByteSocket, type SocketEvents } from '../../socket/socket.js';
import { WheelTimer, type TimerWheel } from '../../wheel.js';
import type { HpackEncoder, TextCache } from '../../wire/hpack/hpack.js';
import { Connection, errorCode, Http2Error, type ConnectionOwner, type FaultReason } from '../../wire/http2/http2.js';
import type { Http2Call } from './call.js';
import type { Http2TransportLimits } from './limits.js';

/** What a connection shares with the others of its endpoint. */
export interface UpstreamContext {
  readonly address: string;
  readonly port: number;
  readonly tls: TlsOptions | null;
  readonly limits: Http2TransportLimits;
  readonly wheel: TimerWheel;
  readonly reads: SharedReadBuffer;
  readonly encoder: HpackEncoder;
  readonly texts: TextCache;
  /** The endpoint has sent its settings: calls may be sent. */
  ready(connection: UpstreamConnection): void;
  /** There is room for another call. */
  roomOn(connection: UpstreamConnection): void;
  /** It takes no more calls, but has some to finish. */
  retired(connection: UpstreamConnection): void;
  /** It is gone; `error` is why, if it never was ready. Called once. */
  closed(connection: UpstreamConnection, error: ProxyError | null): void;
}

type State = 'connecting' | 'ready' | 'retired' | 'closed';

/** How often times are looked at: those of open calls, and those of a connection without any. */
const busyTickMs = 50;
const idleTickMs = 1_000;
/** A call that times out on a connection silent for so long raises the question whether anyone is there. */
const suspiciousMs = 1_000;
/** How long a connection that is to close may take to send its last bytes. */
const lastWordsMs = 1_000;
const pingPayload = Buffer.from('sluicepg', 'latin1');

/**
 * One connection to an endpoint: the socket, the times, and the protocol engine between them. It is ready when the
 * endpoint's SETTINGS have come, so no call is ever sent to something that does not speak HTTP/2 or does not answer.
 * All frames of one turn of the event loop leave in one write.
 */
export class UpstreamConnection implements SocketEvents, ConnectionOwner {
  readonly #context: UpstreamContext;
  readonly #core: Connection;
  readonly #socket: ByteSocket;
  readonly #timer: WheelTimer;
  readonly #scheme: 'http' | 'https';
  readonly #connectMs: number;
  readonly #startMs: number;
  readonly #writer: TurnWriter;
  #state: State = 'connecting';
  /** It has taken a call. */
  hasServed = false;
  /** Why the connection ends, if that is known before the socket does. */
  #error: ProxyError | null = null;
  #heardMs: number;
  #idleMs: number;
  #pingedMs: number | null = null;
  #lastPingMs = -Infinity;

  constructor(context: UpstreamContext, connectMs: number) {
    const { limits, encoder, texts } = context;
    this.#context = context;
    this.#scheme = context.tls === null ? 'http' : 'https';
    this.#connectMs = connectMs;
    this.#startMs = performance.now();
    this.#heardMs = this.#startMs;
    this.#idleMs = this.#startMs;
    const own = {
      headerTableBytes: 0,
      streamWindowBytes: limits.streamWindowBytes,
      windowGrowthBytes: limits.windowGrowthBytes,
      connectionWindowBytes: limits.connectionWindowBytes,
      maxHeaderListBytes: limits.maxHeaderListBytes,
      maxConcurrentStreams: 0,
    };
    this.#core = new Connection(this, { role: 'client', own, flood: limits, encoder, texts });
    this.#timer = new WheelTimer(() => this.#tick());
    this.#socket = openSocket(context.address, context.port, context.tls, context.reads, this);
    this.#writer = new TurnWriter(this.#core, this.#socket);
    context.wheel.set(this.#timer, busyTickMs);
  }

  get hasRoom(): boolean {
    return (
      this.#state === 'ready' &&
      this.#core.hasRoom &&
      this.#core.streamCount < this.#context.limits.maxStreamsPerConnection
    );
  }

  /** Sends a call; there is room for it. */
  send(call: Http2Call, nowMs: number): void {
    this.#core.nowMs = nowMs;
    this.hasServed = true;
    if (this.#core.streamCount === 0) this.#awake(nowMs);
    const { body } = call.call;
    const stream = this.#core.open(call.call, this.#scheme, body.length, call);
    call.sentOn(stream);
    if (body.length !== 0) stream.send(body);
  }

  /** The first call after a while without any. */
  #awake(nowMs: number): void {
    this.#context.wheel.set(this.#timer, busyTickMs);
    if (nowMs - this.#heardMs > this.#context.limits.staleMs) this.#ask(nowMs);
  }

  /** Takes no more calls, and closes when the last has ended. */
  retire(): void {
    if (this.#state === 'connecting') {
      this.destroy(new ProxyError('upstream_unsent'));
    } else if (this.#state === 'ready') {
      this.#state = 'retired';
      if (this.#core.streamCount === 0) this.#leave();
    }
  }

  /** Ends now; calls in flight fail with `error`. */
  destroy(error: ProxyError): void {
    this.#error ??= error;
    this.#core.end(lost('closed by the gateway'));
    this.#socket.destroy();
  }

  // Of the socket.

  onConnect(): void {
    const { socket } = this.#socket;
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
      this.destroy(new ProxyError('tls_failed', new Error('the endpoint does not offer h2')));
    } else {
      this.#core.begin();
    }
  }

  onBytes(bytes: Buffer, start: number, end: number, owned: boolean): boolean {
    this.#heardMs = performance.now();
    this.#core.nowMs = this.#heardMs;
    this.#core.receive(bytes, start, end, owned);
    return this.#core.chunks.kept;
  }

  onDrain(): void {
    this.#core.nowMs = performance.now();
    this.#writer.drained();
  }

  onPeerEnd(): void {
    this.#core.end(lost('the endpoint closed the connection'));
    this.#socket.destroy();
  }

  onClose(cause: Error | null): void {
    const wasConnecting = this.#state === 'connecting';
    const kind = this.#context.tls !== null && this.#socket.reachedPeer ? 'tls_failed' : 'connect_failed';
    this.#core.end(lost(cause?.message ?? 'the connection ended'));
    this.#state = 'closed';
    this.#context.wheel.remove(this.#timer);
    this.#context.closed(this, wasConnecting ? (this.#error ?? new ProxyError(kind, cause ?? undefined)) : null);
  }

  // Of the protocol engine.

  wantsFlush(): void {
    this.#writer.schedule();
  }

  mayFlush(): void {
    this.#writer.writeEarly();
  }

  settingsReceived(): void {
    if (this.#state === 'connecting') {
      this.#state = 'ready';
      this.#context.ready(this);
    } else {
      this.#context.roomOn(this);
    }
  }

  streamEnded(): void {
    if (this.#core.streamCount === 0) this.#idleMs = this.#core.nowMs;
    if (this.#state === 'ready') this.#context.roomOn(this);
    else if (this.#core.streamCount === 0) this.#leave();
  }

  goAwayReceived(): void {
    if (this.#state !== 'ready') return;
    this.#state = 'retired';
    this.#context.retired(this);
    if (this.#core.streamCount === 0) this.#leave();
  }

  pingAcknowledged(): void {
    this.#pingedMs = null;
  }

  failed(cause: unknown): void {
    if (this.#state === 'connecting') this.#error ??= new ProxyError('connect_failed', cause);
    this.#close();
  }

  opened(): void {
    throw new Error('an endpoint cannot open streams');
  }

  faultOf(error: Http2Error): ProxyError {
    if (error.reason === 'lost' && this.#error !== null) return this.#error;
    const detail = error.reason === 'reset' ? { grpcCode: codeOfReset(error.code) } : {};
    return new ProxyError(kinds[error.reason], error, detail);
  }

  /** No call is left and none will come: says goodbye. */
  #leave(): void {
    this.#core.goAway(errorCode.noError, '');
    this.#core.end(lost('closed by the gateway'));
    this.#close();
  }

  /** Sends what is written and closes; the endpoint has a moment to take it. */
  #close(): void {
    if (this.#state !== 'connecting') this.#state = 'retired';
    this.#context.retired(this);
    this.#writer.flush();
    this.#socket.end();
    this.#context.wheel.set(this.#timer, lastWordsMs);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#core.nowMs = nowMs;
    if (this.#core.ended) return this.#socket.destroy();
    if (this.#state === 'connecting') this.#checkConnecting(nowMs);
    else this.#checkCalls(nowMs);
    if (!this.#core.ended) this.#context.wheel.set(this.#timer, this.#nextTickMs());
  }

  #nextTickMs(): number {
    return this.#state === 'connecting' || this.#core.streamCount > 0 ? busyTickMs : idleTickMs;
  }

  #checkConnecting(nowMs: number): void {
    if (this.#connectMs > 0 && nowMs - this.#startMs > this.#connectMs) this.destroy(new ProxyError('connect_timeout'));
  }

  /**
   * Whether anyone is there; `#checkCalls` waits for the answer. Without a reply to a call in between, a third such question
   * within five minutes makes servers of gRPC close the connection (too_many_pings), with all its calls.
   */
  #ask(nowMs: number): void {
    if (this.#pingedMs !== null) return;
    const isSoon = nowMs - this.#lastPingMs < this.#context.limits.keepAliveMs;
    if (isSoon && this.#core.headMs < this.#lastPingMs) return;
    this.#pingedMs = nowMs;
    this.#lastPingMs = nowMs;
    this.#core.sendPing(pingPayload);
  }

  #checkCalls(nowMs: number): void {
    const { keepAliveMs, keepAliveTimeoutMs, idleTimeoutMs } = this.#context.limits;
    const before = this.#core.streamCount;
    this.#core.tick();
    const silentMs = nowMs - this.#heardMs;
    const calls = this.#core.streamCount;
    if (before === 0) this.#core.writer.shrink();
    if (this.#pingedMs !== null) {
      if (nowMs - this.#pingedMs > keepAliveTimeoutMs)
        this.destroy(new ProxyError('upstream_reset', new Error('no answer to PING')));
    } else if (calls < before ? silentMs > suspiciousMs : calls > 0 && keepAliveMs > 0 && silentMs > keepAliveMs) {
      this.#ask(nowMs);
    }
    if (before === 0 && this.#state === 'ready' && idleTimeoutMs > 0 && nowMs - this.#idleMs > idleTimeoutMs)
      this.#leave();
  }
}

/** What a stream's fault means to its call. */
const kinds: Record<FaultReason, ErrorKind> = {
  reset: 'upstream_reset',
  refused: 'upstream_unsent',
  lost: 'upstream_reset',
  malformed: 'upstream_malformed',
  too_large: 'upstream_too_large',
  cancelled: 'client_closed',
  internal: 'internal',
};

/** What a stream that was reset means to a gRPC caller, by the table of its specification. */
function codeOfReset(code: number): number {
  switch (code) {
    case errorCode.cancel:
      return 1;
    case errorCode.enhanceYourCalm:
      return 8;
    case errorCode.inadequateSecurity:
      return 7;
    default:
      return 13;
  }
}

function lost(message: string): Http2Error {
  return new Http2Error('lost', errorCode.noError, message);
}
