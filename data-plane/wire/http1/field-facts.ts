import { trimBlanks } from '../../headers.js';
import type { FieldKind } from './field-kind.js';
import { malformed, Violation } from './violation.js';

/** What the field lines of a message say about the message and its connection. One object per parser, reset for each head. */
export class FieldFacts {
  /** -1 when there is no Content-Length. */
  contentLength = -1;
  chunked = false;
  /** Whether the sender keeps the connection open after this message. HTTP/1.1 does unless it says otherwise. */
  persists = true;
  /** `timeout` of a Keep-Alive field, or -1. */
  keepAliveSeconds = -1;
  /** The value of Expect, or ''. */
  expect = '';
  /** The value of the one Host, or null. */
  host: string | null = null;
  #closes = false;

  reset(minor: 0 | 1): void {
    this.contentLength = -1;
    this.chunked = false;
    this.persists = minor === 1;
    this.keepAliveSeconds = -1;
    this.#closes = false;
    this.expect = '';
    this.host = null;
  }

  /** `close` wins over `keep-alive`, in whichever order they come. */
  notePersistence(closes: boolean): void {
    this.#closes ||= closes;
    this.persists = !this.#closes;
  }
}

/** Notes a field that the engine acts on; throws Violation for a value that says nothing or two things. */
export function noteField(kind: FieldKind, value: string, facts: FieldFacts): void {
  switch (kind) {
    case 'host':
      noteHost(value, facts);
      break;
    case 'content-length':
      noteContentLength(value, facts);
      break;
    case 'transfer-encoding':
      noteTransferEncoding(value, facts);
      break;
    case 'connection':
      noteConnection(value, facts);
      break;
    case 'keep-alive':
      noteKeepAlive(value, facts);
      break;
    case 'expect':
      facts.expect = value;
      break;
    case 'plain':
    case 'date':
    case 'forwarded':
    case 'special':
  }
}

function noteHost(value: string, facts: FieldFacts): void {
  if (facts.host !== null) throw malformed('more than one Host');
  facts.host = value;
}

function noteConnection(value: string, facts: FieldFacts): void {
  if (value === 'keep-alive') {
    facts.notePersistence(false);
    return;
  }
  for (const part of value.toLowerCase().split(',')) {
    const option = trimBlanks(part);
    if (option === 'close') facts.notePersistence(true);
    else if (option === 'keep-alive') facts.notePersistence(false);
  }
}

function noteKeepAlive(value: string, facts: FieldFacts): void {
  const timeout = /(?:^|[ ,])timeout=(\d{1,9})/i.exec(value);
  if (timeout !== null) facts.keepAliveSeconds = Number(timeout[1]);
}

/** Fifteen digits stay exact in a double. A list, a sign or a blank inside is what smuggling is made of. */
function noteContentLength(value: string, facts: FieldFacts): void {
  if (value.length === 0 || value.length > 15) throw malformed('Content-Length');
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) throw malformed('Content-Length');
    length = length * 10 + digit;
  }
  if (facts.contentLength !== -1 && facts.contentLength !== length) throw malformed('different Content-Lengths');
  facts.contentLength = length;
}

/** Only a single `chunked` can be framed here; codings before it would have to be undone by nobody but the recipient. */
function noteTransferEncoding(value: string, facts: FieldFacts): void {
  if (facts.chunked) throw malformed('more than one Transfer-Encoding');
  const coding = value.toLowerCase();
  if (codingsThenChunked.test(coding)) throw new Violation('not_implemented', 'Transfer-Encoding');
  if (coding !== 'chunked') throw malformed('Transfer-Encoding');
  facts.chunked = true;
}

const codingsThenChunked = /^(?:(?!chunked)[a-z-]+[ \t]*,[ \t]*)+chunked$/;
