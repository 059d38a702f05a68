import { ProxyError, type ErrorKind } from '../../errors.js';
import type { HeadCollector, Stream, StreamObserver } from '../../wire/http2/http2.js';
import type { ActiveCall, Call, CallObserver } from '../transport.js';

/** One call from `send` to its end: waits for a stream, then follows it. Its timeouts are looked at by `tick`. */
export class Http2Call implements ActiveCall, StreamObserver {
  readonly call: Call;
  readonly #observer: CallObserver;
  readonly #startMs: number;
  #stream: Stream | null = null;
  #replied = false;
  /** Nothing is reported any more. */
  done = false;

  constructor(call: Call, observer: CallObserver, nowMs: number) {
    this.call = call;
    this.#observer = observer;
    this.#startMs = nowMs;
  }

  /** The request has been given its stream. Its head may be out; its body may have failed already. */
  sentOn(stream: Stream): void {
    this.#stream = stream;
  }

  headArrived(head: HeadCollector): void {
    if (this.done) return;
    if (head.status < 200) {
      this.#observer.informed(head.status, head.headers);
      return;
    }
    this.#replied = true;
    const { incoming } = this.#stream as Stream;
    this.#observer.replied(head.status, head.headers, incoming);
  }

  sent(): void {}

  closed(error: ProxyError | null): void {
    if (this.done) return;
    this.done = true;
    if (error !== null && !this.#replied) this.#observer.failed(error);
  }

  cancel(): void {
    if (this.done) return;
    this.done = true;
    // Cancelled as a body first, so that its sink hears nothing of it.
    this.#stream?.incoming.cancel(new ProxyError('client_closed'));
  }

  tick(nowMs: number): void {
    const stream = this.#stream;
    if (stream === null) return;
    const expired = this.#expired(stream, nowMs);
    if (expired !== null) stream.abandon(new ProxyError('upstream_timeout', new Error(expired)));
  }

  /** What a call that waits for a stream has run out of. */
  expiredWaiting(nowMs: number, pendingTimeoutMs: number, connecting: boolean): ErrorKind | null {
    const { connectMs, perTryMs } = this.call.timeouts;
    const waited = nowMs - this.#startMs;
    if (connecting && connectMs > 0 && waited > connectMs) return 'connect_timeout';
    if (perTryMs > 0 && waited > perTryMs) return 'connect_timeout';
    return !connecting && waited > pendingTimeoutMs ? 'pool_exhausted' : null;
  }

  #expired({ incoming, outgoing, localEnded }: Stream, nowMs: number): string | null {
    const { perTryMs, readMs, writeMs } = this.call.timeouts;
    if (!this.#replied && perTryMs > 0 && nowMs - this.#startMs > perTryMs) return 'per try';
    if (outgoing?.blocked === true) return writeMs > 0 && nowMs - outgoing.activeMs > writeMs ? 'write' : null;
    const awaited = this.#replied ? incoming.awaited : localEnded;
    if (!awaited || readMs <= 0) return null;
    return nowMs - Math.max(incoming.activeMs, outgoing?.activeMs ?? 0) > readMs ? 'read' : null;
  }
}
