import { joined } from '../../joined.js';
import { maxWireDepth, WireSource } from '../codec/wire-source.js';
import type { Field } from '../schema/types.js';
import type { FieldPath } from './fieldpath.js';

/** Where the value of a field stands among wire bytes, without tag; the last one when there are several. */
export interface Found {
  readonly start: number;
  readonly end: number;
}

/** Looks for a field among the bytes of a message, from `start` to before `end`. Null when it is not there. */
export function findRecord(bytes: Uint8Array, start: number, end: number, path: FieldPath): Found | null {
  const [field, ...rest] = path as [Field, ...Field[]];
  let found: Found | null = null;
  eachRecord(bytes, start, end, (number, _from, valueStart, valueEnd) => {
    if (number !== field.number) return;
    found =
      (rest.length === 0 ? { start: valueStart, end: valueEnd } : findRecord(bytes, valueStart, valueEnd, rest)) ??
      found;
  });
  return found;
}

/** The bytes of a message without the records of a field. */
export function withoutRecords(message: Uint8Array, path: FieldPath): Uint8Array {
  const [field, ...rest] = path as [Field, ...Field[]];
  const parts: Uint8Array[] = [];
  eachRecord(message, 0, message.length, (number, from, valueStart, valueEnd, to) => {
    if (number !== field.number) parts.push(message.subarray(from, to));
    else if (rest.length > 0) {
      const inner = withoutRecords(message.subarray(valueStart, valueEnd), rest);
      const isGroup = to !== valueEnd;
      const head = message.subarray(from, isGroup ? valueStart : tagEnd(message, from));
      parts.push(head, isGroup ? inner : prefixed(inner), message.subarray(valueEnd, to));
    }
  });
  return joined(parts);
}

/**
 * Throws WireFault unless the bytes are whole records. What stands behind a record that breaks off would be taken for the rest of
 * it: path variables, when a caller makes it so.
 */
export function checkRecords(bytes: Uint8Array): void {
  eachRecord(bytes, 0, bytes.length, () => {});
}

type Visit = (number: number, from: number, valueStart: number, valueEnd: number, to: number) => void;

/** Calls `visit` for each record; the value of a length-delimited one is what its length counts. */
function eachRecord(bytes: Uint8Array, start: number, end: number, visit: Visit): void {
  const source = new WireSource();
  source.load(bytes);
  source.pos = start;
  while (source.pos < end) {
    const from = source.pos;
    const tag = source.tag(end);
    let valueStart = source.pos;
    let valueEnd: number;
    if ((tag & 7) === 2) {
      valueEnd = source.lengthEnd(end);
      valueStart = source.pos;
      source.pos = valueEnd;
    } else if ((tag & 7) === 3) {
      valueEnd = source.groupEnd(tag, end, maxWireDepth);
    } else {
      source.skip(tag, end, maxWireDepth);
      valueEnd = source.pos;
    }
    visit(tag >>> 3, from, valueStart, valueEnd, source.pos);
  }
}

function tagEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (((bytes[at++] as number) & 0x80) !== 0);
  return at;
}

function prefixed(bytes: Uint8Array): Uint8Array {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return joined([Uint8Array.from([...length, rest]), bytes]);
}
