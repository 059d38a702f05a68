import type { HeaderList } from '../../headers.js';
import { CR, COLON, isTokenByte, isValueByte, LF, SPACE, TAB } from './bytes.js';
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
  /** Connection lists `upgrade`. */
  upgradeOption = false;
  /** The value of Upgrade, or ''. */
  upgrade = '';
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
    this.upgradeOption = false;
    this.upgrade = '';
    this.expect = '';
    this.host = null;
  }

  /** `close` wins over `keep-alive`, in whichever order they come. */
  notePersistence(closes: boolean): void {
    this.#closes ||= closes;
    this.persists = !this.#closes;
  }
}

export interface FieldLimits {
  readonly maxFields: number;
  /** Of one field line, name and value together. */
  readonly maxFieldBytes: number;
}

/**
 * Cuts the field lines in bytes[from, to) into a flat list and notes in `facts` those that the engine acts on. `text` is the
 * latin1 reading of the bytes from `textStart` on. `to` is the index of the CR of the empty line that ends them.
 */
export function readFields(
  bytes: Uint8Array,
  from: number,
  to: number,
  text: string,
  textStart: number,
  limits: FieldLimits,
  facts: FieldFacts | null,
): HeaderList {
  const headers: HeaderList = [];
  let at = from;
  while (at < to) {
    const nameStart = at;
    while (isTokenByte[bytes[at] as number] === 1) at++;
    const nameEnd = at;
    if (nameEnd === nameStart || bytes[at] !== COLON) throw malformed('field name');
    at++;
    while (isBlank(bytes[at] as number)) at++;
    const valueStart = at;
    while (isValueByte[bytes[at] as number] === 1) at++;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) throw malformed('field value');
    let valueEnd = at;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] as number)) valueEnd--;
    at += 2;
    if (at - nameStart > limits.maxFieldBytes) throw new Violation('head_too_large', 'field line');
    const name = text.slice(nameStart - textStart, nameEnd - textStart);
    const value = text.slice(valueStart - textStart, valueEnd - textStart);
    headers.push(name, value);
    if (facts !== null) noteField(name, value, facts);
  }
  if (headers.length > 2 * limits.maxFields) throw new Violation('head_too_large', 'number of fields');
  return headers;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** The length of a name rules out nearly every field before its letters are looked at. */
function noteField(name: string, value: string, facts: FieldFacts): void {
  switch (name.length) {
    case 4:
      if (name === 'Host' || name.toLowerCase() === 'host') noteHost(value, facts);
      break;
    case 6:
      if (name.toLowerCase() === 'expect') facts.expect = value;
      break;
    case 7:
      if (name.toLowerCase() === 'upgrade') facts.upgrade = facts.upgrade === '' ? value : `${facts.upgrade}, ${value}`;
      break;
    case 10:
      if (name === 'Connection' || name.toLowerCase() === 'connection') noteConnection(value, facts);
      else if (name.toLowerCase() === 'keep-alive') noteKeepAlive(value, facts);
      break;
    case 14:
      if (name === 'Content-Length' || name.toLowerCase() === 'content-length') noteContentLength(value, facts);
      break;
    case 17:
      if (name.toLowerCase() === 'transfer-encoding') noteTransferEncoding(value, facts);
      break;
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
    const option = part.trim();
    if (option === 'close') facts.notePersistence(true);
    else if (option === 'keep-alive') facts.notePersistence(false);
    else if (option === 'upgrade') facts.upgradeOption = true;
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
  if (coding !== 'chunked') {
    if (/^[a-z]+(?:[ \t]*,[ \t]*[a-z]+)*$/.test(coding) && !coding.startsWith('chunked') && coding.endsWith('chunked')) {
      throw new Violation('not_implemented', 'Transfer-Encoding');
    }
    throw malformed('Transfer-Encoding');
  }
  facts.chunked = true;
}
