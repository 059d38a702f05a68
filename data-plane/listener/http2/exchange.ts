import { BufferedBody, emptyBody, type BodySink, type BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import type { Exchange, ExchangeSummary, Peer, RequestHead, RequestObserver, Tunnel } from '../../exchange.js';
import { fieldList, headerValue, type FieldBlock, type HeaderList, type MessageFields } from '../../headers.js';
import type { Stream, StreamObserver } from '../../wire/http2/http2.js';
import { BodyPace } from '../body-pace.js';
import { errorAnswer } from '../respond.js';
import { WebSocketOutput } from '../web-socket-output.js';
import type { Http2ListenerLimits } from './limits.js';
import type { ReadRequest } from './request.js';

/** What an exchange asks of the connection that it runs on. */
export interface ExchangeContext {
  readonly peer: Peer;
  readonly limits: Http2ListenerLimits;
  /** A Date field of now. */
  date(): FieldBlock;
  /** The client has been told that this connection takes no more requests. */
  readonly isLeaving: boolean;
  cut(kind: 'slow_body' | 'stalled_reader'): void;
}

/** `tunnel` is an answer too, but has no end that follows from its request's. */
type Phase = 'waiting' | 'answering' | 'done';

/** One request and its answer on a stream. */
export class Http2Exchange implements Exchange, StreamObserver {
  readonly id: string;
  readonly head: RequestHead;
  readonly startMs: number;
  /** What follows an extended CONNECT is the tunnel's. */
  readonly body: BodySource;
  readonly #stream: Stream;
  readonly #isConnect: boolean;
  readonly #context: ExchangeContext;
  #observer: RequestObserver | null = null;
  #phase: Phase = 'waiting';
  #status = 0;
  #error: ProxyError | null = null;
  #doneMs = 0;
  #webSocket: WebSocketSource | null = null;
  /** Made for a request that lasts. */
  #pace: BodyPace | null = null;

  constructor(
    stream: Stream,
    context: ExchangeContext,
    id: string,
    { head, isConnect, expectsContinue }: Omit<ReadRequest, 'refusal'>,
    startMs: number,
  ) {
    this.#stream = stream;
    this.#isConnect = isConnect;
    if (isConnect) this.body = emptyBody;
    else this.body = expectsContinue ? new ExpectedBody(stream) : stream.incoming;
    this.#context = context;
    this.id = id;
    this.head = head;
    this.startMs = startMs;
  }

  get peer(): Peer {
    return this.#context.peer;
  }

  /** The handler may answer before it returns its observer, so that one is told afterwards. */
  observe(observer: RequestObserver): void {
    this.#observer = observer;
    if (this.#phase === 'done') observer.finished(this.#summary());
  }

  inform(status: number, headers: HeaderList): void {
    if (this.#phase === 'waiting') this.#stream.respond(status, { headers }, false);
  }

  respond(status: number, headers: MessageFields, body: BodySource, added?: FieldBlock): void {
    if (this.#phase !== 'waiting') return body.cancel(new ProxyError('internal', new Error('answered twice')));
    if (!this.#isConnect || status >= 300) return this.#answer(status, fieldList(headers), body, added);
    // The client would take it for an open tunnel.
    const error = new ProxyError('upstream_malformed', undefined, {
      message: 'The service did not take the WebSocket.',
    });
    body.cancel(error);
    this.fail(error);
  }

  #answer(status: number, headers: HeaderList, body: BodySource, added?: FieldBlock): void {
    this.#phase = 'answering';
    this.#status = status;
    const bodyless = this.head.method === 'HEAD' || status === 204 || status === 304;
    const last = bodyless || (body.length === 0 && !(body instanceof BufferedBody && body.trailers !== null));
    const contentLength = bodyless ? this.#lengthWithoutBody(headers, body) : body.length || -1;
    const date = headerValue(headers, 'date') === undefined ? this.#context.date() : undefined;
    this.#stream.respond(status, { headers, added, date, contentLength }, last);
    if (!last) this.#stream.send(body);
    else if (body.length !== 0) body.cancel(new ProxyError('internal', new Error('a body where none can be sent')));
  }

  /** What the length would have been, where that may be said at all (RFC 9110 section 8.6). */
  #lengthWithoutBody(headers: HeaderList, body: BodySource): number {
    if (this.#status === 204) return -1;
    const announced = headerValue(headers, 'content-length');
    if (announced !== undefined && /^\d{1,15}$/.test(announced)) return Number(announced);
    return this.head.method === 'HEAD' ? body.length || -1 : -1;
  }

  upgrade(_status: number, headers: HeaderList, tunnel: Tunnel): void {
    if (this.#phase !== 'waiting')
      return tunnel.received.cancel(new ProxyError('internal', new Error('answered twice')));
    this.#phase = 'answering';
    this.#status = 200;
    this.#stream.tunnel = true;
    this.#stream.respond(200, { headers: withoutHandshake(headers) }, false);
    tunnel.send(this.#stream.incoming);
    this.#webSocket = new WebSocketSource(tunnel.received);
    this.#stream.send(this.#webSocket);
  }

  /** The gateway's own answer; a reset once a head has gone out. */
  fail(error: ProxyError): void {
    if (this.#phase === 'done') return;
    this.#error ??= error;
    if (this.#phase === 'answering') return this.#stream.breakOff(error);
    const { status, headers, body } = errorAnswer(error, this.id, headerValue(this.head.headers, 'content-type'));
    this.#answer(status, headers, body);
  }

  /** Nobody has looked at the request: a gRPC client sends it elsewhere by itself if it is told so. */
  refuse(error: ProxyError): void {
    if (isGrpc(this.head)) this.#stream.refuse(error);
    else this.fail(error);
  }

  /** A client sends no second head. */
  headArrived(): void {}

  sent(): void {
    if (!this.#stream.tunnel) this.closed(null);
  }

  closed(error: ProxyError | null): void {
    if (this.#phase === 'done') return;
    this.#doneMs = performance.now();
    const answered = this.#phase === 'answering';
    this.#phase = 'done';
    if (error !== null) {
      // Of an answer that we gave up ourselves, the handler knows.
      if (this.#error === null || !answered) this.#observer?.aborted(error);
      this.#error ??= error;
    }
    this.#observer?.finished(this.#summary());
  }

  tick(nowMs: number): void {
    const { incoming, outgoing } = this.#stream;
    const { writeStallMs, tunnelIdleMs, lingerMs } = this.#context.limits;
    if (this.#phase === 'done') {
      if (nowMs - this.#doneMs > lingerMs) this.#stream.hangUp(new ProxyError('client_closed'));
      return;
    }
    if (outgoing?.blocked === true) {
      if (writeStallMs <= 0 || nowMs - outgoing.activeMs <= writeStallMs) return;
      this.#context.cut('stalled_reader');
      this.#stream.abandon(new ProxyError('client_closed', new Error('the client takes no more')));
    } else if (this.#webSocket !== null) {
      if (this.#context.isLeaving) this.#webSocket.goAway();
      const activeMs = Math.max(incoming.activeMs, outgoing?.activeMs ?? 0);
      if (tunnelIdleMs > 0 && nowMs - activeMs > tunnelIdleMs)
        this.#stream.abandon(new ProxyError('client_closed', new Error('an idle tunnel')));
    } else if (this.#bodyIsTooSlow(nowMs)) {
      this.#context.cut('slow_body');
      const error = new ProxyError('request_timeout');
      incoming.fail(error);
      // Who has not begun to read the body has not heard of it.
      if (this.#phase === 'waiting') this.#observer?.aborted(error);
      this.fail(error);
    }
  }

  /** A gRPC call may be silent for as long as its peers like; its time limits are the route's. */
  #bodyIsTooSlow(nowMs: number): boolean {
    const { incoming } = this.#stream;
    const { bodyIdleMs, minBodyBytesPerSecond } = this.#context.limits;
    if (this.#pace === null) {
      this.#pace = new BodyPace(bodyIdleMs, minBodyBytesPerSecond);
      this.#pace.start(this.startMs);
    }
    if (!incoming.awaited) {
      this.#pace.pause(nowMs);
      return false;
    }
    this.#pace.resume(nowMs);
    if (bodyIdleMs <= 0) return false;
    const isSilent = nowMs - incoming.activeMs > bodyIdleMs;
    return (isSilent || this.#pace.isTooSlow(nowMs, incoming.bytes)) && !isGrpc(this.head);
  }

  #summary(): ExchangeSummary {
    return {
      status: this.#status,
      error: this.#error,
      bytesReceived: this.#stream.incoming.bytes,
      bytesSent: this.#stream.bytesSent,
      durationMs: performance.now() - this.startMs,
    };
  }
}

/** The body of a client that waits for 100 (Continue): it is told to send when somebody wants to read. */
class ExpectedBody implements BodySource {
  readonly #stream: Stream;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  get length(): number | null {
    return this.#stream.incoming.length;
  }

  start(sink: BodySink): void {
    const { incoming, outgoing, remoteEnded } = this.#stream;
    const isAwaited = incoming.bytes === 0 && !remoteEnded && outgoing === null;
    if (isAwaited) this.#stream.respond(100, { headers: [] }, false);
    incoming.start(sink);
  }

  resume(): void {
    this.#stream.incoming.resume();
  }

  cancel(reason: ProxyError): void {
    this.#stream.incoming.cancel(reason);
  }
}

/** What a WebSocket's client is sent, with the word that it is to go elsewhere when that is due. */
class WebSocketSource implements BodySource {
  readonly length = null;
  readonly #source: BodySource;
  #output: WebSocketOutput | null = null;

  constructor(source: BodySource) {
    this.#source = source;
  }

  start(sink: BodySink): void {
    this.#output = new WebSocketOutput(sink);
    this.#source.start(this.#output);
  }

  goAway(): void {
    this.#output?.goAway();
  }

  resume(): void {
    this.#source.resume();
  }

  cancel(reason: ProxyError): void {
    this.#source.cancel(reason);
  }
}

function isGrpc({ headers }: RequestHead): boolean {
  return headerValue(headers, 'content-type')?.startsWith('application/grpc') === true;
}

/** RFC 8441 section 5: HTTP/2 has neither Upgrade nor the proof that the key was understood. */
function withoutHandshake(headers: HeaderList): HeaderList {
  const kept: HeaderList = [];
  for (let i = 0; i < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() !== 'sec-websocket-accept')
      kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
