import type { FrameWriter } from '../wire/http2/http2.js';
import type { ByteSocket } from './byte-socket.js';
import type { TurnEnd } from './turn-writes.js';

/** What writes frames for a socket. */
export interface FrameSource {
  readonly writer: FrameWriter;
  /** Told after each write whether the socket is full. */
  flushed(socketBlocked: boolean): void;
}

/**
 * Writes the frames that gather in one turn of the event loop by one call, after all its reads: many requests of many
 * clients leave together. The buffer is used again when the kernel has taken all of it at once, as it mostly does.
 */
export class TurnWriter implements TurnEnd {
  readonly #source: FrameSource;
  readonly #socket: ByteSocket;
  #scheduled = false;

  constructor(source: FrameSource, socket: ByteSocket) {
    this.#source = source;
    this.#socket = socket;
  }

  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#socket.atTurnEnd(this);
  }

  /** For the socket's `onDrain`: the kernel has taken what it could not before. */
  drained(): void {
    this.#source.writer.recycle();
    this.#source.flushed(false);
  }

  flush(): void {
    this.#scheduled = false;
    const { writer } = this.#source;
    const chunks = writer.take();
    if (chunks.length === 0 || !this.#socket.isOpen) return;
    const { socket } = this.#socket;
    if (chunks.length > 1) socket.cork();
    for (const bytes of chunks) socket.write(bytes);
    if (chunks.length > 1) socket.uncork();
    if (socket.writableLength === 0) writer.recycle();
    this.#source.flushed(this.#socket.isFull);
  }
}
