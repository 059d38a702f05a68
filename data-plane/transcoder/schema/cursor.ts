import { SchemaError } from './types.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });
const maxGroups = 100;

/**
 * Reads a part of descriptor bytes, field by field. Cheap to make, since a large set has a million parts; throws SchemaError on
 * bytes that are no message.
 */
export class Cursor {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  #pos: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#pos = start;
  }

  /** The same part from its beginning. */
  again(): Cursor {
    return new Cursor(this.#bytes, this.#start, this.#end);
  }

  /** The next tag: field number × 8 + wire type; 0 at the end. */
  tag(): number {
    if (this.#pos === this.#end) return 0;
    const tag = this.varint() >>> 0;
    return tag < 8 ? this.#fail() : tag;
  }

  /** The low 32 bits of a varint. */
  varint(): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#pos >= this.#end) this.#fail();
      const byte = bytes[this.#pos++] as number;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return this.#fail();
  }

  /** A length-delimited value as a part of its own. */
  part(): Cursor {
    const end = this.#lengthEnd();
    const part = new Cursor(this.#bytes, this.#pos, end);
    this.#pos = end;
    return part;
  }

  string(): string {
    const end = this.#lengthEnd();
    const text = this.#text(this.#pos, end);
    this.#pos = end;
    return text;
  }

  bytes(): Uint8Array {
    const end = this.#lengthEnd();
    const value = this.#bytes.subarray(this.#pos, end);
    this.#pos = end;
    return value;
  }

  /** Passes over the value behind a tag. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.#pos = this.#lengthEnd();
        return;
      case 3:
        this.#skipGroup(tag, depth);
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        this.#fail();
    }
  }

  #skipGroup(tag: number, depth: number): void {
    if (depth >= maxGroups) this.#fail();
    for (;;) {
      const next = this.tag();
      if (next === 0) this.#fail();
      if ((next & 7) !== 4) this.skip(next, depth + 1);
      else if (next >>> 3 === tag >>> 3) return;
      else this.#fail();
    }
  }

  /** Names are ASCII and short, so they are put together here; anything else takes the decoder. */
  #text(start: number, end: number): string {
    if (end - start > 64) return this.#decode(start, end);
    let text = '';
    for (let at = start; at < end; at++) {
      const byte = this.#bytes[at] as number;
      if (byte >= 0x80) return this.#decode(start, end);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #decode(start: number, end: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(start, end));
    } catch {
      throw new SchemaError('', '', 'a name in the set is not UTF-8');
    }
  }

  #lengthEnd(): number {
    const length = this.varint() >>> 0;
    const end = this.#pos + length;
    return end > this.#end ? this.#fail() : end;
  }

  #advance(bytes: number): void {
    this.#pos += bytes;
    if (this.#pos > this.#end) this.#fail();
  }

  #fail(): never {
    throw new SchemaError('', '', 'the bytes are not a serialized google.protobuf.FileDescriptorSet');
  }
}
