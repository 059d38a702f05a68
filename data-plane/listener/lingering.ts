import type { ByteSocket } from '../socket/socket.js';
import type { ListenerLimits } from './limits.js';

/**
 * The end of a connection whose last answer is out: what still comes is dropped until the client closes, because a close with unread
 * bytes would reset the answer away. The time for that begins when the client has taken all of the answer, for which it has as
 * long as any reader.
 */
export class Lingering {
  readonly #socket: ByteSocket;
  readonly #limits: ListenerLimits;
  /** What the client had yet to take at the last look, and for how long it has taken nothing. */
  #unsent: number;
  #stalledMs = 0;

  /** Says that no more comes. */
  constructor(socket: ByteSocket, limits: ListenerLimits) {
    this.#socket = socket;
    this.#limits = limits;
    socket.end();
    socket.resume();
    this.#unsent = socket.unsentBytes;
  }

  /** When to look again. */
  get ms(): number {
    return this.#limits.lingerMs;
  }

  /** After `ms`: whether it goes on. */
  goesOn(): boolean {
    const { lingerMs, writeStallMs } = this.#limits;
    const { unsentBytes } = this.#socket;
    if (this.#unsent === 0) return false;
    this.#stalledMs = unsentBytes < this.#unsent ? 0 : this.#stalledMs + lingerMs;
    this.#unsent = unsentBytes;
    return writeStallMs <= 0 || this.#stalledMs < writeStallMs;
  }
}
