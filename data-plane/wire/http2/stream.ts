import { BufferedBody, type BodySource } from '../../body.js';
import type { ProxyError } from '../../errors.js';
import type { HeaderList } from '../../headers.js';
import type { Connection } from './connection.js';
import type { HeadCollector } from './head.js';
import type { ResponseFields } from './head-writer.js';
import { IncomingBody } from './incoming.js';
import { OutgoingBody } from './outgoing.js';
import { errorCode, largestWindowBytes } from './protocol.js';

/** Who a stream's fate is told to: a client's call or a server's exchange. */
export interface StreamObserver {
  /** A response head; with a status below 200 another follows. `head` is reused after the call, its list is not. */
  headArrived(head: HeadCollector): void;
  /** Our side of the message is complete; the peer's may not be. */
  sent(): void;
  /** Called every now and then. */
  tick(nowMs: number): void;
  /** The stream is gone: both sides complete, or the reason why not. Called once, last. The bodies have been told already. */
  closed(error: ProxyError | null): void;
}

/** One request and its response on a connection, from either side: which half has ended, and who is to be told. */
export class Stream {
  readonly id: number;
  readonly incoming: IncomingBody;
  outgoing: OutgoingBody | null = null;
  /** The final head of the peer's message has come; a field block after it holds trailers. */
  headReceived = false;
  /** The answer has no body whatever it announces: the request was HEAD. */
  bodylessAnswer = false;
  /** Two byte streams that end independently, as after an extended CONNECT. */
  tunnel = false;
  remoteEnded = false;
  localEnded = false;
  closed = false;
  /** What the peer lets this stream send; below zero when it has lowered its windows. */
  sendWindow: number;
  readonly #connection: Connection;
  /** Of a body that left at once. */
  #wholeBytes = 0;
  #observer: StreamObserver | null;

  constructor(id: number, connection: Connection, observer: StreamObserver | null) {
    this.id = id;
    this.#connection = connection;
    this.#observer = observer;
    this.sendWindow = connection.peer.initialWindowBytes;
    this.incoming = new IncomingBody(this, connection);
  }

  /** For a stream that the peer opened. */
  observe(observer: StreamObserver): void {
    this.#observer = observer;
  }

  /** Sends `source` behind the head that has just been written. */
  send(source: BodySource): void {
    if (source instanceof BufferedBody && this.#connection.sendWhole(this, source)) {
      this.#wholeBytes = source.length;
      return;
    }
    this.outgoing = new OutgoingBody(this, this.#connection, source);
    source.start(this.outgoing);
  }

  /** Bytes of our body that have been framed. */
  get bytesSent(): number {
    return this.outgoing?.bytes ?? this.#wholeBytes;
  }

  /** Credit from the peer, or less than none when it lowers its initial window. False when it is more than there can be. */
  addCredit(bytes: number): boolean {
    this.sendWindow += bytes;
    if (this.sendWindow > largestWindowBytes) return false;
    if (bytes > 0) this.outgoing?.credited();
    return true;
  }

  /** Sends a response head; `send` follows, unless it is interim or `last`. */
  respond(status: number, fields: ResponseFields, last: boolean): void {
    this.#connection.sendResponse(this, status, fields, last);
  }

  /** What was begun cannot be completed. */
  breakOff(error: ProxyError): void {
    this.#connection.writerFailed(this, error);
  }

  /** All that was to be said has been said, and the peer still talks. */
  hangUp(error: ProxyError): void {
    this.#connection.reset(this, errorCode.noError, error);
  }

  /** Nobody here has looked at the stream: the peer may try it elsewhere. */
  refuse(error: ProxyError): void {
    this.#connection.reset(this, errorCode.refusedStream, error);
  }

  /** Nobody here wants the stream any more. */
  abandon(error: ProxyError): void {
    this.#connection.reset(this, errorCode.cancel, error);
  }

  /** Our body is complete: says so to the peer. */
  endLocal(trailers: HeaderList | null): void {
    if (!this.localEnded) this.#connection.sendEnd(this, trailers);
  }

  tick(nowMs: number): void {
    this.#observer?.tick(nowMs);
  }

  sent(): void {
    this.#observer?.sent();
  }

  head(head: HeadCollector): void {
    this.incoming.activeMs = this.#connection.nowMs;
    this.#observer?.headArrived(head);
  }

  /** Called by the connection when it has let go of the stream. */
  finish(error: ProxyError | null): void {
    this.closed = true;
    this.incoming.release();
    if (error !== null) {
      this.outgoing?.drop(error);
      this.incoming.fail(error);
    }
    const observer = this.#observer;
    this.#observer = null;
    observer?.closed(error);
  }
}
