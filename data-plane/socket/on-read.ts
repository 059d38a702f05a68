import { Socket, type OnReadOpts } from 'node:net';
import type { ByteSocket } from './byte-socket.js';
import { ReadBufferChoice, type SharedReadBuffer } from './read-buffer.js';

/** Reads by node's `onread`: no stream buffer, no event and, while reads are small, no allocation per read. */
export class SocketReader {
  readonly options: OnReadOpts;
  readonly #choice: ReadBufferChoice;
  #socket: ByteSocket | null = null;
  #changed = true;

  constructor(reads: SharedReadBuffer) {
    this.#choice = new ReadBufferChoice(reads);
    this.options = {
      buffer: () => this.nextBuffer() as Uint8Array,
      callback: (bytesRead: number) => this.#read(bytesRead),
    };
  }

  /** Asked once before the first read and then after each; undefined means the one there is. */
  nextBuffer(): Uint8Array | undefined {
    return this.#changed ? this.#choice.current : undefined;
  }

  readsFor(socket: ByteSocket): ByteSocket {
    this.#socket = socket;
    socket.socket.once('close', () => this.#choice.close());
    return socket;
  }

  #read(bytesRead: number): boolean {
    const { current, isOwn } = this.#choice;
    const kept = this.#socket?.received(current, 0, bytesRead, isOwn) ?? false;
    this.#changed = this.#choice.advance(bytesRead, kept);
    return true;
  }
}

/**
 * Gives a socket that a server accepted the `onread` that servers have no option for, as node's constructor of sockets does it and
 * by the names that it gives the places. False when one of them is missing, as in some future node; then `data` events do.
 */
export function fillOnRead(socket: Socket, reader: SocketReader): boolean {
  const { _handle: handle } = socket as { _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null };
  if (places === null || typeof handle?.useUserBuffer !== 'function') return false;
  const first = reader.nextBuffer() ?? Buffer.alloc(0);
  const fields = socket as unknown as Record<symbol, unknown>;
  fields[places.buffer] = first;
  fields[places.callback] = reader.options.callback;
  fields[places.nextBuffer] = () => reader.nextBuffer();
  handle.useUserBuffer(first);
  return true;
}

interface Places {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly nextBuffer: symbol;
}

/** The same in every socket. */
const places = placesIn(new Socket());

function placesIn(socket: Socket): Places | null {
  const symbols = Object.getOwnPropertySymbols(socket);
  const place = (name: string): symbol | undefined => symbols.find(({ description }) => description === name);
  const [buffer, callback, nextBuffer] = [place('kBuffer'), place('kBufferCb'), place('kBufferGen')];
  if (buffer === undefined || callback === undefined || nextBuffer === undefined) return null;
  return { buffer, callback, nextBuffer };
}
