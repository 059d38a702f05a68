import type { BufferedBody } from '../body.js';
import { ProxyError } from '../errors.js';
import type { Peer, RequestHandler, Tunnel } from '../exchange.js';
import type { ByteSocket, SocketEvents } from '../socket/socket.js';
import { StreamBody } from '../socket/stream-body.js';
import { TunnelEnd, type TunnelOwner } from '../socket/tunnel-end.js';
import { WheelTimer, type TimerWheel } from '../wheel.js';
import { splitTarget, statusLine, writeFields, type MessageFacts, type MessageHead } from '../wire/http1/http1.js';
import { Http1Exchange, type ExchangeConnection } from './exchange.js';
import { Greeting } from './greeting.js';
import type { HttpDate } from './http-date.js';
import type { ListenerLimits } from './limits.js';
import { Lingering } from './lingering.js';
import { peerOf, type PeerSource } from './peer.js';
import { Http1RequestHead } from './request-head.js';
import type { RequestIds } from './request-id.js';
import { RequestReader, type ReaderOwner } from './request-reader.js';
import { errorAnswer } from './respond.js';
import { WebSocketOutput } from './web-socket-output.js';

/** What a connection shares with the others of its listener. */
export interface ListenerContext {
  readonly handler: RequestHandler;
  readonly limits: ListenerLimits;
  readonly wheel: TimerWheel;
  readonly ids: RequestIds;
  readonly date: HttpDate;
  /** `retiring`: answers say Connection: close. `draining`: requests are refused as well. */
  readonly phase: 'open' | 'retiring' | 'draining';
  /** The client speaks HTTP/2; `socket` is the listener's again, with the bytes read so far. `closed` is not told any more. */
  speaksHttp2(connection: ServerConnection, socket: ByteSocket, bytes: Buffer): void;
  closed(connection: ServerConnection): void;
}

/** `lingering`: the last answer is out, the client has yet to read it and close. */
type State = 'open' | 'tunnel' | 'lingering' | 'closed';

/**
 * One client's connection: makes an exchange of each request, hands it to the handler and sees to the connection's own end. The
 * next head is read when the exchange before it has been answered and the client takes what was written, so answers are in order
 * and what a client can make us hold is bounded.
 */
export class ServerConnection implements SocketEvents, ReaderOwner, ExchangeConnection, TunnelOwner {
  readonly #context: ListenerContext;
  readonly source: PeerSource | null;
  readonly #socket: ByteSocket;
  readonly #reader: RequestReader;
  /** For what is awaited of the client beside requests: a half-closed one's patience, a tunnel's bytes, a lingering one's close. */
  readonly #timer: WheelTimer;
  readonly #writeTimer: WheelTimer;
  #state: State = 'open';
  /** The first bytes, until they have been read. */
  #greeting: Greeting | null = new Greeting();
  #peer: Peer | null = null;
  #exchange: Http1Exchange | null = null;
  #tunnel: TunnelEnd | null = null;
  #webSocket: WebSocketOutput | null = null;
  #requests = 0;
  /** The Host of the request before, which is nearly always that of the next. */
  #host: string | null = null;
  #keepAlive = true;
  #continueDue = false;
  /** The client sends no more, though it may read on. */
  #halfClosed = false;
  #lingering: Lingering | null = null;

  constructor(open: (events: SocketEvents) => ByteSocket, source: PeerSource | null, context: ListenerContext) {
    this.#context = context;
    this.source = source;
    this.#timer = new WheelTimer(() => this.#timedOut());
    this.#writeTimer = new WheelTimer(() => this.#socket.destroy());
    this.#socket = open(this);
    this.#reader = new RequestReader(this.#socket, context.limits, context.wheel, this);
  }

  get peer(): Peer {
    this.#peer ??= peerOf(this.#socket.socket, this.source);
    return this.#peer;
  }

  get dateLine(): string {
    return this.#context.date.line();
  }

  /** Nothing more is asked of this connection: it closes once it has answered what it is answering. */
  retire(): void {
    this.#keepAlive = false;
    this.#webSocket?.goAway();
    if (this.#state === 'open' && this.#exchange === null && this.#reader.isBetweenRequests) this.#linger();
  }

  destroy(): void {
    this.#socket.reset();
  }

  // From the socket.

  onConnect(): void {}

  onBytes(bytes: Buffer, start: number, end: number, owned: boolean): boolean {
    if (this.#greeting !== null) return this.#greet(this.#greeting, bytes.subarray(start, end), owned);
    if (this.#tunnel !== null) return this.#tunnel.onBytes(bytes, start, end, owned);
    return this.#reader.onBytes(bytes, start, end, owned);
  }

  #greet(greeting: Greeting, bytes: Buffer, owned: boolean): boolean {
    const spoken = greeting.add(bytes);
    if (spoken === 'more') return false;
    const first = greeting.bytes;
    if (spoken === 'http1') {
      const kept = this.#reader.onBytes(first, 0, first.length, owned && first === bytes);
      this.#greeting = null;
      return kept;
    }
    this.#greeting = null;
    this.#state = 'closed';
    this.#reader.stop(null);
    this.#forgetTimers();
    this.#context.speaksHttp2(this, this.#socket, Buffer.from(first));
    return false;
  }

  onDrain(): void {
    this.#context.wheel.clear(this.#writeTimer);
    if (this.#tunnel !== null) this.#tunnel.onDrain();
    else if (this.#exchange !== null) this.#exchange.drained();
    else this.#reader.readNext();
  }

  onPeerEnd(): void {
    if (this.#tunnel !== null) {
      this.#tunnel.onPeerEnd();
    } else if (this.#exchange === null) {
      this.#linger();
    } else if (this.#reader.hasOpenBody) {
      this.#abort(new ProxyError('client_closed'));
      this.destroy();
    } else {
      this.#keepAlive = false;
      this.#halfClosed = true;
      this.#context.wheel.set(this.#timer, this.#context.limits.halfClosedMs);
    }
  }

  onClose(error: Error | null): void {
    if (this.#exchange !== null) this.#abort(new ProxyError('client_closed', error ?? undefined));
    else if (this.#state === 'open') this.#reader.stop(null);
    this.#state = 'closed';
    this.#forgetTimers();
    this.#context.closed(this);
  }

  #forgetTimers(): void {
    this.#context.wheel.remove(this.#timer);
    this.#context.wheel.remove(this.#writeTimer);
  }

  #abort(error: ProxyError): void {
    if (this.#tunnel !== null) {
      this.#tunnel.break(error);
      return;
    }
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.abort(error);
    this.#reader.stop(error);
  }

  // From the reader.

  mayReadOn(): boolean {
    return this.#state === 'open' && this.#exchange === null && !this.#socket.isFull;
  }

  requestRead(head: MessageHead, facts: MessageFacts, body: BufferedBody | StreamBody): void {
    const { authority, target } = splitTarget(head.method, head.target, facts.host, head.minor, this.#host);
    this.#host = facts.host;
    const request = new Http1RequestHead(head, target, authority);
    this.#keepAlive &&= facts.persists && ++this.#requests < this.#context.limits.maxRequestsPerConnection;
    const exchange = new Http1Exchange(this, this.#context.ids.next(), request, body, performance.now());
    this.#exchange = exchange;
    const refusal = this.#refusalOf(facts.expect, head.minor, body);
    if (refusal !== null) exchange.fail(refusal);
    else this.#handle(exchange);
  }

  #refusalOf(expect: string, minor: 0 | 1, body: BufferedBody | StreamBody): ProxyError | null {
    if (this.#context.phase === 'draining') return new ProxyError('draining');
    if (expect === '' || minor === 0) return null;
    if (expect.toLowerCase() !== '100-continue') return new ProxyError('expectation_failed');
    this.#continueDue = body instanceof StreamBody;
    return null;
  }

  /** A handler answers its own failures; one that throws all the same must not take the process with it. */
  #handle(exchange: Http1Exchange): void {
    try {
      exchange.observe(this.#context.handler.handle(exchange));
    } catch (error) {
      exchange.fail(new ProxyError('internal', error));
    }
  }

  bodyAwaited(): void {
    if (this.#continueDue && this.#exchange?.answerBegun === false) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    this.#continueDue = false;
  }

  refused(error: ProxyError): void {
    this.#keepAlive = false;
    const exchange = this.#exchange;
    if (exchange === null) {
      const isAnswered = this.#reader.hasOpenBody;
      this.#reader.stop(error);
      if (isAnswered || this.#greeting?.isForeign === true) this.#linger();
      else this.#answerAlone(error);
    } else {
      this.#socket.pause();
      // Who reads the body hears of it, and may answer.
      this.#reader.stop(error);
      exchange.refuse(error);
    }
  }

  /** An error for which there is no request. */
  #answerAlone(error: ProxyError): void {
    const { status, headers, body } = errorAnswer(error, this.#context.ids.next(), undefined);
    const { text } = writeFields(statusLine(status), headers);
    const end = `${this.dateLine}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
    this.#socket.write(text + end + body.text);
    this.#linger();
  }

  idled(): void {
    this.#linger();
  }

  // From the exchange.

  mayKeepAlive(isWhole: boolean): boolean {
    const hasTooMuch = isWhole && this.#reader.hasMuchToDrop;
    if (this.#continueDue || hasTooMuch || this.#context.phase !== 'open') this.#keepAlive = false;
    return this.#keepAlive;
  }

  write(data: string | Uint8Array): boolean {
    return this.#written(this.#socket.write(data));
  }

  flush(): void {
    this.#socket.flush();
  }

  get isDrained(): boolean {
    return this.#socket.isDrained;
  }

  #written(hasRoom: boolean): boolean {
    if (!hasRoom) this.#context.wheel.set(this.#writeTimer, this.#context.limits.writeStallMs);
    return hasRoom;
  }

  answered(keepAlive: boolean): void {
    this.#exchange = null;
    if (this.#state !== 'open') return;
    if (!keepAlive || !this.#keepAlive) this.#linger();
    else if (this.#reader.hasOpenBody) this.#reader.dropBody();
    else this.#reader.readNext();
  }

  cut(): void {
    this.#exchange = null;
    this.#state = 'closed';
    this.#reader.stop(null);
    this.#socket.reset();
  }

  // As a tunnel.

  joinTunnel(tunnel: Tunnel, protocol: string): void {
    const rest = this.#reader.takeRest();
    this.#state = 'tunnel';
    const end = new TunnelEnd(this.#socket, this);
    this.#tunnel = end;
    this.tunnelActive();
    tunnel.send(end.input);
    if (protocol.toLowerCase() === 'websocket') this.#webSocket = new WebSocketOutput(end);
    end.send(tunnel.received, this.#webSocket ?? end);
    this.#socket.resume();
    if (rest !== null) end.onBytes(rest, 0, rest.length, true);
    if (this.#halfClosed) end.onPeerEnd();
  }

  tunnelActive(): void {
    this.#context.wheel.set(this.#timer, this.#context.limits.tunnelIdleMs);
  }

  tunnelEnded(error: ProxyError | null): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.tunnelEnded(error, this.#tunnel?.input.received ?? 0, this.#tunnel?.sent ?? 0);
    if (error === null) this.#linger();
  }

  // Towards the end.

  #linger(): void {
    if (this.#state === 'closed' || this.#state === 'lingering') return;
    this.#state = 'lingering';
    this.#reader.stop(null);
    this.#lingering = new Lingering(this.#socket, this.#context.limits);
    this.#context.wheel.set(this.#timer, this.#lingering.ms);
  }

  #timedOut(): void {
    if (this.#lingering?.goesOn() === true) {
      this.#context.wheel.set(this.#timer, this.#lingering.ms);
      return;
    }
    const isHalfClosed = this.#state === 'open';
    const mayReadOn = this.#exchange?.answerBegun === true && !this.#exchange.endsWithClient;
    if (!isHalfClosed || !mayReadOn) this.#socket.destroy();
  }
}
