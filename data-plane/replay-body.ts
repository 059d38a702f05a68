import type { BodySink, BodySource } from './body.js';
import type { ProxyError } from './errors.js';
import type { HeaderList } from './headers.js';

/**
 * Of a request body that was begun to be sent, this much can be sent again: as much as one stream may hold before somebody reads
 * it. A longer one can go to another endpoint only until it has begun.
 */
const maxKeptBytes = 65_536;

/**
 * A request body that keeps what it has delivered until an answer comes, so that a call which the service refused to look at can
 * go to another endpoint. Cancelling it only lets go of who reads it, as long as it may be sent again; `release` ends that.
 */
export class ReplayBody implements BodySource, BodySink {
  readonly #source: BodySource;
  #kept: Uint8Array[] | null;
  #keptBytes = 0;
  #sink: BodySink | null = null;
  #started = false;
  /** The source waits for `resume`. */
  #paused = false;
  #ended = false;
  #trailers: HeaderList | null = null;
  #error: ProxyError | null = null;
  /** Nobody reads, and this is why. */
  #cancelled: ProxyError | null = null;

  constructor(source: BodySource) {
    this.#source = source;
    this.#kept = (source.length ?? 0) > maxKeptBytes ? null : [];
  }

  get length(): number | null {
    return this.#source.length;
  }

  get replayable(): boolean {
    return this.#kept !== null || !this.#started;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.#cancelled = null;
    if (this.#started) return this.#replay(sink);
    this.#started = true;
    this.#source.start(this);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#source.resume();
  }

  cancel(reason: ProxyError): void {
    this.#sink = null;
    this.#cancelled = reason;
    if (!this.replayable) this.#source.cancel(reason);
  }

  /** It will not be sent again. If nobody reads it any more, it is cancelled. */
  release(): void {
    this.#kept = null;
    if (this.#cancelled !== null) this.#source.cancel(this.#cancelled);
  }

  get settled(): boolean {
    return this.#kept === null && this.#sink?.settled === true;
  }

  write(chunk: Uint8Array): boolean {
    this.#keep(chunk);
    const takesMore = this.#sink === null ? this.#keptBytes < maxKeptBytes : this.#sink.write(chunk);
    this.#paused = !takesMore;
    return takesMore;
  }

  end(trailers: HeaderList | null): void {
    this.#ended = true;
    this.#trailers = trailers;
    this.#sink?.end(trailers);
  }

  fail(error: ProxyError): void {
    this.#error = error;
    this.#sink?.fail(error);
  }

  /** What nobody reads just now is kept in any case: its source stops after the chunk that is too much. */
  #keep(chunk: Uint8Array): void {
    if (this.#kept === null) return;
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > maxKeptBytes && this.#sink !== null) this.#kept = null;
    else this.#kept.push(chunk);
  }

  #replay(sink: BodySink): void {
    let takesMore = true;
    for (const chunk of this.#kept ?? []) {
      takesMore = sink.write(chunk);
      // The chunk may have been the end of who reads.
      if (this.#sink !== sink) return;
    }
    if (this.#error !== null) sink.fail(this.#error);
    else if (this.#ended) sink.end(this.#trailers);
    else if (takesMore) this.resume();
    else this.#paused = true;
  }
}
