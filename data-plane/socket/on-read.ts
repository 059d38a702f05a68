import type { OnReadOpts, Socket } from 'node:net';
import type { ByteSocket } from './byte-socket.js';
import { ReadBufferChoice, type SharedReadBuffer } from './read-buffer.js';
import { handleOf, streamWrap, type StreamHandle } from './stream-handle.js';

/** Reads into buffers of our choice: no stream buffer, no event and, while reads are small, no allocation per read. */
export class SocketReader {
  readonly #choice: ReadBufferChoice;
  #socket: ByteSocket | null = null;
  #handle: StreamHandle | null = null;
  #changed = true;

  constructor(reads: SharedReadBuffer) {
    this.#choice = new ReadBufferChoice(reads);
  }

  /** For a socket that is yet to connect. */
  get options(): OnReadOpts {
    return {
      buffer: () => this.#nextBuffer() as Uint8Array,
      callback: (bytesRead: number) => {
        this.#read(bytesRead);
        return true;
      },
    };
  }

  readsFor(socket: ByteSocket): ByteSocket {
    this.#socket = socket;
    socket.socket.once('close', () => this.#choice.close());
    return socket.readBy(this);
  }

  /**
   * Reads from the handle of a connected socket, past node's stream, which hears of ends and errors only. False when the handle is
   * not to be had.
   */
  takeOver(socket: Socket): boolean {
    const handle = handleOf(socket);
    if (streamWrap === null || handle === null) return false;
    const { streamBaseState: state, kReadBytesOrError } = streamWrap;
    const ofStream = handle.onread;
    handle.onread = (bytes): Uint8Array | undefined => {
      const bytesRead = state[kReadBytesOrError] as number;
      if (bytesRead <= 0 || socket.destroyed) return ofStream.call(handle, bytes);
      this.#read(bytesRead);
      return this.#nextBuffer();
    };
    this.#handle = handle;
    return true;
  }

  /**
   * Lets a socket that was accepted be read, which has no buffer from its options: its stream has to flow to tell of the end, and
   * begins to in the next tick.
   */
  start(socket: ByteSocket): void {
    this.#handle?.useUserBuffer(this.#choice.current);
    socket.socket.resume();
    process.nextTick(() => {
      if (socket.isPaused) this.pause();
    });
  }

  pause(): void {
    if (this.#handle === null) this.#socket?.socket.pause();
    else if (this.#socket?.socket.destroyed === false) this.#handle.readStop();
  }

  resume(): void {
    if (this.#handle === null) this.#socket?.socket.resume();
    else if (this.#socket?.socket.destroyed === false) this.#handle.readStart();
  }

  /** Asked once before the first read and then after each; undefined means the one there is. */
  #nextBuffer(): Uint8Array | undefined {
    return this.#changed ? this.#choice.current : undefined;
  }

  #read(bytesRead: number): void {
    const { current, isOwn } = this.#choice;
    const kept = this.#socket?.received(current, 0, bytesRead, isOwn) ?? false;
    this.#changed = this.#choice.advance(bytesRead, kept);
  }
}
