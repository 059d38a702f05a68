import { fieldKind } from '../schema/types.js';
import type { JsonSource } from './json-source.js';
import { latin1, MapKeys } from './map-keys.js';
import { readDouble, readInt32 } from './read-number.js';
import { copyString } from './read-text.js';
import { readScalar, readValue, skipped } from './read-value.js';
import type { MessageReader } from './reader.js';
import { takesNull, type FieldTable } from './table.js';
import type { WireWriter } from './writer.js';

const quote = 0x22;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const letterN = 0x6e;
const colon = 0x3a;
const comma = 0x2c;

/** Reads the array at the position into a list field. */
export function readList(reader: MessageReader, field: FieldTable): void {
  const source = reader.source;
  if (source.src[source.pos] !== openBracket) source.fail('is not an array');
  reader.enter();
  if (source.next() === closeBracket) source.pos++;
  else if (field.packed) readPacked(reader, field);
  else readUnpacked(reader, field, takesNull(field));
  reader.depth--;
}

function readPacked(reader: MessageReader, field: FieldTable): void {
  const { source, out } = reader;
  const before = out.pos;
  out.varint32(((field.field.number << 3) | 2) >>> 0);
  const start = out.open();
  const values = out.pos;
  const isDouble = field.kind === fieldKind.double;
  // Until it finds none: of other numbers it would only read a part in vain.
  let runs = isDouble || field.kind === fieldKind.int32 || field.kind === fieldKind.uint32;
  do {
    if (runs) runs = copySmallIntegers(source, out, isDouble);
    if (source.next() === letterN && field.kind !== fieldKind.enum) source.fail('has a null among its values');
    if (field.kind === fieldKind.int32) out.int32(readInt32(source, true));
    else if (isDouble) out.double(readDouble(source, false));
    else readValue(reader, field);
  } while (source.more(closeBracket));
  if (out.pos === values) out.pos = before;
  else out.close(start);
}

/**
 * Copies integers of at most nine digits from the position on, as long as each has a comma behind it and no blank around: what
 * long lists are mostly made of, in a loop without calls. The next value is left to others. False when there was none.
 */
function copySmallIntegers(source: JsonSource, out: WireWriter, asDouble: boolean): boolean {
  const src = source.src;
  let pos = source.pos;
  for (;;) {
    const first = pos;
    let value = 0;
    let byte = src[pos] as number;
    while (byte >= 0x30 && byte <= 0x39 && pos - first < 9) {
      value = (value * 10 + byte - 0x30) | 0;
      byte = src[++pos] as number;
    }
    if (byte !== comma || pos === first || (src[first] === 0x30 && pos - first > 1)) {
      const isAny = first > source.pos;
      source.pos = first;
      return isAny;
    }
    if (asDouble) out.double(value);
    else out.varint32(value);
    pos++;
  }
}

function readUnpacked(reader: MessageReader, field: FieldTable, takesNulls: boolean): void {
  const source = reader.source;
  do {
    if (source.next() === letterN && !takesNulls) source.fail('has a null among its values');
    if (field.isMessage) reader.nested(field);
    else readScalar(reader, field, false);
  } while (source.more(closeBracket));
}

/** Reads the object at the position into a map field. */
export function readMap(reader: MessageReader, field: FieldTable): void {
  const { source, out } = reader;
  if (source.src[source.pos] !== openBrace) source.fail('is not an object');
  reader.enter();
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
      readKey(reader, key, keys);
      if (source.next() !== colon) source.unexpected('":"');
      source.pos++;
      if (source.next() === letterN && !takesNulls) source.fail('has a null among its values');
      if (value.isMessage) reader.nested(value);
      else if (readScalar(reader, value, false) === skipped) {
        out.pos = before;
        continue;
      }
      out.close(start);
    } while (source.more(closeBrace));
  reader.depth--;
}

function readKey(reader: MessageReader, key: FieldTable, keys: MapKeys): void {
  if (key.kind === fieldKind.string) {
    readStringKey(reader, keys);
    return;
  }
  const { source, out } = reader;
  const start = source.pos;
  const written = out.pos;
  if (key.kind === fieldKind.bool) readBoolKey(reader);
  else readValue(reader, key);
  if (keys.hasText(source.src, latin1(out.buf, written, out.pos))) source.fail('is given more than once', start);
}

/** Reads and writes the string key at the position, which must not be among `keys` yet. */
export function readStringKey({ source, out }: MessageReader, keys: MapKeys): void {
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

function readBoolKey({ source, out }: MessageReader): void {
  const start = source.pos;
  const text = source.string();
  if (text !== 'true' && text !== 'false') source.fail('is not true or false', start);
  out.varint32(text === 'true' ? 1 : 0);
}

function afterVarint(buf: Uint8Array, start: number): number {
  let at = start;
  while (((buf[at++] as number) & 0x80) !== 0);
  return at;
}
