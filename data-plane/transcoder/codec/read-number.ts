import { exactInteger } from './integer.js';
import type { JsonSource } from './json-source.js';
import { longDouble } from './long-double.js';

const quote = 0x22;
const minus = 0x2d;
const dot = 0x2e;
const maxFloat = 3.4028235677973366e38;
const jsonNumber = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

/** Reads the 32-bit integer at the position, a number or a string that holds one. */
export function readInt32(source: JsonSource, signed: boolean): number {
  const small = smallInteger(source);
  return small >= 0 ? small : otherInt32(source, signed);
}

/** An integer that is negative, quoted, long, or followed by a blank. */
function otherInt32(source: JsonSource, signed: boolean): number {
  const src = source.src;
  const start = source.pos;
  let pos = start;
  const quoted = src[pos] === quote;
  if (quoted) pos++;
  const negative = src[pos] === minus;
  if (negative) pos++;
  const first = pos;
  // Nine digits are calculated with in 32 bits, which is much quicker than in a double.
  let value = 0;
  let byte = src[pos] as number;
  while (byte >= 0x30 && byte <= 0x39 && pos - first < 9) {
    value = (value * 10 + byte - 0x30) | 0;
    byte = src[++pos] as number;
  }
  if (pos - first === 9 && byte >= 0x30 && byte <= 0x39) return wideInt32(source, start, pos, value, signed);
  const isPlain = pos > first && (src[first] !== 0x30 || pos - first === 1) && (byte < 0x30 || byte > 0x39);
  if (!isPlain || byte === dot || (byte | 0x20) === 0x65 || (quoted && byte !== quote) || (negative && !signed)) {
    return slowInt32(source, start, signed);
  }
  source.pos = quoted ? pos + 1 : pos;
  return negative ? -value | 0 : value;
}

/** An integer that goes on, at `at`, behind the nine digits of `value`. */
function wideInt32(source: JsonSource, start: number, at: number, value: number, signed: boolean): number {
  const src = source.src;
  const quoted = src[start] === quote;
  const negative = src[at - 10] === minus;
  const wide = value * 10 + (src[at] as number) - 0x30;
  const byte = src[at + 1] as number;
  const isEnd = quoted ? byte === quote : byte !== dot && (byte | 0x20) !== 0x65 && (byte < 0x30 || byte > 0x39);
  const max = negative ? (signed ? 0x80000000 : -1) : signed ? 0x7fffffff : 0xffffffff;
  if (!isEnd || src[at - 9] === 0x30 || wide > max) return slowInt32(source, start, signed);
  source.pos = quoted ? at + 2 : at + 1;
  return negative ? -wide : wide;
}

function slowInt32(source: JsonSource, start: number, signed: boolean): number {
  const value = exactInteger(numberText(source, notInt32(signed)));
  if (value === undefined) return source.fail(notInt32(signed), start);
  const fits = signed ? value >= -0x80000000n && value <= 0x7fffffffn : value >= 0n && value <= 0xffffffffn;
  return fits ? Number(value) : source.fail(notInt32(signed), start);
}

function notInt32(signed: boolean): string {
  return signed ? 'is not a 32-bit integer' : 'is not an unsigned 32-bit integer';
}

/** The halves of the last 64-bit integer that was read; one object per reader, so that none is made per value. */
export interface Int64Slot {
  low: number;
  high: number;
}

/** Reads the 64-bit integer at the position, exactly, into `slot`. */
export function readInt64(source: JsonSource, signed: boolean, slot: Int64Slot): void {
  const src = source.src;
  const start = source.pos;
  let pos = start;
  const quoted = src[pos] === quote;
  if (quoted) pos++;
  const negative = src[pos] === minus;
  if (negative) pos++;
  const first = pos;
  // Up to 15 digits are exact in a double; the next ones are gathered apart.
  let head = 0;
  let byte = src[pos] as number;
  while (byte >= 0x30 && byte <= 0x39 && pos - first < 11) {
    head = head * 10 + byte - 0x30;
    byte = src[++pos] as number;
  }
  let tail = 0;
  let scale = 1;
  while (byte >= 0x30 && byte <= 0x39 && scale < 1e9) {
    tail = tail * 10 + byte - 0x30;
    scale *= 10;
    byte = src[++pos] as number;
  }
  const ends = (byte < 0x30 || byte > 0x39) && byte !== dot && (byte | 0x20) !== 0x65;
  if (!ends || pos === first || (src[first] === 0x30 && pos - first > 1) || (quoted && byte !== quote)) {
    slowInt64(source, start, signed, slot);
    return;
  }
  if (!combine(head, scale, tail, negative, signed, slot)) source.fail(notInt64(signed), start);
  source.pos = quoted ? pos + 1 : pos;
}

/** slot = ±(head × scale + tail), by 16-bit parts of head so that each product is exact. False when it does not fit. */
function combine(
  head: number,
  scale: number,
  tail: number,
  negative: boolean,
  signed: boolean,
  slot: Int64Slot,
): boolean {
  const upper = Math.floor(head / 65_536) * scale;
  const lower = (head % 65_536) * scale + tail;
  const low = (upper % 65_536) * 65_536 + lower;
  const high = Math.floor(upper / 65_536) + Math.floor(low / 4_294_967_296);
  slot.low = low >>> 0;
  slot.high = high >>> 0;
  if (!signed) return high <= 0xffffffff && (!negative || (high === 0 && slot.low === 0));
  if (!negative) return high <= 0x7fffffff;
  if (high > 0x80000000 || (high === 0x80000000 && slot.low !== 0)) return false;
  slot.high = (slot.low === 0 ? -high : ~high) >>> 0;
  slot.low = -slot.low >>> 0;
  return true;
}

function slowInt64(source: JsonSource, start: number, signed: boolean, slot: Int64Slot): void {
  const value = exactInteger(numberText(source, notInt64(signed)));
  if (value === undefined || (signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) !== value) {
    source.fail(notInt64(signed), start);
  }
  const bits = BigInt.asUintN(64, value);
  slot.low = Number(bits & 0xffffffffn);
  slot.high = Number(bits >> 32n);
}

function notInt64(signed: boolean): string {
  return signed ? 'is not a 64-bit integer' : 'is not an unsigned 64-bit integer';
}

/** The text of a number, or of a string that holds one and nothing else. */
function numberText(source: JsonSource, reason: string): string {
  const start = source.pos;
  const byte = source.src[start] as number;
  if (byte === quote) {
    const text = source.string();
    return text.length <= 1_000 && jsonNumber.test(text) ? text : source.fail(reason, start);
  }
  if (byte !== minus && (byte < 0x30 || byte > 0x39)) source.fail(reason, start);
  source.number();
  return source.ascii(start, source.pos);
}

const powersOfTen = [
  1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
  1e21, 1e22,
];

/** Reads the floating-point number at the position. `NaN` and the infinities are strings; others must fit. */
export function readDouble(source: JsonSource, single: boolean): number {
  const start = source.pos;
  const small = smallInteger(source);
  if (small >= 0) return small;
  if (source.src[start] === quote) return quotedDouble(source, single);
  const fast = plainDouble(source);
  if (!Number.isNaN(fast)) return fast;
  const long = longDouble(source, start);
  if (!Number.isNaN(long)) return finite(source, long, single, start);
  source.pos = start;
  return finite(source, Number(numberText(source, 'is not a number')), single, start);
}

/** A number that is an integer of at most nine digits, followed by what ends it in JSON as people write it; else -1. */
function smallInteger(source: JsonSource): number {
  const src = source.src;
  const first = source.pos;
  let pos = first;
  let value = 0;
  let byte = src[pos] as number;
  while (byte >= 0x30 && byte <= 0x39 && pos - first < 9) {
    value = (value * 10 + byte - 0x30) | 0;
    byte = src[++pos] as number;
  }
  const isEnd = byte === 0x2c || byte === 0x5d || byte === 0x7d;
  if (!isEnd || pos === first || (src[first] === 0x30 && pos - first > 1)) return -1;
  source.pos = pos;
  return value;
}

/** A number of at most 15 digits and no exponent, which one division makes exactly; NaN for any other. */
function plainDouble(source: JsonSource): number {
  const src = source.src;
  let pos = source.pos;
  const negative = src[pos] === minus;
  if (negative) pos++;
  const first = pos;
  let value = 0;
  let byte = src[pos] as number;
  while (byte >= 0x30 && byte <= 0x39 && pos - first < 16) {
    value = value * 10 + byte - 0x30;
    byte = src[++pos] as number;
  }
  if (pos === first || (src[first] === 0x30 && pos - first > 1)) return NaN;
  let digits = pos - first;
  let decimals = 0;
  if (byte === dot) {
    byte = src[++pos] as number;
    const fraction = pos;
    while (byte >= 0x30 && byte <= 0x39 && pos - first < 17) {
      value = value * 10 + byte - 0x30;
      byte = src[++pos] as number;
    }
    decimals = pos - fraction;
    if (decimals === 0) return NaN;
    digits += decimals;
  }
  if (digits > 15 || (byte | 0x20) === 0x65 || (byte >= 0x30 && byte <= 0x39)) return NaN;
  source.pos = pos;
  const scaled = decimals === 0 ? value : value / (powersOfTen[decimals] as number);
  return negative ? -scaled : scaled;
}

function quotedDouble(source: JsonSource, single: boolean): number {
  const start = source.pos;
  const text = source.string();
  if (text === 'NaN') return NaN;
  if (text === 'Infinity') return Infinity;
  if (text === '-Infinity') return -Infinity;
  if (!jsonNumber.test(text)) source.fail('is not a number', start);
  return finite(source, Number(text), single, start);
}

function finite(source: JsonSource, value: number, single: boolean, start: number): number {
  if (Math.abs(value) >= (single ? maxFloat : Infinity)) source.fail('is out of range', start);
  return value;
}

export function readBool(source: JsonSource): boolean {
  const byte = source.src[source.pos];
  if (byte === 0x74) {
    source.word('true');
    return true;
  }
  if (byte !== 0x66) source.fail('is not true or false');
  source.word('false');
  return false;
}
