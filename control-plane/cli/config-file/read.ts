import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { isMap, isScalar, isSeq } from 'yaml';

import { nearest } from './nearest.js';
import { keyOf, readScalar, valueOf } from './scalars.js';
import { sugarOf } from './sugar.js';
import { parseDuration } from './units.js';

import type { DescEnum, DescField, DescMessage, Message } from '@bufbuild/protobuf';
import type { FieldForm, MessageForm } from './form.js';
import type { Place } from './place.js';
import type { Range } from './scalars.js';
import type { Entry, Source, Sugar } from './sugar.js';

/**
 * Reads a value of a YAML file into a protobuf message: fields by their proto names, enums by their lower-case names, durations
 * with units, and the short spellings of sugar.ts. Everything that does not fit is reported to `place`, and what does fit is read.
 */
export function readMessage(desc: DescMessage, source: Source, place: Place): Message | undefined {
  place.mark(source.node);
  if (desc.typeName === DurationSchema.typeName) return readDuration(source.node, place);
  const form = place.reading.forms.of(desc);
  const sugar = sugarOf(desc);
  const entries = source.entries ?? sugar?.spell?.(source.node, place) ?? entriesOf(form, sugar, source.node, place);
  if (entries === undefined) return undefined;
  const message = create(desc);
  const written = new Map<string, string>();
  let allKnown = true;
  for (const entry of entries) {
    const field = form.keys.get(entry.key);
    if (field !== undefined) readEntry(message, field, sugar, entry, written);
    else {
      entry.place.report(entry.keyNode, unknownKey(form, sugar, entry.key));
      allKnown = false;
    }
  }
  // Beside an unknown key nothing is missed: it may be the one that is, misspelt.
  if (allKnown) for (const [group, said] of form.required) if (!written.has(group)) place.report(source.node, said);
  return message;
}

function entriesOf(
  { keys }: MessageForm,
  sugar: Sugar | undefined,
  node: unknown,
  place: Place,
): readonly Entry[] | undefined {
  if (!isMap(node)) {
    const mapping = keys.size === 0 ? '{}' : `a mapping of ${[...keys.keys()].join(', ')}`;
    return place.report(node, `must be ${sugar?.shape ?? mapping}`);
  }
  return node.items.map((pair) => {
    const written = keyOf(pair.key);
    const key = sugar?.nameOf?.(written) ?? written;
    const at = place.key(key, keys.get(key)?.desc.name ?? key);
    return { key, keyNode: pair.key, source: { node: valueOf(pair) }, place: at };
  });
}

function unknownKey({ keys }: MessageForm, sugar: Sugar | undefined, key: string): string {
  if (key === '<<') return 'merge keys are not read; an alias (*name) stands for a whole value';
  return sugar?.misplaced?.get(key) ?? unknownField(key, [...keys.keys()]);
}

/** What is said of a key that is none of `known`. */
export function unknownField(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  const slip = meant === null ? '' : ` (${meant}?)`;
  return `unknown field${slip}; ${known.length === 0 ? 'none is known here' : `known are ${known.join(', ')}`}`;
}

/** `written` has the key under which each group of fields was met first. */
function readEntry(
  message: Message,
  form: FieldForm,
  sugar: Sugar | undefined,
  { key, keyNode, source, place }: Entry,
  written: Map<string, string>,
): void {
  const earlier = written.get(form.group);
  written.set(form.group, key);
  place.mark(source.node);
  const { spelling } = form;
  const value =
    spelling === undefined ? readField(form, sugar, source, place) : spelling.read(source.node, place, readMessage);
  if (earlier === undefined) setField(message, form.desc, value);
  else place.report(keyNode, `cannot stand beside ${earlier}: only one of ${form.alternatives.join(', ')}`);
}

function setField(message: Message, field: DescField, value: unknown): void {
  const target = message as unknown as Record<string, unknown>;
  if (value === undefined) return;
  if (field.oneof === undefined) target[field.localName] = value;
  else target[field.oneof.localName] = { case: field.localName, value };
}

function readField({ desc, range }: FieldForm, sugar: Sugar | undefined, source: Source, place: Place): unknown {
  switch (desc.fieldKind) {
    case 'message':
      return readMessage(desc.message, source, place);
    case 'enum':
      return readEnum(desc.enum, source.node, place);
    case 'scalar':
      return readScalar(desc.scalar, source.node, place, range);
    case 'list': {
      const short = sugar?.lists?.get(desc.name);
      return readList(desc, range, short?.spell(source.node, place) ?? itemsOf(source.node, place, short?.shape));
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
  range: Partial<Range>,
  items: readonly Entry[] | undefined,
): unknown[] | undefined {
  return items
    ?.map(({ source, place }) => {
      if (field.listKind === 'message') return readMessage(field.message, source, place);
      place.mark(source.node);
      return field.listKind === 'enum'
        ? readEnum(field.enum, source.node, place)
        : readScalar(field.scalar, source.node, place, range);
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
