import { Buffer } from 'node:buffer';
import { isPlain } from './plain-word.js';
import { utf8Length } from './utf8.js';
import type { FieldTable } from './table.js';
import { WireFault } from './wire-source.js';
import { copyBytes } from './writer.js';

/** Small, as a text of a slow client keeps all of it alive. */
const slabBytes = 16_384;
const minRoom = 1_024;
const longestText = 15_360;
/** Shorter strings are copied byte by byte in less time than it takes to begin. */
const minScanned = 48;
/** Two bytes of an empty message may stand for as many kilobytes of its unset fields: 16 times what a message may have. */
const maxTextBytes = 67_108_864;
const hex = '0123456789abcdef';
const alphabet = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');

/** `00` to `99`: dividing by a hundred is half the divisions. */
const pairs = new TextEncoder().encode(Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0')).join(''));

/** How many bytes a byte takes in a JSON string: 1, 2 as `\n`, or 6 as `\u0001`; 0 for a part of a UTF-8 sequence. */
const escapedLength = ((): Uint8Array => {
  const table = new Uint8Array(256).fill(1, 0, 0x80);
  table.fill(6, 0, 0x20);
  for (const byte of [0x22, 0x5c, 0x08, 0x0c, 0x0a, 0x0d, 0x09]) table[byte] = 2;
  return table;
})();
const shortEscape: Readonly<Record<number, number>> = {
  0x22: 0x22,
  0x5c: 0x5c,
  8: 0x62,
  12: 0x66,
  10: 0x6e,
  13: 0x72,
  9: 0x74,
};

/**
 * JSON texts as bytes, printed one behind the other into a buffer that is left to them when it is full. So a text is handed out
 * where it stands, without a copy.
 */
export class JsonOutput {
  buf = Buffer.allocUnsafeSlow(slabBytes);
  pos = 0;
  /** Where the text begins that is being printed. */
  start = 0;
  #view = new DataView(this.buf.buffer);
  #lastLength = 0;

  /** Begins a text; one that was not taken is dropped. */
  begin(): void {
    this.pos = this.start;
    if (this.buf.length - this.start < this.#lastLength + minRoom) this.#replace(slabBytes);
  }

  /** The text, as bytes that nobody writes to any more. */
  take(): Uint8Array {
    const { buf, start, pos } = this;
    this.#lastLength = Math.min(pos - start, slabBytes / 2);
    if (buf.length > slabBytes) {
      // A long text would keep up to as much again alive that is not used.
      this.#replace(slabBytes);
      return copyBytes(buf, start, pos);
    }
    this.start = pos;
    return buf.subarray(start, pos);
  }

  /**
   * The text as latin1 text, one char per byte, or as bytes when it is long. Memory outside of the heap would have the collector
   * go through all of that far too often: half of the time of a 10 KiB answer.
   */
  takeShort(): string | Uint8Array {
    const { buf, start, pos } = this;
    if (pos - start > longestText) return this.take();
    const text = buf.toString('latin1', start, pos);
    if (buf.length > slabBytes) this.#replace(slabBytes);
    return text;
  }

  reserve(bytes: number): void {
    if (this.pos + bytes > this.buf.length) this.#grow(bytes);
  }

  /** What has been printed keeps its place, as callers know it by that. */
  #grow(bytes: number): void {
    const { buf, start, pos } = this;
    if (pos + bytes - start > maxTextBytes) throw new WireFault('its JSON form is too long');
    this.#replace(Math.max(buf.length * 2, pos + bytes));
    this.start = start;
    this.pos = pos;
    buf.copy(this.buf, start, start, pos);
  }

  #replace(bytes: number): void {
    this.buf = Buffer.allocUnsafeSlow(bytes);
    this.#view = new DataView(this.buf.buffer);
    this.start = 0;
    this.pos = 0;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buf[this.pos++] = value;
  }

  comma(): void {
    this.byte(0x2c);
  }

  /** `,"name":` of a field, four bytes at a time. */
  key({ keyWords, keyLength }: FieldTable): void {
    this.reserve(keyLength + 3);
    const view = this.#view;
    let at = this.pos;
    for (let i = 0; i < keyWords.length; i++) {
      view.setInt32(at, keyWords[i] as number, true);
      at += 4;
    }
    this.pos += keyLength;
  }

  /** Puts brackets around what was printed from `start` on, where the first member's comma gives way to the bracket. */
  enclose(start: number, open: number, close: number): void {
    this.reserve(2);
    const buf = this.buf;
    if (this.pos === start) this.pos++;
    buf[start] = open;
    buf[this.pos++] = close;
  }

  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    this.reserve(length);
    const buf = this.buf;
    let at = this.pos;
    if (length > 64) buf.set(bytes, at);
    else for (let i = 0; i < length; i++) buf[at++] = bytes[i] as number;
    this.pos += length;
  }

  ascii(text: string): void {
    this.reserve(text.length);
    const buf = this.buf;
    let at = this.pos;
    for (let i = 0; i < text.length; i++) buf[at++] = text.charCodeAt(i);
    this.pos = at;
  }

  /** A comma and an integer. */
  element(value: number): void {
    if (value < 0 || value > 9) {
      this.comma();
      this.integer(value);
      return;
    }
    this.reserve(2);
    const buf = this.buf;
    const at = this.pos;
    buf[at] = 0x2c;
    buf[at + 1] = 0x30 + value;
    this.pos = at + 2;
  }

  /** An integer of at most 2^53, in decimal. */
  integer(value: number): void {
    this.reserve(20);
    // Calculating with 32 bits is several times quicker, so larger numbers go in parts of nine digits.
    if ((value | 0) === value) {
      this.#small(value | 0);
      return;
    }
    let rest = value;
    if (rest < 0) {
      this.buf[this.pos++] = 0x2d;
      rest = -rest;
    }
    const upper = Math.floor(rest / 1e9);
    if (upper === 0) this.#small(rest | 0);
    else {
      if (upper > 0) this.#small(upper);
      this.#nineDigits((rest - upper * 1e9) | 0);
    }
  }

  /** A 64-bit integer of which the halves are unsigned; by long division with digits of 16 bits, so that all is exact. */
  integer64(low: number, high: number, signed: boolean): void {
    const isNegative = signed && high >= 0x80000000;
    if (isNegative) this.byte(0x2d);
    const lo = isNegative ? -low >>> 0 : low;
    const hi = isNegative ? (lo === 0 ? -high >>> 0 : ~high >>> 0) : high;
    const upper = Math.floor(hi / 1e9);
    let rest = (hi - upper * 1e9) * 65_536 + (lo >>> 16);
    const middle = Math.floor(rest / 1e9);
    rest = (rest - middle * 1e9) * 65_536 + (lo & 0xffff);
    const lower = Math.floor(rest / 1e9);
    this.integer(upper * 4_294_967_296 + middle * 65_536 + lower);
    this.reserve(9);
    this.#nineDigits(rest - lower * 1e9);
  }

  #small(value: number): void {
    const buf = this.buf;
    let rest = value;
    if (rest < 0) {
      if (rest === -0x80000000) {
        this.ascii('-2147483648');
        return;
      }
      buf[this.pos++] = 0x2d;
      rest = -rest | 0;
    }
    if (rest < 10) {
      buf[this.pos++] = 0x30 + rest;
      return;
    }
    let digits = 2;
    if (rest >= 100_000)
      digits = rest >= 10_000_000 ? (rest >= 100_000_000 ? (rest >= 1e9 ? 10 : 9) : 8) : rest >= 1_000_000 ? 7 : 6;
    else if (rest >= 100) digits = rest >= 10_000 ? 5 : rest >= 1_000 ? 4 : 3;
    let at = this.pos + digits;
    this.pos = at;
    while (rest >= 100) {
      const hundredth = (rest / 100) | 0;
      const pair = (rest - hundredth * 100) << 1;
      buf[--at] = pairs[pair + 1] as number;
      buf[--at] = pairs[pair] as number;
      rest = hundredth;
    }
    if (rest >= 10) buf[--at] = pairs[(rest << 1) + 1] as number;
    buf[--at] = rest >= 10 ? (pairs[rest << 1] as number) : 0x30 + rest;
  }

  #nineDigits(value: number): void {
    const buf = this.buf;
    let rest = value;
    const start = this.pos;
    this.pos += 9;
    for (let at = start + 7; at > start; at -= 2) {
      const hundredth = (rest / 100) | 0;
      const pair = (rest - hundredth * 100) << 1;
      buf[at] = pairs[pair] as number;
      buf[at + 1] = pairs[pair + 1] as number;
      rest = hundredth;
    }
    buf[start] = 0x30 + rest;
  }

  /** A number with `decimals` digits behind the point, given as the integer of all its digits. */
  decimal(digits: number, decimals: number): void {
    const start = this.pos;
    this.integer(digits);
    const first = start + (digits < 0 ? 1 : 0);
    const missing = decimals + 1 - (this.pos - first);
    this.reserve(1 + Math.max(missing, 0));
    const buf = this.buf;
    if (missing > 0) {
      buf.copyWithin(first + missing, first, this.pos);
      buf.fill(0x30, first, first + missing);
      this.pos += missing;
    }
    const point = this.pos - decimals;
    for (let at = this.pos; at > point; at--) buf[at] = buf[at - 1] as number;
    buf[point] = 0x2e;
    this.pos++;
  }

  /** UTF-8 bytes as a JSON string with its quotes. False, with nothing usable written, when they are not UTF-8. */
  string(src: Uint8Array, start: number, end: number): boolean {
    this.reserve(end - start + 2);
    let buf = this.buf;
    let at = this.pos;
    let pos = start;
    buf[at++] = 0x22;
    if (end - start >= minScanned) {
      const plain = this.#copyPlain(src, start, end, at);
      pos += plain;
      at += plain;
    }
    while (pos < end) {
      const byte = src[pos] as number;
      const escaped = escapedLength[byte] as number;
      if (escaped === 1) {
        buf[at++] = byte;
        pos++;
        continue;
      }
      if (escaped !== 0) {
        this.pos = at;
        this.reserve(end - pos + 6);
        buf = this.buf;
        at = writeEscape(buf, at, byte, escaped);
        pos++;
        continue;
      }
      const length = utf8Length(src, pos);
      if (length === 0 || pos + length > end) return false;
      for (const after = pos + length; pos < after; pos++) buf[at++] = src[pos] as number;
    }
    buf[at++] = 0x22;
    this.pos = at;
    return true;
  }

  /** Copies bytes to `at` and answers how many of the first of them, by eights, need no escape and are ASCII. */
  #copyPlain(src: Uint8Array, start: number, end: number, at: number): number {
    this.buf.set(src.subarray(start, end), at);
    const view = this.#view;
    const last = at + end - start - 8;
    let pos = at;
    while (pos <= last && isPlain(view.getInt32(pos, true), view.getInt32(pos + 4, true))) pos += 8;
    return pos - at;
  }

  /** Bytes as a padded base64 string with its quotes. */
  base64(src: Uint8Array, start: number, end: number): void {
    this.reserve(Math.ceil((end - start) / 3) * 4 + 2);
    const buf = this.buf;
    let at = this.pos;
    buf[at++] = 0x22;
    let pos = start;
    for (; pos + 2 < end; pos += 3) {
      const bits = ((src[pos] as number) << 16) | ((src[pos + 1] as number) << 8) | (src[pos + 2] as number);
      buf[at++] = alphabet[bits >> 18] as number;
      buf[at++] = alphabet[(bits >> 12) & 63] as number;
      buf[at++] = alphabet[(bits >> 6) & 63] as number;
      buf[at++] = alphabet[bits & 63] as number;
    }
    if (pos < end) {
      const second = pos + 1 < end ? (src[pos + 1] as number) : 0;
      const bits = ((src[pos] as number) << 16) | (second << 8);
      buf[at++] = alphabet[bits >> 18] as number;
      buf[at++] = alphabet[(bits >> 12) & 63] as number;
      buf[at++] = pos + 1 < end ? (alphabet[(bits >> 6) & 63] as number) : 0x3d;
      buf[at++] = 0x3d;
    }
    buf[at++] = 0x22;
    this.pos = at;
  }
}

function writeEscape(buf: Uint8Array, start: number, byte: number, length: number): number {
  let at = start;
  buf[at++] = 0x5c;
  if (length === 2) {
    buf[at++] = shortEscape[byte] as number;
    return at;
  }
  buf[at++] = 0x75;
  buf[at++] = 0x30;
  buf[at++] = 0x30;
  buf[at++] = 0x30 + (byte >> 4);
  buf[at++] = hex.charCodeAt(byte & 15);
  return at;
}
