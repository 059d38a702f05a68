import type { BodySink } from '../body.js';
import type { ProxyError } from '../errors.js';
import { FrameScanner, goingAwayFrame } from '../wire/websocket/websocket.js';

/**
 * What a WebSocket's client is sent. It can be told to go elsewhere: then a close frame (1001) stands where the service's next
 * frame would, and nothing of the service follows it. The client's own close frame goes to the service and ends both ways.
 */
export class WebSocketOutput implements BodySink {
  readonly #client: BodySink;
  readonly #frames = new FrameScanner();
  #leaving = false;
  #closed = false;

  constructor(client: BodySink) {
    this.#client = client;
  }

  /** At once between two frames, else when the current one has ended. */
  goAway(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    if (this.#frames.atBoundary) this.#close();
  }

  write(chunk: Uint8Array): boolean {
    if (this.#closed) return true;
    const frameEnd = this.#frames.follow(chunk, 0, chunk.length, this.#leaving);
    if (!this.#leaving || !this.#frames.atBoundary) return this.#client.write(chunk);
    this.#client.write(chunk.subarray(0, frameEnd));
    return this.#close();
  }

  end(): void {
    this.#client.end(null);
  }

  fail(error: ProxyError): void {
    this.#client.fail(error);
  }

  #close(): boolean {
    this.#closed = true;
    return this.#client.write(goingAwayFrame);
  }
}
