import { Buffer } from 'node:buffer';

const utf8 = new TextEncoder();
const longestText = 15_360;
const maxKeptBytes = 1_048_576;

/**
 * Protobuf wire bytes in one growing buffer. Callers that know the layout write straight into `buf` at `pos` after `reserve`.
 * A writer is used by one call at a time and kept for the next.
 */
export class WireWriter {
  buf: Buffer;
  pos = 0;
  #view: DataView;

  constructor(size = 1024) {
    this.buf = Buffer.allocUnsafeSlow(size);
    this.#view = new DataView(this.buf.buffer);
  }

  /** Makes room for `bytes` more. */
  reserve(bytes: number): void {
    if (this.pos + bytes <= this.buf.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buf.length * 2, this.pos + bytes));
    this.buf.copy(grown, 0, 0, this.pos);
    this.buf = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** The bytes written since `start`, as a copy of their own. */
  copy(start = 0): Uint8Array {
    return copyBytes(this.buf, start, this.pos);
  }

  /** The same as latin1 text, one char per byte, which needs no memory outside of the heap; as bytes where it is long. */
  copyShort(): string | Uint8Array {
    return this.pos > longestText ? this.copy() : this.buf.toString('latin1', 0, this.pos);
  }

  /** Lets a large buffer go, so that one large message is not kept for ever. */
  release(): void {
    if (this.buf.length <= maxKeptBytes) return;
    this.buf = Buffer.allocUnsafeSlow(1_024);
    this.#view = new DataView(this.buf.buffer);
    this.pos = 0;
  }

  /** An unsigned 32-bit varint. */
  varint32(value: number): void {
    this.reserve(5);
    if ((value & ~0x7f) === 0) this.buf[this.pos++] = value;
    else this.#longVarint32(value | 0);
  }

  #longVarint32(value: number): void {
    const buf = this.buf;
    let at = this.pos;
    let rest = value;
    while ((rest & ~0x7f) !== 0) {
      buf[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buf[at++] = rest;
    this.pos = at;
  }

  /** A 64-bit varint from its two halves. */
  varint64(low: number, high: number): void {
    this.reserve(10);
    const buf = this.buf;
    let at = this.pos;
    let lo = low | 0;
    let hi = high | 0;
    while (hi !== 0 || (lo & ~0x7f) !== 0) {
      buf[at++] = (lo & 0x7f) | 0x80;
      lo = (lo >>> 7) | (hi << 25);
      hi >>>= 7;
    }
    buf[at++] = lo;
    this.pos = at;
  }

  /** A signed 32-bit integer as int32 and enum fields have it: negative ones take ten bytes. */
  int32(value: number): void {
    if (value >= 0) this.varint32(value);
    else this.varint64(value, 0xffffffff);
  }

  fixed32(value: number): void {
    this.reserve(4);
    this.#view.setInt32(this.pos, value, true);
    this.pos += 4;
  }

  fixed64(low: number, high: number): void {
    this.fixed32(low);
    this.fixed32(high);
  }

  float(value: number): void {
    this.reserve(4);
    this.#view.setFloat32(this.pos, value, true);
    this.pos += 4;
  }

  double(value: number): void {
    this.reserve(8);
    this.#view.setFloat64(this.pos, value, true);
    this.pos += 8;
  }

  tag(number: number, wireType: number): void {
    this.varint32(((number << 3) | wireType) >>> 0);
  }

  raw(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buf.set(bytes, this.pos);
    this.pos += bytes.length;
  }

  /** Leaves room for a length; what follows until `close` is counted. */
  open(): number {
    this.reserve(1);
    return this.pos++;
  }

  /** Fills in the length that `open` left room for, moving what follows when it takes more than a byte. */
  close(start: number): void {
    const length = this.pos - start - 1;
    if (length < 0x80) {
      this.buf[start] = length;
      return;
    }
    const extra = length < 0x4000 ? 1 : length < 0x200000 ? 2 : length < 0x10000000 ? 3 : 4;
    this.reserve(extra);
    this.buf.copyWithin(start + 1 + extra, start + 1, this.pos);
    const end = this.pos + extra;
    this.pos = start;
    this.varint32(length);
    this.pos = end;
  }

  /** Length and bytes. */
  bytes(bytes: Uint8Array): void {
    this.varint32(bytes.length);
    this.raw(bytes);
  }

  /** Length and UTF-8 of the text. */
  string(text: string): void {
    const length = text.length;
    if (length < 0x80 && this.#shortAscii(text, length)) return;
    this.bytes(utf8.encode(text));
  }

  /** False, with nothing written, when the text is not ASCII. */
  #shortAscii(text: string, length: number): boolean {
    this.reserve(length + 1);
    const buf = this.buf;
    let at = this.pos;
    buf[at++] = length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      buf[at++] = code;
    }
    this.pos = at;
    return true;
  }
}

/** A part of a buffer as bytes of its own. Below some size the call of the runtime's own copy costs more than copying. */
export function copyBytes(buf: Buffer, start: number, end: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(end - start);
  if (end - start > 48) buf.copy(bytes, 0, start, end);
  else for (let at = start; at < end; at++) bytes[at - start] = buf[at] as number;
  return bytes;
}
