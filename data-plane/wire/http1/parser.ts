import type { FieldLines, HeaderList } from '../../headers.js';
import { CR } from './bytes.js';
import { ChunkDecoder } from './chunked.js';
import { FieldFacts } from './field-facts.js';
import { FieldIndex, type FieldLimits } from './fields.js';
import { HeadBuffer } from './head-buffer.js';
import { readRequestLine, readStatusLine, StartLine } from './start-line.js';
import { malformed, Violation } from './violation.js';

/** The start line and the field lines of a message. */
export interface MessageHead {
  /** '' in responses. */
  readonly method: string;
  /** As it stands in the request line; '' in responses. */
  readonly target: string;
  /** 0 in requests. */
  readonly status: number;
  readonly minor: 0 | 1;
  /** Empty where there are `lines`. */
  readonly headers: HeaderList;
  /** The fields as they are passed on; null where they are a list. */
  readonly lines: FieldLines | null;
  /** Beside `lines` of a request: all its field lines as they came. */
  readonly cameLines: string;
}

/** What a parser tells. Byte ranges are valid during the call only, unless the caller owns the buffer it feeds. */
export interface MessageEvents {
  /** A message whose whole body lies in bytes[bodyStart, bodyEnd): nothing else is told of it. */
  onMessage(head: MessageHead, bytes: Buffer, bodyStart: number, bodyEnd: number): void;
  /** A head whose body follows: `onBody` any number of times, then `onEnd`. */
  onHead(head: MessageHead): void;
  onBody(bytes: Buffer, start: number, end: number): void;
  onEnd(trailers: HeaderList | null): void;
}

export interface WireLimits extends FieldLimits {
  /** Start line and field lines together; also of a trailer section. */
  readonly maxHeadBytes: number;
  readonly maxTargetBytes: number;
}

type Mode = 'request' | 'response';
type Step = 'head' | 'length' | 'chunked' | 'trailers' | 'close';

/** A read up to this size becomes text as a whole. */
const mostTextBytes = 8_192;

const noFields: HeaderList = [];
const noHead: MessageHead = { method: '', target: '', status: 0, minor: 1, headers: [], lines: null, cameLines: '' };

/**
 * Reads one side's messages of an HTTP/1.1 connection: bytes in, events out, as strict as RFC 9112 allows. Throws `Violation`.
 *
 * `feed` stops at the end of each message and says how far it came, so that the owner decides when the next one is read. The
 * usual small message comes as one `onMessage` and keeps nothing; a head in pieces is gathered up to the limit.
 */
export class MessageParser {
  readonly facts = new FieldFacts();
  /** Set by the owner of a response parser before each answer to a HEAD. */
  answersHead = false;
  readonly #mode: Mode;
  readonly #passes: boolean;
  readonly #limits: WireLimits;
  readonly #events: MessageEvents;
  readonly #line = new StartLine();
  readonly #fields = new FieldIndex();
  readonly #chunks = new ChunkDecoder();
  readonly #pieces: HeadBuffer;
  #step: Step = 'head';
  #head: MessageHead = noHead;
  #left = 0;
  /** The head, and what came behind it where that is little: one call makes text of both. */
  #text = '';
  #headLength = 0;

  /** A parser of messages that are passed on gives their fields as lines where it can. */
  constructor(mode: Mode, limits: WireLimits, events: MessageEvents, passes = false) {
    this.#mode = mode;
    this.#passes = passes;
    this.#limits = limits;
    this.#events = events;
    this.#pieces = new HeadBuffer(limits.maxHeadBytes);
  }

  /** Within `onMessage`: the body, which is so long, as latin1 text; null when it is not short or did not come with its head. */
  bodyText(length: number): string | null {
    const end = this.#headLength + length;
    return this.#text.length < end ? null : this.#text.slice(this.#headLength, end);
  }

  /** No byte of a next message has been read. */
  get betweenMessages(): boolean {
    return this.#step === 'head' && this.#pieces.length === 0;
  }

  /** The head of a message is not complete yet. */
  get inHead(): boolean {
    return this.#step === 'head';
  }

  /** Reads until the end of a message or of the bytes; returns the index of the first byte not taken. */
  feed(bytes: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#step === 'head') {
      at = this.#feedHead(bytes, at, end);
      if (this.#step === 'head') return at;
    }
    if (this.#step === 'length') return this.#feedLength(bytes, at, end);
    if (this.#step === 'close') {
      if (at < end) this.#events.onBody(bytes, at, end);
      return end;
    }
    if (this.#step === 'chunked') {
      at = this.#chunks.feed(bytes, at, end, this.#events);
      if (!this.#chunks.atTrailers) return at;
      this.#step = 'trailers';
    }
    return this.#feedTrailers(bytes, at, end);
  }

  /** The peer sends no more. Ends a body that only the end of the connection delimits; true when no message was cut off. */
  finish(): boolean {
    if (this.#step === 'close') {
      this.#step = 'head';
      this.#events.onEnd(null);
      return true;
    }
    return this.betweenMessages;
  }

  #feedHead(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end) {
      if (this.#pieces.length === 0 && bytes[at] !== CR) {
        const headEnd = this.#readHead(bytes, at, end);
        if (headEnd >= 0) return this.#startBody(bytes, headEnd, end);
      }
      const headEnd = this.#pieces.find(bytes, at, end);
      if (headEnd < 0) return end;
      const head = this.#pieces.take(bytes, at, headEnd);
      if (head.length > 2) {
        if (this.#readHead(head, 0, head.length) !== head.length) throw malformed('start line');
        return this.#startBody(bytes, headEnd, end);
      }
      // RFC 9112 section 2.2: empty lines before a request line are passed over.
      if (this.#mode === 'response') throw malformed('empty line before the status line');
      at = headEnd;
    }
    return at;
  }

  /** Returns the index after the head that begins at `from`, now in `#head`; -1 when it does not end before `end`. */
  #readHead(bytes: Buffer, from: number, end: number): number {
    const line = this.#line;
    const isRequest = this.#mode === 'request';
    const hasLine = isRequest
      ? readRequestLine(bytes, from, end, this.#limits.maxTargetBytes, line)
      : readStatusLine(bytes, from, end, line);
    if (!hasLine) return -1;
    const headEnd = this.#fields.read(bytes, line.next, end, from, this.#limits);
    if (headEnd < 0) return -1;
    if (headEnd - from > this.#limits.maxHeadBytes) throw new Violation('head_too_large', 'head');
    const text = bytes.toString('latin1', from, end - from <= mostTextBytes ? end : headEnd);
    this.#text = text;
    this.#headLength = headEnd - from;
    this.facts.reset(line.minor);
    const lines = this.#passes && !this.#isSpecial(line.status) ? this.#pass(text, line.minor) : null;
    this.#head = {
      method: isRequest ? text.slice(0, line.methodEnd - from) : '',
      target: isRequest ? text.slice(line.targetStart - from, line.targetEnd - from) : '',
      status: line.status,
      minor: line.minor,
      headers: lines === null ? this.#fields.cut(text, this.facts) : noFields,
      lines,
      cameLines: lines === null || !isRequest ? '' : this.#fields.linesOf(text, this.#headLength),
    };
    return headEnd;
  }

  /** Answers whose fields say something else than they usually do. */
  #isSpecial(status: number): boolean {
    return this.answersHead || (this.#mode === 'response' && status < 200) || status === 304;
  }

  #pass(text: string, minor: 0 | 1): FieldLines | null {
    const lines = this.#fields.pass(text, this.#headLength, this.#mode === 'request', this.facts);
    if (lines === null) this.facts.reset(minor);
    return lines;
  }

  /** RFC 9112 section 6.3, without its leniencies: one way to delimit a body, or none. */
  #startBody(bytes: Buffer, bodyStart: number, end: number): number {
    const message = this.#head;
    const { facts } = this;
    if (facts.chunked && (facts.contentLength >= 0 || message.minor === 0))
      throw malformed('Transfer-Encoding with Content-Length or HTTP/1.0');
    if (facts.chunked && this.#mode === 'response' && (message.status < 200 || message.status === 204))
      throw malformed('Transfer-Encoding in an answer that has no body');
    if (facts.contentLength > 0 && this.#mode === 'response' && message.status < 200)
      throw malformed('Content-Length in an interim answer');
    if (this.#mode === 'response' && (this.answersHead || isBodyless(message.status))) {
      this.#events.onMessage(message, bytes, bodyStart, bodyStart);
      return bodyStart;
    }
    if (facts.chunked) {
      this.#chunks.reset();
      this.#step = 'chunked';
    } else if (facts.contentLength < 0 && this.#mode === 'response') {
      this.#step = 'close';
    } else {
      const length = Math.max(0, facts.contentLength);
      if (length <= end - bodyStart) {
        this.#events.onMessage(message, bytes, bodyStart, bodyStart + length);
        return bodyStart + length;
      }
      this.#step = 'length';
      this.#left = length;
    }
    this.#events.onHead(message);
    return bodyStart;
  }

  #feedLength(bytes: Buffer, start: number, end: number): number {
    if (start === end) return end;
    const stop = Math.min(end, start + this.#left);
    this.#left -= stop - start;
    this.#events.onBody(bytes, start, stop);
    if (this.#left === 0) this.#end(null);
    return stop;
  }

  #feedTrailers(bytes: Buffer, start: number, end: number): number {
    if (start === end) return end;
    const sectionEnd = this.#pieces.find(bytes, start, end);
    if (sectionEnd < 0) return end;
    const section = this.#pieces.take(bytes, start, sectionEnd);
    this.#fields.read(section, 0, section.length, 0, this.#limits);
    const trailers = this.#fields.cut(section.toString('latin1'), null);
    this.#end(trailers.length === 0 ? null : trailers);
    return sectionEnd;
  }

  #end(trailers: HeaderList | null): void {
    this.#step = 'head';
    this.#events.onEnd(trailers);
  }
}

function isBodyless(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}
