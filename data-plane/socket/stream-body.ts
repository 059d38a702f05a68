import type { BodySink, BodySource } from '../body.js';
import type { ProxyError } from '../errors.js';
import type { HeaderList } from '../headers.js';

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

  push(chunk: Uint8Array): void {
    this.received += chunk.length;
    if (this.#done) return;
    if (this.#sink !== null) {
      if (!this.#sink.write(chunk) && !this.#done) this.#owner.pauseBody();
      return;
    }
    this.#early ??= [];
    this.#early.push(chunk);
    this.#owner.pauseBody();
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

/** The bytes of a range, to keep: a view when the reader owns the buffer, else a copy. */
export function keepRange(bytes: Buffer, start: number, end: number, owned: boolean): Buffer {
  if (owned) return bytes.subarray(start, end);
  const copy = Buffer.allocUnsafe(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
}

/** Bytes as latin1 text, to leave in one string with a head. */
export function latin1Text(bytes: Uint8Array): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('latin1');
}
