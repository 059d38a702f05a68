import { create, type DescEnum, type DescField, type DescMessage, type Message, ScalarType } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import { keyOf, report, type Place } from './place.js';
import { sugarOf } from './sugar.js';
import { parseDuration } from './units.js';

/**
 * Reads a YAML mapping into a protobuf message: fields by their proto names, enums by their lower-case names, durations with
 * units, and the short spellings of sugar.ts. Everything that does not fit becomes a problem in `place.problems`.
 */
export function readMessage(desc: DescMessage, node: unknown, place: Place): Message | undefined {
  if (desc.typeName === DurationSchema.typeName) return readDuration(node, place);
  const plain = sugarOf(desc)?.expand?.(node, place) ?? node;
  if (!isMap(plain)) return report(place, node, 'must be a mapping');
  const message = create(desc);
  for (const pair of (plain as YAMLMap).items) readField(desc, message, keyOf(pair.key), pair.key, pair.value, place);
  return message;
}

function readField(desc: DescMessage, message: Message, key: string, keyNode: unknown, value: unknown, place: Place): void {
  const within = { ...place, field: place.field === '' ? key : `${place.field}.${key}` };
  const sugar = sugarOf(desc)?.fields?.[key];
  if (sugar !== undefined) return sugar(message, value, within);
  const field = desc.fields.find((candidate) => candidate.name === key && candidate.name !== 'meta');
  if (field === undefined) {
    report(within, keyNode, `is no field here; known are ${knownFields(desc)}`);
    return;
  }
  const read = readFieldValue(field, value, within);
  if (read === undefined) return;
  const target = message as unknown as Record<string, unknown>;
  if (field.oneof === undefined) target[field.localName] = read;
  else setOneof(target, field, read, value, within);
}

function setOneof(target: Record<string, unknown>, field: DescField, value: unknown, node: unknown, place: Place): void {
  const oneof = field.oneof;
  if (oneof === undefined) return;
  const { case: set } = target[oneof.localName] as { case: string | undefined };
  if (set !== undefined) report(place, node, `cannot stand beside "${set}": only one of ${oneof.fields.map((f) => f.name).join(', ')}`);
  else target[oneof.localName] = { case: field.localName, value };
}

function readFieldValue(field: DescField, node: unknown, place: Place): unknown {
  switch (field.fieldKind) {
    case 'message':
      return readMessage(field.message, node, place);
    case 'enum':
      return readEnum(field.enum, node, place);
    case 'scalar':
      return readScalar(field.scalar, node, place);
    case 'list':
      return readList(field, node, place);
    case 'map':
      return report(place, node, 'cannot be written in a file');
  }
}

function readList(field: DescField & { fieldKind: 'list' }, node: unknown, place: Place): unknown {
  if (!isSeq(node)) return report(place, node, 'must be a list');
  return node.items
    .map((item, i) => {
      const within = { ...place, field: `${place.field}[${i}]` };
      if (field.listKind === 'message') return readMessage(field.message, item, within);
      return field.listKind === 'enum' ? readEnum(field.enum, item, within) : readScalar(field.scalar, item, within);
    })
    .filter((item) => item !== undefined);
}

function readEnum(desc: DescEnum, node: unknown, place: Place): number | undefined {
  const text = isScalar(node) ? String(node.value).toLowerCase().replaceAll('-', '_') : '';
  const value = desc.values.find((candidate) => candidate.number !== 0 && enumWord(desc, candidate.name) === text);
  if (value !== undefined) return value.number;
  const known = desc.values.filter(({ number }) => number !== 0).map(({ name }) => enumWord(desc, name));
  return report(place, node, `must be one of ${known.join(', ')}`);
}

/** `PROTOCOL_HTTP` of the enum Protocol is `http` in a file. */
export function enumWord(desc: DescEnum, name: string): string {
  const prefix = desc.sharedPrefix ?? '';
  return name.toLowerCase().replace(new RegExp(`^${prefix}`), '');
}

function readScalar(type: ScalarType, node: unknown, place: Place): unknown {
  const value: unknown = isScalar(node) ? node.value : undefined;
  switch (type) {
    case ScalarType.STRING:
      return typeof value === 'string' ? value : report(place, node, 'must be a text; put numbers and yes/no in quotes');
    case ScalarType.BOOL:
      return typeof value === 'boolean' ? value : report(place, node, 'must be true or false');
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return readInteger(value, type === ScalarType.UINT32 ? 0 : -(2 ** 31), node, place);
    default:
      return report(place, node, 'cannot be written in a file');
  }
}

function readInteger(value: unknown, min: number, node: unknown, place: Place): number | undefined {
  const max = min + 2 ** 32 - 1;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  return report(place, node, `must be a whole number from ${min} to ${max}`);
}

function readDuration(node: unknown, place: Place): Message | undefined {
  const value = isScalar(node) && typeof node.value === 'string' ? parseDuration(node.value) : null;
  if (value !== null) return create(DurationSchema, value);
  return report(place, node, 'must be a duration with a unit, as 250ms, 5s or 1m');
}

function knownFields(desc: DescMessage): string {
  const own = desc.fields.filter(({ name }) => name !== 'meta').map(({ name }) => name);
  return [...own, ...Object.keys(sugarOf(desc)?.fields ?? {}).filter((name) => !own.includes(name))].join(', ');
}
