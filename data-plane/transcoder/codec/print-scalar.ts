import { fieldKind } from '../schema/types.js';
import type { JsonOutput } from './json-output.js';
import type { EnumTable, FieldTable } from './table.js';
import { WireFault, type WireSource } from './wire-source.js';

/** Prints the scalar at the position; answers whether it is the zero of its type. */
export function printScalar(source: WireSource, field: FieldTable, end: number, out: JsonOutput): boolean {
  switch (field.kind) {
    case fieldKind.string:
    case fieldKind.bytes:
      return printBytes(source, field.kind === fieldKind.string, end, out);
    case fieldKind.bool: {
      source.varint64(end);
      const value = source.low !== 0 || source.high !== 0;
      out.ascii(value ? 'true' : 'false');
      return !value;
    }
    case fieldKind.int32:
      return printInteger(source.varint32(end) | 0, out);
    case fieldKind.uint32:
      return printInteger(source.varint32(end) >>> 0, out);
    case fieldKind.sint32: {
      const value = source.varint32(end);
      return printInteger((value >>> 1) ^ -(value & 1), out);
    }
    case fieldKind.fixed32:
      return printInteger(source.fixed32(end) >>> 0, out);
    case fieldKind.sfixed32:
      return printInteger(source.fixed32(end), out);
    case fieldKind.enum:
      return printEnum(source.varint32(end) | 0, field.enumeration(), out);
    case fieldKind.float:
      return printFloat(source.float(end), out);
    case fieldKind.double:
      return printDouble(source.double(end), out);
    default:
      return printInt64(source, field, end, out);
  }
}

/** Prints packed values of the kinds that long lists are made of, a comma before each; false when it is another kind. */
export function printPacked(source: WireSource, field: FieldTable, end: number, out: JsonOutput): boolean {
  switch (field.kind) {
    case fieldKind.int32:
      while (source.pos < end) out.element(source.varint32(end) | 0);
      return true;
    case fieldKind.uint32:
      while (source.pos < end) out.element(source.varint32(end));
      return true;
    case fieldKind.double:
      while (source.pos < end) {
        const value = source.double(end);
        if ((value | 0) === value && (value !== 0 || 1 / value > 0)) out.element(value | 0);
        else {
          out.comma();
          printDouble(value, out);
        }
      }
      return true;
    default:
      return false;
  }
}

/** Prints the zero of a scalar field; the first value of an enum. */
export function printZero(field: FieldTable, out: JsonOutput): void {
  switch (field.kind) {
    case fieldKind.string:
    case fieldKind.bytes:
      out.ascii('""');
      return;
    case fieldKind.bool:
      out.ascii('false');
      return;
    case fieldKind.enum:
      printEnum(field.enumeration().type.first, field.enumeration(), out);
      return;
    case fieldKind.int64:
    case fieldKind.uint64:
    case fieldKind.sint64:
    case fieldKind.fixed64:
    case fieldKind.sfixed64:
      out.ascii('"0"');
      return;
    default:
      out.byte(0x30);
  }
}

function printBytes(source: WireSource, isText: boolean, end: number, out: JsonOutput): boolean {
  const after = source.lengthEnd(end);
  const start = source.pos;
  if (!isText) out.base64(source.src, start, after);
  else if (!out.string(source.src, start, after)) throw new WireFault('a string is not UTF-8');
  source.pos = after;
  return start === after;
}

function printInteger(value: number, out: JsonOutput): boolean {
  out.integer(value);
  return value === 0;
}

function printEnum(value: number, table: EnumTable, out: JsonOutput): boolean {
  if (table.isNull) out.ascii('null');
  else {
    const name = table.quoted(value);
    if (name === undefined) out.integer(value);
    else out.raw(name);
  }
  return value === 0;
}

function printInt64(source: WireSource, field: FieldTable, end: number, out: JsonOutput): boolean {
  const kind = field.kind;
  if (kind === fieldKind.fixed64 || kind === fieldKind.sfixed64) source.fixed64(end);
  else source.varint64(end);
  if (kind === fieldKind.sint64) source.unzigzag();
  const signed = kind !== fieldKind.uint64 && kind !== fieldKind.fixed64;
  const value = source.safeInteger(signed);
  out.byte(0x22);
  if (Number.isNaN(value)) out.integer64(source.low, source.high, signed);
  else out.integer(value);
  out.byte(0x22);
  return value === 0;
}

export function printDouble(value: number, out: JsonOutput): boolean {
  if (Number.isInteger(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER) {
    if (value === 0 && 1 / value < 0) out.ascii('-0');
    else out.integer(value);
    return Object.is(value, 0);
  }
  if (Number.isFinite(value)) printFraction(value, out);
  else out.ascii(Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"');
  return false;
}

/**
 * Most fractions that people send have few decimals. The integer of their digits, divided by a power of ten that is exact, is
 * the nearest number to the decimal text; so when that gives the value back, the text is the shortest one for it.
 */
function printFraction(value: number, out: JsonOutput): void {
  if (Math.abs(value) < 1e9 && Math.abs(value) > 1e-5) {
    for (let decimals = 1, scale = 10; decimals <= 6; decimals++, scale *= 10) {
      const digits = Math.round(value * scale);
      if (digits / scale === value) {
        out.decimal(digits, decimals);
        return;
      }
    }
  }
  out.ascii(String(value));
}

/** The shortest decimal that reads back as the same float. */
function printFloat(value: number, out: JsonOutput): boolean {
  if (!Number.isFinite(value) || (Number.isInteger(value) && Math.abs(value) < 1e7)) return printDouble(value, out);
  if (Math.abs(value) < 1e7 && Math.abs(value) > 1e-5) {
    for (let decimals = 1, scale = 10; Math.abs(value) * scale < 1e9; decimals++, scale *= 10) {
      const digits = Math.round(value * scale);
      if (Math.fround(digits / scale) === value) {
        out.decimal(digits, decimals);
        return false;
      }
    }
  }
  for (let precision = 6; precision < 9; precision++) {
    const rounded = Number(value.toPrecision(precision));
    if (Math.fround(rounded) === value) return printDouble(rounded, out);
  }
  return printDouble(Number(value.toPrecision(9)), out);
}
