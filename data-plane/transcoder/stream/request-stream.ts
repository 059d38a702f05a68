import type { BodySink, BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import type { BoundParameters, RequestPlan } from '../binding/request.js';
import { JsonSplitter, TooLarge } from './json-splitter.js';

export interface StreamedRequest {
  readonly plan: RequestPlan;
  readonly bound: BoundParameters;
  readonly contentType: string;
  readonly body: BodySource;
  readonly maxMessageBytes: number;
}

/** How much of an upload one HttpBody message carries (HB3). */
const pieceBytes = 262_144;

/**
 * The request messages of a client-streaming call, made of the client's body as it arrives: JSON values, or pieces of the body
 * itself where the messages are HttpBody. What path and query give is in the first message only (ST8). A body with a fault
 * fails the call with bad_argument (ST11).
 */
export class RequestStream implements BodySource, BodySink {
  readonly length = null;
  readonly #request: StreamedRequest;
  readonly #splitter: JsonSplitter;
  #sink: BodySink | null = null;
  #frames: Uint8Array[] = [];
  #sent = 0;
  #done = false;

  constructor(request: StreamedRequest) {
    this.#request = request;
    this.#splitter = new JsonSplitter(request.maxMessageBytes, (value) => this.#frame(value));
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.#request.body.start(this);
  }

  resume(): void {
    this.#request.body.resume();
  }

  cancel(reason: ProxyError): void {
    if (this.#done) return;
    this.#done = true;
    this.#request.body.cancel(reason);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#done) return true;
    return this.#attempt(() => this.#take(chunk)) ? this.#flush() : true;
  }

  end(): void {
    if (this.#done) return;
    const isWhole = this.#attempt(() => {
      if (!this.#request.plan.isHttpBody) this.#splitter.end();
      else if (this.#sent === 0) this.#frame(new Uint8Array(0));
    });
    if (!isWhole) return;
    this.#done = true;
    this.#flush();
    this.#sink?.end(null);
  }

  fail(error: ProxyError): void {
    if (this.#done) return;
    this.#done = true;
    this.#sink?.fail(error);
  }

  #take(chunk: Uint8Array): void {
    if (!this.#request.plan.isHttpBody) {
      this.#splitter.push(chunk);
      return;
    }
    for (let at = 0; at < chunk.length; at += pieceBytes) this.#frame(chunk.subarray(at, at + pieceBytes));
  }

  #frame(message: Uint8Array): void {
    const { plan, bound, contentType } = this.#request;
    const isFirst = this.#sent++ === 0;
    // Only the first piece of an upload says what it is.
    const type = plan.isHttpBody && !isFirst ? '' : contentType;
    this.#frames.push(plan.frame(isFirst ? bound : null, message, type));
  }

  /** Everything that one chunk has brought goes out at once. */
  #flush(): boolean {
    const frames = this.#frames;
    this.#frames = [];
    let hasRoom = true;
    for (const frame of frames) hasRoom = this.#sink?.write(frame) ?? true;
    return hasRoom;
  }

  /** False when the client's body is at fault: the call has been failed then. */
  #attempt(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      const failure = this.#failureOf(error);
      this.#done = true;
      this.#request.body.cancel(failure);
      this.#sink?.fail(failure);
      return false;
    }
  }

  #failureOf(error: unknown): ProxyError {
    if (error instanceof TooLarge) return new ProxyError('payload_too_large');
    if (!(error instanceof ProxyError)) return this.#argumentFailure(error);
    const { violations } = error.detail;
    if (error.kind !== 'bad_argument' || violations === undefined) return error;
    const place = `message ${this.#sent}`;
    const placed = violations.map(({ field, description }) => ({ field, description: `${place}: ${description}` }));
    return new ProxyError('bad_argument', error, { ...error.detail, violations: placed });
  }

  #argumentFailure(error: unknown): ProxyError {
    const description = error instanceof Error ? error.message : String(error);
    return new ProxyError('bad_argument', error, { violations: [{ field: '', description }] });
  }
}
