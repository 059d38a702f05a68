import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { SharedReadBuffer } from '../../../../data-plane/socket/read-buffer.js';
import { TurnWrites } from '../../../../data-plane/socket/turn-writes.js';
import { readEvents, type ByteSocket, type SocketEvents } from '../../../../data-plane/socket/socket.js';

/** How a run's sockets behave. */
export interface SocketHabits {
  /** Where reads are put before they are handed over; what it holds is old as soon as the call returns. Null: reads are the reader's own. */
  readonly scratch: Buffer | null;
  /** Whether a write asks its writer to stop. */
  readonly stalls: () => boolean;
}

/** What stands behind the bytes of a read in a buffer that is used again: a parser that believes it reads a head too many. */
const stale = 'a: b\r\n\r\nGET / HTTP/1.1\r\n\r\n0\r\n\r\n';

/**
 * A socket without a kernel, for real connections to run on: what it is given to read waits until `step`, what is written is
 * kept as written. Nothing is emitted within a call of its owner, as with a real one.
 */
export class MemorySocket extends EventEmitter {
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 50_000;
  readonly localPort = 80;
  readonly connecting = false;
  readonly errored = null;
  destroyed = false;
  writable = true;
  writableNeedDrain = false;
  /** The owner cut the connection: a peer knows that what it got is not all. */
  wasReset = false;
  readonly #habits: SocketHabits;
  /** Turns end with each step. */
  readonly #turn = new TurnWrites(() => {});
  readonly #inbox: Buffer[] = [];
  #written: (string | Uint8Array)[] = [];
  #output = '';
  #paused = false;
  #peerEnded = false;
  #peerResets = false;
  #endSeen = false;
  #closeSeen = false;

  constructor(habits: SocketHabits) {
    super();
    this.#habits = habits;
  }

  open(events: SocketEvents): ByteSocket {
    return readEvents(
      this as unknown as Socket,
      new SharedReadBuffer(this.#turn),
      this.#habits.scratch === null ? events : throughScratch(events, this.#habits.scratch),
    );
  }

  /** All that was written, as latin1 text. Bytes are looked at as late as a kernel would, so a buffer used again shows. */
  get output(): string {
    for (const data of this.#written)
      this.#output += typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
    this.#written = [];
    return this.#output;
  }

  get isClosed(): boolean {
    return this.#closeSeen;
  }

  // ── the peer's side ──

  give(pieces: readonly Buffer[]): void {
    this.#inbox.push(...pieces);
  }

  giveEnd(asReset = false): void {
    this.#peerEnded = true;
    this.#peerResets = asReset;
  }

  /** Pieces that the owner has not read. */
  get unread(): number {
    return this.#inbox.length;
  }

  get hasUnread(): boolean {
    return this.#inbox.length > 0 || (this.#peerEnded && !this.#endSeen);
  }

  /** Lets the next thing happen, and the turn end; false when there is nothing. */
  step(): boolean {
    const progress = this.#happens();
    return this.#endTurn() || progress;
  }

  #endTurn(): boolean {
    const before = this.#written.length;
    this.#turn.flush();
    return this.#written.length > before;
  }

  #happens(): boolean {
    if (this.destroyed) return this.#close();
    if (this.writableNeedDrain) {
      this.writableNeedDrain = false;
      this.emit('drain');
      return true;
    }
    if (this.#paused) return false;
    const piece = this.#inbox.shift();
    if (piece !== undefined) this.emit('data', piece);
    else if (this.#peerEnded && !this.#endSeen) this.#end();
    else return false;
    return true;
  }

  #close(): boolean {
    if (this.#closeSeen) return false;
    this.#closeSeen = true;
    this.emit('close');
    return true;
  }

  #end(): void {
    this.#endSeen = true;
    if (this.#peerResets) {
      this.emit('error', new Error('reset'));
      this.destroy();
      return;
    }
    this.emit('end');
    if (!this.writable) this.destroyed = true;
  }

  // ── what ByteSocket asks of a net.Socket ──

  write(data: string | Uint8Array): boolean {
    if (this.destroyed || !this.writable) return false;
    this.#written.push(data);
    this.writableNeedDrain ||= this.#habits.stalls();
    return !this.writableNeedDrain;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  end(): void {
    this.writable = false;
    if (this.#endSeen) this.destroyed = true;
  }

  destroy(): void {
    this.destroyed = true;
    this.writable = false;
  }

  resetAndDestroy(): void {
    this.wasReset = true;
    this.destroy();
  }

  cork(): void {}

  uncork(): void {}
}

/** Hands reads over in a buffer that is used again. */
function throughScratch(events: SocketEvents, scratch: Buffer): SocketEvents {
  return {
    onConnect: () => events.onConnect(),
    onBytes: (bytes, start, end) => {
      const length = bytes.copy(scratch, 0, start, end);
      scratch.write(stale, length, 'latin1');
      events.onBytes(scratch, 0, length, false);
      scratch.fill('#', 0, length);
    },
    onDrain: () => events.onDrain(),
    onPeerEnd: () => events.onPeerEnd(),
    onClose: (error) => events.onClose(error),
  };
}
