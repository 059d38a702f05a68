import { Buffer } from 'node:buffer';
import { BufferedBody, type BodySink, type BodySource } from '../../body.js';
import { ProxyError, type ErrorKind } from '../../errors.js';
import type { HeaderList } from '../../headers.js';

export interface GatherObserver {
  /** The bytes may be used again after the call. */
  gathered(bytes: Uint8Array, trailers: HeaderList | null): void;
  failed(error: ProxyError): void;
}

const nothing = new Uint8Array(0);

/** Collects a body of at most `maxBytes`; fails with `tooLarge` as soon as more is announced or arrives (SZ1). */
export class Gather implements BodySink {
  readonly #source: BodySource;
  readonly #maxBytes: number;
  readonly #tooLarge: ErrorKind;
  readonly #observer: GatherObserver;
  #chunks: Uint8Array[] = [];
  /** How many of them are not lent. */
  #kept = 0;
  #length = 0;
  #done = false;

  constructor(source: BodySource, maxBytes: number, tooLarge: ErrorKind, observer: GatherObserver) {
    this.#source = source;
    this.#maxBytes = maxBytes;
    this.#tooLarge = tooLarge;
    this.#observer = observer;
  }

  /** Begins to read. The observer hears exactly once, perhaps within this call, unless `cancel` comes first. */
  start(): void {
    const source = this.#source;
    if (source.length !== null && source.length > this.#maxBytes) this.#refuse();
    else if (source instanceof BufferedBody) this.#gathered(source.consume(), source.trailers);
    else source.start(this);
  }

  /** What is lent is kept by a copy; mostly all of a body comes in one read, and there is none to make. */
  keep(): void {
    if (this.#done) return;
    const chunks = this.#chunks;
    for (; this.#kept < chunks.length; this.#kept++) {
      chunks[this.#kept] = Buffer.from(chunks[this.#kept] as Uint8Array);
    }
  }

  write(chunk: Uint8Array): boolean {
    if (this.#done) return true;
    this.#length += chunk.length;
    if (this.#length > this.#maxBytes) this.#refuse();
    else this.#chunks.push(chunk);
    return true;
  }

  end(trailers: HeaderList | null): void {
    if (!this.#done) this.#gathered(joined(this.#chunks, this.#length), trailers);
  }

  #gathered(bytes: Uint8Array, trailers: HeaderList | null): void {
    this.#done = true;
    this.#observer.gathered(bytes, trailers);
  }

  fail(error: ProxyError): void {
    if (this.#done) return;
    this.#done = true;
    this.#observer.failed(error);
  }

  /** Stops reading; the observer hears nothing more. */
  cancel(error: ProxyError): void {
    if (this.#done) return;
    this.#done = true;
    this.#chunks = [];
    this.#source.cancel(error);
  }

  #refuse(): void {
    const error = new ProxyError(this.#tooLarge);
    this.cancel(error);
    this.#observer.failed(error);
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  if (chunks.length <= 1) return chunks[0] ?? nothing;
  const whole = Buffer.allocUnsafe(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
