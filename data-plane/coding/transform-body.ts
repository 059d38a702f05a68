import type { Transform } from 'node:stream';
import type { BodySink, BodySource } from '../body.js';
import type { ProxyError } from '../errors.js';
import type { HeaderList } from '../headers.js';

/** How a transform of node:zlib is used for a body. */
export interface BodyTransform {
  /** Made with the first bytes, since `deflate` is told by them. */
  make(first: Uint8Array): Transform;
  /** What a body that the transform cannot take is. */
  failure(cause: Error): ProxyError;
}

/**
 * A body on its way through a transform, with backpressure on both sides and nothing kept beside the transform's own buffers.
 * An empty body stays empty.
 */
export class TransformBody implements BodySource, BodySink {
  readonly length = null;
  readonly #source: BodySource;
  readonly #how: BodyTransform;
  #transform: Transform | null = null;
  #sink: BodySink | null = null;
  #trailers: HeaderList | null = null;
  #done = false;

  constructor(source: BodySource, how: BodyTransform) {
    this.#source = source;
    this.#how = how;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.#source.start(this);
  }

  resume(): void {
    this.#transform?.resume();
  }

  cancel(reason: ProxyError): void {
    if (this.#done) return;
    this.#finish();
    this.#source.cancel(reason);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#done) return true;
    const transform = (this.#transform ??= this.#open(chunk));
    return transform.write(chunk);
  }

  end(trailers: HeaderList | null): void {
    if (this.#done) return;
    this.#trailers = trailers;
    if (this.#transform === null) this.#end();
    else this.#transform.end();
  }

  fail(error: ProxyError): void {
    if (this.#done) return;
    this.#finish();
    this.#sink?.fail(error);
  }

  #open(first: Uint8Array): Transform {
    return this.#how
      .make(first)
      .on('data', (chunk: Buffer) => {
        if (this.#sink?.write(chunk) === false) this.#transform?.pause();
      })
      .on('drain', () => this.#source.resume())
      .on('end', () => this.#end())
      .on('error', (error) => {
        const failure = this.#how.failure(error);
        this.#source.cancel(failure);
        this.fail(failure);
      });
  }

  #end(): void {
    if (this.#done) return;
    this.#finish();
    this.#sink?.end(this.#trailers);
  }

  /** What the transform may still have to say is of no interest. */
  #finish(): void {
    this.#done = true;
    this.#transform
      ?.removeAllListeners('data')
      .on('error', () => {})
      .destroy();
  }
}
