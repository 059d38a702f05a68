import { fieldKind, isMessage, type EnumType, type Field, type FieldKind, type MessageType } from '../schema/types.js';
import { decodeBase64 } from './base64.js';
import { parseInt32, parseInt64, zigzag64 } from './integer.js';
import { WireWriter } from './writer.js';

/** Turns the JSON form of a well-known type into its wire bytes; throws ArgumentError. */
export type JsonToWire = (type: MessageType, json: string) => Uint8Array;

/**
 * Writes one value of a field, given as the text of a path segment or query parameter, without tag. Returns the reason when
 * the text does not fit, after which what was written must be dropped.
 */
export type TextWriter = (text: string, out: WireWriter) => string | undefined;

export const wireTypeOf: Readonly<Record<FieldKind, number>> = {
  1: 1,
  2: 5,
  3: 0,
  4: 0,
  5: 0,
  6: 1,
  7: 5,
  8: 0,
  9: 2,
  10: 3,
  11: 2,
  12: 2,
  13: 0,
  14: 0,
  15: 5,
  16: 1,
  17: 0,
  18: 0,
};

const jsonNumber = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;
const maxFloat = 3.4028235677973366e38;
const maskPath = /^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$/;
const goDuration = /^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)/;

/** Types whose JSON form is a scalar (PT8, QP10): they may stand in a path and in a query. */
const scalarTypes = new Set(['google.protobuf.Timestamp', 'google.protobuf.Duration', 'google.protobuf.FieldMask']);
/** Types that a query may give as JSON text (QP11). */
const jsonTypes = new Set(['google.protobuf.Struct', 'google.protobuf.Value', 'google.protobuf.ListValue']);
const wrapperTypes = new Set(
  ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map(
    (it) => `google.protobuf.${it}Value`,
  ),
);

/** Whether one text can be a value of the field; a map or another message cannot. */
export function takesText(field: Field, inPath: boolean): boolean {
  if (!isMessage(field)) return true;
  const name = field.message().name;
  return scalarTypes.has(name) || wrapperTypes.has(name) || (!inPath && jsonTypes.has(name));
}

/** Compiles the writer of a field for which takesText is true. */
export function textWriter(field: Field, toWire: JsonToWire): TextWriter {
  if (isMessage(field)) return messageWriter(field, toWire);
  if (field.kind === fieldKind.enum) return enumWriter(field.enumeration());
  return scalarWriter(field.kind);
}

function messageWriter(field: Field, toWire: JsonToWire): TextWriter {
  const type = field.message();
  if (wrapperTypes.has(type.name)) return wrapperWriter(field, type);
  if (type.name === 'google.protobuf.FieldMask') return maskWriter(field);
  const convert =
    type.name === 'google.protobuf.Duration' ? durationJson : jsonTypes.has(type.name) ? same : JSON.stringify;
  return (text, out) => {
    const json = convert(text);
    if (json === undefined) return 'is not a duration';
    const wire = toWire(type, json);
    if (field.delimited) out.raw(wire);
    else out.bytes(wire);
    return undefined;
  };
}

/** A comma list of paths, each in camel case as ProtoJSON has it or in snake case as people write it (QP10). */
function maskWriter(field: Field): TextWriter {
  return (text, out) => {
    const mask = new WireWriter(text.length * 2 + 16);
    for (const path of text === '' ? [] : text.split(',')) {
      if (!maskPath.test(path)) return 'is not a comma list of field paths';
      mask.tag(1, 2);
      mask.string(path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
    }
    if (field.delimited) out.raw(mask.copy());
    else out.bytes(mask.copy());
    return undefined;
  };
}

function same(text: string): string {
  return text;
}

function wrapperWriter(field: Field, type: MessageType): TextWriter {
  const value = type.fields[0];
  if (value === undefined) return () => `cannot be given as text`;
  const write = scalarWriter(value.kind);
  const delimited = field.delimited;
  return (text, out) => {
    const start = out.pos;
    out.tag(value.number, wireTypeOf[value.kind]);
    const reason = write(text, out);
    if (reason !== undefined || delimited) return reason;
    const inner = out.copy(start);
    out.pos = start;
    out.bytes(inner);
    return undefined;
  };
}

function enumWriter(type: EnumType): TextWriter {
  return (text, out) => {
    const number = type.numbers.get(text) ?? parseInt32(text, true);
    if (number === undefined) return `is not a value of ${type.name}`;
    if (!type.open && !type.names.has(number)) return `is not a value of ${type.name}`;
    out.int32(number);
    return undefined;
  };
}

function scalarWriter(kind: FieldKind): TextWriter {
  switch (kind) {
    case fieldKind.string:
      return (text, out) => {
        out.string(text);
        return undefined;
      };
    case fieldKind.bytes:
      return (text, out) => {
        const bytes = decodeBase64(text);
        if (bytes === undefined) return 'is not base64';
        out.bytes(bytes);
        return undefined;
      };
    case fieldKind.bool:
      return writeBool;
    case fieldKind.double:
    case fieldKind.float:
      return floatWriter(kind);
    case fieldKind.int32:
    case fieldKind.sint32:
    case fieldKind.sfixed32:
    case fieldKind.uint32:
    case fieldKind.fixed32:
      return int32Writer(kind);
    case fieldKind.int64:
    case fieldKind.sint64:
    case fieldKind.sfixed64:
    case fieldKind.uint64:
    case fieldKind.fixed64:
      return int64Writer(kind);
    case fieldKind.enum:
    case fieldKind.message:
    case fieldKind.group:
      return () => 'cannot be given as text';
  }
}

function writeBool(text: string, out: WireWriter): string | undefined {
  const lower = text.length <= 5 ? text.toLowerCase() : '';
  if (lower === 'true' || lower === '1') out.varint32(1);
  else if (lower === 'false' || lower === '0') out.varint32(0);
  else return 'is not true or false';
  return undefined;
}

function floatWriter(kind: FieldKind): TextWriter {
  const single = kind === fieldKind.float;
  return (text, out) => {
    const value = parseFloating(text);
    if (value === undefined) return 'is not a number';
    if (Math.abs(value) >= (single ? maxFloat : Infinity) && !text.includes('I')) return 'is out of range';
    if (single) out.float(value);
    else out.double(value);
    return undefined;
  };
}

function parseFloating(text: string): number | undefined {
  if (text === 'NaN') return NaN;
  if (text === 'Infinity' || text === '-Infinity') return Number(text);
  return text.length <= 400 && jsonNumber.test(text) ? Number(text) : undefined;
}

function int32Writer(kind: FieldKind): TextWriter {
  const signed = kind === fieldKind.int32 || kind === fieldKind.sint32 || kind === fieldKind.sfixed32;
  const reason = signed ? 'is not a 32-bit integer' : 'is not an unsigned 32-bit integer';
  return (text, out) => {
    const value = parseInt32(text, signed);
    if (value === undefined) return reason;
    if (kind === fieldKind.sint32) out.varint32((value << 1) ^ (value >> 31));
    else if (kind === fieldKind.sfixed32 || kind === fieldKind.fixed32) out.fixed32(value);
    else if (signed) out.int32(value);
    else out.varint32(value);
    return undefined;
  };
}

function int64Writer(kind: FieldKind): TextWriter {
  const signed = kind === fieldKind.int64 || kind === fieldKind.sint64 || kind === fieldKind.sfixed64;
  const reason = signed ? 'is not a 64-bit integer' : 'is not an unsigned 64-bit integer';
  return (text, out) => {
    const parsed = parseInt64(text, signed);
    if (parsed === undefined) return reason;
    const value = kind === fieldKind.sint64 ? zigzag64(parsed) : parsed;
    if (kind === fieldKind.sfixed64 || kind === fieldKind.fixed64) out.fixed64(value.low, value.high);
    else out.varint64(value.low, value.high);
    return undefined;
  };
}

const unitNanos: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** ProtoJSON's `1.5s` as it is; a Go duration such as `1h2m` is turned into it. Undefined when it is neither. */
function durationJson(text: string): string | undefined {
  if (!goDuration.test(text) || text.length > 64) return undefined;
  if (/^-?[0-9]+(\.[0-9]{1,9})?s$/.test(text)) return JSON.stringify(text);
  const nanos = goNanos(text.replace(/^[-+]/, ''));
  if (nanos === undefined) return undefined;
  const sign = text.startsWith('-') && nanos > 0n ? '-' : '';
  const fraction = (nanos % 1_000_000_000n).toString().padStart(9, '0');
  return JSON.stringify(`${sign}${nanos / 1_000_000_000n}.${fraction}s`);
}

function goNanos(unsigned: string): bigint | undefined {
  let rest = unsigned;
  let nanos = 0n;
  while (rest !== '') {
    const part = /^([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)/.exec(rest);
    if (part === null || (part[1] === '' && (part[2] ?? '') === '')) return undefined;
    const unit = BigInt(unitNanos[part[3] as string] as number);
    const fraction = part[2] ?? '';
    nanos += BigInt(part[1] === '' ? 0 : (part[1] as string)) * unit;
    if (fraction !== '') nanos += (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length);
    rest = rest.slice(part[0].length);
  }
  return nanos;
}
