import type { ProxyError } from './errors.js';
import type { HeaderList } from './headers.js';

/**
 * Bodies are pushed from a source into a sink, chunk by chunk, with backpressure and without stream objects: the connection
 * that reads a body is its source, the connection that writes it is its sink.
 *
 * Order of calls: `source.start(sink)` once; then `sink.write` any number of times, then exactly one of `sink.end` and
 * `sink.fail`. A chunk belongs to the sink from the call on: the source never writes into it again.
 */
export interface BodySource {
  /** Bytes announced (Content-Length), 0 when there is no body, or null when only the end will tell. */
  readonly length: number | null;
  /** Begins to deliver; chunks may arrive within this call. */
  start(sink: BodySink): void;
  /** The sink has room again, after its `write` returned false. */
  resume(): void;
  /** The sink wants no more. Nothing is delivered after this call. Idempotent; does nothing once the body has ended. */
  cancel(reason: ProxyError): void;
}

export interface BodySink {
  /** Takes a chunk (never empty). False asks the source to stop until `source.resume()`; the chunk is taken all the same. */
  write(chunk: Uint8Array): boolean;
  /** The body is complete. Trailer fields are null when there are none. */
  end(trailers: HeaderList | null): void;
  /** The body will not become complete. */
  fail(error: ProxyError): void;
  /** True when nothing that was written is looked at any more, so the source may use the memory of its chunks again. */
  readonly settled?: boolean;
  /**
   * A sink with this may be lent chunks: the source calls it before the memory of those that it has written since is used again,
   * unless the body has ended by then, and the sink copies what it still needs.
   */
  keep?(): void;
}

/** A body up to this size leaves in one string with its head: cheaper than a vectored write up to about here. */
export const inlineBodyBytes = 4_096;
/** One that is text already, up to this: with a usual head it just fits into what node writes without a buffer of its own. */
const inlineTextBytes = 15_360;

/** A body that is wholly in memory, and can therefore be sent again. */
export class BufferedBody implements BodySource {
  readonly length: number;
  readonly trailers: HeaderList | null;
  #bytes: Uint8Array | null;
  #text: string | null;
  #isLent = false;

  /** A body in memory that its owner uses again: whoever asks for `bytes` gets a copy, and so do all after `keep`. */
  static lent(bytes: Uint8Array): BufferedBody {
    const body = new BufferedBody(bytes);
    body.#isLent = true;
    return body;
  }

  /** `data` is bytes, or latin1 text: one char per byte. */
  constructor(data: Uint8Array | string, trailers: HeaderList | null = null) {
    this.#bytes = typeof data === 'string' ? null : data;
    this.#text = typeof data === 'string' ? data : null;
    this.length = data.length;
    this.trailers = trailers;
  }

  /** Whether `text` is there, and `bytes` would have to be made. */
  get isText(): boolean {
    return this.#text !== null && this.#bytes === null;
  }

  /** Whether it is best written in one string with its head. */
  get isInline(): boolean {
    return this.length <= (this.#text === null ? inlineBodyBytes : inlineTextBytes);
  }

  get bytes(): Uint8Array {
    this.keep();
    this.#bytes ??= Buffer.from(this.#text ?? '', 'latin1');
    return this.#bytes;
  }

  /** The bytes for the last one who asks, who is done with them when the call in which they came is over. */
  consume(): Uint8Array {
    const bytes = this.#isLent && this.#bytes !== null ? this.#bytes : this.bytes;
    this.#isLent = false;
    this.#bytes = nothing;
    this.#text = '';
    return bytes;
  }

  /** What was lent will be used again. */
  keep(): void {
    if (!this.#isLent) return;
    this.#isLent = false;
    this.#bytes = this.#text !== null || this.#bytes === null ? null : Buffer.from(this.#bytes);
  }

  /** As latin1 text, to leave in one string with a head. */
  get text(): string {
    this.#text ??= latin1Text(this.#bytes ?? nothing);
    return this.#text;
  }

  start(sink: BodySink): void {
    if (this.length > 0) sink.write(this.bytes);
    sink.end(this.trailers);
  }

  resume(): void {}

  cancel(): void {}
}

const nothing = new Uint8Array(0);

function latin1Text(bytes: Uint8Array): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('latin1');
}

export const emptyBody = new BufferedBody(new Uint8Array(0));
