import type { FrameWriter } from '../wire/http2/http2.js';
import type { ByteSocket } from './byte-socket.js';

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
export class TurnWriter {
  readonly #source: FrameSource;
  readonly #socket: () => ByteSocket;
  readonly #run = (): void => this.writeNow();
  #scheduled = false;

  constructor(source: FrameSource, socket: () => ByteSocket) {
    this.#source = source;
    this.#socket = socket;
  }

  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  /** For the socket's `onDrain`: the kernel has taken what it could not before. */
  drained(): void {
    this.#source.writer.recycle();
    this.#source.flushed(false);
  }

  writeNow(): void {
    this.#scheduled = false;
    const { writer } = this.#source;
    const byteSocket = this.#socket();
    const chunks = writer.take();
    const first = chunks[0];
    if (first === undefined || !byteSocket.isOpen) return;
    const { socket } = byteSocket;
    if (chunks.length > 1) socket.cork();
    for (const bytes of chunks) socket.write(bytes);
    if (chunks.length > 1) socket.uncork();
    if (socket.writableLength === 0) writer.recycle();
    this.#source.flushed(byteSocket.isFull);
  }
}
