import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HandleWriter } from './handle-writer.js';
import type { TurnEnd, TurnWrites } from './turn-writes.js';

/** What a socket tells its connection. */
export interface SocketEvents {
  onConnect(): void;
  /**
   * Bytes arrived in bytes[start, end). Views of them may be kept only if `owned`; false says that none is, and that the buffer
   * may be read into again.
   */
  onBytes(bytes: Buffer, start: number, end: number, owned: boolean): boolean | void;
  /** Everything written has left, after a `write` that returned false. */
  onDrain(): void;
  /** The peer sends no more. */
  onPeerEnd(): void;
  /**
   * The peer takes nothing any more, and all that is written from now on is dropped. True when what it has said before is waited
   * for: `onPeerEnd` or `onClose` follow. By default the socket is destroyed.
   */
  onWriteFailed?(): boolean;
  /** The last event, once. */
  onClose(error: Error | null): void;
}

/** What reads a socket, and can be told to stop. */
export interface Reads {
  pause(): unknown;
  resume(): unknown;
}

/** Bytes that a socket holds before it asks its writer to stop: two full reads of the other side. */
export const socketBufferBytes = 131_072;

/** What is gathered in one turn before it leaves at once. */
const turnBytes = 65_536;

/**
 * A TCP or TLS connection as the HTTP engine uses it: no stream machinery on the read side, text and bytes out, all writes of
 * one turn of the event loop in one system call at its end.
 */
export class ByteSocket {
  readonly #socket: Socket;
  readonly #isTls: boolean;
  readonly #turn: TurnWrites;
  #events: SocketEvents;
  #reads: Reads;
  /** The turn's first write, which needs no cork when it stays the only one. */
  #first: string | Uint8Array | null = null;
  #corked = false;
  #turnBytes = 0;
  #direct: HandleWriter | null = null;
  /** Bytes that the handle has taken and the kernel has not. */
  #inFlight = 0;
  #flushes = 0;
  #failedFlush = -1;
  #error: Error | null = null;
  #reachedPeer = false;
  #takesNothing = false;
  #ended = false;
  #paused = false;

  constructor(socket: Socket, turn: TurnWrites, events: SocketEvents) {
    this.#socket = socket;
    this.#turn = turn;
    this.#events = events;
    this.#reads = socket;
    this.#isTls = socket instanceof TLSSocket;
    socket.once('connect', () => (this.#reachedPeer = true));
    socket.on('drain', () => this.#events.onDrain());
    socket.on('end', () => this.#events.onPeerEnd());
    socket.on('error', (error: Error) => (this.#error = error));
    socket.on('close', () => this.#events.onClose(this.#error));
  }

  /** Who reads the socket, if not its stream. */
  readBy(reads: Reads): this {
    this.#reads = reads;
    return this;
  }

  /** From now on somebody else is told what happens, because the connection speaks another protocol. */
  handOver(events: SocketEvents): void {
    this.#events = events;
  }

  /** For whoever reads the socket: bytes[start, end) have come. Returns whether views of them may be kept. */
  received(bytes: Buffer, start: number, end: number, owned: boolean): boolean {
    return this.#events.onBytes(bytes, start, end, owned) !== false;
  }

  get socket(): Socket {
    return this.#socket;
  }

  /**
   * Takes latin1 text, or bytes that are the socket's until `isDrained`; they leave at the end of the turn, or at `flush`. False
   * asks the writer to stop until `onDrain`.
   */
  write(data: string | Uint8Array): boolean {
    if (this.#takesNothing) return true;
    const isFirst = this.#turnBytes === 0;
    if (isFirst) {
      this.#first = data;
    } else {
      if (!this.#corked) this.#cork();
      this.#writeNow(data);
    }
    this.#turnBytes += data.length;
    if (isFirst) this.#turn.add(this);
    if (this.#turnBytes >= turnBytes) this.flush();
    return !this.isFull;
  }

  /** Writes at once, for who gathers by itself instead of by `write`; the chunks are the socket's until `isDrained`. */
  send(chunks: readonly Uint8Array[]): void {
    if (chunks.length > 1) this.#socket.cork();
    for (const chunk of chunks) this.#writeAlone(chunk);
    if (chunks.length > 1) this.#socket.uncork();
  }

  /** For who gathers bytes of its own for this socket: `writer.flush` is called when this turn's writes leave. */
  atTurnEnd(writer: TurnEnd): void {
    this.#turn.addLast(writer);
  }

  #cork(): void {
    this.#corked = true;
    this.#socket.cork();
    this.#writeNow(this.#first as string | Uint8Array);
    this.#first = null;
  }

  /** What needs not wait for others. */
  #writeAlone(data: string | Uint8Array): void {
    const isIdle =
      !this.#socket.connecting && !this.#ended && this.#inFlight === 0 && this.#socket.writableLength === 0;
    if (isIdle) this.#direct ??= HandleWriter.of(this.#socket, this);
    if (!isIdle || this.#direct === null) {
      this.#writeNow(data);
      return;
    }
    this.#inFlight = this.#direct.write(data);
    if (this.#mustWait) this.#socket.cork();
  }

  /** Over TLS one write at a time is allowed: until it has completed, the stream holds what comes, and the end. */
  get #mustWait(): boolean {
    return this.#isTls && this.#inFlight > 0;
  }

  written(bytes: number): void {
    const hasWaited = this.#mustWait;
    this.#inFlight = 0;
    if (hasWaited) this.#socket.uncork();
    if (hasWaited && this.#ended) this.#socket.end();
    if (bytes >= socketBufferBytes && !this.#socket.writableNeedDrain) this.#events.onDrain();
  }

  writeFailed(error: Error): void {
    this.#inFlight = 0;
    if (this.#socket.destroyed) return;
    if (this.#events.onWriteFailed?.() !== true) {
      this.#socket.destroy(error);
      return;
    }
    this.#error ??= error;
    this.#takesNothing = true;
  }

  #writeNow(data: string | Uint8Array): void {
    if (typeof data === 'string') this.#socket.write(data, 'latin1');
    else this.#socket.write(data);
  }

  /** Lets what has been written leave at once. */
  flush(): void {
    if (this.#turnBytes === 0) return;
    this.#turnBytes = 0;
    const first = this.#first;
    this.#first = null;
    if (this.#corked) {
      this.#corked = false;
      this.#socket.uncork();
    } else if (first !== null && !this.#socket.destroyed) {
      this.#writeAlone(first);
    }
    const hasFailed = this.#takesNothing || this.#socket.destroyed || this.#socket.errored !== null;
    if (this.#failedFlush < 0 && hasFailed) this.#failedFlush = this.#flushes;
    this.#flushes++;
  }

  /** The kernel has taken everything that was written. */
  get isDrained(): boolean {
    return this.unsentBytes === 0;
  }

  /** What the kernel has yet to take. */
  get unsentBytes(): number {
    return this.#turnBytes + this.#inFlight + this.#socket.writableLength;
  }

  /** Which flush takes what is written next; for `hasLeft`. */
  get nextFlush(): number {
    return this.#flushes;
  }

  /** Whether any byte of that flush may have left: it has been made, and did not fail in the same instant. */
  hasLeft(flush: number): boolean {
    return this.#flushes > flush && this.#failedFlush !== flush;
  }

  /** A TCP connection has been made, if not yet a TLS session. */
  get reachedPeer(): boolean {
    return this.#reachedPeer;
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable && !this.#takesNothing;
  }

  /** The peer has yet to take much of what was written; `onDrain` will tell when it has. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain || this.#inFlight >= socketBufferBytes;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#reads.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#reads.resume();
  }

  /** Sends what is written, then says that no more comes. Reading goes on. */
  end(): void {
    this.flush();
    this.#ended = true;
    if (!this.#mustWait) this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Destroys so that the peer cannot take what it got for a whole message that ended. */
  reset(): void {
    // A reset in the middle of a shutdown is an error that node never reports as a close.
    if (this.#ended || this.#socket.connecting || this.#isTls) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
}
