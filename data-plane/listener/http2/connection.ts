import { randomBytes } from 'node:crypto';
import { ProxyError, type ErrorKind } from '../../errors.js';
import type { Peer, RequestHandler } from '../../exchange.js';
import type { FieldBlock } from '../../headers.js';
import type { ByteSocket, SocketEvents } from '../../socket/socket.js';
import { TurnWriter, type FrameSource } from '../../socket/turn-writer.js';
import { WheelTimer, type TimerWheel } from '../../wheel.js';
import type { HpackEncoder, TextCache } from '../../wire/hpack/hpack.js';
import {
  Connection,
  errorCode,
  Http2Error,
  type ConnectionOwner,
  type FaultReason,
  type FloodKind,
  type FrameWriter,
  type HeadCollector,
  type Stream,
} from '../../wire/http2/http2.js';
import type { HttpDate } from '../http-date.js';
import { peerOf, type PeerSource } from '../peer.js';
import { Http2Exchange, type ExchangeContext } from './exchange.js';
import type { Http2ListenerLimits } from './limits.js';
import { readRequest } from './request.js';

/** What a connection shares with the others of its listener. */
export interface Http2Context {
  readonly handler: RequestHandler;
  readonly limits: Http2ListenerLimits;
  readonly wheel: TimerWheel;
  readonly ids: { next(): string };
  readonly date: HttpDate;
  readonly encoder: HpackEncoder;
  readonly texts: TextCache;
  readonly phase: 'open' | 'retiring' | 'draining';
  /** A stream or a whole connection has been given up to protect the node. */
  cut(kind: Http2CutKind): void;
  closed(connection: Http2ServerConnection): void;
}

/** Why a client's stream (the first two) or connection was given up. The names are labels of a metric. */
export type Http2CutKind = 'slow_body' | 'stalled_reader' | 'slow_greeting' | 'unanswered_ping' | FloodKind;

/** `leaving`: no new request is taken. `ending`: the last bytes are on their way. */
type State = 'greeting' | 'open' | 'leaving' | 'ending' | 'closed';

/** How often times are looked at: those of open requests, and those of a connection without any. */
const busyTickMs = 250;
const idleTickMs = 1_000;
/** How long the last bytes may take, and how long a client that is told to go may still send requests. */
const lastWordsMs = 1_000;
const lateRequestMs = 1_000;
/** With more than this to be written, no request is read: answers are not to pile up for a client that does not take them. */
const backlogBytes = 1_048_576;
const pingPayload = Buffer.from('sluicepg', 'latin1');

/**
 * One client's HTTP/2 connection: an exchange for each stream, the times, and the way to the end. The protocol is
 * `wire/http2`'s.
 */
export class Http2ServerConnection implements SocketEvents, ConnectionOwner, ExchangeContext, FrameSource {
  readonly peer: Peer;
  readonly #context: Http2Context;
  readonly #core: Connection;
  readonly #socket: ByteSocket;
  readonly #turns: TurnWriter;
  readonly #timer: WheelTimer;
  #state: State = 'greeting';
  #requests = 0;
  #checkedAuthority: string | null = null;
  /** When the state began, or the last stream ended. */
  #sinceMs: number;
  #heardMs: number;
  #pingedMs: number | null = null;
  /** Bytes not read yet because of answers that have not left; the socket is paused while there are any. */
  #unread: Buffer | null = null;

  constructor(open: (events: SocketEvents) => ByteSocket, source: PeerSource | null, context: Http2Context) {
    const { limits, encoder, texts } = context;
    this.#context = context;
    this.#core = new Connection(this, { role: 'server', own: limits, flood: limits, encoder, texts });
    this.#socket = open(this);
    this.#turns = new TurnWriter(this, this.#socket);
    this.peer = peerOf(this.#socket.socket, source);
    this.#sinceMs = performance.now();
    this.#heardMs = this.#sinceMs;
    this.#timer = new WheelTimer(() => this.#tick());
    context.wheel.set(this.#timer, busyTickMs);
    this.#core.begin();
  }

  get limits(): Http2ListenerLimits {
    return this.#context.limits;
  }

  get isLeaving(): boolean {
    return this.#state === 'leaving';
  }

  /** Lets requests in flight, and those on their way, finish; then closes. */
  retire(): void {
    if (this.#state === 'greeting') return this.#finish();
    if (this.#state !== 'open') return;
    this.#become('leaving');
    this.#context.wheel.set(this.#timer, busyTickMs);
    this.#core.announceGoAway();
  }

  destroy(): void {
    this.#socket.reset();
  }

  date(): FieldBlock {
    return this.#context.date.block();
  }

  // Of the socket.

  onConnect(): void {}

  onBytes(bytes: Buffer, start: number, end: number, owned: boolean): boolean {
    if (this.#unread !== null) {
      this.#unread = Buffer.concat([this.#unread, bytes.subarray(start, end)]);
      return false;
    }
    this.#heardMs = performance.now();
    this.#core.nowMs = this.#heardMs;
    if (this.#isBacklogged) this.#core.stopped = true;
    const at = this.#core.receive(bytes, start, end, owned);
    if (at < end) {
      this.#unread = Buffer.from(bytes.subarray(at, end));
      this.#socket.pause();
    }
    return this.#core.chunks.kept;
  }

  onDrain(): void {
    this.#turns.drained();
  }

  onPeerEnd(): void {
    this.#core.end(lost('the client closed the connection'));
    this.#socket.destroy();
  }

  onClose(cause: Error | null): void {
    this.#state = 'closed';
    this.#context.wheel.remove(this.#timer);
    this.#core.end(lost(cause?.message ?? 'the connection ended'));
    this.#context.closed(this);
  }

  // Of the protocol engine.

  get writer(): FrameWriter {
    return this.#core.writer;
  }

  flushed(socketBlocked: boolean): void {
    this.#core.nowMs = performance.now();
    this.#core.flushed(socketBlocked);
    if (!socketBlocked) this.#readOn();
  }

  wrote(socketBlocked: boolean): void {
    this.#core.wrote(socketBlocked);
  }

  wantsFlush(): void {
    this.#turns.schedule();
  }

  mayFlush(): void {
    this.#turns.writeEarly();
  }

  settingsReceived(): void {
    if (this.#state === 'greeting') this.#become('open');
  }

  opened(stream: Stream, fields: HeadCollector): void {
    const { handler, ids, limits, phase } = this.#context;
    const request = readRequest(fields, limits.maxTargetBytes, this.#checkedAuthority, webSocketKey);
    if (request.refusal === null) this.#checkedAuthority = request.head.authority;
    const exchange = new Http2Exchange(stream, this, ids.next(), request, this.#core.nowMs);
    stream.observe(exchange);
    if (this.#core.streamCount === 1) this.#context.wheel.set(this.#timer, busyTickMs);
    if (this.#isBacklogged) this.#core.stopped = true;
    if (++this.#requests >= limits.maxRequestsPerConnection || phase !== 'open') this.retire();
    if (phase === 'draining') exchange.refuse(new ProxyError('draining'));
    else if (request.refusal !== null) exchange.fail(new ProxyError(request.refusal));
    else this.#handle(handler, exchange);
  }

  /** A handler answers its own failures; one that throws all the same must not take the other streams with it. */
  #handle(handler: RequestHandler, exchange: Http2Exchange): void {
    try {
      exchange.observe(handler.handle(exchange));
    } catch (error) {
      exchange.fail(new ProxyError('internal', error));
    }
  }

  streamEnded(): void {
    if (this.#core.streamCount > 0) return;
    if (this.#state === 'open') this.#sinceMs = this.#core.nowMs;
  }

  goAwayReceived(): void {
    if (this.#core.streamCount === 0) this.#finish();
    else if (this.#state === 'open') this.#become('leaving');
  }

  pingAcknowledged(): void {}

  failed(cause: unknown): void {
    if (cause instanceof Http2Error && cause.flood !== null) this.cut(cause.flood);
    this.#end();
  }

  faultOf(error: Http2Error): ProxyError {
    return new ProxyError(kinds[error.reason], error);
  }

  cut(kind: Http2CutKind): void {
    this.#context.cut(kind);
  }

  get #isBacklogged(): boolean {
    return this.#core.writer.length + this.#socket.unsentBytes > backlogBytes;
  }

  #readOn(): void {
    this.#core.stopped = false;
    const unread = this.#unread;
    if (unread === null) return;
    this.#unread = null;
    this.onBytes(unread, 0, unread.length, true);
    if (this.#unread === null) this.#socket.resume();
  }

  #become(state: State): void {
    this.#state = state;
    this.#sinceMs = performance.now();
  }

  /** Says goodbye; nothing is left to do. */
  #finish(): void {
    if (this.#state === 'ending' || this.#state === 'closed') return;
    this.#core.goAway(errorCode.noError, '');
    this.#core.end(lost('closed by the gateway'));
    this.#end();
  }

  #end(): void {
    this.#become('ending');
    this.#turns.flush();
    this.#socket.end();
    this.#context.wheel.set(this.#timer, lastWordsMs);
  }

  #tick(): void {
    const nowMs = performance.now();
    const sinceMs = nowMs - this.#sinceMs;
    const { headMs, keepAliveIdleMs } = this.#context.limits;
    this.#core.nowMs = nowMs;
    if (this.#state === 'ending') return this.#socket.destroy();
    this.#core.tick();
    const idle = this.#core.streamCount === 0;
    if (this.#state === 'greeting' && sinceMs > headMs) this.#giveUp('slow_greeting');
    else if (!idle && this.#isDead(nowMs)) this.#giveUp('unanswered_ping');
    else if (this.#state === 'open' && idle && keepAliveIdleMs > 0 && sinceMs > keepAliveIdleMs) this.#finish();
    else if (this.#state === 'leaving' && idle && sinceMs > lateRequestMs) this.#finish();
    else if (this.#state === 'open' && idle) this.#rest();
    else this.#context.wheel.set(this.#timer, busyTickMs);
  }

  #rest(): void {
    this.#core.writer.shrink();
    this.#context.wheel.set(this.#timer, idleTickMs);
  }

  /** Asks a client that has been silent for long while requests are open, and tells whether it has failed to answer. */
  #isDead(nowMs: number): boolean {
    const { keepAliveMs, keepAliveTimeoutMs } = this.#context.limits;
    if (this.#pingedMs !== null && this.#heardMs <= this.#pingedMs) return nowMs - this.#pingedMs > keepAliveTimeoutMs;
    this.#pingedMs = null;
    // One that we do not read cannot answer.
    if (keepAliveMs > 0 && this.#unread === null && nowMs - this.#heardMs > keepAliveMs) {
      this.#pingedMs = nowMs;
      this.#core.sendPing(pingPayload);
    }
    return false;
  }

  #giveUp(kind: Http2CutKind): void {
    this.cut(kind);
    this.#socket.destroy();
  }
}

function webSocketKey(): string {
  return randomBytes(16).toString('base64');
}

/** What a stream's fault means to its exchange. */
const kinds: Record<FaultReason, ErrorKind> = {
  reset: 'client_closed',
  refused: 'client_closed',
  lost: 'client_closed',
  cancelled: 'client_closed',
  internal: 'internal',
  malformed: 'bad_request',
  too_large: 'headers_too_large',
};

function lost(message: string): Http2Error {
  return new Http2Error('lost', errorCode.noError, message);
}
