import { BufferedBody, type BodySink, type BodySource } from '../body.js';
import type { ProxyError } from '../errors.js';
import type { HeaderList } from '../headers.js';
import { bulkBytes } from './read-buffer.js';

/** What a body asks of the connection that it arrives on. */
export interface BodyOwner {
  /** Somebody begins to read; nothing was paused for this body before `pauseBody`. */
  bodyStarted(): void;
  pauseBody(): void;
  resumeBody(): void;
  /** Nobody reads the rest. */
  bodyCancelled(reason: ProxyError): void;
}

/**
 * A body that arrives on a connection: the connection pushes, the sink takes. What comes before `start` is held and the
 * connection paused, so at most one read is held.
 */
export class StreamBody implements BodySource {
  readonly length: number | null;
  /** Bytes taken so far. */
  received = 0;
  readonly #owner: BodyOwner;
  #sink: BodySink | null = null;
  #early: Uint8Array[] | null = null;
  #earlyEnd: { readonly trailers: HeaderList | null; readonly error: ProxyError | null } | null = null;
  #done = false;

  constructor(length: number | null, owner: BodyOwner) {
    this.length = length;
    this.#owner = owner;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    const early = this.#early;
    this.#early = null;
    let full = false;
    for (const chunk of early ?? []) full = !sink.write(chunk);
    if (this.#done) return;
    if (this.#earlyEnd !== null) {
      this.#finish(sink, this.#earlyEnd.trailers, this.#earlyEnd.error);
      return;
    }
    this.#owner.bodyStarted();
    if (full) this.#owner.pauseBody();
    else if (early !== null) this.#owner.resumeBody();
  }

  resume(): void {
    if (!this.#done && this.#earlyEnd === null) this.#owner.resumeBody();
  }

  cancel(reason: ProxyError): void {
    if (this.#done) return;
    this.#done = true;
    this.#early = null;
    if (this.#earlyEnd === null) this.#owner.bodyCancelled(reason);
  }

  /** Returns whether the chunk's memory may be used again. */
  push(chunk: Uint8Array): boolean {
    this.received += chunk.length;
    if (this.#done) return true;
    const sink = this.#sink;
    if (sink !== null) {
      if (!sink.write(chunk) && !this.#done) this.#owner.pauseBody();
      return sink.settled === true;
    }
    this.#early ??= [];
    this.#early.push(chunk);
    this.#owner.pauseBody();
    return false;
  }

  end(trailers: HeaderList | null): void {
    if (this.#sink === null) this.#earlyEnd = { trailers, error: null };
    else this.#finish(this.#sink, trailers, null);
  }

  /** The connection broke, or the peer broke the protocol. Does nothing once the body has ended. */
  fail(error: ProxyError): void {
    if (this.#earlyEnd !== null) return;
    if (this.#sink === null) this.#earlyEnd = { trailers: null, error };
    else this.#finish(this.#sink, null, error);
  }

  #finish(sink: BodySink, trailers: HeaderList | null, error: ProxyError | null): void {
    if (this.#done) return;
    this.#done = true;
    if (error === null) sink.end(trailers);
    else sink.fail(error);
  }
}

/**
 * Takes ranges out of what a socket has read: as views of it where that is allowed and worth it, else as copies. A small view
 * would keep a large buffer alive.
 */
export class RangeTaker {
  #bytes: Buffer = noBytes;
  #owned = false;
  #kept = false;

  /** Begins with new bytes, of which views may be kept if `owned`. */
  begin(bytes: Buffer, owned: boolean): void {
    this.#bytes = bytes;
    this.#owned = owned;
    this.#kept = false;
  }

  /** Whether views of the bytes are in use. */
  get kept(): boolean {
    return this.#kept;
  }

  /** A range to keep. */
  take(start: number, end: number): Buffer {
    if (this.#isView(start, end)) {
      this.#kept = true;
      return this.#bytes.subarray(start, end);
    }
    const copy = Buffer.allocUnsafe(end - start);
    this.#bytes.copy(copy, 0, start, end);
    return copy;
  }

  /** A range as a whole body, which has to be told to `keep` it before the bytes are used again. */
  lend(start: number, end: number): BufferedBody {
    if (this.#isView(start, end)) return new BufferedBody(this.take(start, end));
    return BufferedBody.lent(this.#bytes.subarray(start, end));
  }

  /** Gives a range to a body; what that has written on by then is not kept. */
  pushTo(body: StreamBody, start: number, end: number): void {
    if (!this.#isView(start, end)) body.push(this.take(start, end));
    else if (!body.push(this.#bytes.subarray(start, end))) this.#kept = true;
  }

  #isView(start: number, end: number): boolean {
    return this.#owned && end - start >= bulkBytes;
  }
}

const noBytes = Buffer.alloc(0);
