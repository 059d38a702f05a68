import type { BodySink, BodySource } from '../body.js';
import type { ProxyError } from '../errors.js';
import type { HeaderList } from '../headers.js';
import { grpcCode, statusCodeIn, statusFields } from './status.js';

export interface ReplyObserver {
  /** The service has ended the call with this status, or by breaking off. */
  ended(code: number): void;
  /** It broke off, and the client has not been told. */
  broken(error: ProxyError): void;
}

/**
 * The messages of a reply on their way to the client, as they are. The status behind them is told to `observer`, and an error
 * of the gateway can still take its place: to a gRPC caller that says more than a stream that is reset.
 */
export class CallReply implements BodySource, BodySink {
  /** Not what the service announces: a status of the gateway may come sooner. */
  readonly length = null;
  readonly #source: BodySource;
  readonly #observer: ReplyObserver;
  readonly #headCode: number | null;
  #sink: BodySink | null = null;
  #done = false;

  /** `headCode` is the status that the head tells, which counts when none comes behind the messages. */
  constructor(source: BodySource, observer: ReplyObserver, headCode: number | null) {
    this.#source = source;
    this.#observer = observer;
    this.#headCode = headCode;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.#source.start(this);
  }

  resume(): void {
    this.#source.resume();
  }

  cancel(reason: ProxyError): void {
    this.#done = true;
    this.#source.cancel(reason);
  }

  /** Ends the messages with the gateway's own status. False when the client does not read any more. */
  breakOff(error: ProxyError): boolean {
    if (this.#done || this.#sink === null) return false;
    this.#done = true;
    this.#source.cancel(error);
    this.#sink.end(statusFields(error));
    return true;
  }

  get settled(): boolean {
    return this.#done || this.#sink?.settled === true;
  }

  write(chunk: Uint8Array): boolean {
    return this.#done || (this.#sink as BodySink).write(chunk);
  }

  end(trailers: HeaderList | null): void {
    if (this.#done) return;
    this.#done = true;
    this.#observer.ended(statusCodeIn(trailers ?? []) ?? this.#headCode ?? grpcCode.unknown);
    (this.#sink as BodySink).end(trailers);
  }

  fail(error: ProxyError): void {
    if (this.#done) return;
    this.#observer.ended(error.grpcCode);
    this.#observer.broken(error);
  }
}
