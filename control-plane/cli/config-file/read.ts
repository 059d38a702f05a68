import { create, getOption } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { isMap, isScalar, isSeq } from 'yaml';

import { field as fieldRules, oneof as oneofRules } from '../../../proto/gen/buf/validate/validate_pb.js';
import { nearest } from './nearest.js';
import { keyOf, rangeOf, readScalar, valueOf } from './scalars.js';
import { extraKeys, sugarOf } from './sugar.js';
import { parseDuration } from './units.js';

import type { DescEnum, DescField, DescMessage, Message } from '@bufbuild/protobuf';
import type { Place } from './place.js';
import type { Entry, Source } from './sugar.js';

/**
 * Reads a value of a YAML file into a protobuf message: fields by their proto names, enums by their lower-case names, durations
 * with units, and the short spellings of sugar.ts. Everything that does not fit is reported to `place`, and what does fit is read.
 */
export function readMessage(desc: DescMessage, source: Source, place: Place): Message | undefined {
  place.mark(source.node);
  if (desc.typeName === DurationSchema.typeName) return readDuration(source.node, place);
  const entries = entriesOf(desc, source, place);
  if (entries === undefined) return undefined;
  const message = create(desc);
  const written = new Map<string, string>();
  const allKnown = entries.map((entry) => readEntry(desc, message, entry, written)).every((known) => known);
  if (allKnown) reportMissing(desc, source.node, written, place);
  return message;
}

/** The parts of a message as the file or its sugar spells them. */
function entriesOf(desc: DescMessage, { node, entries }: Source, place: Place): readonly Entry[] | undefined {
  const spelled = entries ?? sugarOf(desc)?.spell?.(node, place);
  if (spelled !== undefined) return spelled;
  if (!isMap(node)) return place.report(node, `must be ${sugarOf(desc)?.shape ?? shapeOf(desc)}`);
  return node.items.map((pair) => {
    const key = keyOf(pair.key);
    const name = extraKeys(desc).get(key) ?? key;
    return { key, keyNode: pair.key, source: { node: valueOf(pair) }, place: place.key(key, name) };
  });
}

function shapeOf(desc: DescMessage): string {
  const known = knownKeys(desc);
  return known.length === 0 ? '{}' : `a mapping of ${known.join(', ')}`;
}

/** False when there is no such field. */
function readEntry(desc: DescMessage, message: Message, entry: Entry, written: Map<string, string>): boolean {
  const { key, keyNode, source, place } = entry;
  const spelling = sugarOf(desc)?.spellings?.get(key);
  const name = spelling?.of ?? key;
  const field = knownKeys(desc).includes(key) ? desc.fields.find((candidate) => candidate.name === name) : undefined;
  if (field === undefined) {
    place.report(keyNode, unknownKey(desc, key));
    return false;
  }
  const group = field.oneof?.name ?? name;
  const earlier = written.get(group);
  written.set(group, key);
  place.mark(source.node);
  const value = spelling === undefined ? readField(desc, field, source, place) : spelling.read(source.node, place);
  if (earlier !== undefined) place.report(keyNode, `cannot stand beside ${earlier}: ${onlyOne(desc, field)}`);
  else if (value !== undefined) setField(message, field, value);
  return true;
}

function setField(message: Message, field: DescField, value: unknown): void {
  const target = message as unknown as Record<string, unknown>;
  if (field.oneof === undefined) target[field.localName] = value;
  else target[field.oneof.localName] = { case: field.localName, value };
}

function unknownKey(desc: DescMessage, key: string): string {
  if (key === '<<') return 'merge keys are not read; an alias (*name) stands for a whole value';
  const misplaced = sugarOf(desc)?.misplaced?.get(key);
  return misplaced ?? unknownField(key, knownKeys(desc));
}

/** What is said of a key that is none of `known`. */
export function unknownField(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  const slip = meant === null ? '' : ` (${meant}?)`;
  return `unknown field${slip}; ${known.length === 0 ? 'none is known here' : `known are ${known.join(', ')}`}`;
}

function onlyOne(desc: DescMessage, field: DescField): string {
  return `only one of ${(field.oneof?.fields.map(({ name }) => name) ?? spellingsOf(desc, field)).join(', ')}`;
}

/** The keys that a file may have a field under. */
function spellingsOf(desc: DescMessage, { name }: DescField): string[] {
  return knownKeys(desc).filter((key) => key === name || extraKeys(desc).get(key) === name);
}

/** What the rules of the proto demand. Beside an unknown key nothing is missed: it may be the one that is, misspelt. */
function reportMissing(desc: DescMessage, node: unknown, written: ReadonlyMap<string, string>, place: Place): void {
  for (const field of desc.fields) {
    const required = field.oneof === undefined && getOption(field, fieldRules).required;
    if (required && !written.has(field.name)) place.report(node, `needs ${spellingsOf(desc, field).join(' or ')}`);
  }
  for (const oneof of desc.oneofs) {
    if (getOption(oneof, oneofRules).required && !written.has(oneof.name))
      place.report(node, `needs one of ${oneof.fields.map(({ name }) => name).join(', ')}`);
  }
}

function readField(desc: DescMessage, field: DescField, source: Source, place: Place): unknown {
  switch (field.fieldKind) {
    case 'message':
      return readMessage(field.message, source, place);
    case 'enum':
      return readEnum(field.enum, source.node, place);
    case 'scalar':
      return readScalar(field.scalar, source.node, place, rangeOf(field));
    case 'list': {
      const short = sugarOf(desc)?.lists?.get(field.name);
      return readList(field, short?.spell(source.node, place) ?? itemsOf(source.node, place, short?.shape));
    }
    case 'map':
      return place.report(source.node, 'cannot be written in a file');
  }
}

function itemsOf(node: unknown, place: Place, shape = 'a list'): readonly Entry[] | undefined {
  if (isSeq(node))
    return node.items.map((item, i) => ({ key: '', keyNode: item, source: { node: item }, place: place.item(i) }));
  const hint = isScalar(node) && typeof node.value === 'string' && shape === 'a list' ? `: write [${node.value}]` : '';
  return place.report(node, `must be ${shape}${hint}`);
}

function readList(
  field: DescField & { fieldKind: 'list' },
  items: readonly Entry[] | undefined,
): unknown[] | undefined {
  return items
    ?.map(({ source, place }) => {
      if (field.listKind === 'message') return readMessage(field.message, source, place);
      place.mark(source.node);
      return field.listKind === 'enum'
        ? readEnum(field.enum, source.node, place)
        : readScalar(field.scalar, source.node, place, rangeOf(field));
    })
    .filter((item) => item !== undefined);
}

function readEnum(desc: DescEnum, node: unknown, place: Place): number | undefined {
  const text = isScalar(node) && typeof node.value === 'string' ? node.value.toLowerCase().replaceAll('-', '_') : '';
  const known = desc.values.filter(({ number }) => number !== 0);
  const value = known.find(({ name }) => enumWord(desc, name) === text);
  return (
    value?.number ?? place.report(node, `must be one of ${known.map(({ name }) => enumWord(desc, name)).join(', ')}`)
  );
}

/** `PROTOCOL_HTTP` of the enum Protocol is `http` in a file. */
export function enumWord(desc: DescEnum, name: string): string {
  const prefix = desc.sharedPrefix ?? '';
  const word = name.toLowerCase();
  return word.startsWith(prefix) ? word.slice(prefix.length) : word;
}

function readDuration(node: unknown, place: Place): Message | undefined {
  const value = isScalar(node) && typeof node.value === 'string' ? parseDuration(node.value) : null;
  if (value !== null) return create(DurationSchema, value);
  return place.report(node, 'must be a duration with a unit, as 250ms, 5s, 1m or 1m30s');
}

/** What may be written in a mapping of this message. */
export function knownKeys(desc: DescMessage): string[] {
  const hidden = sugarOf(desc)?.hidden ?? [];
  const own = desc.fields.map(({ name }) => name).filter((name) => name !== 'meta' && !hidden.includes(name));
  return [...own, ...extraKeys(desc).keys()];
}
