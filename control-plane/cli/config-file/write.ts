import { isFieldSet } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';

import { RefusedError } from '../errors.js';
import { enumWord } from './read.js';
import { outputOnly, sugarOf } from './sugar.js';
import { formatDuration } from './units.js';

import type { DescEnum, DescField, DescMessage, Message, MessageShape } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';

/**
 * A message as it stands in a config file: what `readMessage` reads, with unset fields and meta left out. Throws RefusedError for a
 * message of a newer control plane, since to leave out what it says would be to lose it.
 */
export function writeMessage(desc: DescMessage, message: Message): unknown {
  const [unknown] = message.$unknown ?? [];
  if (unknown !== undefined)
    throw new RefusedError([
      `the control plane is newer than this command, which does not know field ${unknown.no} of ${desc.typeName}`,
    ]);
  if (desc.typeName === DurationSchema.typeName) return formatDuration(message as Duration);
  const sugar = sugarOf(desc);
  if (sugar?.collapse !== undefined) return sugar.collapse(message);
  const plain = new Map<string, unknown>();
  for (const field of desc.fields) {
    if (outputOnly.has(field.name) || !isFieldSet(message as MessageShape<DescMessage>, field)) continue;
    plain.set(field.name, writeField(field, valueOf(message, field)));
  }
  sugar?.write?.(message, plain);
  return plain;
}

function valueOf(message: Message, field: DescField): unknown {
  const holder = message as unknown as Record<string, unknown>;
  return field.oneof === undefined
    ? holder[field.localName]
    : (holder[field.oneof.localName] as { value: unknown }).value;
}

function writeField(field: DescField, value: unknown): unknown {
  switch (field.fieldKind) {
    case 'message':
      return writeMessage(field.message, value as Message);
    case 'enum':
      return writeEnum(field.enum, value as number);
    case 'list':
      return (value as unknown[]).map((item) => writeItem(field, item));
    case 'scalar':
    case 'map':
      return value;
  }
}

function writeItem(field: DescField & { fieldKind: 'list' }, item: unknown): unknown {
  if (field.listKind === 'message') return writeMessage(field.message, item as Message);
  return field.listKind === 'enum' ? writeEnum(field.enum, item as number) : item;
}

function writeEnum(desc: DescEnum, number: number): string {
  return enumWord(desc, desc.value[number]?.name ?? String(number));
}
