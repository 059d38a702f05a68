import type { Field } from '../schema/types.js';
import { printMap, printMerged } from './print-map.js';
import { printScalar, printZero } from './print-scalar.js';
import type { MessagePrinter } from './printer.js';
import { isUnknownValue, joinedRecords, takesTag } from './record.js';
import type { FieldTable, MessageTable } from './table.js';
import { maxWireDepth } from './wire-source.js';

const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Prints fields whose records come in any order and number: finds all of them first. */
export function printScattered(printer: MessagePrinter, table: MessageTable, end: number): void {
  const { out, places } = printer;
  const base = findRecords(printer, table, end);
  for (const field of table.fields) {
    const first = places.first(base, field);
    const last = places.last(base, field);
    if (first < 0) {
      if (printer.emission !== 'set') printer.unset(field);
      continue;
    }
    const before = out.pos;
    out.key(field);
    if (!printPresent(printer, field, first, last, end)) out.pos = before;
  }
  places.leave(base);
  printer.source.pos = end;
}

/** Finds the records of each field. Fields that the message does not have are passed over (PJ15). */
function findRecords({ source, places }: MessagePrinter, table: MessageTable, end: number): number {
  const base = places.enter(table);
  while (source.pos < end) {
    const at = source.pos;
    const tag = source.tag(end);
    const index = table.indexOf(tag >>> 3);
    const field = index < 0 ? undefined : table.fields[index];
    if (field !== undefined && takesTag(field, tag) && !(field.isClosedEnum && isUnknownValue(source, field, end))) {
      places.add(base, table, field, at);
    }
    source.skip(tag, end, maxWireDepth);
  }
  return base;
}

/** Prints the value of a field that is set; false when it need not be printed. */
function printPresent(printer: MessagePrinter, field: FieldTable, first: number, last: number, end: number): boolean {
  if (field.isMap) return printMap(printer, field, first, last, end);
  if (field.repeated) return printList(printer, field, first, last, end);
  const source = printer.source;
  source.pos = last;
  const tag = source.tag(end);
  if (!field.isMessage)
    return !printScalar(source, field, end, printer.out) || !field.implicit || printer.emission !== 'set';
  if (first === last) printer.nested(field, tag, end);
  else printMerged(printer, field, first, last, end);
  return true;
}

function printList(printer: MessagePrinter, field: FieldTable, first: number, last: number, end: number): boolean {
  const { source, out } = printer;
  const start = out.pos;
  source.pos = first;
  while (source.pos <= last) {
    const tag = source.tag(end);
    if (takesTag(field, tag)) printer.elements(field, tag, end);
    else source.skip(tag, end, maxWireDepth);
  }
  const isEmpty = out.pos === start;
  out.enclose(start, openBracket, closeBracket);
  return !isEmpty || printer.emission !== 'set';
}

/** The fields of the message that `path` leads to, or null when it is not set. */
export function messageAt(printer: MessagePrinter, table: MessageTable, path: readonly Field[]): Uint8Array | null {
  const { source, places } = printer;
  let current = table;
  for (const step of path) {
    const end = source.src.length;
    const base = findRecords(printer, current, end);
    const field = current.of(step);
    const first = places.first(base, field);
    if (first < 0) return null;
    source.load(joinedRecords(source, field, first, places.last(base, field), end));
    current = field.message();
  }
  return source.src;
}

/** Prints the value of one field of the message that has been loaded, set or not (RS1). */
export function printFieldValue(printer: MessagePrinter, table: MessageTable, step: Field): void {
  const { source, out, places } = printer;
  const end = source.src.length;
  const base = findRecords(printer, table, end);
  const field = table.of(step);
  const first = places.first(base, field);
  if (first >= 0) {
    const isPrinted = printPresent(printer, field, first, places.last(base, field), end);
    if (isPrinted || !field.repeated) return;
    out.pos = out.start;
  }
  if (field.repeated) out.ascii(field.isMap ? '{}' : '[]');
  else if (field.implicit) printZero(field, out);
  else out.ascii('null');
}
