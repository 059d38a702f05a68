import type { BodySink, BodySource } from '../../body.js';
import type { ProxyError } from '../../errors.js';
import type { HeaderList } from '../../headers.js';
import type { Borrower } from './chunks.js';
import type { Connection } from './connection.js';
import { errorCode, violation, type Http2Error } from './protocol.js';
import type { Stream } from './stream.js';

/** A window that is taken in half of this doubles: it grows to what the peer sends in about a second. */
const growthPaceMs = 1_000;

/**
 * What the peer sends on one stream, as a body. The peer gets new credit only for bytes that the reader has taken, so at
 * most one stream window waits here: before the reader starts, or while it pauses. The window grows while the reader takes
 * all at once, so that a fast peer far away is not slowed down by it.
 */
export class IncomingBody implements BodySource {
  readonly #stream: Stream;
  readonly #connection: Connection;
  /** When bytes last came, or the reader last asked for some; `connection.nowMs`. */
  activeMs: number;

  /** Bytes of the body so far, without padding. */
  bytes = 0;

  #sink: BodySink | null = null;
  #paused = false;
  /** Complete, failed or cancelled, as far as the reader knows. */
  #done = false;
  #ended = false;
  #trailers: HeaderList | null = null;
  #error: ProxyError | null = null;
  #waiting: WaitingChunk[] | null = null;

  #length: number | null = null;
  /** Announced bytes still to come, or -1. */
  #expected = -1;
  /** What the peer may still send, and what it may with all credit that it is owed. */
  #window: number;
  #target: number;
  #creditedMs: number;
  /** The reader has not taken all at once since the last credit. */
  #stumbled = false;
  /** Bytes that the reader has taken and the peer has no credit for yet, and those of a chunk whose taker pauses. */
  #creditOwed = 0;
  #creditHeld = 0;

  constructor(stream: Stream, connection: Connection) {
    this.#stream = stream;
    this.#connection = connection;
    this.activeMs = connection.nowMs;
    this.#window = connection.newStreamWindow;
    this.#target = connection.own.streamWindowBytes;
    this.#creditedMs = connection.nowMs;
  }

  get length(): number | null {
    return this.#length;
  }

  /** Whether somebody waits for bytes, so that the peer may be blamed if none come. */
  get awaited(): boolean {
    return !this.#ended && !this.#done && !this.#paused && this.#sink !== null;
  }

  /** The head has come. A bodyless answer (to HEAD, 304) may announce a length all the same. */
  announce(contentLength: number, bodyless: boolean, last: boolean): void {
    if (bodyless || last) this.#length = 0;
    else if (contentLength >= 0) this.#length = contentLength;
    if (!bodyless) this.#expected = contentLength;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.activeMs = this.#connection.nowMs;
    this.#deliver(sink);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.activeMs = this.#connection.nowMs;
    this.#credit(this.#creditHeld);
    this.#creditHeld = 0;
    if (this.#sink !== null) this.#deliver(this.#sink);
  }

  cancel(reason: ProxyError): void {
    if (this.#done) return;
    this.#finish();
    this.#connection.readerLeft(this.#stream, reason);
  }

  /** Bytes of a DATA frame. Returns the peer's fault when it had no credit for them or announced fewer. */
  receive(buffer: Buffer, start: number, end: number, flowBytes: number): Http2Error | null {
    this.#window -= flowBytes;
    if (this.#window < 0) return violation(errorCode.flowControlError, 'more bytes than the stream window');
    this.activeMs = this.#connection.nowMs;
    this.bytes += end - start;
    if (this.#expected >= 0) {
      this.#expected -= end - start;
      if (this.#expected < 0) return violation(errorCode.protocolError, 'more bytes than content-length');
    }
    // What nobody reads gives no credit: the peer is to stop.
    if (this.#done || this.#error !== null) return null;
    if (end === start) {
      this.#credit(flowBytes);
    } else if (this.#sink !== null && !this.#paused) {
      this.#handView(this.#sink, buffer, start, end, flowBytes);
    } else {
      this.#stumbled = true;
      this.#waiting ??= [];
      this.#waiting.push({ chunk: this.#connection.chunks.store(buffer, start, end), flowBytes });
    }
    return null;
  }

  /** The peer has sent all. Returns its fault when that is less than it announced. */
  end(trailers: HeaderList | null): Http2Error | null {
    if (this.#expected > 0) return violation(errorCode.protocolError, 'fewer bytes than content-length');
    this.#ended = true;
    this.#trailers = trailers;
    if (this.#sink !== null) this.#deliver(this.#sink);
    return null;
  }

  /** No more is to come: what waits, and what comes all the same, is dropped. A body that came complete is delivered. */
  fail(error: ProxyError): void {
    if (this.#ended || this.#done) return;
    this.#error = error;
    this.#waiting = null;
    if (this.#sink !== null) this.#deliver(this.#sink);
  }

  #handView(sink: BodySink, buffer: Buffer, start: number, end: number, flowBytes: number): void {
    const { chunks } = this.#connection;
    if (isBorrower(sink)) return this.#hand(sink, chunks.lend(buffer, start, end, sink), flowBytes);
    const isView = chunks.isView(start, end);
    this.#hand(sink, chunks.take(buffer, start, end), flowBytes);
    if (isView && sink.settled !== true) chunks.keep();
  }

  #hand(sink: BodySink, chunk: Buffer, flowBytes: number): void {
    if (sink.write(chunk)) {
      this.#credit(flowBytes);
    } else {
      this.#paused = true;
      this.#stumbled = true;
      this.#creditHeld += flowBytes;
    }
  }

  /** Hands over what waits, and then how it ended. */
  #deliver(sink: BodySink): void {
    while (this.#waiting !== null && !this.#paused) {
      const { chunk, flowBytes } = this.#waiting.shift() as WaitingChunk;
      if (this.#waiting.length === 0) this.#waiting = null;
      this.#hand(sink, chunk, flowBytes);
    }
    if (this.#done || this.#waiting !== null) return;
    if (this.#error !== null) {
      this.#finish();
      sink.fail(this.#error);
    } else if (this.#ended) {
      this.#finish();
      sink.end(this.#trailers);
    }
  }

  /** The stream is closed: what its window has grown by is for others. */
  release(): void {
    this.#connection.takeGrowth(this.#connection.own.streamWindowBytes - this.#target);
    this.#target = this.#connection.own.streamWindowBytes;
  }

  #finish(): void {
    this.#done = true;
    this.#waiting = null;
  }

  #grow(): void {
    const { nowMs } = this.#connection;
    const isFast = (nowMs - this.#creditedMs) * 2 < growthPaceMs;
    if (isFast && !this.#stumbled && this.#connection.takeGrowth(this.#target)) {
      this.#creditOwed += this.#target;
      this.#target *= 2;
    }
    this.#stumbled = false;
    this.#creditedMs = nowMs;
  }

  #credit(bytes: number): void {
    if (bytes === 0 || this.#ended || this.#stream.closed) return;
    this.#creditOwed += bytes;
    if (this.#creditOwed * 2 < this.#target) return;
    this.#grow();
    this.#window += this.#creditOwed;
    this.#connection.giveCredit(this.#stream.id, this.#creditOwed);
    this.#creditOwed = 0;
  }
}

function isBorrower(sink: BodySink): sink is BodySink & Borrower {
  return sink.keep !== undefined;
}

interface WaitingChunk {
  readonly chunk: Buffer;
  readonly flowBytes: number;
}
