import { fieldKind, isMap, isMessage, type Field, type MessageType } from '../schema/types.js';
import { wireTypeOf } from '../codec/text.js';
import { WireWriter } from '../codec/writer.js';

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

/** Writes the values of one field, each encoded without tag, wrapped in the messages that the path goes through. */
export function writeAt(path: FieldPath, values: readonly Uint8Array[], out: WireWriter): void {
  const leaf = path[path.length - 1] as Field;
  if (path.length === 1) {
    writeLeaf(leaf, values, out);
    return;
  }
  const inner = new WireWriter(256);
  writeAt(path.slice(1), values, inner);
  writeMessage(path[0] as Field, inner.copy(), out);
}

/** Writes a whole message as the value of a field. */
export function writeMessage(field: Field, wire: Uint8Array, out: WireWriter): void {
  if (field.delimited) {
    out.tag(field.number, 3);
    out.raw(wire);
    out.tag(field.number, 4);
  } else {
    out.tag(field.number, 2);
    out.bytes(wire);
  }
}

function writeLeaf(field: Field, values: readonly Uint8Array[], out: WireWriter): void {
  if (field.packed) {
    out.tag(field.number, 2);
    out.varint32(values.reduce((sum, value) => sum + value.length, 0));
    for (const value of values) out.raw(value);
    return;
  }
  const group = isMessage(field) && field.delimited && !isMap(field);
  const wireType = group ? 3 : field.kind === fieldKind.group ? 2 : wireTypeOf[field.kind];
  for (const value of values) {
    out.tag(field.number, wireType);
    out.raw(value);
    if (group) out.tag(field.number, 4);
  }
}
