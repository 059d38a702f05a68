import { BufferedBody, type BodySource } from './body.js';
import * as codings from './coding/coding.js';
import type { ContentCoding } from './coding/coding.js';
import { errorTable, ProxyError } from './errors.js';
import type { Exchange, RequestHead, Tunnel } from './exchange.js';
import type { Outgoing } from './forward.js';
import { headerValue, type HeaderList } from './headers.js';
import type { Match } from './router/router.js';
import { takesWebSocket, wantsWebSocket, type RouteTarget } from './runtime/runtime.js';
import { upstreamFields, type ClientFacts } from './shape.js';
import {
  awaitReply,
  prepareCall,
  readReply,
  WebSocketCall,
  type Answer,
  type AwaitedReply,
  type Binding,
  type CallBlocks,
  type CallReadiness,
  type Cancel,
  type Clock,
  type GrpcCall,
  type Pulse,
  type Reply,
  type ReplyObserver,
  type TranscodedRequest,
} from './transcoder/transcoder.js';
import { hasToken, stripHopByHop } from './upstream/hop-by-hop.js';
import { WheelTimer, type TimerWheel } from './wheel.js';
import { acceptFields, isForeign } from './wire/websocket/websocket.js';

export interface TranscodedObserver {
  /** The gRPC call to send, and the milliseconds that the caller gives it; `replied` is to be called with its reply. */
  call(outgoing: Outgoing, timeoutMs: number | null): void;
  answered(answer: Answer): void;
  /** The client has a WebSocket from now on, at the other end of which is `tunnel`. */
  opened(headers: HeaderList, tunnel: Tunnel): void;
  /** How the call behind a WebSocket has ended. */
  ended(code: number): void;
  /** The client has left its WebSocket. */
  hungUp(): void;
  /** There is neither a call nor an answer, but this. */
  broken(error: ProxyError): void;
}

/** One request of a transcoded route: what the proxy sends to the service, and what it answers of what comes back. */
export class TranscodedExchange implements CallReadiness, ReplyObserver, Clock {
  readonly #request: TranscodedRequest;
  readonly #authority: string;
  readonly #observer: TranscodedObserver;
  readonly #timers: TimerWheel;
  readonly #head: RequestHead;
  /** The client's body is being read. */
  #preparing: Cancel | null = null;
  #reply: Reply | null = null;
  #awaited: AwaitedReply | null = null;
  #webSocket: WebSocketCall | null = null;
  #isReplied = false;
  #isAnswered = false;
  /** The client is gone or has been told of an error. */
  #isOver = false;

  constructor(
    { head, body, id }: Exchange,
    match: Match<RouteTarget>,
    facts: ClientFacts,
    binding: Binding,
    timers: TimerWheel,
    blocks: CallBlocks,
    observer: TranscodedObserver,
  ) {
    const { preserveHost, service } = match.target.route.settings;
    this.#observer = observer;
    this.#timers = timers;
    this.#head = head;
    this.#authority = preserveHost ? head.authority : service.host;
    const { headers, added } = upstreamFields(stripHopByHop(head.headers), head, facts, id, '');
    this.#request = {
      binding,
      variables: match.variables(),
      target: head.target,
      headers,
      added,
      blocks,
      body,
      codings,
      clock: this,
      method: head.method,
      maxMessageBytes: binding.habits.maxMessageBytes,
      takesTrailers: hasToken(headerValue(head.headers, 'te') ?? '', 'trailers'),
    };
  }

  start(): void {
    if (takesWebSocket(this.#request.binding) && wantsWebSocket(this.#head)) {
      this.#openWebSocket();
      return;
    }
    this.#preparing = prepareCall(this.#request, this);
  }

  #openWebSocket(): void {
    const { headers, authority } = this.#head;
    if (isForeign(headerValue(headers, 'origin'), authority)) {
      this.#observer.broken(foreignOrigin());
      return;
    }
    const accepted = acceptFields(headers);
    if (accepted === null || (this.#head.version !== '2' && this.#request.body.length !== 0)) {
      this.#observer.broken(badHandshake());
      return;
    }
    this.#webSocket = new WebSocketCall(this.#request, {
      call: (call) => this.ready(call),
      broken: (error) => this.#observer.broken(error),
      ended: (code) => this.#observer.ended(code),
      hungUp: () => this.#observer.hungUp(),
    });
    this.#observer.opened(accepted, this.#webSocket);
  }

  // From the transcoder, which is given this object as the observer of its steps: none is made per request.

  ready({ target, headers, added, body, timeoutMs }: GrpcCall): void {
    this.#preparing = null;
    const { method, habits } = this.#request.binding;
    if (method.serverStreaming && habits.heartbeatMs > 0 && this.#webSocket === null) this.#await();
    this.#observer.call(
      { method: 'POST', target, authority: this.#authority, headers, added, body, upgrade: null },
      timeoutMs,
    );
  }

  replied(status: number, headers: HeaderList, body: BodySource): void {
    if (this.#webSocket !== null) {
      this.#webSocket.replied(status, headers, body);
      return;
    }
    if (this.#awaited === null) {
      this.#reply = readReply(this.#request, status, headers, body, this);
      return;
    }
    this.#isReplied = true;
    if (this.#isAnswered) this.#observer.ended(0);
    this.#awaited.replied(status, headers, body);
  }

  /** The answer may begin before the reply does. */
  #await(): void {
    this.#awaited = awaitReply(this.#request, this);
    this.#reply = this.#awaited;
  }

  failed(error: ProxyError): void {
    this.#observer.broken(error);
  }

  pulse(ms: number, beat: () => void): Pulse {
    return new WheelPulse(this.#timers, ms, beat);
  }

  answered(made: Answer): void {
    const answer = this.#awaited === null || this.#isReplied ? made : { ...made, grpcCode: null };
    this.#isAnswered = true;
    const mayEncode = this.#request.binding.habits.compression && this.#head.method !== 'HEAD';
    const { status, headers, body } = answer;
    const coding = mayEncode ? codings.codingFor(status, headers, body.length, this.#request.headers) : null;
    if (coding === null) this.#observer.answered(answer);
    else this.#encode(answer, coding);
  }

  #encode(answer: Answer, coding: ContentCoding): void {
    const headers = codings.encodedFields(answer.headers, coding);
    const { body } = answer;
    if (!(body instanceof BufferedBody)) {
      this.#observer.answered({ ...answer, headers, body: codings.encodedBody(coding, body) });
      return;
    }
    codings.encodeBytes(coding, body.bytes, (error, bytes) => {
      if (this.#isOver) return;
      if (error !== null) this.#observer.answered(answer);
      else this.#observer.answered({ ...answer, headers, body: new BufferedBody(bytes, body.trailers) });
    });
  }

  /** Ends an answer that has begun with what the error is, where its format can tell (ST4); false when no answer has begun. */
  fail(error: ProxyError): boolean {
    this.#webSocket?.fail(error);
    if (this.#webSocket !== null) return true;
    return this.#reply?.fail(error) ?? false;
  }

  /** To callers of a gRPC method a service that cannot be reached is UNAVAILABLE, which is 503 (ER8). */
  answerFor(error: ProxyError): ProxyError {
    if (error.source !== 'upstream' || errorTable[error.kind].code !== 14) return error;
    return new ProxyError(error.kind, error.cause, { ...error.detail, status: 503 });
  }

  /** Stops reading, either way. */
  cancel(error: ProxyError): void {
    this.#isOver = true;
    this.#webSocket?.cancel(error);
    this.#preparing?.cancel(error);
    this.#preparing = null;
    this.#reply?.cancel(error);
    this.#reply = null;
  }
}

function foreignOrigin(): ProxyError {
  return new ProxyError('bad_request', undefined, {
    status: 403,
    message: 'The Origin of a WebSocket must be the host it calls.',
  });
}

function badHandshake(): ProxyError {
  const message = 'The WebSocket handshake is not one of version 13.';
  return new ProxyError('bad_request', undefined, { status: 426, headers: ['Sec-WebSocket-Version', '13'], message });
}

class WheelPulse implements Pulse {
  readonly #timers: TimerWheel;
  readonly #ms: number;
  readonly #timer: WheelTimer;

  constructor(timers: TimerWheel, ms: number, beat: () => void) {
    this.#timers = timers;
    this.#ms = ms;
    this.#timer = new WheelTimer(() => {
      this.touch();
      beat();
    });
    this.touch();
  }

  touch(): void {
    this.#timers.set(this.#timer, this.#ms);
  }

  stop(): void {
    this.#timers.remove(this.#timer);
  }
}
