import { joined } from '../../joined.js';
import type { EnumTable, FieldTable } from './table.js';
import { maxWireDepth, type WireSource } from './wire-source.js';

/** Whether a record with this tag can be the field's. Both ways of writing a list of scalars are read. */
export function takesTag(field: FieldTable, tag: number): boolean {
  return tag === field.tag || (field.isPackable && (tag & 7) === 2 && tag >>> 3 === field.tag >>> 3);
}

/**
 * Whether the value at the position is a number that a closed enum does not have, which counts as an unknown field. One in a
 * list is passed over on its own.
 */
export function isUnknownValue(source: WireSource, field: FieldTable, end: number): boolean {
  if (field.repeated) return false;
  const at = source.pos;
  const value = source.varint32(end) | 0;
  source.pos = at;
  return !field.enumeration().type.names.has(value);
}

/** Whether the enum value at the position is printed; one that a closed enum does not have is passed over. */
export function isListed(source: WireSource, table: EnumTable, end: number): boolean {
  const at = source.pos;
  const isKnown = table.type.names.has(source.varint32(end) | 0);
  if (isKnown) source.pos = at;
  return isKnown;
}

/** The fields of a message, joined from all its records, which begin from `first` to `last`. */
export function joinedRecords(
  source: WireSource,
  field: FieldTable,
  first: number,
  last: number,
  end: number,
): Uint8Array {
  const parts: Uint8Array[] = [];
  source.pos = first;
  while (source.pos <= last) {
    const tag = source.tag(end);
    if (tag !== field.tag) {
      source.skip(tag, end, maxWireDepth);
    } else if (field.delimited) {
      const start = source.pos;
      parts.push(source.src.subarray(start, source.groupEnd(tag, end, maxWireDepth)));
    } else {
      const after = source.lengthEnd(end);
      parts.push(source.src.subarray(source.pos, after));
      source.pos = after;
    }
  }
  return joined(parts);
}
