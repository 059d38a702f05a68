import { Buffer } from 'node:buffer';
import { isPlain, type Words } from './plain-word.js';

/** Where and why JSON text could not be read. The reader of a whole value turns it into an ArgumentError with a field path. */
export class JsonFault extends Error {
  readonly offset: number;

  constructor(offset: number, reason: string) {
    super(reason);
    this.name = 'JsonFault';
    this.offset = offset;
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const quote = 0x22;
const backslash = 0x5c;
/** What the letter behind a backslash means, by its code; 0 for nothing. */
const escapes = ((): Uint8Array => {
  const table = new Uint8Array(256);
  for (const [i, letter] of [...'"\\/bfnrt'].entries()) {
    table[letter.charCodeAt(0)] = '"\\/\b\f\n\r\t'.charCodeAt(i);
  }
  return table;
})();
/** Larger texts get a buffer of their own, so that one of them is not kept for ever. */
const maxKeptBytes = 65_536;

/**
 * JSON text as bytes with a position. A zero byte stands behind the last one, so that no scan needs to look at the end: it is
 * a blank nowhere, and part of no token.
 */
export class JsonSource {
  src: Buffer = Buffer.allocUnsafeSlow(4_096);
  pos = 0;
  end = 0;
  readonly #own = this.src;
  #large: Buffer = Buffer.allocUnsafeSlow(0);
  readonly #ownView = new DataView(this.src.buffer);
  #largeView = new DataView(this.#large.buffer);
  #view = this.#ownView;

  /** Takes the text, which stays the caller's; a byte order mark in front is passed over. */
  load(json: Uint8Array): void {
    const size = json.length + 1;
    if (size <= this.#own.length) {
      this.src = this.#own;
      this.#view = this.#ownView;
    } else if (size > maxKeptBytes) {
      this.src = Buffer.allocUnsafeSlow(size);
      this.#view = new DataView(this.src.buffer);
    } else {
      if (this.#large.length < size) this.#makeLarge();
      this.src = this.#large;
      this.#view = this.#largeView;
    }
    this.src.set(json);
    this.src[json.length] = 0;
    this.end = json.length;
    this.pos = json[0] === 0xef && json[1] === 0xbb && json[2] === 0xbf ? 3 : 0;
  }

  #makeLarge(): void {
    this.#large = Buffer.allocUnsafeSlow(maxKeptBytes);
    this.#largeView = new DataView(this.#large.buffer);
  }

  /** Where in a string the first byte stands from `from` on that is not plain: a quote, an escape, a control or no ASCII. */
  plainEnd(from: number): number {
    const view = this.#view;
    const last = this.src.length - 8;
    let pos = from;
    while (pos <= last && isPlain(view.getInt32(pos, true), view.getInt32(pos + 4, true))) pos += 8;
    const src = this.src;
    for (let byte = src[pos] as number; byte >= 0x20 && byte < 0x80; byte = src[++pos] as number) {
      if (byte === quote || byte === backslash) break;
    }
    return pos;
  }

  /** Lets a large text go. */
  unload(): void {
    this.src = this.#own;
    this.#view = this.#ownView;
    this.pos = 0;
    this.end = 0;
  }

  /** Passes over blanks and answers the byte that follows, 0 at the end. */
  next(): number {
    const src = this.src;
    let pos = this.pos;
    let byte = src[pos] as number;
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = src[++pos] as number;
    this.pos = pos;
    return byte;
  }

  /** Passes over these bytes if they stand at the position. Four at a time, which halves the time of a usual key. */
  pass({ words, length, lastMask }: Words): boolean {
    const view = this.#view;
    const last = words.length - 1;
    let at = this.pos;
    if (at + words.length * 4 > this.src.length) return false;
    for (let i = 0; i < last; i++, at += 4) {
      if (view.getInt32(at, true) !== words[i]) return false;
    }
    if (((view.getInt32(at, true) ^ (words[last] as number)) & lastMask) !== 0) return false;
    this.pos += length;
    return true;
  }

  fail(reason: string, at = this.pos): never {
    throw new JsonFault(at, reason);
  }

  /** The complaint about a byte that cannot stand here. */
  unexpected(wanted: string): never {
    return this.fail(
      this.pos >= this.end
        ? `the JSON text ends where ${wanted} should be`
        : `the JSON text should have ${wanted} here`,
    );
  }

  /** Passes over `true`, `false` or `null`, whose first letter is at the position. */
  word(text: 'true' | 'false' | 'null'): void {
    for (let i = 1; i < text.length; i++) {
      if (this.src[this.pos + i] !== text.charCodeAt(i)) this.unexpected('a value');
    }
    this.pos += text.length;
  }

  /** Passes over a number of JSON grammar and answers where it began. */
  number(): number {
    const start = this.pos;
    if (this.src[this.pos] === 0x2d) this.pos++;
    if (this.src[this.pos] === 0x30) this.pos++;
    else this.#digits();
    if (this.src[this.pos] === 0x2e) {
      this.pos++;
      this.#digits();
    }
    if (((this.src[this.pos] as number) | 0x20) === 0x65) {
      this.pos++;
      if (this.src[this.pos] === 0x2b || this.src[this.pos] === 0x2d) this.pos++;
      this.#digits();
    }
    return start;
  }

  #digits(): void {
    const src = this.src;
    let pos = this.pos;
    while ((src[pos] as number) >= 0x30 && (src[pos] as number) <= 0x39) pos++;
    if (pos === this.pos) this.unexpected('a digit');
    this.pos = pos;
  }

  /** The ASCII text between two positions. */
  ascii(start: number, end: number): string {
    return this.src.toString('latin1', start, end);
  }

  /** Reads the string at the position, escapes and all. */
  string(): string {
    const start = this.pos + 1;
    let pos = start;
    const src = this.src;
    let byte = src[pos] as number;
    let plain = true;
    while (byte !== quote) {
      if (byte < 0x20) badControl(this, pos);
      if (byte >= 0x80) plain = false;
      if (byte === backslash) return this.#escaped(start);
      byte = src[++pos] as number;
    }
    this.pos = pos + 1;
    return plain ? this.ascii(start, pos) : this.#decode(start, pos);
  }

  #escaped(start: number): string {
    const src = this.src;
    let text = '';
    let from = start;
    let pos = start;
    for (let byte = src[pos] as number; byte !== quote; byte = src[pos] as number) {
      if (byte < 0x20) badControl(this, pos);
      if (byte !== backslash) {
        pos++;
        continue;
      }
      text += this.#decode(from, pos);
      this.pos = pos;
      const code = this.escape();
      text += String.fromCodePoint(code);
      pos = this.pos;
      from = pos;
    }
    text += this.#decode(from, pos);
    this.pos = pos + 1;
    return text;
  }

  #decode(start: number, end: number): string {
    try {
      return start === end ? '' : strictUtf8.decode(this.src.subarray(start, end));
    } catch {
      return this.fail('the JSON text is not UTF-8', start);
    }
  }

  /** Reads the escape at the position and answers its code point; half a surrogate pair is refused. */
  escape(): number {
    const letter = this.src[this.pos + 1] as number;
    if (letter === 0x75) return this.#unicode();
    const meant = escapes[letter] as number;
    if (meant === 0) this.fail('the JSON text has an escape that does not exist');
    this.pos += 2;
    return meant;
  }

  #unicode(): number {
    const first = this.#hex4(this.pos + 2);
    this.pos += 6;
    if (first < 0xd800 || first > 0xdfff) return first;
    const isPair = first <= 0xdbff && this.src[this.pos] === backslash && this.src[this.pos + 1] === 0x75;
    const second = isPair ? this.#hex4(this.pos + 2) : 0;
    if (second < 0xdc00 || second > 0xdfff) this.fail('the JSON text has half a surrogate pair', this.pos - 6);
    this.pos += 6;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
  }

  #hex4(at: number): number {
    let value = 0;
    for (let i = at; i < at + 4; i++) {
      const byte = this.src[i] as number;
      const lower = byte | 0x20;
      if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
      else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
      else this.fail('the JSON text has an escape that does not exist', at - 2);
    }
    return value;
  }

  /** Passes over any value, checking it; at most `depth` containers may be open within it. */
  skipValue(depth: number): void {
    const byte = this.next();
    if (byte === quote) this.skipString();
    else if (byte === 0x7b) this.#skipObject(depth);
    else if (byte === 0x5b) this.#skipArray(depth);
    else if (byte === 0x74) this.word('true');
    else if (byte === 0x66) this.word('false');
    else if (byte === 0x6e) this.word('null');
    else if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) this.number();
    else this.unexpected('a value');
  }

  skipString(): void {
    const src = this.src;
    const start = this.pos + 1;
    let pos = start;
    let plain = true;
    for (let byte = src[pos] as number; byte !== quote; byte = src[++pos] as number) {
      if (byte < 0x20) badControl(this, pos);
      if (byte >= 0x80) plain = false;
      if (byte === backslash) {
        this.#escaped(start);
        return;
      }
    }
    if (!plain) this.#decode(start, pos);
    this.pos = pos + 1;
  }

  #skipObject(depth: number): void {
    if (depth <= 0) this.fail(tooDeep);
    this.pos++;
    if (this.next() === 0x7d) {
      this.pos++;
      return;
    }
    for (;;) {
      if (this.next() !== quote) this.unexpected('a key');
      this.skipString();
      if (this.next() !== 0x3a) this.unexpected('":"');
      this.pos++;
      this.skipValue(depth - 1);
      if (!this.more(0x7d)) return;
    }
  }

  #skipArray(depth: number): void {
    if (depth <= 0) this.fail(tooDeep);
    this.pos++;
    if (this.next() === 0x5d) {
      this.pos++;
      return;
    }
    do this.skipValue(depth - 1);
    while (this.more(0x5d));
  }

  /** Passes over the comma or the closing bracket behind a member; false when it closed. */
  more(close: number): boolean {
    const byte = this.next();
    if (byte !== 0x2c && byte !== close) this.unexpected(close === 0x7d ? '"," or "}"' : '"," or "]"');
    this.pos++;
    return byte === 0x2c;
  }
}

export const tooDeep = 'the JSON text is nested too deeply';

/** Complains of a byte below a blank within a string. */
export function badControl(source: JsonSource, pos: number): never {
  return source.fail(
    pos >= source.end ? 'the JSON text ends within a string' : 'the JSON text has a control character in a string',
    pos,
  );
}
