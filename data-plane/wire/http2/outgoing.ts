import type { BodySink, BodySource } from '../../body.js';
import type { ProxyError } from '../../errors.js';
import type { HeaderList } from '../../headers.js';
import type { Connection } from './connection.js';
import { largestWindowBytes } from './protocol.js';
import type { Stream } from './stream.js';

/**
 * The body that one stream sends. Bytes beyond the peer's credit wait here and stop their source; at most the chunk that
 * was too much, if the source does as it is asked.
 */
export class OutgoingBody implements BodySink {
  readonly #stream: Stream;
  readonly #connection: Connection;
  readonly #source: BodySource;
  /** What the peer lets this stream send; below zero when it has lowered its windows. */
  #window: number;
  /** Chunks that wait for credit; made when the first has to. */
  #waiting: Uint8Array[] | null = null;
  #sourcePaused = false;
  #sourceEnded = false;
  #trailers: HeaderList | null = null;
  /** Whether it stands in the connection's queue, and will be asked to `sendSome`. */
  queued = false;
  /** When bytes last went; `connection.nowMs`. */
  activeMs: number;

  constructor(stream: Stream, connection: Connection, source: BodySource) {
    this.#stream = stream;
    this.#connection = connection;
    this.#source = source;
    this.#window = connection.peer.initialWindowBytes;
    this.activeMs = connection.nowMs;
  }

  get source(): BodySource {
    return this.#source;
  }

  /** Bytes wait for credit or for the socket. */
  get blocked(): boolean {
    return this.#waiting !== null;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#stream.localEnded || this.#sourceEnded) return true;
    const sent = this.queued || this.#waiting !== null ? 0 : this.#send(chunk, chunk.length);
    if (sent < chunk.length) (this.#waiting ??= []).push(sent === 0 ? chunk : chunk.subarray(sent));
    else if (!this.#connection.congested) return true;
    this.#sourcePaused = true;
    this.#queueIfSendable();
    return false;
  }

  end(trailers: HeaderList | null): void {
    if (this.#stream.localEnded || this.#sourceEnded) return;
    this.#sourceEnded = true;
    this.#trailers = trailers;
    if (this.#waiting === null) this.#stream.endLocal(trailers);
  }

  fail(error: ProxyError): void {
    if (this.#stream.localEnded || this.#sourceEnded) return;
    this.#sourceEnded = true;
    this.#stream.abandon(error);
  }

  /** The stream is gone before the body was complete. */
  drop(error: ProxyError): void {
    this.#waiting = null;
    if (this.#sourceEnded) return;
    this.#sourceEnded = true;
    this.#source.cancel(error);
  }

  /** Credit from the peer, or less than none when it lowers its initial window. False when it is more than there can be. */
  addCredit(bytes: number): boolean {
    this.#window += bytes;
    if (this.#window > largestWindowBytes) return false;
    if (bytes > 0) this.#queueIfSendable();
    return true;
  }

  /** Its turn in the queue: sends up to `mostBytes`. True when it wants another turn. */
  sendSome(mostBytes: number): boolean {
    if (this.#waiting !== null) {
      this.#sendWaiting(this.#waiting, mostBytes);
      if (this.#waiting !== null) return this.#window > 0;
    }
    if (this.#sourceEnded) {
      this.#stream.endLocal(this.#trailers);
    } else if (this.#sourcePaused) {
      this.#sourcePaused = false;
      this.#source.resume();
    }
    return false;
  }

  #sendWaiting(waiting: Uint8Array[], mostBytes: number): void {
    const first = waiting[0] as Uint8Array;
    const sent = this.#send(first, Math.min(mostBytes, first.length));
    if (sent < first.length) waiting[0] = first.subarray(sent);
    else if (waiting.length === 1) this.#waiting = null;
    else waiting.shift();
  }

  #queueIfSendable(): void {
    if (this.queued) return;
    if (this.#waiting !== null ? this.#window > 0 : this.#sourcePaused) this.#connection.enqueue(this);
  }

  #send(chunk: Uint8Array, wantedBytes: number): number {
    const bytes = this.#connection.sendData(this.#stream.id, chunk, Math.min(wantedBytes, this.#window));
    this.#window -= bytes;
    if (bytes > 0) this.activeMs = this.#connection.nowMs;
    return bytes;
  }
}
