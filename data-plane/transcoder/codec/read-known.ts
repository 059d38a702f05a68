import { MapKeys } from './map-keys.js';
import { readBool, readDouble } from './read-number.js';
import { copyString } from './read-text.js';
import { readStringKey } from './read-repeated.js';
import { readScalar } from './read-value.js';
import type { MessageReader } from './reader.js';
import type { FieldTable, MessageTable } from './table.js';
import { parseDuration, parseTimestamp, type Moment } from './time.js';

const quote = 0x22;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Reads the JSON form of a well-known type and writes its fields, without length. */
export function readKnown(reader: MessageReader, table: MessageTable): void {
  const source = reader.source;
  source.next();
  switch (table.known) {
    case 'timestamp':
      readMoment(reader, 'is not an RFC 3339 time from year 1 to 9999', parseTimestamp);
      break;
    case 'duration':
      readMoment(reader, 'is not a duration such as "1.5s"', parseDuration);
      break;
    case 'field-mask':
      readFieldMask(reader);
      break;
    case 'struct':
      readStruct(reader);
      break;
    case 'value':
      readValue(reader);
      break;
    case 'list-value':
      readListValue(reader);
      break;
    case 'wrapper':
      readScalar(reader, table.fields[0] as FieldTable, !reader.keepZeros);
      break;
    case 'any':
      readAny(reader);
      break;
    case 'none':
      reader.message(table);
  }
}

function readMoment(reader: MessageReader, reason: string, parse: (text: string) => Moment | undefined): void {
  const { source, out } = reader;
  const start = source.pos;
  const moment = source.src[start] === quote ? parse(source.string()) : undefined;
  if (moment === undefined) return source.fail(reason, start);
  const { seconds, nanos } = moment;
  if (seconds !== 0) {
    out.tag(1, 0);
    out.varint64(seconds, Math.floor(seconds / 0x100000000));
  }
  if (nanos !== 0) {
    out.tag(2, 0);
    out.int32(nanos);
  }
}

function readFieldMask(reader: MessageReader): void {
  const { source, out } = reader;
  const start = source.pos;
  const text = source.src[start] === quote ? source.string() : undefined;
  if (text === undefined || text.includes('_'))
    return source.fail('is not a comma list of lowerCamelCase field paths', start);
  for (const path of text === '' ? [] : text.split(',')) {
    out.tag(1, 2);
    out.string(path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  }
}

function readStruct(reader: MessageReader): void {
  const { source, out } = reader;
  if (source.next() !== openBrace) source.fail('is not an object');
  reader.enter();
  const keys = new MapKeys();
  if (source.next() === closeBrace) source.pos++;
  else
    do {
      if (source.next() !== quote) source.unexpected('a key');
      out.tag(1, 2);
      const entry = out.open();
      out.tag(1, 2);
      readStringKey(reader, keys);
      if (source.next() !== colon) source.unexpected('":"');
      source.pos++;
      out.tag(2, 2);
      const value = out.open();
      readValue(reader);
      out.close(value);
      out.close(entry);
    } while (source.more(closeBrace));
  reader.depth--;
}

function readListValue(reader: MessageReader): void {
  const { source, out } = reader;
  if (source.next() !== openBracket) source.fail('is not an array');
  reader.enter();
  if (source.next() === closeBracket) source.pos++;
  else
    do {
      out.tag(1, 2);
      const value = out.open();
      readValue(reader);
      out.close(value);
    } while (source.more(closeBracket));
  reader.depth--;
}

function readValue(reader: MessageReader): void {
  const { source, out } = reader;
  switch (source.next()) {
    case quote:
      out.tag(3, 2);
      copyString(source, out);
      return;
    case openBrace:
      readContainer(reader, 5, readStruct);
      return;
    case openBracket:
      readContainer(reader, 6, readListValue);
      return;
    case 0x74:
    case 0x66:
      out.tag(4, 0);
      out.varint32(readBool(source) ? 1 : 0);
      return;
    case 0x6e:
      source.word('null');
      out.tag(1, 0);
      out.varint32(0);
      return;
    default:
      out.tag(2, 1);
      out.double(readDouble(source, false));
  }
}

function readContainer(reader: MessageReader, number: number, read: (reader: MessageReader) => void): void {
  reader.out.tag(number, 2);
  const start = reader.out.open();
  read(reader);
  reader.out.close(start);
}

/** `@type` may stand anywhere in the object, so it is looked for first (PJ11). */
function readAny(reader: MessageReader): void {
  const { source, out } = reader;
  const start = source.pos;
  const typeUrl = findType(reader);
  if (typeUrl === null) return;
  source.pos = start;
  const table = reader.resolve(typeUrl.slice(typeUrl.lastIndexOf('/') + 1));
  if (table === undefined) return source.fail('has an @type that the schema does not have', start);
  out.tag(1, 2);
  out.string(typeUrl);
  const before = out.pos;
  out.tag(2, 2);
  const value = out.open();
  // The bytes of an Any take the place of others as a whole, so its zeros win without being there.
  const keepZeros = reader.keepZeros;
  reader.keepZeros = false;
  if (table.known === 'none') reader.anyObject(table);
  else readAnyValue(reader, table);
  reader.keepZeros = keepZeros;
  out.close(value);
  if (out.pos === before + 2) out.pos = before;
}

/** The `@type` of the object at the position; null when the object is empty, which is passed over then. */
function findType(reader: MessageReader): string | null {
  const source = reader.source;
  const start = source.pos;
  if (source.next() !== openBrace) source.fail('is not an object');
  reader.enter();
  let found = '';
  const isEmpty = source.next() === closeBrace;
  if (isEmpty) source.pos++;
  else
    do {
      if (source.next() !== quote) source.unexpected('a key');
      const key = source.string();
      if (source.next() !== colon) source.unexpected('":"');
      source.pos++;
      if (key !== '@type') reader.skip();
      else if (source.next() === quote) found = source.string();
      else source.fail('has an @type that is not a string');
    } while (found === '' && source.more(closeBrace));
  reader.depth--;
  if (isEmpty) return null;
  return found === '' || found.endsWith('/') ? source.fail('has no @type', start) : found;
}

/** A well-known type within an Any stands in `value`. */
function readAnyValue(reader: MessageReader, table: MessageTable): void {
  const source = reader.source;
  reader.enter();
  let seen = false;
  let hasType = false;
  do {
    if (source.next() !== quote) source.unexpected('a key');
    const keyStart = source.pos;
    const key = source.string();
    if (source.next() !== colon) source.unexpected('":"');
    source.pos++;
    if (key === 'value') {
      if (seen) source.fail('is given more than once', keyStart);
      seen = true;
      readKnown(reader, table);
    } else if (key === '@type') {
      if (hasType) source.fail('is given more than once', keyStart);
      hasType = true;
      reader.skip();
    } else if (reader.ignoreUnknown) reader.skip();
    else source.fail('is not a field of the message', keyStart);
  } while (source.more(closeBrace));
  reader.depth--;
}
