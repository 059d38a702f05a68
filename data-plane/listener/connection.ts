import type { Socket } from 'node:net';
import { BufferedBody, emptyBody } from '../body.js';
import { ProxyError, type ErrorKind } from '../errors.js';
import type { Peer, RequestHandler, RequestHead, Tunnel } from '../exchange.js';
import type { HeaderList } from '../headers.js';
import type { ByteSocket, SocketEvents } from '../socket/socket.js';
import { TunnelEnd, type TunnelOwner } from '../socket/tunnel-end.js';
import { keepRange, latin1Text, StreamBody, type BodyOwner } from '../socket/stream-body.js';
import { WheelTimer, type TimerWheel } from '../wheel.js';
import { MessageParser, splitTarget, statusLine, Violation, writeFields, type MessageEvents, type MessageHead, type ViolationKind } from '../wire/http1/http1.js';
import { Http1Exchange, type ExchangeConnection } from './exchange.js';
import type { HttpDate } from './http-date.js';
import type { ListenerLimits } from './limits.js';
import type { RequestIds } from './request-id.js';
import { errorAnswer } from './respond.js';

export interface PeerSource {
  readonly address: string;
  readonly port: number;
}

/** What a connection shares with the others of its listener. */
export interface ListenerContext {
  readonly handler: RequestHandler;
  readonly limits: ListenerLimits;
  readonly wheel: TimerWheel;
  readonly ids: RequestIds;
  readonly date: HttpDate;
  /** `retiring`: answers say Connection: close. `draining`: requests are refused as well. */
  readonly phase: 'open' | 'retiring' | 'draining';
  closed(connection: ServerConnection): void;
}

/**
 * `reading` heads and bodies; `tunnel` after an upgrade; `lingering` after the last answer, until the client has read it;
 * `closed`.
 */
type State = 'reading' | 'tunnel' | 'lingering' | 'closed';

type ReadTimerPurpose = 'head' | 'idle' | 'body' | 'half-closed' | 'linger' | 'tunnel';

/**
 * One client's connection: reads requests one after the other, makes an exchange of each and hands it to the handler. The next
 * head is read when the exchange before it has been answered and taken by the client, so answers are in order and what a
 * client can make us hold is bounded.
 */
export class ServerConnection implements SocketEvents, MessageEvents, BodyOwner, ExchangeConnection, TunnelOwner {
  readonly #context: ListenerContext;
  readonly #source: PeerSource | null;
  readonly #socket: ByteSocket;
  readonly #parser: MessageParser;
  readonly #readTimer: WheelTimer;
  readonly #writeTimer: WheelTimer;
  #state: State = 'reading';
  #tunnel: TunnelEnd | null = null;
  #peer: Peer | null = null;
  #exchange: Http1Exchange | null = null;
  /** The request body that is still arriving. */
  #body: StreamBody | null = null;
  #bodyStartMs = 0;
  #bodyPausedMs = -1;
  /** Bytes after the message in hand. The socket is paused while there are any. */
  #rest: Buffer | null = null;
  #inRead = false;
  #bytesOwned = false;
  #requests = 0;
  #keepAlive = true;
  #continueDue = false;
  #readTimerPurpose: ReadTimerPurpose = 'head';

  constructor(open: (events: SocketEvents) => ByteSocket, source: PeerSource | null, context: ListenerContext) {
    this.#source = source;
    this.#context = context;
    this.#socket = open(this);
    this.#parser = new MessageParser('request', context.limits, this);
    this.#readTimer = new WheelTimer(() => this.#readTimedOut());
    this.#writeTimer = new WheelTimer(() => this.#socket.destroy());
    this.#setReadTimer('head', context.limits.headMs);
  }

  get peer(): Peer {
    this.#peer ??= peerOf(this.#socket.socket, this.#source);
    return this.#peer;
  }

  get dateLine(): string {
    return this.#context.date.line();
  }

  /** No request is being read or answered. */
  get isIdle(): boolean {
    return this.#exchange === null && this.#state === 'reading' && this.#parser.betweenMessages;
  }

  // ── from the socket ──

  onConnect(): void {}

  onBytes(bytes: Buffer, start: number, end: number, owned: boolean): void {
    if (this.#tunnel !== null) {
      this.#tunnel.onBytes(bytes, start, end, owned);
    } else if (this.#state === 'reading') {
      if (this.#body === null && !this.#canReadOn()) this.#hold(bytes, start, end, owned);
      else this.#read(bytes, start, end, owned);
    }
  }

  onDrain(): void {
    this.#context.wheel.clear(this.#writeTimer);
    if (this.#tunnel !== null) this.#tunnel.onDrain();
    else if (this.#exchange !== null) this.#exchange.drained();
    else this.#readNext();
  }

  onPeerEnd(): void {
    if (this.#tunnel !== null) {
      this.#tunnel.onPeerEnd();
    } else if (this.#exchange === null) {
      this.#linger();
    } else if (this.#body !== null) {
      this.#abort(new ProxyError('client_closed'));
      this.destroy();
    } else {
      this.#keepAlive = false;
      this.#setReadTimer('half-closed', this.#context.limits.halfClosedMs);
    }
  }

  onClose(error: Error | null): void {
    this.#state = 'closed';
    this.#context.wheel.remove(this.#readTimer);
    this.#context.wheel.remove(this.#writeTimer);
    if (this.#exchange !== null) this.#abort(new ProxyError('client_closed', error ?? undefined));
    this.#context.closed(this);
  }

  // ── reading ──

  #read(bytes: Buffer, start: number, end: number, owned: boolean): void {
    this.#bytesOwned = owned;
    this.#inRead = true;
    let at = start;
    try {
      do {
        at = this.#parser.feed(bytes, at, end);
      } while (at < end && this.#canReadOn());
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#refuse(new ProxyError(refusals[error.kind], error));
      return;
    } finally {
      this.#inRead = false;
    }
    if (this.#tunnel !== null) this.#tunnel.onBytes(bytes, at, end, owned);
    else if (at < end) this.#hold(bytes, at, end, owned);
    else if (this.#exchange === null && this.#state === 'reading') this.#awaitHead();
  }

  #canReadOn(): boolean {
    return this.#state === 'reading' && this.#exchange === null && !this.#socket.isFull;
  }

  #awaitHead(): void {
    if (this.#parser.betweenMessages) this.#setReadTimer('idle', this.#context.limits.keepAliveIdleMs);
    else if (this.#readTimerPurpose !== 'head') this.#setReadTimer('head', this.#context.limits.headMs);
  }

  #hold(bytes: Buffer, start: number, end: number, owned: boolean): void {
    if (this.#state !== 'reading') return;
    const more = keepRange(bytes, start, end, owned);
    this.#rest = this.#rest === null ? more : Buffer.concat([this.#rest, more]);
    this.#socket.pause();
  }

  #readNext(): void {
    if (this.#inRead || !this.#canReadOn()) return;
    const rest = this.#rest;
    this.#rest = null;
    this.#socket.resume();
    if (rest !== null) this.#read(rest, 0, rest.length, true);
    else this.#awaitHead();
  }

  onMessage(head: MessageHead, bytes: Buffer, bodyStart: number, bodyEnd: number): void {
    this.#context.wheel.clear(this.#readTimer);
    this.#readTimerPurpose = 'idle';
    const body = bodyStart === bodyEnd ? emptyBody : new BufferedBody(keepRange(bytes, bodyStart, bodyEnd, this.#bytesOwned));
    this.#begin(head, body);
  }

  onHead(head: MessageHead): void {
    const { facts } = this.#parser;
    this.#body = new StreamBody(facts.chunked ? null : facts.contentLength, this);
    this.#bodyStartMs = this.#context.wheel.nowMs;
    this.#bodyPausedMs = -1;
    this.#context.wheel.clear(this.#readTimer);
    this.#begin(head, this.#body);
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    const body = this.#body;
    if (body === null) return;
    this.#continueDue = false;
    this.#setReadTimer('body', this.#isTooSlow(body.received + end - start) ? 1 : this.#context.limits.bodyIdleMs);
    body.push(keepRange(bytes, start, end, this.#bytesOwned));
  }

  onEnd(trailers: HeaderList | null): void {
    const body = this.#body;
    this.#body = null;
    this.#context.wheel.clear(this.#readTimer);
    this.#readTimerPurpose = 'idle';
    body?.end(trailers);
  }

  /** Time in which nobody wanted the body does not count against the client. */
  #isTooSlow(bytes: number): boolean {
    const { bodyIdleMs, minBodyBytesPerSecond } = this.#context.limits;
    const elapsedMs = this.#context.wheel.nowMs - this.#bodyStartMs;
    return bodyIdleMs > 0 && elapsedMs > bodyIdleMs && bytes * 1_000 < minBodyBytesPerSecond * elapsedMs;
  }

  #begin(head: MessageHead, body: BufferedBody | StreamBody): void {
    const { facts } = this.#parser;
    const { authority, target } = splitTarget(head.method, head.target, facts.host, head.minor);
    const version = head.minor === 1 ? '1.1' : '1.0';
    const request: RequestHead = { method: head.method, target, authority, version, headers: head.headers };
    this.#keepAlive &&= facts.persists && ++this.#requests < this.#context.limits.maxRequestsPerConnection;
    const exchange = new Http1Exchange(this, this.#context.ids.next(), request, body, performance.now());
    this.#exchange = exchange;
    const refusal = this.#refusalOf(facts.expect, head.minor, body);
    if (refusal !== null) exchange.fail(refusal);
    else this.#handle(exchange);
  }

  /** A handler answers its own failures; one that throws all the same must not take the process with it. */
  #handle(exchange: Http1Exchange): void {
    try {
      exchange.observe(this.#context.handler.handle(exchange));
    } catch (error) {
      exchange.fail(new ProxyError('internal', error));
    }
  }

  #refusalOf(expect: string, minor: 0 | 1, body: BufferedBody | StreamBody): ProxyError | null {
    if (this.#context.phase === 'draining') return new ProxyError('draining');
    if (expect === '' || minor === 0) return null;
    if (expect.toLowerCase() !== '100-continue') return new ProxyError('expectation_failed');
    this.#continueDue = body instanceof StreamBody;
    return null;
  }

  /** The client broke the protocol: it is told so if no answer has begun, and nothing it sends is read any more. */
  #refuse(error: ProxyError): void {
    this.#keepAlive = false;
    const body = this.#body;
    this.#body = null;
    const exchange = this.#exchange;
    if (exchange === null) {
      this.#answerAlone(error);
    } else {
      body?.fail(error);
      if (!exchange.answerBegun) exchange.fail(error);
    }
    if (this.#state === 'reading') this.#socket.pause();
  }

  /** An error for which there is no request. */
  #answerAlone(error: ProxyError): void {
    const { status, headers, body } = errorAnswer(error, this.#context.ids.next(), undefined);
    const { text } = writeFields(statusLine(status), headers);
    const end = `${this.dateLine}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
    this.#socket.writeText(text + end + latin1Text(body.bytes));
    this.#linger();
  }

  #readTimedOut(): void {
    switch (this.#readTimerPurpose) {
      case 'head':
        if (this.#parser.betweenMessages) this.#linger();
        else this.#answerAlone(new ProxyError('request_timeout'));
        break;
      case 'idle':
        this.#linger();
        break;
      case 'body':
        this.#refuse(new ProxyError('request_timeout'));
        break;
      case 'half-closed':
        if (this.#exchange?.answerBegun !== true) this.#socket.destroy();
        break;
      case 'tunnel':
      case 'linger':
        this.#socket.destroy();
        break;
    }
  }

  #setReadTimer(purpose: ReadTimerPurpose, ms: number): void {
    this.#readTimerPurpose = purpose;
    this.#context.wheel.set(this.#readTimer, ms);
  }

  // ── from the request body's reader ──

  bodyStarted(): void {
    if (this.#continueDue && this.#exchange?.answerBegun === false) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    this.#continueDue = false;
    this.#setReadTimer('body', this.#context.limits.bodyIdleMs);
  }

  pauseBody(): void {
    this.#context.wheel.clear(this.#readTimer);
    if (this.#bodyPausedMs < 0) this.#bodyPausedMs = this.#context.wheel.nowMs;
    this.#socket.pause();
  }

  resumeBody(): void {
    if (this.#bodyPausedMs >= 0) this.#bodyStartMs += this.#context.wheel.nowMs - this.#bodyPausedMs;
    this.#bodyPausedMs = -1;
    this.#setReadTimer('body', this.#context.limits.bodyIdleMs);
    this.#socket.resume();
  }

  /** What still comes is read and dropped until the answer is out; then the connection closes. */
  bodyCancelled(): void {
    this.#socket.resume();
  }

  // ── from the exchange ──

  mayKeepAlive(): boolean {
    if (this.#continueDue || this.#context.phase !== 'open') this.#keepAlive = false;
    return this.#keepAlive;
  }

  writeText(text: string): boolean {
    return this.#written(this.#socket.writeText(text));
  }

  write(data: string | Uint8Array): boolean {
    return this.#written(this.#socket.write(data));
  }

  #written(hasRoom: boolean): boolean {
    if (!hasRoom) this.#context.wheel.set(this.#writeTimer, this.#context.limits.writeStallMs);
    return hasRoom;
  }

  answered(keepAlive: boolean): void {
    this.#exchange = null;
    if (this.#state === 'closed') return;
    if (!keepAlive || !this.#keepAlive || this.#body !== null) {
      this.#linger();
    } else {
      this.#readNext();
    }
  }

  cut(): void {
    this.#exchange = null;
    this.#state = 'closed';
    this.#socket.reset();
  }

  joinTunnel(tunnel: Tunnel): void {
    this.#state = 'tunnel';
    const end = new TunnelEnd(this.#socket, this);
    this.#tunnel = end;
    this.tunnelActive();
    tunnel.send(end.input);
    end.send(tunnel.received);
    const rest = this.#rest;
    this.#rest = null;
    this.#socket.resume();
    if (rest !== null) end.onBytes(rest, 0, rest.length, true);
  }

  tunnelActive(): void {
    this.#setReadTimer('tunnel', this.#context.limits.tunnelIdleMs);
  }

  tunnelEnded(error: ProxyError | null): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.tunnelEnded(error, this.#tunnel?.input.received ?? 0, this.#tunnel?.sent ?? 0);
    if (error === null) this.#linger();
  }

  // ── closing ──

  /** Says that no more comes and waits for the client to close, reading nothing into memory: a reset could overtake the answer. */
  #linger(): void {
    if (this.#state === 'closed' || this.#state === 'lingering') return;
    this.#state = 'lingering';
    const body = this.#body;
    this.#body = null;
    body?.fail(new ProxyError('client_closed'));
    this.#rest = null;
    this.#socket.end();
    this.#socket.resume();
    this.#setReadTimer('linger', this.#context.limits.lingerMs);
  }

  /** Nothing more is asked of this connection: it closes once it has answered what it is answering. */
  retire(): void {
    this.#keepAlive = false;
    if (this.isIdle) this.#linger();
  }

  destroy(): void {
    this.#socket.reset();
  }

  #abort(error: ProxyError): void {
    if (this.#tunnel !== null) {
      this.#tunnel.break(error);
      return;
    }
    const body = this.#body;
    const exchange = this.#exchange;
    this.#body = null;
    this.#exchange = null;
    exchange?.abort(error);
    body?.fail(error);
  }
}

const refusals: Record<ViolationKind, ErrorKind> = {
  malformed: 'bad_request',
  head_too_large: 'headers_too_large',
  target_too_long: 'uri_too_long',
  not_implemented: 'not_implemented',
  version: 'version_not_supported',
};

/** `source`, from a PROXY header, stands for the client behind the load balancer that the socket belongs to. */
function peerOf(socket: Socket, source: PeerSource | null): Peer {
  const address = source?.address ?? socket.remoteAddress ?? '';
  return {
    address: address.startsWith('::ffff:') ? address.slice(7) : address,
    port: source?.port ?? socket.remotePort ?? 0,
    localPort: socket.localPort ?? 0,
    tlsServerName: 'servername' in socket ? (typeof socket.servername === 'string' ? socket.servername : '') : null,
  };
}
