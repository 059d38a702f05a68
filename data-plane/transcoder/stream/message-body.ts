import type { BodySink, BodySource } from '../../body.js';
import type { ProxyError } from '../../errors.js';

/** A request body that is made message by message, by someone else's hand. */
export class MessageBody implements BodySource {
  readonly length = null;
  readonly #client: BodySource;
  #sink: BodySink | null = null;
  #held: Uint8Array[] = [];
  #hasRoom = true;
  #finished = false;
  #failure: ProxyError | null = null;
  #done = false;

  /** `client` is asked for more when there is room for it. */
  constructor(client: BodySource) {
    this.#client = client;
  }

  /** False while whoever takes the body wants no more. */
  get hasRoom(): boolean {
    return this.#done || (this.#sink !== null && this.#hasRoom);
  }

  push(frame: Uint8Array): void {
    if (this.#done || this.#finished) return;
    if (this.#sink === null) this.#held.push(frame);
    else this.#hasRoom = this.#sink.write(frame);
  }

  /** No more comes. */
  finish(): void {
    if (this.#done || this.#finished) return;
    this.#finished = true;
    if (this.#sink !== null) this.#end(this.#sink);
  }

  fail(error: ProxyError): void {
    if (this.#done || this.#failure !== null) return;
    this.#failure = error;
    if (this.#sink !== null) this.#end(this.#sink);
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    for (const frame of this.#held.splice(0)) this.#hasRoom = sink.write(frame);
    if (this.#finished || this.#failure !== null) this.#end(sink);
    else if (this.#hasRoom) this.#client.resume();
  }

  resume(): void {
    this.#hasRoom = true;
    if (!this.#done) this.#client.resume();
  }

  /** The call is over; the client may still be told why. */
  cancel(): void {
    this.#done = true;
    this.#held = [];
    this.#client.resume();
  }

  #end(sink: BodySink): void {
    if (this.#done) return;
    this.#done = true;
    if (this.#failure === null) sink.end(null);
    else sink.fail(this.#failure);
  }
}
