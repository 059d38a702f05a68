import { BufferedBody, emptyBody, type BodySink, type BodySource } from '../../body.js';
import { ProxyError, type ErrorKind } from '../../errors.js';
import type { Tunnel } from '../../exchange.js';
import { headerValue, type HeaderList } from '../../headers.js';
import type { ByteSocket, SocketEvents } from '../../socket/socket.js';
import { keepRange, StreamBody, type BodyOwner } from '../../socket/stream-body.js';
import { WheelTimer, type TimerWheel } from '../../wheel.js';
import { chunkedEnd, chunkStart, MessageParser, Violation, type MessageEvents, type MessageHead } from '../../wire/http1/http1.js';
import { stripHopByHop } from '../hop-by-hop.js';
import type { Call, CallObserver } from '../transport.js';
import type { Http1TransportLimits } from './limits.js';
import { framingOf, inlineBody, requestHead, type RequestFraming } from './request-head.js';

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

type State = 'connecting' | 'ready' | 'tunnel' | 'closed';

/** A body up to this size leaves in one string with its head. */
const inlineBodyBytes = 4_096;

/** How long before the endpoint says it will close we do. */
const closeMarginMs = 1_000;

/**
 * One connection to an endpoint, with one call at a time: writes the request, reads the answer, and goes back to its pool when
 * both are complete and the endpoint keeps it open.
 */
export class ClientConnection implements SocketEvents, MessageEvents, BodyOwner, BodySink {
  readonly #owner: ConnectionOwner;
  readonly #parser: MessageParser;
  readonly #readTimer: WheelTimer;
  readonly #writeTimer: WheelTimer;
  readonly #tryTimer: WheelTimer;
  readonly #socket: ByteSocket;
  #state: State = 'connecting';
  #running: RunningCall | null = null;
  #answersBefore = 0;
  #bytesOwned = false;
  // The call in hand.
  #framing: RequestFraming | 'tunnel' = 'none';
  #source: BodySource | null = null;
  #announced = 0;
  #sent = 0;
  #requestDone = false;
  #sourceStalled = false;
  #unsent = false;
  #replied = false;
  #answerDone = false;
  #interim = 0;
  #body: StreamBody | null = null;

  constructor(owner: ConnectionOwner, open: (events: SocketEvents) => ByteSocket, connectMs: number) {
    this.#owner = owner;
    this.#parser = new MessageParser('response', owner.limits, this);
    this.#readTimer = new WheelTimer(() => this.#readTimedOut());
    this.#writeTimer = new WheelTimer(() => this.#fail(new ProxyError('upstream_timeout', new Error('write'))));
    this.#tryTimer = new WheelTimer(() => this.#fail(new ProxyError('upstream_timeout', new Error('per try'))));
    this.#socket = open(this);
    owner.wheel.set(this.#readTimer, connectMs);
  }

  get isUsable(): boolean {
    return this.#state === 'ready' && this.#socket.isOpen;
  }

  /** Binds a call; it is sent at once, or as soon as the connection stands. */
  run(running: RunningCall): void {
    this.#running = running;
    if (this.#state === 'ready') this.#send(running.call);
  }

  /** The call's observer has lost interest. A connection that was not used for it yet is kept. */
  abandon(): void {
    this.#running = null;
    if (this.#state === 'connecting') return;
    this.#cancelSource(new ProxyError('client_closed'));
    this.destroy();
  }

  /** As a sink: the request body broke off. As a connection of a pool: end now. A call in hand fails with `error`. */
  fail(error: ProxyError): void {
    this.#fail(error);
  }

  /** A tunnel that breaks is reset: its bytes have no end of their own that would tell a break from an end. */
  destroy(): void {
    if (this.#state === 'tunnel') this.#socket.reset();
    else this.#socket.destroy();
    this.#state = 'closed';
  }

  // ── request ──

  #send(call: Call): void {
    const framing = framingOf(call);
    const head = requestHead(call, framing);
    const { body } = call;
    this.#framing = framing;
    this.#announced = body.length ?? 0;
    this.#sent = 0;
    this.#sourceStalled = false;
    this.#requestDone = false;
    this.#replied = false;
    this.#answerDone = false;
    this.#interim = 0;
    this.#parser.answersHead = call.method === 'HEAD';
    this.#owner.wheel.set(this.#tryTimer, call.timeouts.perTryMs);
    if (body instanceof BufferedBody && body.length <= inlineBodyBytes) {
      this.#socket.writeText(head + inlineBody(body, framing));
      this.#noteUnsent();
      this.#requestWritten(call);
    } else {
      // Not corked with the body: whether this write fails at once tells if anything of the call has left.
      this.#socket.writeText(head);
      this.#noteUnsent();
      this.#owner.wheel.clear(this.#readTimer);
      this.#source = body;
      body.start(this);
    }
  }

  /** Only a write that failed in the same instant proves that nothing left; a reset that is read later proves nothing. */
  #noteUnsent(): void {
    this.#unsent = this.#answersBefore > 0 && this.#socket.failedAtOnce;
  }

  #requestWritten(call: Call): void {
    this.#requestDone = true;
    this.#source = null;
    this.#owner.wheel.set(this.#readTimer, call.timeouts.readMs);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#state === 'closed') return true;
    this.#sent += chunk.length;
    let hasRoom: boolean;
    if (this.#framing === 'chunked') {
      this.#socket.write(chunkStart(chunk.length));
      this.#socket.write(chunk);
      hasRoom = this.#socket.write('\r\n');
    } else {
      if (this.#framing === 'length' && this.#sent > this.#announced) {
        this.#fail(new ProxyError('internal', new Error('body longer than announced')));
        return true;
      }
      hasRoom = this.#socket.write(chunk);
    }
    if (!hasRoom) {
      this.#sourceStalled = true;
      const running = this.#running;
      if (running !== null) this.#owner.wheel.set(this.#writeTimer, running.call.timeouts.writeMs);
    }
    return hasRoom;
  }

  end(trailers: HeaderList | null): void {
    if (this.#framing === 'tunnel') {
      this.#source = null;
      this.#socket.end();
      return;
    }
    const running = this.#running;
    if (running === null) return;
    if (this.#framing === 'length' && this.#sent !== this.#announced) {
      this.#fail(new ProxyError('internal', new Error('body shorter than announced')));
      return;
    }
    if (this.#framing === 'chunked') this.#socket.write(chunkedEnd(trailers));
    this.#requestWritten(running.call);
    if (this.#answerDone) this.#settle(true);
  }

  onDrain(): void {
    this.#owner.wheel.clear(this.#writeTimer);
    if (!this.#sourceStalled) return;
    this.#sourceStalled = false;
    this.#source?.resume();
  }

  // ── socket ──

  onConnect(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'ready';
    this.#owner.wheel.clear(this.#readTimer);
    if (this.#running === null) this.#owner.released(this);
    else this.#send(this.#running.call);
  }

  onBytes(bytes: Buffer, start: number, end: number, owned: boolean): void {
    if (this.#state === 'tunnel') {
      this.#body?.push(keepRange(bytes, start, end, owned));
      return;
    }
    const running = this.#running;
    if (this.#state === 'closed') return;
    if (running === null) {
      // Bytes that no call asked for: they would be taken for the answer to the next one.
      this.destroy();
      return;
    }
    this.#bytesOwned = owned;
    if (this.#requestDone) this.#owner.wheel.set(this.#readTimer, running.call.timeouts.readMs);
    let at = start;
    try {
      do {
        at = this.#parser.feed(bytes, at, end);
      } while (at < end && this.#isAwaitingAnswer());
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#fail(new ProxyError(error.kind === 'head_too_large' ? 'upstream_too_large' : 'upstream_malformed', error));
      return;
    }
    if (this.#isTunnel()) this.#tunnelRest(bytes, at, end, owned);
    else if (this.#answerDone) this.#settle(at === end);
  }

  #isAwaitingAnswer(): boolean {
    return this.#state === 'ready' && !this.#answerDone && this.#running !== null;
  }

  #isTunnel(): boolean {
    return this.#state === 'tunnel';
  }

  onPeerEnd(): void {
    if (this.#state === 'tunnel') {
      const body = this.#body;
      this.#body = null;
      body?.end(null);
      return;
    }
    if (this.#running === null || !this.#replied || !this.#parser.finish()) {
      this.#fail(new ProxyError(this.#unsent ? 'upstream_unsent' : 'upstream_reset', new Error('ended by the endpoint')));
    } else if (this.#answerDone) {
      this.#settle(false);
    }
  }

  onClose(error: Error | null): void {
    if (this.#running !== null || this.#body !== null || this.#source !== null) this.#fail(new ProxyError(this.#kindOfClose(), error ?? undefined));
    this.#state = 'closed';
    this.#owner.wheel.remove(this.#readTimer);
    this.#owner.wheel.remove(this.#writeTimer);
    this.#owner.wheel.remove(this.#tryTimer);
    this.#owner.closed(this);
  }

  #kindOfClose(): ErrorKind {
    if (this.#state === 'connecting') return this.#socket.reachedPeer ? 'tls_failed' : 'connect_failed';
    return this.#unsent ? 'upstream_unsent' : 'upstream_reset';
  }

  // ── answer ──

  onMessage(head: MessageHead, bytes: Buffer, bodyStart: number, bodyEnd: number): void {
    if (head.status < 200) {
      this.#onInterim(head);
      return;
    }
    this.#answerDone = true;
    this.#reply(head, bodyStart === bodyEnd ? emptyBody : new BufferedBody(keepRange(bytes, bodyStart, bodyEnd, this.#bytesOwned)));
  }

  onHead(head: MessageHead): void {
    const { facts } = this.#parser;
    this.#body = new StreamBody(!facts.chunked && facts.contentLength >= 0 ? facts.contentLength : null, this);
    this.#reply(head, this.#body);
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    this.#body?.push(keepRange(bytes, start, end, this.#bytesOwned));
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
    const headers = stripHopByHop(head.headers);
    if (this.#parser.answersHead || head.status === 304) {
      const length = headerValue(head.headers, 'content-length');
      if (length !== undefined) headers.push('Content-Length', length);
    }
    running.observer.replied(head.status, headers, body);
  }

  /** 100 answers an Expect that was the listener's to answer, so it ends here. */
  #onInterim(head: MessageHead): void {
    const running = this.#running;
    if (running === null) return;
    if (++this.#interim > this.#owner.limits.maxInterim) throw new Violation('malformed', 'too many interim answers');
    if (head.status === 101) this.#onUpgrade(running, head);
    else if (head.status !== 100) running.observer.informed(head.status, stripHopByHop(head.headers));
  }

  #onUpgrade(running: RunningCall, head: MessageHead): void {
    const protocol = headerValue(head.headers, 'upgrade');
    if (running.call.upgrade === null || protocol === undefined || !this.#requestDone) throw new Violation('malformed', 'unasked upgrade');
    this.#state = 'tunnel';
    this.#framing = 'tunnel';
    this.#owner.wheel.clear(this.#readTimer);
    this.#owner.wheel.clear(this.#tryTimer);
    const received = new StreamBody(null, this);
    this.#body = received;
    this.#running = null;
    running.done = true;
    const tunnel: Tunnel = { received, send: (body) => this.#sendTunnel(body) };
    running.observer.upgraded(101, [...stripHopByHop(head.headers), 'Upgrade', protocol], tunnel);
  }

  #sendTunnel(body: BodySource): void {
    this.#source = body;
    body.start(this);
  }

  #tunnelRest(bytes: Buffer, start: number, end: number, owned: boolean): void {
    if (start < end) this.#body?.push(keepRange(bytes, start, end, owned));
  }

  /** The answer is complete. The connection is worth keeping if the request is too and nothing unasked follows. */
  #settle(clean: boolean): void {
    const running = this.#running;
    if (running !== null) running.done = true;
    this.#running = null;
    this.#answerDone = false;
    const { facts } = this.#parser;
    if (clean && this.#requestDone && facts.persists && this.#state === 'ready') {
      this.#answersBefore++;
      this.#owner.wheel.set(this.#readTimer, this.#idleMs());
      this.#owner.released(this);
      return;
    }
    this.#cancelSource(new ProxyError('upstream_reset', new Error('answered before the request was complete')));
    this.destroy();
  }

  #idleMs(): number {
    const { idleTimeoutMs } = this.#owner.limits;
    const { keepAliveSeconds } = this.#parser.facts;
    return keepAliveSeconds < 0 ? idleTimeoutMs : Math.max(1, Math.min(idleTimeoutMs, keepAliveSeconds * 1_000 - closeMarginMs));
  }

  // ── the answer's reader ──

  bodyStarted(): void {}

  pauseBody(): void {
    this.#owner.wheel.clear(this.#readTimer);
    this.#socket.pause();
  }

  resumeBody(): void {
    const running = this.#running;
    if (running !== null && this.#requestDone) this.#owner.wheel.set(this.#readTimer, running.call.timeouts.readMs);
    this.#socket.resume();
  }

  bodyCancelled(reason: ProxyError): void {
    if (this.#running !== null) this.#running.done = true;
    this.#running = null;
    this.#body = null;
    this.#cancelSource(reason);
    this.destroy();
  }

  // ── failure ──

  #readTimedOut(): void {
    if (this.#state === 'connecting') this.#fail(new ProxyError('connect_timeout'));
    else if (this.#running === null) this.destroy();
    else this.#fail(new ProxyError('upstream_timeout', new Error('read')));
  }

  #cancelSource(reason: ProxyError): void {
    const source = this.#source;
    this.#source = null;
    source?.cancel(reason);
  }

  #fail(error: ProxyError): void {
    const running = this.#running;
    const body = this.#body;
    this.#running = null;
    this.#body = null;
    this.#cancelSource(error);
    this.destroy();
    if (running !== null) running.done = true;
    if (body !== null) body.fail(error);
    else if (running !== null && !this.#replied) running.observer.failed(error);
  }
}
