import type { Cursor } from './cursor.js';
import { readFeatures, type Features } from './features.js';
import { limits, quote } from './limits.js';
import { fullName, LinkedField, LinkedMessage, type Place } from './linked.js';
import { fieldKind, SchemaError, type EnumType, type Field, type FieldKind, type MessageType } from './types.js';

const maxFieldNumber = 536_870_911;
const fieldName = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;

/** Reads a DescriptorProto. Nested declarations are the pool's; types of fields are linked when asked for. */
export function readMessage(place: Place, features: Features, cursor: Cursor): MessageType {
  const declared: Cursor[] = [];
  const oneofs: string[] = [];
  let mapEntry = false;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === 0x12) declared.push(cursor.part());
    else if (tag === 0x42) oneofs.push(readName(cursor.part()));
    else if (tag === 0x3a) mapEntry = readMapEntry(cursor.part()) || mapEntry;
    else cursor.skip(tag);
    if (declared.length > limits.fields || oneofs.length > limits.fields)
      throw new SchemaError(place.file, place.name, `the message has more than ${limits.fields} fields`);
  }
  // Maps are never in group encoding, whatever the file says.
  const scope = mapEntry ? { ...features, delimited: false } : features;
  const fields = declared.map((field) => readField(place, scope, field, false));
  return new LinkedMessage(place, fields, oneofs, mapEntry);
}

/** Reads a FieldDescriptorProto that declares an extension in the scope `place.name`. */
export function readExtension(place: Place, features: Features, cursor: Cursor): Field {
  return readField(place, features, cursor, true);
}

/** Reads an EnumDescriptorProto. */
export function readEnum(place: Place, features: Features, cursor: Cursor): EnumType {
  const names = new Map<number, string>();
  const numbers = new Map<string, number>();
  let first: number | undefined;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag !== 0x12) {
      cursor.skip(tag);
      continue;
    }
    const { name, number } = readEnumValue(cursor.part());
    if (!fieldName.test(name)) throw new SchemaError(place.file, place.name, `${quote(name)} is not a value name`);
    if (numbers.size >= limits.values)
      throw new SchemaError(place.file, place.name, `the enum has more than ${limits.values} values`);
    first ??= number;
    if (!names.has(number)) names.set(number, name);
    numbers.set(name, number);
  }
  if (first === undefined) throw new SchemaError(place.file, place.name, 'the enum has no value');
  return { name: place.name, file: place.file, open: features.openEnum, first, names, numbers };
}

interface RawField {
  name: string;
  number: number;
  label: number;
  kind: number;
  typeName: string;
  jsonName: string | undefined;
  oneof: number;
  optional: boolean;
  packed: boolean | undefined;
  features: Features;
}

function readField(place: Place, outer: Features, cursor: Cursor, extension: boolean): LinkedField {
  const raw = readRawField(cursor, outer);
  const fault = fieldFault(raw);
  if (fault !== undefined) throw new SchemaError(place.file, place.name, fault);
  const kind = raw.kind as FieldKind;
  const repeated = raw.label === 3;
  const isMessage = kind === fieldKind.message || kind === fieldKind.group;
  const name = extension ? `[${place.name === '' ? '' : `${place.name}.`}${raw.name}]` : raw.name;
  return new LinkedField(place, {
    number: raw.number,
    name,
    jsonName: extension ? name : (raw.jsonName ?? camelCase(raw.name)),
    kind,
    repeated,
    packed: repeated && isPackable(kind) && (raw.packed ?? raw.features.packed),
    presence: !repeated && (isMessage || extension || raw.oneof >= 0 || raw.features.presence !== 'implicit'),
    delimited: kind === fieldKind.group || (kind === fieldKind.message && raw.features.delimited),
    // A proto3 optional stands in a oneof of its own, which nobody wrote.
    oneof: raw.optional || extension ? -1 : raw.oneof,
    extension,
    synthetic: raw.optional,
    typeName: fullName(place, raw.typeName),
  });
}

function fieldFault({ name, number, kind }: RawField): string | undefined {
  if (!fieldName.test(name)) return `${quote(name)} is not a field name`;
  if (number < 1 || number > maxFieldNumber) return `field ${name} has number ${number}`;
  return kind < 1 || kind > 18 ? `field ${name} has no known type` : undefined;
}

function readRawField(cursor: Cursor, outer: Features): RawField {
  const raw: RawField = {
    name: '',
    number: 0,
    label: 1,
    kind: 0,
    typeName: '',
    jsonName: undefined,
    oneof: -1,
    optional: false,
    packed: undefined,
    features: outer,
  };
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    switch (tag) {
      case 0x0a:
        raw.name = cursor.string();
        break;
      case 0x18:
        raw.number = cursor.varint();
        break;
      case 0x20:
        raw.label = cursor.varint();
        break;
      case 0x28:
        raw.kind = cursor.varint();
        break;
      case 0x32:
        raw.typeName = cursor.string();
        break;
      case 0x42:
        readFieldOptions(cursor.part(), raw);
        break;
      case 0x48:
        raw.oneof = cursor.varint();
        break;
      case 0x52:
        raw.jsonName = cursor.string();
        break;
      case 0x88:
        raw.optional = cursor.varint() !== 0;
        break;
      default:
        cursor.skip(tag);
    }
  }
  return raw;
}

function readFieldOptions(options: Cursor, raw: RawField): void {
  for (let tag = options.tag(); tag !== 0; tag = options.tag()) {
    if (tag === 0x10) raw.packed = options.varint() !== 0;
    else if (tag === 0xaa) raw.features = readFeatures(options.part(), raw.features);
    else options.skip(tag);
  }
}

function readEnumValue(cursor: Cursor): { name: string; number: number } {
  let name = '';
  let number = 0;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === 0x0a) name = cursor.string();
    else if (tag === 0x10) number = cursor.varint();
    else cursor.skip(tag);
  }
  return { name, number };
}

function readName(cursor: Cursor): string {
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === 0x0a) return cursor.string();
    cursor.skip(tag);
  }
  return '';
}

function readMapEntry(options: Cursor): boolean {
  let mapEntry = false;
  for (let tag = options.tag(); tag !== 0; tag = options.tag()) {
    if (tag === 0x38) mapEntry = options.varint() !== 0;
    else options.skip(tag);
  }
  return mapEntry;
}

function isPackable(kind: FieldKind): boolean {
  return (
    kind !== fieldKind.string && kind !== fieldKind.bytes && kind !== fieldKind.message && kind !== fieldKind.group
  );
}

/** protoc's rule for the JSON name: underscores go, and the letter after one is raised. */
function camelCase(name: string): string {
  let camel = '';
  let raise = false;
  for (const char of name) {
    if (char === '_') raise = true;
    else {
      camel += raise ? char.toUpperCase() : char;
      raise = false;
    }
  }
  return camel;
}
