import { Buffer } from 'node:buffer';
import type { BodySink, BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import type { HeaderList } from '../../headers.js';
import type { Pulse } from '../call/request.js';
import type { FrameReader } from './frame-reader.js';

/** What a reply stream leaves to its owner: the words, and the answer's head. */
export interface ReplyWriter {
  /** Adds the text of one message; `isFirst` when none came before it. Throws when it cannot be printed. */
  message(message: Uint8Array, isFirst: boolean, texts: Uint8Array[]): void;
  /** The first message has come, or the first heartbeat: answer with `body`, in which it is. */
  begin(body: BodySource): void;
  /** The stream has ended without a message. */
  endedEmpty(trailers: HeaderList | null): void;
  /** No message came, and none will. */
  failedEmpty(error: ProxyError): void;
  /** What follows the last message, given the trailers; or the failure that the body must end with. */
  closing(
    trailers: HeaderList | null,
  ): { readonly bytes: Uint8Array; readonly trailers: HeaderList | null } | ProxyError;
  /** What says that the stream is alive while nothing comes, and starts a pulse that tells when; null when nothing does (ST14). */
  readonly heartbeat: { readonly text: Uint8Array; start(beat: () => void): Pulse } | null;
  /** The text of an error behind the first message, or null when the body can only be broken off. */
  failure(error: ProxyError): Uint8Array | null;
}

/**
 * The body of the answer to a server-streaming call, made of the service's body as it arrives: the messages of one chunk go out
 * together, at once (ST5), and a client that does not read stops the service's stream (ST6). Until the first message the
 * answer's head is open, so that an error has its own status (ST3).
 */
export class ReplyStream implements BodySource, BodySink {
  readonly length = null;
  readonly #writer: ReplyWriter;
  /** Until the service has replied there is nothing to read. */
  #source: BodySource | null = null;
  #frames: FrameReader | null = null;
  #sink: BodySink | null = null;
  #begun = false;
  #hasMessage = false;
  #pulse: Pulse | null = null;
  #done = false;
  /** Text and end that wait for the sink. */
  #held: Uint8Array[] = [];
  #finish: (() => void) | null = null;
  #paused = false;

  constructor(writer: ReplyWriter) {
    const { heartbeat } = writer;
    this.#writer = writer;
    if (heartbeat !== null) this.#pulse = heartbeat.start(() => this.#beat(heartbeat.text));
  }

  /** Begins to read the service's body; the writer hears of it, perhaps within this call. */
  open(source: BodySource, frames: FrameReader): void {
    if (this.#done) {
      source.cancel(new ProxyError('client_closed'));
      return;
    }
    this.#source = source;
    this.#frames = frames;
    source.start(this);
  }

  /** A client that waits for the first message sees the head now: an error can then only be told in the body. */
  #beat(text: Uint8Array): void {
    if (this.#done || this.#paused) return;
    this.#begin();
    this.#held.push(text);
    this.#paused = !this.#release();
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#writer.begin(this);
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    const hasRoom = this.#release();
    if (this.#finish !== null) this.#finish();
    else if (hasRoom && this.#paused) this.resume();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#done) this.#source?.resume();
  }

  cancel(reason: ProxyError): void {
    if (this.#done) return;
    this.#finishReading();
    this.#source?.cancel(reason);
  }

  /** Ends the answer with the error; false when it has not begun. What has ended already ends as it did. */
  breakOff(error: ProxyError): boolean {
    if (this.#begun && !this.#done) this.#stop(error);
    return this.#begun;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#done) return true;
    this.#pulse?.touch();
    const frames = this.#frames as FrameReader;
    const texts: Uint8Array[] = [];
    try {
      frames.push(chunk);
      for (let message = frames.next(); message !== null; message = frames.next()) this.#take(message, texts);
    } catch (error) {
      this.#held.push(...texts);
      this.#stop(error instanceof ProxyError ? error : new ProxyError('upstream_malformed', error));
      return true;
    }
    this.#held.push(...texts);
    // Of a message that has not come whole there is nothing to hold yet, and nobody would ask for the rest of it.
    const hasRoom = !this.#begun || this.#release();
    this.#paused = !hasRoom;
    return hasRoom;
  }

  #take(message: Uint8Array, texts: Uint8Array[]): void {
    this.#writer.message(message, !this.#hasMessage, texts);
    this.#hasMessage = true;
    this.#begin();
  }

  end(trailers: HeaderList | null): void {
    if (this.#done) return;
    if (this.#frames?.isWithin === true) {
      this.fail(new ProxyError('upstream_malformed', new Error('the service ended its stream within a message')));
      return;
    }
    this.#finishReading();
    if (!this.#begun) {
      this.#writer.endedEmpty(trailers);
      return;
    }
    const closing = this.#writer.closing(trailers);
    if (closing instanceof ProxyError) this.#close(() => this.#sink?.fail(closing));
    else {
      if (closing.bytes.length > 0) this.#held.push(closing.bytes);
      this.#close(() => this.#sink?.end(closing.trailers));
    }
  }

  fail(error: ProxyError): void {
    if (this.#done) return;
    this.#finishReading();
    if (!this.#begun) {
      this.#writer.failedEmpty(error);
      return;
    }
    const text = error.kind === 'client_closed' ? null : this.#writer.failure(error);
    if (text === null) this.#close(() => this.#sink?.fail(error));
    else {
      this.#held.push(text);
      this.#close(() => this.#sink?.end(null));
    }
  }

  #finishReading(): void {
    this.#done = true;
    this.#pulse?.stop();
  }

  /** The service's stream is at fault: it is not read any more. */
  #stop(error: ProxyError): void {
    this.#source?.cancel(error);
    this.fail(error);
  }

  /** Ends the body when what is held has gone out. */
  #close(finish: () => void): void {
    this.#finish = finish;
    if (this.#sink === null) return;
    this.#release();
    finish();
  }

  /** Gives the sink what is held, in one piece; false when it has no room for more, or is not there yet. */
  #release(): boolean {
    if (this.#sink === null) return false;
    const [first] = this.#held;
    if (first === undefined) return true;
    const text = this.#held.length === 1 ? first : Buffer.concat(this.#held);
    this.#held = [];
    return this.#sink.write(text);
  }
}
