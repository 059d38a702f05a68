import type { FrameWriter } from '../wire/http2/http2.js';
import type { ByteSocket } from './byte-socket.js';
import type { TurnEnd } from './turn-writes.js';

/** What writes frames for a socket. */
export interface FrameSource {
  readonly writer: FrameWriter;
  /** Told after a write that did not wait for the turn's end whether the socket is full. */
  wrote(socketBlocked: boolean): void;
  /** Told at the end of a turn, and when a full socket has room again. */
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

  /** So much has gathered that it would only wait. */
  writeEarly(): void {
    if (this.#write()) this.#source.wrote(this.#socket.isFull);
  }

  /** For the socket's `onDrain`: the kernel has taken what it could not before. */
  drained(): void {
    if (this.#socket.isDrained) this.#source.writer.recycle();
    this.#source.flushed(this.#socket.isFull);
  }

  flush(): void {
    this.#scheduled = false;
    this.#write();
    if (this.#socket.isOpen) this.#source.flushed(this.#socket.isFull);
  }

  #write(): boolean {
    const { writer } = this.#source;
    const chunks = writer.take();
    if (chunks.length === 0 || !this.#socket.isOpen) return false;
    this.#socket.send(chunks);
    if (this.#socket.isDrained) writer.recycle();
    return true;
  }
}
