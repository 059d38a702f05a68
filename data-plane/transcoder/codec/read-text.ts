import { base64Values as values, decodeBase64, notBase64 } from './base64.js';
import { badControl, type JsonSource } from './json-source.js';
import { utf8Length, writeUtf8 } from './utf8.js';
import type { WireWriter } from './writer.js';

const quote = 0x22;
const backslash = 0x5c;

/** Writes the string at the position with its length in front, without making a JavaScript string of it. */
export function copyString(source: JsonSource, out: WireWriter): void {
  if (source.src[source.pos] !== quote) source.fail('is not a string');
  out.reserve(160);
  const src = source.src;
  const buf = out.buf;
  const start = out.pos;
  const first = source.pos + 1;
  const limit = first + 127;
  let pos = first;
  let at = start + 1;
  for (;;) {
    const byte = src[pos] as number;
    if (byte === quote) break;
    if (byte < 0x20 || byte >= 0x80 || byte === backslash) {
      source.pos = pos;
      out.pos = at;
      copyRest(source, out);
      out.close(start);
      return;
    }
    if (pos === limit) {
      copyLongString(source, out, first, pos);
      return;
    }
    buf[at++] = byte;
    pos++;
  }
  buf[start] = at - start - 1;
  out.pos = at;
  source.pos = pos + 1;
}

/** A long string, which is plain up to `from`. */
function copyLongString(source: JsonSource, out: WireWriter, first: number, from: number): void {
  const plainEnd = source.plainEnd(from);
  const plain = source.src.subarray(first, plainEnd);
  if (source.src[plainEnd] === quote) {
    out.bytes(plain);
    source.pos = plainEnd + 1;
    return;
  }
  const start = out.open();
  out.raw(plain);
  source.pos = plainEnd;
  copyRest(source, out);
  out.close(start);
}

/** Copies a string from the position on, byte by byte. */
function copyRest(source: JsonSource, out: WireWriter): void {
  const src = source.src;
  let pos = source.pos;
  let at = out.pos;
  let buf = out.buf;
  for (let byte = src[pos] as number; byte !== quote; byte = src[pos] as number) {
    if (at + 4 > buf.length) {
      out.pos = at;
      out.reserve(1_024);
      buf = out.buf;
    }
    if (byte === backslash) {
      source.pos = pos;
      at = writeUtf8(buf, at, source.escape());
      pos = source.pos;
    } else if (byte >= 0x80) {
      for (const after = pos + sequenceLength(source, pos); pos < after; pos++) buf[at++] = src[pos] as number;
    } else if (byte >= 0x20) {
      buf[at++] = byte;
      pos++;
    } else {
      badControl(source, pos);
    }
  }
  out.pos = at;
  source.pos = pos + 1;
}

/** The length of the UTF-8 sequence at `pos`; a fault when it is none. */
function sequenceLength(source: JsonSource, pos: number): number {
  const length = utf8Length(source.src, pos);
  return length === 0 ? source.fail('the JSON text is not UTF-8', pos) : length;
}

/** Writes the base64 string at the position as bytes, length in front. */
export function copyBase64(source: JsonSource, out: WireWriter): void {
  const src = source.src;
  const open = source.pos;
  if (src[open] !== quote) source.fail('is not a string');
  let pos = open + 1;
  while ((values[src[pos] as number] as number) < notBase64) pos++;
  const length = pos - open - 1;
  let padding = 0;
  while (src[pos] === 0x3d) {
    pos++;
    padding++;
  }
  if (src[pos] !== quote) {
    copyEscapedBase64(source, out);
    return;
  }
  if (length % 4 === 1 || (padding > 0 && (padding > 2 || (length + padding) % 4 !== 0)))
    source.fail('is not base64', open);
  const size = Math.floor((length * 3) / 4);
  out.varint32(size);
  out.reserve(size + 3);
  decodeRun(src, open + 1, length, out.buf, out.pos);
  out.pos += size;
  source.pos = pos + 1;
}

/** Decodes `length` base64 bytes; up to two bytes behind the result are overwritten. */
function decodeRun(src: Uint8Array, from: number, length: number, buf: Uint8Array, to: number): void {
  let at = to;
  const whole = from + (length & ~3);
  let pos = from;
  for (; pos < whole; pos += 4) {
    const bits =
      ((values[src[pos] as number] as number) << 18) |
      ((values[src[pos + 1] as number] as number) << 12) |
      ((values[src[pos + 2] as number] as number) << 6) |
      (values[src[pos + 3] as number] as number);
    buf[at++] = bits >> 16;
    buf[at++] = bits >> 8;
    buf[at++] = bits;
  }
  const rest = length & 3;
  if (rest < 2) return;
  const bits = ((values[src[pos] as number] as number) << 18) | ((values[src[pos + 1] as number] as number) << 12);
  buf[at++] = bits >> 16;
  if (rest === 3) buf[at] = (bits | ((values[src[pos + 2] as number] as number) << 6)) >> 8;
}

/** JSON may write any character of a string as an escape, even here. */
function copyEscapedBase64(source: JsonSource, out: WireWriter): void {
  const start = source.pos;
  const text = source.string();
  const bytes = decodeBase64(text);
  if (bytes === undefined) source.fail('is not base64', start);
  out.bytes(bytes);
}
