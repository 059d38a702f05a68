import type { BodySink, BodySource } from './body.js';
import type { ProxyError } from './errors.js';

/** A request body that remembers whether anyone has begun to read it: until then it can still go to another endpoint. */
export class TrackedBody implements BodySource {
  started = false;
  readonly #source: BodySource;

  constructor(source: BodySource) {
    this.#source = source;
  }

  get length(): number | null {
    return this.#source.length;
  }

  start(sink: BodySink): void {
    this.started = true;
    this.#source.start(sink);
  }

  resume(): void {
    this.#source.resume();
  }

  cancel(reason: ProxyError): void {
    this.#source.cancel(reason);
  }
}
