import { isMap, isMessage, type Field, type MessageType } from '../schema/types.js';
import { wireTypeOf } from '../codec/text.js';
import type { WireWriter } from '../codec/writer.js';

/** From a field of the request message down to the one that is meant; all but the last are singular messages. */
export type FieldPath = readonly Field[];

/**
 * Resolves a dotted path as templates, `body` and `response_body` have it: proto names, JSON names accepted (PT10).
 * Answers the reason when it does not resolve.
 */
export function resolvePath(type: MessageType, dotted: string): FieldPath | string {
  const path: Field[] = [];
  let message = type;
  const names = dotted.split('.');
  for (const [index, name] of names.entries()) {
    const field = message.field(name) ?? message.jsonField(name);
    if (field === undefined) return `${message.name} has no field ${JSON.stringify(name)}`;
    path.push(field);
    if (index === names.length - 1) break;
    if (!isMessage(field) || field.repeated)
      return `${dottedName(path)} is not a single message, so it has no field to go down to`;
    message = field.message();
  }
  return path;
}

/** `book.author.name`, in proto names. */
export function dottedName(path: FieldPath): string {
  return path.map((field) => field.name).join('.');
}

/** Whether `path` is `prefix` or leads further down from it. */
export function startsWith(path: FieldPath, prefix: FieldPath): boolean {
  return prefix.length <= path.length && prefix.every((field, index) => field === path[index]);
}

/** Writes the values of one field, each encoded without tag, within the messages that the path goes through. */
export function writeAt(path: FieldPath, values: readonly Uint8Array[], out: WireWriter): void {
  if (path.length === 1) writeLeaf(lastOf(path), values, out);
  else within(path.slice(0, -1), out, () => writeLeaf(lastOf(path), values, out));
}

/** Writes the tags and lengths of the messages that `parents` go through around what `write` writes. */
export function within(parents: FieldPath, out: WireWriter, write: () => void): void {
  const [first, ...rest] = parents;
  if (first === undefined) {
    write();
  } else if (first.delimited) {
    out.tag(first.number, 3);
    within(rest, out, write);
    out.tag(first.number, 4);
  } else {
    out.tag(first.number, 2);
    const start = out.open();
    within(rest, out, write);
    out.close(start);
  }
}

export function lastOf(path: FieldPath): Field {
  return path[path.length - 1] as Field;
}

function writeLeaf(field: Field, values: readonly Uint8Array[], out: WireWriter): void {
  if (field.packed) {
    out.tag(field.number, 2);
    out.varint32(values.reduce((sum, value) => sum + value.length, 0));
    for (const value of values) out.raw(value);
    return;
  }
  const isGroup = isMessage(field) && field.delimited && !isMap(field);
  const wireType = isGroup ? 3 : wireTypeOf[field.kind];
  for (const value of values) {
    out.tag(field.number, wireType);
    out.raw(value);
    if (isGroup) out.tag(field.number, 4);
  }
}
