import type { BodySink, BodySource } from '../body.js';
import type { ProxyError } from '../errors.js';
import type { ByteSocket } from './byte-socket.js';
import { bulkBytes } from './read-buffer.js';
import { RangeTaker, StreamBody, type BodyOwner } from './stream-body.js';

export interface TunnelOwner {
  /** A byte went one way or the other. */
  tunnelActive(): void;
  /** Both directions have ended, or the tunnel broke with `error`. Called once. */
  tunnelEnded(error: ProxyError | null): void;
}

/**
 * One socket's half of an upgraded connection: `input` is what its peer sends, `send` takes what the peer is to get. The two
 * directions end independently; a break of either breaks both, with a reset, since a tunnel's bytes have no end of their own that
 * would tell a break from an end.
 */
export class TunnelEnd implements BodySink, BodyOwner {
  readonly input: StreamBody;
  /** Bytes given to the peer. */
  sent = 0;
  readonly #socket: ByteSocket;
  readonly #owner: TunnelOwner;
  readonly #ranges = new RangeTaker();
  #source: BodySource | null = null;
  #stalled = false;
  #inputOpen = true;
  #outputOpen = true;

  constructor(socket: ByteSocket, owner: TunnelOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.input = new StreamBody(null, this);
  }

  /** `through` is what looks at the bytes on their way to this end, if anything does. */
  send(source: BodySource, through: BodySink = this): void {
    this.#source = source;
    source.start(through);
  }

  /** Ends both directions now; the other half is told `error`. */
  break(error: ProxyError): void {
    if (!this.#inputOpen && !this.#outputOpen) return;
    this.#inputOpen = false;
    this.#outputOpen = false;
    this.#source?.cancel(error);
    this.#source = null;
    this.input.fail(error);
    this.#socket.reset();
    this.#owner.tunnelEnded(error);
  }

  // The socket's events, passed on by its connection.

  onBytes(bytes: Buffer, start: number, end: number, owned: boolean): boolean {
    if (!this.#inputOpen || start === end) return false;
    this.#owner.tunnelActive();
    this.#ranges.begin(bytes, owned);
    this.#ranges.pushTo(this.input, start, end);
    return this.#ranges.kept;
  }

  onDrain(): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#source?.resume();
  }

  onPeerEnd(): void {
    if (!this.#inputOpen) return;
    this.#inputOpen = false;
    this.input.end(null);
    if (!this.#outputOpen) this.#owner.tunnelEnded(null);
  }

  // What the other half sends.

  write(chunk: Uint8Array): boolean {
    if (!this.#outputOpen) return true;
    this.#owner.tunnelActive();
    this.sent += chunk.length;
    const hasRoom = this.#socket.write(chunk);
    if (chunk.length >= bulkBytes) this.#socket.flush();
    if (!hasRoom) this.#stalled = true;
    return hasRoom;
  }

  get settled(): boolean {
    return this.#socket.isDrained;
  }

  end(): void {
    if (!this.#outputOpen) return;
    this.#outputOpen = false;
    this.#source = null;
    this.#socket.end();
    if (!this.#inputOpen) this.#owner.tunnelEnded(null);
  }

  fail(error: ProxyError): void {
    this.#source = null;
    this.break(error);
  }

  // What the other half says of our input.

  bodyStarted(): void {}

  pauseBody(): void {
    this.#socket.pause();
  }

  resumeBody(): void {
    this.#socket.resume();
  }

  bodyCancelled(reason: ProxyError): void {
    this.break(reason);
  }
}
