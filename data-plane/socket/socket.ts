import { connect as connectTcp, Socket, type OnReadOpts } from 'node:net';
import { connect as connectTls, TLSSocket, type ConnectionOptions } from 'node:tls';
import { ReadBufferChoice, type SharedReadBuffer } from './read-buffer.js';
import type { TurnWrites } from './turn-writes.js';

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
  /** The last event, once. */
  onClose(error: Error | null): void;
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
  readonly #turn: TurnWrites;
  #events: SocketEvents;
  /** The turn's first write, which needs no cork when it stays the only one. */
  #first: string | Uint8Array | null = null;
  #corked = false;
  #turnBytes = 0;
  #flushes = 0;
  #failedFlush = -1;
  #error: Error | null = null;
  #reachedPeer = false;
  #ended = false;
  #paused = false;

  constructor(socket: Socket, turn: TurnWrites, events: SocketEvents) {
    this.#socket = socket;
    this.#turn = turn;
    this.#events = events;
    socket.once('connect', () => (this.#reachedPeer = true));
    socket.on('drain', () => this.#events.onDrain());
    socket.on('end', () => this.#events.onPeerEnd());
    socket.on('error', (error: Error) => (this.#error = error));
    socket.on('close', () => this.#events.onClose(this.#error));
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
    if (this.#turnBytes === 0) {
      this.#first = data;
      this.#turn.add(this);
    } else {
      if (!this.#corked) this.#cork();
      this.#writeNow(data);
    }
    this.#turnBytes += data.length;
    if (this.#turnBytes >= turnBytes) this.flush();
    return !this.#socket.writableNeedDrain;
  }

  #cork(): void {
    this.#corked = true;
    this.#socket.cork();
    this.#writeNow(this.#first as string | Uint8Array);
    this.#first = null;
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
      this.#writeNow(first);
    }
    if (this.#failedFlush < 0 && (this.#socket.destroyed || this.#socket.errored !== null))
      this.#failedFlush = this.#flushes;
    this.#flushes++;
  }

  /** The kernel has taken everything that was written. */
  get isDrained(): boolean {
    return this.#turnBytes === 0 && this.#socket.writableLength === 0;
  }

  /** What the kernel has yet to take. */
  get unsentBytes(): number {
    return this.#turnBytes + this.#socket.writableLength;
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
    return !this.#socket.destroyed && this.#socket.writable;
  }

  /** The peer has yet to take much of what was written; `onDrain` will tell when it has. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  /** Sends what is written, then says that no more comes. Reading goes on. */
  end(): void {
    this.flush();
    this.#ended = true;
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Destroys so that the peer cannot take what it got for a whole message that ended. */
  reset(): void {
    // A reset in the middle of a shutdown is an error that node never reports as a close.
    if (this.#ended || this.#socket.connecting || this.#socket instanceof TLSSocket) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
}

/** Connects; `onConnect` is told after the TLS handshake, if there is one. */
export function openSocket(
  address: string,
  port: number,
  tls: ConnectionOptions | null,
  reads: SharedReadBuffer,
  events: SocketEvents,
): ByteSocket {
  const reader = new SocketReader(reads);
  const options = {
    host: address,
    port,
    noDelay: true,
    keepAlive: true,
    allowHalfOpen: true,
    highWaterMark: socketBufferBytes,
    onread: reader.options,
  };
  const socket = tls === null ? connectTcp(options) : connectTls({ ...options, ...tls } as ConnectionOptions);
  socket.once(tls === null ? 'connect' : 'secureConnect', () => events.onConnect());
  return reader.readsFor(new ByteSocket(socket, reads.turn, events));
}

/**
 * Takes over a socket that a plain `net` server accepted with `pauseOnConnect`. A server has no `onread` option, so the
 * connection's handle moves to a socket that has it: 1.3 µs of 6.6 per request, in an echo server. Should a future node hide
 * the handle, the accepted socket is used as it is.
 */
export function adoptSocket(accepted: Socket, reads: SharedReadBuffer, events: SocketEvents): ByteSocket {
  const shell = accepted as Socket & { _handle?: object | null };
  const handle = shell._handle;
  if (handle === undefined || handle === null) return readEvents(accepted, reads, events);
  shell._handle = null;
  // Without a handle this closes nothing; it lets the server forget the socket.
  accepted.destroy();
  const reader = new SocketReader(reads);
  const options = { handle, allowHalfOpen: true, writableHighWaterMark: socketBufferBytes, onread: reader.options };
  const socket = new Socket(options);
  const byteSocket = reader.readsFor(new ByteSocket(socket, reads.turn, events));
  socket.resume();
  return byteSocket;
}

/**
 * Takes over a server's TLS connection as its handshake completes. The class takes no `onread` there, and has the places for it
 * all the same, which are filled in here: about 1.5 µs of 14 per request, in a listener alone. Should a future node not have
 * them, `data` events do.
 */
export function adoptSecureSocket(socket: TLSSocket, reads: SharedReadBuffer, events: SocketEvents): ByteSocket {
  const reader = new SocketReader(reads);
  if (!fillOnRead(socket, reader)) return readEvents(socket, reads, events);
  const byteSocket = reader.readsFor(new ByteSocket(socket, reads.turn, events));
  socket.resume();
  return byteSocket;
}

/** What node's constructor of sockets does with an `onread`, by the names that it gives the places. False when one is missing. */
function fillOnRead(socket: TLSSocket, reader: SocketReader): boolean {
  const { _handle: handle } = socket as { _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null };
  if (onReadPlaces === null || typeof handle?.useUserBuffer !== 'function') return false;
  const first = reader.nextBuffer() ?? Buffer.alloc(0);
  const places = socket as unknown as Record<symbol, unknown>;
  places[onReadPlaces.buffer] = first;
  places[onReadPlaces.callback] = reader.options.callback;
  places[onReadPlaces.nextBuffer] = () => reader.nextBuffer();
  handle.useUserBuffer(first);
  return true;
}

interface OnReadPlaces {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly nextBuffer: symbol;
}

/** The same in every socket. */
const onReadPlaces = findOnReadPlaces(new Socket());

function findOnReadPlaces(socket: Socket): OnReadPlaces | null {
  const symbols = Object.getOwnPropertySymbols(socket);
  const place = (name: string): symbol | undefined => symbols.find(({ description }) => description === name);
  const [buffer, callback, nextBuffer] = [place('kBuffer'), place('kBufferCb'), place('kBufferGen')];
  if (buffer === undefined || callback === undefined || nextBuffer === undefined) return null;
  return { buffer, callback, nextBuffer };
}

/** A socket that has no way but `data` events. */
export function readEvents(socket: Socket, reads: SharedReadBuffer, events: SocketEvents): ByteSocket {
  const byteSocket = new ByteSocket(socket, reads.turn, events);
  socket.on('data', (bytes: Buffer) => byteSocket.received(bytes, 0, bytes.length, true));
  socket.resume();
  return byteSocket;
}

/** Reads by node's `onread`: no stream buffer, no event and, while reads are small, no allocation per read. */
class SocketReader {
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
