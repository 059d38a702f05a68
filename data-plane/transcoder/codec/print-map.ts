import { fieldKind } from '../schema/types.js';
import { latin1, MapKeys } from './map-keys.js';
import { printScalar, printZero } from './print-scalar.js';
import type { MessagePrinter } from './printer.js';
import { isUnknownValue, joinedRecords } from './record.js';
import type { FieldTable } from './table.js';
import { maxWireDepth, type WireSource } from './wire-source.js';

const colon = 0x3a;
const quote = 0x22;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * Prints the entries of records that follow each other; the first tag, at `first`, has been read. What stands behind `before`
 * is dropped when nothing is printed.
 */
export function printMapRun(
  printer: MessagePrinter,
  field: FieldTable,
  first: number,
  end: number,
  before: number,
): void {
  const out = printer.out;
  const start = out.pos;
  if (!printer.isHopeful) printWholeRun(printer, field, first, end);
  else if (!printRun(printer, field, end)) {
    printer.disappoint();
    out.pos = start;
    printWholeRun(printer, field, first, end);
  }
  if (out.pos === start && printer.emission === 'set') out.pos = before;
  else out.enclose(start, openBrace, closeBrace);
}

/** Prints entries as they come; false when a key comes twice. */
function printRun(printer: MessagePrinter, field: FieldTable, end: number): boolean {
  const { source, out } = printer;
  const [key, value] = field.message().fields as [FieldTable, FieldTable];
  let keys: MapKeys | null = null;
  for (;;) {
    const keyStart = out.pos;
    const keyEnd = printEntry(printer, key, value, source.lengthEnd(end));
    const isLast = source.pos >= end;
    if (keys !== null || !isLast) {
      keys ??= new MapKeys();
      if (keys.has(out.buf, keyStart, keyEnd)) return false;
    }
    if (isLast) return true;
    const at = source.pos;
    if (source.tag(end) !== field.tag) {
      source.pos = at;
      return true;
    }
  }
}

/** Prints the entries of a run of which the first record begins at `first`: of each key the last. */
function printWholeRun(printer: MessagePrinter, field: FieldTable, first: number, end: number): void {
  const source = printer.source;
  source.pos = first;
  const last = lastOfRun(source, field, end);
  const after = source.pos;
  printEntries(printer, field, first, last, end);
  source.pos = after;
}

/** Prints a map of which all records begin from `first` to `last`; false when it is empty and need not be printed. */
export function printMap(
  printer: MessagePrinter,
  field: FieldTable,
  first: number,
  last: number,
  end: number,
): boolean {
  const out = printer.out;
  const start = out.pos;
  printEntries(printer, field, first, last, end);
  const isEmpty = out.pos === start;
  out.enclose(start, openBrace, closeBrace);
  return !isEmpty || printer.emission !== 'set';
}

/** Where the last of the records begins that follow each other from the position, which is moved behind it. */
function lastOfRun(source: WireSource, field: FieldTable, end: number): number {
  let last = source.pos;
  while (source.pos < end) {
    const at = source.pos;
    if (source.tag(end) !== field.tag) {
      source.pos = at;
      break;
    }
    last = at;
    source.pos = source.lengthEnd(end);
  }
  return last;
}

function printEntries(printer: MessagePrinter, field: FieldTable, first: number, last: number, end: number): void {
  const source = printer.source;
  const [key, value] = field.message().fields as [FieldTable, FieldTable];
  for (const entry of lastEntries(printer, field, first, last, end)) {
    source.pos = entry;
    source.tag(end);
    printEntry(printer, key, value, source.lengthEnd(end));
  }
}

/** Where the entries of a map begin, of each key the last one. */
function lastEntries(
  printer: MessagePrinter,
  field: FieldTable,
  first: number,
  last: number,
  end: number,
): Iterable<number> {
  const { source, out } = printer;
  const entries = new Map<string, number>();
  const start = out.pos;
  source.pos = first;
  while (source.pos <= last) {
    const at = source.pos;
    const tag = source.tag(end);
    if (tag !== field.tag) {
      source.skip(tag, end, maxWireDepth);
      continue;
    }
    const entryEnd = source.lengthEnd(end);
    const keyEnd = printEntryKey(printer, field, entryEnd);
    if (keyEnd >= 0) entries.set(latin1(out.buf, start, keyEnd), at);
    out.pos = start;
    source.pos = entryEnd;
  }
  return entries.values();
}

/** Prints the key of the entry at the position; answers where it ends, or -1 when the entry is an unknown one. */
function printEntryKey(printer: MessagePrinter, field: FieldTable, end: number): number {
  const source = printer.source;
  const [key, value] = field.message().fields as [FieldTable, FieldTable];
  let keyAt = -1;
  while (source.pos < end) {
    const tag = source.tag(end);
    if (tag === key.tag) keyAt = source.pos;
    else if (tag === value.tag && value.isClosedEnum && isUnknownValue(source, value, end)) return -1;
    source.skip(tag, end, maxWireDepth);
  }
  printKey(printer, key, keyAt, end);
  return printer.out.pos;
}

/** Prints the entry that stands between the position and `end`; answers where its key ends. */
function printEntry(printer: MessagePrinter, key: FieldTable, value: FieldTable, end: number): number {
  const { source, out } = printer;
  const before = out.pos;
  const start = source.pos;
  // Nearly every entry is a key and a value, in this order.
  if (start < end && source.tag(end) === key.tag) {
    out.comma();
    printKey(printer, key, source.pos, end);
    const keyEnd = out.pos;
    if (source.pos < end && !value.isClosedEnum && source.tag(end) === value.tag) {
      out.byte(colon);
      if (!value.isMessage) printScalar(source, value, end, out);
      else if (endsAt(source, end)) printer.nested(value, value.tag, end);
      if (source.pos === end) return keyEnd;
    }
    out.pos = before;
  }
  source.pos = start;
  return printLooseEntry(printer, key, value, end);
}

/** Whether the length-delimited value at the position is the last of its entry. */
function endsAt(source: WireSource, end: number): boolean {
  const at = source.pos;
  const isLast = source.lengthEnd(end) === end;
  source.pos = at;
  return isLast;
}

/** An entry of which parts are missing, doubled or the other way round. */
function printLooseEntry(printer: MessagePrinter, key: FieldTable, value: FieldTable, end: number): number {
  const { source, out } = printer;
  const before = out.pos;
  let keyAt = -1;
  let valueFirst = -1;
  let valueLast = -1;
  while (source.pos < end) {
    const at = source.pos;
    const tag = source.tag(end);
    if (tag === key.tag) keyAt = source.pos;
    else if (tag === value.tag) {
      valueLast = at;
      if (valueFirst < 0) valueFirst = at;
    }
    source.skip(tag, end, maxWireDepth);
  }
  out.comma();
  printKey(printer, key, keyAt, end);
  const keyEnd = out.pos;
  out.byte(colon);
  const isPrinted = printValue(printer, value, valueFirst, valueLast, end);
  source.pos = end;
  if (isPrinted) return keyEnd;
  out.pos = before;
  return before;
}

/** Prints the key whose value begins at `at`, or the zero of its type when that is negative. */
function printKey({ source, out }: MessagePrinter, key: FieldTable, at: number, end: number): void {
  const quotesItself = key.kind === fieldKind.string || key.is64;
  if (!quotesItself) out.byte(quote);
  if (at < 0) printZero(key, out);
  else {
    source.pos = at;
    printScalar(source, key, end, out);
  }
  if (!quotesItself) out.byte(quote);
}

/** False when the entry is an unknown one, its value being none of a closed enum's. */
function printValue(printer: MessagePrinter, value: FieldTable, first: number, last: number, end: number): boolean {
  const { source, out } = printer;
  if (first < 0) {
    if (value.isMessage) printer.message(value.message(), source.pos);
    else printZero(value, out);
    return true;
  }
  source.pos = last;
  const tag = source.tag(end);
  if (value.isMessage) {
    if (first === last) printer.nested(value, tag, end);
    else printMerged(printer, value, first, last, end);
    return true;
  }
  if (value.isClosedEnum && isUnknownValue(source, value, end)) return false;
  printScalar(source, value, end, out);
  return true;
}

/** A message in several records is their fields one after the other. */
export function printMerged(
  printer: MessagePrinter,
  field: FieldTable,
  first: number,
  last: number,
  end: number,
): void {
  const source = printer.source;
  const whole = source.src;
  const joined = joinedRecords(source, field, first, last, end);
  const after = source.pos;
  source.load(joined);
  printer.message(field.message(), joined.length);
  source.load(whole);
  source.pos = after;
}
