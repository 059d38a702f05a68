import { emptyBody, type BufferedBody } from '../body.js';
import { ProxyError, type ErrorKind } from '../errors.js';
import type { HeaderList } from '../headers.js';
import type { ByteSocket } from '../socket/socket.js';
import { RangeTaker, StreamBody, type BodyOwner } from '../socket/stream-body.js';
import { WheelTimer, type TimerWheel } from '../wheel.js';
import {
  MessageParser,
  Violation,
  type MessageEvents,
  type MessageFacts,
  type MessageHead,
  type ViolationKind,
} from '../wire/http1/http1.js';
import { BodyPace } from './body-pace.js';
import type { ListenerLimits } from './limits.js';

export interface ReaderOwner {
  /** Whether the next head may be read. When it may again, the owner calls `readNext`. */
  mayReadOn(): boolean;
  /** A head has come, with its body or followed by it. May throw a Violation, which comes back as `refused`. */
  requestRead(head: MessageHead, facts: MessageFacts, body: BufferedBody | StreamBody): void;
  /** Somebody begins to read a body of which no byte has come. */
  bodyAwaited(): void;
  /** The client broke the protocol or was too slow: the owner calls `stop`. */
  refused(error: ProxyError): void;
  /** No request has begun in time. */
  idled(): void;
}

type Awaiting = 'head' | 'idle' | 'body' | 'nothing';

/**
 * The reading half of a client's connection: heads and bodies out of bytes, one request at a time. What comes behind the request
 * in hand is held and the socket paused, so a client cannot make us hold more than one read.
 */
export class RequestReader implements MessageEvents, BodyOwner {
  readonly #socket: ByteSocket;
  readonly #owner: ReaderOwner;
  readonly #limits: ListenerLimits;
  readonly #wheel: TimerWheel;
  readonly #parser: MessageParser;
  readonly #pace: BodyPace;
  readonly #timer: WheelTimer;
  readonly #ranges = new RangeTaker();
  #awaiting: Awaiting = 'head';
  #body: StreamBody | null = null;
  #rest: Buffer | null = null;
  #inRead = false;
  #stopped = false;
  /** Nobody reads the body; how much of it has come since then. */
  #dropping = false;
  #dropped = 0;

  constructor(socket: ByteSocket, limits: ListenerLimits, wheel: TimerWheel, owner: ReaderOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#limits = limits;
    this.#wheel = wheel;
    this.#parser = new MessageParser('request', limits, this, true);
    this.#pace = new BodyPace(limits.bodyIdleMs, limits.minBodyBytesPerSecond);
    this.#timer = new WheelTimer(() => this.#timedOut());
    this.#await('head', limits.headMs);
  }

  /** The body of the request in hand is still arriving. */
  get hasOpenBody(): boolean {
    return this.#body !== null;
  }

  /** More of the body in hand is to come than is dropped for the sake of the next request. */
  get hasMuchToDrop(): boolean {
    const body = this.#body;
    return body !== null && body.length !== null && body.length - body.received > this.#limits.maxDroppedBytes;
  }

  get isBetweenRequests(): boolean {
    return this.#parser.betweenMessages && this.#rest === null;
  }

  /** Returns whether views of the bytes are kept. */
  onBytes(bytes: Buffer, start: number, end: number, owned: boolean): boolean {
    if (this.#stopped) return false;
    this.#ranges.begin(bytes, owned);
    if (this.#body === null && !this.#owner.mayReadOn()) this.#hold(start, end);
    else this.#read(bytes, start, end);
    return this.#ranges.kept;
  }

  /** The request in hand has been answered: read on, what is held first. */
  readNext(): void {
    if (this.#inRead || this.#stopped || !this.#owner.mayReadOn()) return;
    const rest = this.takeRest();
    this.#socket.resume();
    if (rest !== null) this.onBytes(rest, 0, rest.length, true);
    else this.#awaitHead();
  }

  /**
   * The request in hand was answered before its body had come: the answer did not say that the connection closes, so what still
   * comes is dropped, and the next request read. The owner is told `idled` when that is too much or takes too long.
   */
  dropBody(): void {
    this.#dropping = true;
    this.#body?.cancel(new ProxyError('client_closed'));
    this.#await('body', this.#limits.bodyIdleMs);
    this.#socket.resume();
  }

  /** What has come behind the request in hand; the caller's now. */
  takeRest(): Buffer | null {
    const rest = this.#rest;
    this.#rest = null;
    return rest;
  }

  /** Reads nothing any more. A body in the middle fails with `error`; null says that the client closed. */
  stop(error: ProxyError | null): void {
    const body = this.#body;
    this.#stopped = true;
    this.#body = null;
    this.#rest = null;
    this.#wheel.remove(this.#timer);
    // Made only where somebody hears of it: an error costs more than all else at a connection's end.
    body?.fail(error ?? new ProxyError('client_closed'));
  }

  #read(bytes: Buffer, start: number, end: number): void {
    this.#inRead = true;
    let at = start;
    try {
      do {
        at = this.#parser.feed(bytes, at, end);
      } while (at < end && this.#owner.mayReadOn());
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#owner.refused(new ProxyError(refusals[error.kind], error));
      return;
    } finally {
      this.#inRead = false;
    }
    if (at < end) this.#hold(at, end);
    else if (this.#body === null && this.#owner.mayReadOn()) this.#awaitHead();
  }

  #hold(start: number, end: number): void {
    if (this.#stopped) return;
    const more = this.#ranges.take(start, end);
    this.#rest = this.#rest === null ? more : Buffer.concat([this.#rest, more]);
    this.#socket.pause();
  }

  /** The time for a head runs from its first byte, for the first head from the connection's beginning. */
  #awaitHead(): void {
    if (this.#parser.betweenMessages) this.#await('idle', this.#limits.keepAliveIdleMs);
    else if (this.#awaiting !== 'head') this.#await('head', this.#limits.headMs);
  }

  #await(what: Awaiting, ms: number): void {
    this.#awaiting = what;
    this.#wheel.set(this.#timer, ms);
  }

  #timedOut(): void {
    if (this.#dropping) this.#owner.idled();
    else if (this.#awaiting === 'body' || !this.#parser.betweenMessages)
      this.#owner.refused(new ProxyError('request_timeout'));
    else this.#owner.idled();
  }

  onMessage(head: MessageHead, _bytes: Buffer, bodyStart: number, bodyEnd: number): void {
    this.#await('nothing', 0);
    const body = bodyStart === bodyEnd ? emptyBody : this.#ranges.lend(bodyStart, bodyEnd);
    this.#owner.requestRead(head, this.#parser.facts, body);
    body.keep();
  }

  onHead(head: MessageHead): void {
    const { facts } = this.#parser;
    this.#body = new StreamBody(facts.chunked ? null : facts.contentLength, this);
    this.#pace.start(this.#wheel.nowMs);
    this.#await('nothing', 0);
    this.#owner.requestRead(head, facts, this.#body);
  }

  onBody(_bytes: Buffer, start: number, end: number): void {
    const body = this.#body;
    if (body === null) return;
    if (this.#dropping && (this.#dropped += end - start) > this.#limits.maxDroppedBytes) {
      this.#await('body', 1);
      this.#socket.pause();
      return;
    }
    // A client that is too slow is refused by the timer, outside the parser's call.
    const isTooSlow = this.#pace.isTooSlow(this.#wheel.nowMs, body.received + end - start);
    this.#await('body', isTooSlow ? 1 : this.#limits.bodyIdleMs);
    this.#ranges.pushTo(body, start, end);
  }

  onEnd(trailers: HeaderList | null): void {
    const body = this.#body;
    this.#body = null;
    this.#dropping = false;
    this.#dropped = 0;
    this.#await('nothing', 0);
    body?.end(trailers);
  }

  bodyStarted(): void {
    if (this.#body?.received === 0) this.#owner.bodyAwaited();
    this.#await('body', this.#limits.bodyIdleMs);
  }

  pauseBody(): void {
    this.#wheel.clear(this.#timer);
    this.#pace.pause(this.#wheel.nowMs);
    this.#socket.pause();
  }

  resumeBody(): void {
    this.#pace.resume(this.#wheel.nowMs);
    this.#await('body', this.#limits.bodyIdleMs);
    this.#socket.resume();
  }

  /** What still comes is read and dropped until the answer is out; then the connection closes. */
  bodyCancelled(): void {
    this.#socket.resume();
  }
}

const refusals: Record<ViolationKind, ErrorKind> = {
  malformed: 'bad_request',
  head_too_large: 'headers_too_large',
  target_too_long: 'uri_too_long',
  not_implemented: 'not_implemented',
  version: 'version_not_supported',
};
