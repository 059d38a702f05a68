import type { BodySink, BodySource } from '../../body.js';
import type { ProxyError } from '../../errors.js';

/** What a WebSocket's client is sent: whole frames, the last of which is a close frame. */
export class WebSocketOutput implements BodySource, BodySink {
  readonly length = null;
  readonly #gone: () => void;
  #sink: BodySink | null = null;
  #source: BodySource | null = null;
  #closed = false;
  /** Frames from before there is a sink. */
  #held: Uint8Array[] = [];
  #hasRoom = true;

  /** `gone` is called when the client takes no more. */
  constructor(gone: () => void) {
    this.#gone = gone;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get hasRoom(): boolean {
    return this.#hasRoom;
  }

  /** Sends what a body of frames brings, its close frame included. */
  follow(source: BodySource): void {
    this.#source = source;
    source.start(this);
  }

  /** Sends the last frames; does nothing when the last ones have been sent. */
  finish(frames: Uint8Array): void {
    this.write(frames);
    this.end();
  }

  // As what the client is sent.

  start(sink: BodySink): void {
    this.#sink = sink;
    for (const frames of this.#held.splice(0)) this.#hasRoom = sink.write(frames);
    if (this.#closed) sink.end(null);
  }

  resume(): void {
    this.#hasRoom = true;
    this.#source?.resume();
  }

  cancel(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#gone();
  }

  // As the sink of frames.

  write(frames: Uint8Array): boolean {
    if (this.#closed) return true;
    if (this.#sink === null) this.#held.push(frames);
    else this.#hasRoom = this.#sink.write(frames);
    return this.#hasRoom;
  }

  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink?.end(null);
  }

  fail(error: ProxyError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink?.fail(error);
  }
}
