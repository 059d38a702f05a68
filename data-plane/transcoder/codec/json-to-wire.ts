import { fieldKind } from '../schema/types.js';
import { JsonSource, tooDeep } from './json-source.js';
import { latin1, MapKeys } from './map-keys.js';
import { hashByte, type NameTable } from './name-table.js';
import { readKnown } from './read-known.js';
import { copyBase64, copyString, readBool, readDouble, readInt32, readInt64, type Int64Slot } from './read-scalar.js';
import { takesNull, type EnumTable, type FieldTable, type MessageTable } from './table.js';
import { WireWriter } from './writer.js';

/** Containers that may be open within each other (PJ12). */
export const maxJsonDepth = 100;

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const letterN = 0x6e;
const colon = 0x3a;

/**
 * Reads the JSON form of messages and writes their wire form in one pass, with no object between. One reader serves a schema:
 * it works on one text at a time, which is `source`, and writes to `out`.
 */
export class JsonToWire {
  readonly source = new JsonSource();
  out: WireWriter;
  ignoreUnknown = false;
  /** Zero values of fields without presence are written too, so that they win over what stands before on the wire. */
  keepZeros = false;
  /** Finds the table of an Any's type. */
  readonly resolve: (typeName: string) => MessageTable | undefined;
  readonly #slot: Int64Slot = { low: 0, high: 0 };
  #seen = new Int32Array(1_024);
  #seenTop = 0;
  depth = 0;

  constructor(resolve: (typeName: string) => MessageTable | undefined) {
    this.resolve = resolve;
    this.out = new WireWriter(0);
  }

  /** Makes ready for a text, whose wire form is written behind what `out` holds. */
  begin(json: Uint8Array, out: WireWriter, ignoreUnknown: boolean, keepZeros: boolean): void {
    this.source.load(json);
    this.out = out;
    this.depth = 0;
    this.#seenTop = 0;
    this.ignoreUnknown = ignoreUnknown;
    this.keepZeros = keepZeros;
  }

  /** Checks that nothing but blanks follows, and lets the text go. */
  end(): void {
    if (this.source.next() !== 0 || this.source.pos < this.source.end) this.source.unexpected('its end');
    this.source.unload();
  }

  /** Reads a whole message at the position, without length. */
  message(table: MessageTable): void {
    if (table.known === 'none') this.#object(table, false);
    else readKnown(this, table);
  }

  /** Reads the object at the position into the fields of `table`. Of an Any, `@type` is passed over. */
  #object(table: MessageTable, isAny: boolean): void {
    const source = this.source;
    if (source.next() !== openBrace) source.fail('is not an object');
    this.enter();
    const seen = this.#enterMarks(table.seenWords);
    const fields = table.fields;
    let expected = 0;
    if (source.next() === closeBrace) source.pos++;
    else
      do {
        if (source.next() !== quote) source.unexpected('a key');
        const start = source.pos;
        const index = this.#key(table, expected);
        if (source.next() !== colon) source.unexpected('":"');
        source.pos++;
        if (index < 0) {
          this.#unknown(start, isAny);
        } else {
          const field = fields[index] as FieldTable;
          if (this.#mark(seen, index)) source.fail('is given more than once', start);
          source.next();
          this.#field(field, seen);
          expected = index + 1;
        }
      } while (source.more(closeBrace));
    this.#seenTop = seen;
    this.depth--;
  }

  /** Reads the value of one field, and writes it with its tag. */
  fieldValue(field: FieldTable): void {
    const base = this.#enterMarks(field.marks);
    const byte = this.source.next();
    if (byte === letterN && !field.repeated && field.isMessage && !takesNull(field)) this.source.fail('is null');
    this.#field(field, base);
    this.#seenTop = base;
  }

  /** The fields of an Any's message, which stand beside its `@type`. */
  anyObject(table: MessageTable): void {
    this.#object(table, true);
  }

  /** Counts a container that opens at the position, and passes over its bracket. */
  enter(): void {
    if (++this.depth > maxJsonDepth) this.source.fail(tooDeep);
    this.source.pos++;
  }

  #enterMarks(words: number): number {
    const base = this.#seenTop;
    this.#seenTop = base + words;
    if (this.#seenTop > this.#seen.length) {
      const grown = new Int32Array(this.#seenTop * 2);
      grown.set(this.#seen);
      this.#seen = grown;
    }
    for (let i = base; i < this.#seenTop; i++) this.#seen[i] = 0;
    return base;
  }

  /** Sets a mark; true when it was set before. */
  #mark(base: number, index: number): boolean {
    const word = base + (index >>> 5);
    const bit = 1 << (index & 31);
    const before = this.#seen[word] as number;
    this.#seen[word] = before | bit;
    return (before & bit) !== 0;
  }

  /** Reads the key at the position and answers the field's place, or -1. Callers mostly write fields in their order. */
  #key(table: MessageTable, expected: number): number {
    const source = this.source;
    const guess = table.fields[expected];
    if (guess !== undefined) {
      const name = guess.quotedName;
      const src = source.src;
      const start = source.pos;
      let i = 1;
      while (i < name.length && src[start + i] === name[i]) i++;
      if (i === name.length) {
        source.pos = start + i;
        return expected;
      }
    }
    const slot = this.lookUp(table.names);
    return slot < 0 ? -1 : table.names.value(slot);
  }

  /** Reads the string at the position and finds it among names: its place there, or -1. */
  lookUp(names: NameTable): number {
    const source = this.source;
    const src = source.src;
    const start = source.pos + 1;
    let pos = start;
    let hash = 0;
    for (let byte = src[pos] as number; byte !== quote; byte = src[++pos] as number) {
      if (byte === backslash || byte < 0x20) return this.#lookUpEscaped(names);
      hash = hashByte(hash, byte);
    }
    source.pos = pos + 1;
    const slot = names.find(src, start, pos, hash);
    if (slot < 0) {
      // What is not a known name may not even be UTF-8.
      source.pos = start - 1;
      source.skipString();
    }
    return slot;
  }

  #lookUpEscaped(names: NameTable): number {
    const bytes = utf8.encode(this.source.string());
    let hash = 0;
    for (const byte of bytes) hash = hashByte(hash, byte);
    return names.find(bytes, 0, bytes.length, hash);
  }

  #unknown(keyStart: number, isAny: boolean): void {
    const source = this.source;
    const isType = isAny && source.ascii(keyStart, keyStart + 7) === '"@type"';
    if (!isType && !this.ignoreUnknown) source.fail('is not a field of the message', keyStart);
    this.skip();
  }

  /** Passes over the value at the position. */
  skip(): void {
    this.source.skipValue(maxJsonDepth - this.depth);
  }

  #field(field: FieldTable, seen: number): void {
    const source = this.source;
    if (source.src[source.pos] === letterN && (field.repeated || !takesNull(field))) {
      source.word('null');
      return;
    }
    if (field.repeated) {
      if (field.isMap) this.#map(field);
      else this.#list(field);
      return;
    }
    if (field.oneofMark >= 0 && this.#mark(seen, field.oneofMark))
      source.fail('is in a oneof of which another member is given as well');
    if (field.isMessage) this.#nested(field);
    else this.scalar(field, field.implicit && !this.keepZeros);
  }

  #list(field: FieldTable): void {
    const source = this.source;
    if (source.src[source.pos] !== openBracket) source.fail('is not an array');
    this.enter();
    if (source.next() === closeBracket) source.pos++;
    else if (field.packed) this.#packed(field);
    else this.#unpacked(field, takesNull(field));
    this.depth--;
  }

  #packed(field: FieldTable): void {
    const { source, out } = this;
    const before = out.pos;
    out.varint32(((field.field.number << 3) | 2) >>> 0);
    const start = out.open();
    const values = out.pos;
    do {
      if (source.next() === letterN && field.kind !== fieldKind.enum) source.fail('has a null among its values');
      if (field.kind === fieldKind.int32) out.int32(readInt32(source, true));
      else if (field.kind === fieldKind.double) out.double(readDouble(source, false));
      else this.#value(field);
    } while (source.more(closeBracket));
    if (out.pos === values) out.pos = before;
    else out.close(start);
  }

  #unpacked(field: FieldTable, takesNulls: boolean): void {
    const source = this.source;
    do {
      if (source.next() === letterN && !takesNulls) source.fail('has a null among its values');
      if (field.isMessage) this.#nested(field);
      else this.scalar(field, false);
    } while (source.more(closeBracket));
  }

  #map(field: FieldTable): void {
    const { source, out } = this;
    if (source.src[source.pos] !== openBrace) source.fail('is not an object');
    this.enter();
    const [key, value] = field.message().fields as [FieldTable, FieldTable];
    const takesNulls = takesNull(value);
    const keys = new MapKeys();
    if (source.next() === closeBrace) source.pos++;
    else
      do {
        if (source.next() !== quote) source.unexpected('a key');
        const before = out.pos;
        out.varint32(field.tag);
        const start = out.open();
        out.varint32(key.tag);
        this.#mapKey(key, keys);
        if (source.next() !== colon) source.unexpected('":"');
        source.pos++;
        if (source.next() === letterN && !takesNulls) source.fail('has a null among its values');
        if (value.isMessage) this.#nested(value);
        else if (this.scalar(value, false) === skipped) {
          out.pos = before;
          continue;
        }
        out.close(start);
      } while (source.more(closeBrace));
    this.depth--;
  }

  #mapKey(key: FieldTable, keys: MapKeys): void {
    if (key.kind === fieldKind.string) {
      this.stringKey(keys);
      return;
    }
    const { source, out } = this;
    const start = source.pos;
    const written = out.pos;
    if (key.kind === fieldKind.bool) this.#boolKey();
    else this.#value(key);
    if (keys.hasText(source.src, latin1(out.buf, written, out.pos))) source.fail('is given more than once', start);
  }

  /** Reads and writes the string key at the position, which must not be among `keys` yet. */
  stringKey(keys: MapKeys): void {
    const { source, out } = this;
    const start = source.pos;
    const written = out.pos;
    copyString(source, out);
    const keyAt = afterVarint(out.buf, written);
    // Without escapes it is as long in the text as on the wire, and the same.
    const isVerbatim = out.pos - keyAt === source.pos - start - 2;
    const isAgain = isVerbatim
      ? keys.has(source.src, start + 1, source.pos - 1)
      : keys.hasText(source.src, latin1(out.buf, keyAt, out.pos));
    if (isAgain) source.fail('is given more than once', start);
  }

  #boolKey(): void {
    const source = this.source;
    const start = source.pos;
    const text = source.string();
    if (text !== 'true' && text !== 'false') source.fail('is not true or false', start);
    this.out.varint32(text === 'true' ? 1 : 0);
  }

  #nested(field: FieldTable): void {
    const out = this.out;
    out.varint32(field.tag);
    if (field.delimited) {
      this.message(field.message());
      out.varint32(field.tag + 1);
    } else {
      const start = out.open();
      this.message(field.message());
      out.close(start);
    }
  }

  /** Writes tag and value of a single scalar; a zero is left out when `skipZero`, an enum name to be passed over always. */
  scalar(field: FieldTable, skipZero: boolean): ValueSort {
    const out = this.out;
    const before = out.pos;
    out.varint32(field.tag);
    const sort = this.#value(field);
    if (sort === skipped || (sort === zero && skipZero)) out.pos = before;
    return sort;
  }

  /** Writes one scalar without tag. */
  #value(field: FieldTable): ValueSort {
    const { source, out } = this;
    switch (field.kind) {
      case fieldKind.string:
      case fieldKind.bytes: {
        const start = out.pos;
        if (field.kind === fieldKind.string) copyString(source, out);
        else copyBase64(source, out);
        return out.pos === start + 1 ? zero : nonZero;
      }
      case fieldKind.bool: {
        const value = readBool(source);
        out.varint32(value ? 1 : 0);
        return value ? nonZero : zero;
      }
      case fieldKind.int32: {
        const value = readInt32(source, true);
        out.int32(value);
        return value === 0 ? zero : nonZero;
      }
      case fieldKind.uint32: {
        const value = readInt32(source, false);
        out.varint32(value);
        return value === 0 ? zero : nonZero;
      }
      case fieldKind.sint32: {
        const value = readInt32(source, true);
        out.varint32((value << 1) ^ (value >> 31));
        return value === 0 ? zero : nonZero;
      }
      case fieldKind.fixed32:
      case fieldKind.sfixed32: {
        const value = readInt32(source, field.kind === fieldKind.sfixed32);
        out.fixed32(value);
        return value === 0 ? zero : nonZero;
      }
      case fieldKind.float: {
        const value = readDouble(source, true);
        out.float(value);
        return Object.is(value, 0) ? zero : nonZero;
      }
      case fieldKind.double: {
        const value = readDouble(source, false);
        out.double(value);
        return Object.is(value, 0) ? zero : nonZero;
      }
      case fieldKind.enum:
        return this.#enumeration(field.enumeration());
      default:
        return this.#int64(field);
    }
  }

  #int64(field: FieldTable): ValueSort {
    const slot = this.#slot;
    const out = this.out;
    const kind = field.kind;
    readInt64(this.source, kind !== fieldKind.uint64 && kind !== fieldKind.fixed64, slot);
    const sort = slot.low === 0 && slot.high === 0 ? zero : nonZero;
    if (kind === fieldKind.sint64) {
      const sign = slot.high >> 31;
      out.varint64((slot.low << 1) ^ sign, ((slot.high << 1) | (slot.low >>> 31)) ^ sign);
    } else if (kind === fieldKind.int64 || kind === fieldKind.uint64) {
      out.varint64(slot.low, slot.high);
    } else {
      out.fixed64(slot.low, slot.high);
    }
    return sort;
  }

  /** Writes an enum value. When unknown fields are ignored, so is an unknown name (PJ5). */
  #enumeration(table: EnumTable): ValueSort {
    const source = this.source;
    const start = source.pos;
    const byte = source.src[start];
    if (byte === quote) {
      const slot = this.lookUp(table.names);
      if (slot >= 0) return this.#enumValue(table.names.value(slot));
      return this.ignoreUnknown ? skipped : source.fail(`is not a value of ${table.type.name}`, start);
    }
    if (byte === letterN) {
      if (!table.isNull) source.fail('has a null among its values');
      source.word('null');
      return this.#enumValue(0);
    }
    const value = readInt32(source, true);
    if (!table.type.open && !table.type.names.has(value)) source.fail(`is not a value of ${table.type.name}`, start);
    return this.#enumValue(value);
  }

  #enumValue(value: number): ValueSort {
    this.out.int32(value);
    return value === 0 ? zero : nonZero;
  }
}

function afterVarint(buf: Uint8Array, start: number): number {
  let at = start;
  while (((buf[at++] as number) & 0x80) !== 0);
  return at;
}

/** What became of a scalar. */
type ValueSort = typeof nonZero | typeof zero | typeof skipped;
const nonZero = 0;
const zero = 1;
const skipped = 2;

const utf8 = new TextEncoder();
