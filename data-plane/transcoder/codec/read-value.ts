import { fieldKind } from '../schema/types.js';
import { readName } from './read-name.js';
import { readBool, readDouble, readInt32, readInt64 } from './read-number.js';
import { copyBase64, copyString } from './read-text.js';
import type { MessageReader } from './reader.js';
import type { EnumTable, FieldTable } from './table.js';

const quote = 0x22;
const letterN = 0x6e;

/** What became of a scalar. An enum name that is passed over has nothing written. */
export type ValueSort = typeof nonZero | typeof zero | typeof skipped;
const nonZero = 0;
const zero = 1;
export const skipped = 2;

/** Writes tag and value of a single scalar; a zero is left out when `skipZero`, an enum name to be passed over always. */
export function readScalar(reader: MessageReader, field: FieldTable, skipZero: boolean): ValueSort {
  const out = reader.out;
  const before = out.pos;
  out.varint32(field.tag);
  const sort = readValue(reader, field);
  if (sort === skipped || (sort === zero && skipZero)) out.pos = before;
  return sort;
}

/** Writes one scalar without tag. */
export function readValue(reader: MessageReader, field: FieldTable): ValueSort {
  const { source, out } = reader;
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
      return readEnum(reader, field.enumeration());
    default:
      return readLong(reader, field);
  }
}

function readLong({ source, out, slot }: MessageReader, { kind }: FieldTable): ValueSort {
  readInt64(source, kind !== fieldKind.uint64 && kind !== fieldKind.fixed64, slot);
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
function readEnum(reader: MessageReader, table: EnumTable): ValueSort {
  const source = reader.source;
  const start = source.pos;
  const byte = source.src[start];
  if (byte === quote) {
    const slot = readName(source, table.names);
    if (slot >= 0) return writeEnum(reader, table.names.value(slot));
    return reader.ignoreUnknown ? skipped : source.fail(`is not a value of ${table.type.name}`, start);
  }
  if (byte === letterN) {
    if (!table.isNull) source.fail('has a null among its values');
    source.word('null');
    return writeEnum(reader, 0);
  }
  const value = readInt32(source, true);
  if (!table.type.open && !table.type.names.has(value)) source.fail(`is not a value of ${table.type.name}`, start);
  return writeEnum(reader, value);
}

function writeEnum({ out }: MessageReader, value: number): ValueSort {
  out.int32(value);
  return value === 0 ? zero : nonZero;
}
