import type { BodySink, BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import type { HeaderList } from '../../headers.js';
import type { Connection } from './connection.js';
import type { Stream } from './stream.js';
import { isCopied } from './writer.js';

/**
 * The body that one stream sends. Bytes beyond the peer's credit wait here and stop their source; at most the chunk that
 * was too much, if the source does as it is asked.
 */
export class OutgoingBody implements BodySink {
  readonly #stream: Stream;
  readonly #connection: Connection;
  readonly #source: BodySource;
  readonly #announced: number;
  /** Bytes that the source has written. */
  #taken = 0;
  /** Chunks that wait for credit; made when the first has to. */
  #waiting: Uint8Array[] | null = null;
  #sourcePaused = false;
  #sourceEnded = false;
  #trailers: HeaderList | null = null;
  /** Whether it stands in the connection's queue, and will be asked to `sendSome`. */
  queued = false;
  /** When bytes last went; `connection.nowMs`. */
  activeMs: number;
  /** Nothing of what was written last is looked at any more. */
  settled = false;
  /** Bytes of the body that have been framed. */
  bytes = 0;

  constructor(stream: Stream, connection: Connection, source: BodySource) {
    this.#stream = stream;
    this.#connection = connection;
    this.#source = source;
    this.#announced = source.length ?? Infinity;
    this.activeMs = connection.nowMs;
  }

  /** Bytes wait for credit or for the socket. */
  get blocked(): boolean {
    return this.#waiting !== null;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#stream.localEnded || this.#sourceEnded) return true;
    this.#taken += chunk.length;
    if (this.#taken > this.#announced) {
      this.#breakOff('longer');
      return true;
    }
    const sent = this.queued || this.#waiting !== null ? 0 : this.#send(chunk, chunk.length);
    this.settled = sent === chunk.length && isCopied(chunk);
    if (sent < chunk.length) (this.#waiting ??= []).push(sent === 0 ? chunk : chunk.subarray(sent));
    else if (!this.#connection.congested) return true;
    this.#sourcePaused = true;
    this.#queueIfSendable();
    return false;
  }

  end(trailers: HeaderList | null): void {
    if (this.#stream.localEnded || this.#sourceEnded) return;
    if (this.#source.length !== null && this.#taken < this.#announced) return this.#breakOff('shorter');
    this.#sourceEnded = true;
    this.#trailers = trailers;
    if (this.#waiting === null) this.#stream.endLocal(trailers);
  }

  fail(error: ProxyError): void {
    if (this.#stream.localEnded || this.#sourceEnded) return;
    this.#sourceEnded = true;
    this.#connection.writerFailed(this.#stream, error);
  }

  /** The stream is gone before the body was complete. */
  drop(error: ProxyError): void {
    this.#waiting = null;
    if (this.#sourceEnded) return;
    this.#sourceEnded = true;
    this.#source.cancel(error);
  }

  /** The peer has given the stream credit. */
  credited(): void {
    this.#queueIfSendable();
  }

  /** Its turn in the queue: sends up to `mostBytes`. True when it wants another turn. */
  sendSome(mostBytes: number): boolean {
    if (this.#waiting !== null) {
      this.#sendWaiting(this.#waiting, mostBytes);
      if (this.#waiting !== null) return this.#stream.sendWindow > 0;
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

  #breakOff(fault: 'longer' | 'shorter'): void {
    this.#connection.writerFailed(
      this.#stream,
      new ProxyError('internal', new Error(`a body ${fault} than announced`)),
    );
  }

  #queueIfSendable(): void {
    if (this.queued) return;
    if (this.#waiting !== null ? this.#stream.sendWindow > 0 : this.#sourcePaused) this.#connection.enqueue(this);
  }

  #send(chunk: Uint8Array, wantedBytes: number): number {
    const bytes = this.#connection.sendData(this.#stream.id, chunk, Math.min(wantedBytes, this.#stream.sendWindow));
    this.#stream.sendWindow -= bytes;
    this.bytes += bytes;
    if (bytes > 0) this.activeMs = this.#connection.nowMs;
    return bytes;
  }
}
