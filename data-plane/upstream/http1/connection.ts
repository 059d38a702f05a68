import { BufferedBody, emptyBody, inlineBodyBytes, type BodySource } from '../../body.js';
import { ProxyError, type ErrorKind } from '../../errors.js';
import { headerValue, type HeaderList } from '../../headers.js';
import type { ByteSocket, SocketEvents } from '../../socket/socket.js';
import { RangeTaker, StreamBody, type BodyOwner } from '../../socket/stream-body.js';
import { TunnelEnd, type TunnelOwner } from '../../socket/tunnel-end.js';
import { WheelTimer, type TimerWheel } from '../../wheel.js';
import { MessageParser, Violation, type MessageEvents, type MessageHead } from '../../wire/http1/http1.js';
import { takeHopByHop } from '../hop-by-hop.js';
import type { Call, CallObserver } from '../transport.js';
import type { Http1TransportLimits } from './limits.js';
import { RequestWriter, type RequestWriterOwner } from './request-writer.js';

/** What a connection asks of its pool. */
export interface ConnectionOwner {
  readonly limits: Http1TransportLimits;
  readonly wheel: TimerWheel;
  /** The connection can take another call. */
  released(connection: ClientConnection): void;
  /** It is gone; never called twice. */
  closed(connection: ClientConnection): void;
}

/** One call on its way, until it has been answered, failed or cancelled. */
export interface RunningCall {
  readonly call: Call;
  readonly observer: CallObserver;
  /** Nothing is reported any more. */
  done: boolean;
}

type State = 'connecting' | 'ready' | 'closed';

/** How long before the endpoint says it will close we do. */
const closeMarginMs = 1_000;

/**
 * One connection to an endpoint, with one call at a time: has the request written, reads the answer, and goes back to its pool
 * when both are complete and the endpoint keeps it open.
 */
export class ClientConnection implements SocketEvents, MessageEvents, BodyOwner, RequestWriterOwner, TunnelOwner {
  readonly #owner: ConnectionOwner;
  readonly #parser: MessageParser;
  readonly #readTimer: WheelTimer;
  readonly #writeTimer: WheelTimer;
  readonly #tryTimer: WheelTimer;
  readonly #socket: ByteSocket;
  readonly #writer: RequestWriter;
  readonly #ranges = new RangeTaker();
  #state: State = 'connecting';
  #tunnel: TunnelEnd | null = null;
  #answersBefore = 0;
  // The call in hand.
  #running: RunningCall | null = null;
  #replied = false;
  #answerDone = false;
  #interim = 0;
  #body: StreamBody | null = null;

  constructor(owner: ConnectionOwner, open: (events: SocketEvents) => ByteSocket, connectMs: number) {
    this.#owner = owner;
    this.#parser = new MessageParser('response', owner.limits, this, true);
    this.#readTimer = new WheelTimer(() => this.#readTimedOut());
    this.#writeTimer = new WheelTimer(() => this.fail(new ProxyError('upstream_timeout', new Error('write'))));
    this.#tryTimer = new WheelTimer(() => this.#tryTimedOut());
    this.#socket = open(this);
    this.#writer = new RequestWriter(this.#socket, this);
    owner.wheel.set(this.#readTimer, connectMs);
  }

  get isUsable(): boolean {
    return this.#state === 'ready' && this.#socket.isOpen;
  }

  /** Binds a call; it is sent at once, or as soon as the connection stands. */
  run(running: RunningCall): void {
    this.#running = running;
    this.#owner.wheel.set(this.#tryTimer, running.call.timeouts.perTryMs);
    if (this.#state === 'ready') this.#send(running.call);
  }

  /** The call's observer has lost interest. A connection that was not used for it yet is kept. */
  abandon(): void {
    this.#running = null;
    this.#owner.wheel.clear(this.#tryTimer);
    if (this.#state === 'connecting') return;
    this.#body = null;
    this.#writer.cancel(new ProxyError('client_closed'));
    this.destroy();
  }

  destroy(): void {
    this.#state = 'closed';
    this.#socket.destroy();
  }

  /** Ends the connection; what is in hand fails with `error`. */
  fail(error: ProxyError): void {
    const running = this.#running;
    const body = this.#body;
    this.#running = null;
    this.#body = null;
    this.#writer.cancel(error);
    this.#tunnel?.break(error);
    this.destroy();
    if (running !== null) running.done = true;
    if (body !== null) body.fail(error);
    else if (running !== null && !this.#replied) running.observer.failed(error);
  }

  #send(call: Call): void {
    this.#replied = false;
    this.#answerDone = false;
    this.#interim = 0;
    this.#parser.answersHead = call.method === 'HEAD';
    this.#owner.wheel.clear(this.#readTimer);
    this.#writer.start(call);
  }

  // From the request's writer.

  requestWritten(): void {
    const running = this.#running;
    if (running === null) return;
    this.#owner.wheel.set(this.#readTimer, running.call.timeouts.readMs);
    if (this.#answerDone) this.#settle(true);
  }

  requestStalled(): void {
    const running = this.#running;
    if (running !== null) this.#owner.wheel.set(this.#writeTimer, running.call.timeouts.writeMs);
  }

  requestBroke(error: ProxyError): void {
    this.fail(error);
  }

  // From the socket.

  onConnect(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'ready';
    this.#owner.wheel.clear(this.#readTimer);
    if (this.#running === null) this.#release();
    else this.#send(this.#running.call);
  }

  onBytes(bytes: Buffer, start: number, end: number, owned: boolean): boolean {
    if (this.#tunnel !== null) return this.#tunnel.onBytes(bytes, start, end, owned);
    if (this.#state === 'closed') return false;
    if (this.#running === null) {
      // Bytes that no call asked for: they would be taken for the answer to the next one.
      this.destroy();
      return false;
    }
    this.#ranges.begin(bytes, owned);
    if (this.#writer.done) this.#owner.wheel.set(this.#readTimer, this.#running.call.timeouts.readMs);
    const at = this.#read(bytes, start, end);
    if (this.#answerDone && at >= 0) this.#settle(at === end);
    const isTunnels = at >= 0 && at < end && this.#passOn(bytes, at, end, owned);
    return isTunnels || this.#ranges.kept;
  }

  /** Reads interim answers and one final one; returns how far it came, or -1 when the endpoint broke the protocol. */
  #read(bytes: Buffer, start: number, end: number): number {
    let at = start;
    try {
      do {
        at = this.#parser.feed(bytes, at, end);
      } while (at < end && !this.#answerDone && this.#running !== null);
      return at;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.fail(new ProxyError(error.kind === 'head_too_large' ? 'upstream_too_large' : 'upstream_malformed', error));
      return -1;
    }
  }

  /** Bytes behind the head of an upgrade are the tunnel's first. */
  #passOn(bytes: Buffer, start: number, end: number, owned: boolean): boolean {
    return this.#tunnel?.onBytes(bytes, start, end, owned) ?? false;
  }

  onDrain(): void {
    this.#owner.wheel.clear(this.#writeTimer);
    this.#writer.drained();
    this.#tunnel?.onDrain();
  }

  /** An endpoint that refuses a request may close without reading it, which resets the connection behind its answer. */
  onWriteFailed(): boolean {
    return this.#running !== null && this.#tunnel === null;
  }

  onPeerEnd(): void {
    if (this.#tunnel !== null) {
      this.#tunnel.onPeerEnd();
    } else if (this.#running === null || !this.#replied || !this.#parser.finish()) {
      this.fail(new ProxyError(this.#kindOfClose(), new Error('ended by the endpoint')));
    } else if (this.#answerDone) {
      this.#settle(false);
    }
  }

  onClose(error: Error | null): void {
    const isBusy = this.#running !== null || this.#body !== null || this.#tunnel !== null || !this.#writer.done;
    if (isBusy) this.fail(new ProxyError(this.#kindOfClose(), error ?? undefined));
    const { wheel } = this.#owner;
    wheel.remove(this.#readTimer);
    wheel.remove(this.#writeTimer);
    wheel.remove(this.#tryTimer);
    this.#owner.closed(this);
  }

  #kindOfClose(): ErrorKind {
    if (this.#state === 'connecting') return this.#socket.reachedPeer ? 'tls_failed' : 'connect_failed';
    return this.#answersBefore > 0 && this.#writer.unsent ? 'upstream_unsent' : 'upstream_reset';
  }

  // From the parser.

  onMessage(head: MessageHead, _bytes: Buffer, bodyStart: number, bodyEnd: number): void {
    if (head.status < 200) {
      this.#onInterim(head);
      return;
    }
    this.#answerDone = true;
    this.#reply(head, bodyStart === bodyEnd ? emptyBody : this.#wholeBody(bodyStart, bodyEnd));
  }

  /** A small body goes on as text, in one string with the head before it. */
  #wholeBody(start: number, end: number): BufferedBody {
    const text = end - start <= inlineBodyBytes ? this.#parser.bodyText(end - start) : null;
    return new BufferedBody(text ?? this.#ranges.take(start, end));
  }

  onHead(head: MessageHead): void {
    const { facts } = this.#parser;
    this.#body = new StreamBody(!facts.chunked && facts.contentLength >= 0 ? facts.contentLength : null, this);
    this.#reply(head, this.#body);
  }

  onBody(_bytes: Buffer, start: number, end: number): void {
    if (this.#body !== null) this.#ranges.pushTo(this.#body, start, end);
  }

  onEnd(trailers: HeaderList | null): void {
    const body = this.#body;
    this.#body = null;
    this.#answerDone = true;
    body?.end(trailers);
  }

  #reply(head: MessageHead, body: BodySource): void {
    const running = this.#running;
    if (running === null) return;
    this.#replied = true;
    this.#owner.wheel.clear(this.#tryTimer);
    if (head.lines !== null) {
      running.observer.replied(head.status, head.lines, body);
      return;
    }
    const hasNoBody = this.#parser.answersHead || head.status === 304;
    const length = hasNoBody ? headerValue(head.headers, 'content-length') : undefined;
    const headers = takeHopByHop(head.headers);
    if (length !== undefined) headers.push('Content-Length', length);
    running.observer.replied(head.status, headers, body);
  }

  /** 100 answers an Expect that was the listener's to answer, so it ends here. */
  #onInterim(head: MessageHead): void {
    const running = this.#running;
    if (running === null) return;
    if (++this.#interim > this.#owner.limits.maxInterim) throw new Violation('malformed', 'too many interim answers');
    if (head.status === 101) this.#onUpgrade(running, head);
    else if (head.status !== 100) running.observer.informed(head.status, takeHopByHop(head.headers));
  }

  #onUpgrade(running: RunningCall, head: MessageHead): void {
    const protocol = headerValue(head.headers, 'upgrade');
    if (running.call.upgrade === null || protocol === undefined || !this.#writer.done)
      throw new Violation('malformed', 'unasked upgrade');
    this.#owner.wheel.clear(this.#readTimer);
    this.#owner.wheel.clear(this.#tryTimer);
    const tunnel = new TunnelEnd(this.#socket, this);
    this.#tunnel = tunnel;
    this.#running = null;
    running.done = true;
    const headers = [...takeHopByHop(head.headers), 'Upgrade', protocol];
    running.observer.upgraded(101, headers, { received: tunnel.input, send: (body) => tunnel.send(body) });
  }

  tunnelActive(): void {}

  tunnelEnded(): void {}

  /** The answer is complete. The connection is worth keeping if the request is too and nothing unasked follows. */
  #settle(clean: boolean): void {
    const running = this.#running;
    if (running !== null) running.done = true;
    this.#running = null;
    this.#answerDone = false;
    if (clean && this.#writer.done && this.#parser.facts.persists && this.#state === 'ready') {
      this.#answersBefore++;
      this.#release();
      return;
    }
    if (!this.#writer.done)
      this.#writer.cancel(new ProxyError('upstream_reset', new Error('answered before the request was complete')));
    this.destroy();
  }

  #release(): void {
    // The last bytes of an answer may have been more than the client took, and have stopped the reading.
    this.#socket.resume();
    this.#owner.wheel.set(this.#readTimer, this.#idleMs());
    this.#owner.released(this);
  }

  #idleMs(): number {
    const { idleTimeoutMs } = this.#owner.limits;
    const { keepAliveSeconds } = this.#parser.facts;
    return keepAliveSeconds < 0
      ? idleTimeoutMs
      : Math.max(1, Math.min(idleTimeoutMs, keepAliveSeconds * 1_000 - closeMarginMs));
  }

  // From the answer's reader.

  bodyStarted(): void {}

  pauseBody(): void {
    this.#owner.wheel.clear(this.#readTimer);
    this.#socket.pause();
  }

  resumeBody(): void {
    const running = this.#running;
    if (running !== null && this.#writer.done) this.#owner.wheel.set(this.#readTimer, running.call.timeouts.readMs);
    this.#socket.resume();
  }

  bodyCancelled(reason: ProxyError): void {
    if (this.#running !== null) this.#running.done = true;
    this.#running = null;
    this.#body = null;
    this.#writer.cancel(reason);
    this.destroy();
  }

  #tryTimedOut(): void {
    const cause = new Error('per try');
    this.fail(new ProxyError(this.#state === 'connecting' ? 'connect_timeout' : 'upstream_timeout', cause));
  }

  #readTimedOut(): void {
    if (this.#state === 'connecting') this.fail(new ProxyError('connect_timeout'));
    else if (this.#running === null) this.destroy();
    else this.fail(new ProxyError('upstream_timeout', new Error('read')));
  }
}
