import { formatDuration, formatTimestamp, maxDuration, maxTimestamp, minTimestamp } from './time.js';
import { printMap } from './print-map.js';
import { printDouble, printScalar, printZero } from './print-scalar.js';
import type { MessagePrinter } from './printer.js';
import type { FieldTable, MessageTable } from './table.js';
import { maxWireDepth, WireFault } from './wire-source.js';

const tag1Varint = 0x08;
const tag1Bytes = 0x0a;
const tag2Varint = 0x10;
const tag2Bytes = 0x12;

/** Prints the JSON form of a well-known type, whose fields stand between the position and `end`. */
export function printKnown(printer: MessagePrinter, table: MessageTable, end: number): void {
  switch (table.known) {
    case 'timestamp':
      printTimestamp(printer, end);
      return;
    case 'duration':
      printDuration(printer, end);
      return;
    case 'field-mask':
      printFieldMask(printer, end);
      return;
    case 'struct':
      printMap(printer, table.fields[0] as FieldTable, printer.source.pos, end - 1, end);
      printer.source.pos = end;
      return;
    case 'value':
      printValue(printer, table, end);
      return;
    case 'list-value':
      printListValue(printer, table, end);
      return;
    case 'wrapper':
      printWrapper(printer, table, end);
      return;
    case 'any':
      printAny(printer, end);
      return;
    case 'none':
      printer.message(table, end);
  }
}

/** Seconds, of which those that are no exact number are out of range anyway, and nanos. */
function readMoment({ source }: MessagePrinter, end: number): [seconds: number, nanos: number] {
  let seconds = 0;
  let nanos = 0;
  while (source.pos < end) {
    const tag = source.tag(end);
    if (tag === tag1Varint) {
      source.varint64(end);
      seconds = source.safeInteger(true);
    } else if (tag === tag2Varint) nanos = source.varint32(end) | 0;
    else source.skip(tag, end, maxWireDepth);
  }
  return [seconds, nanos];
}

function printTimestamp(printer: MessagePrinter, end: number): void {
  const [seconds, nanos] = readMoment(printer, end);
  if (!(seconds >= minTimestamp && seconds <= maxTimestamp && nanos >= 0 && nanos <= 999_999_999)) {
    throw new WireFault('a Timestamp is out of range');
  }
  printer.out.ascii(`"${formatTimestamp(seconds, nanos)}"`);
}

function printDuration(printer: MessagePrinter, end: number): void {
  const [seconds, nanos] = readMoment(printer, end);
  const inRange = Math.abs(seconds) <= maxDuration && Math.abs(nanos) <= 999_999_999;
  if (!inRange || (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
    throw new WireFault('a Duration is out of range');
  printer.out.ascii(`"${formatDuration(seconds, nanos)}"`);
}

function printFieldMask({ source, out }: MessagePrinter, end: number): void {
  const paths: string[] = [];
  while (source.pos < end) {
    const tag = source.tag(end);
    if (tag !== tag1Bytes) {
      source.skip(tag, end, maxWireDepth);
      continue;
    }
    const after = source.lengthEnd(end);
    paths.push(camelPath(new TextDecoder().decode(source.src.subarray(source.pos, after))));
    source.pos = after;
  }
  const text = new TextEncoder().encode(paths.join(','));
  out.string(text, 0, text.length);
}

/** Only a path that its camel case leads back to can be printed. */
function camelPath(path: string): string {
  const camel = path.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
  if (camel.includes('_') || /[A-Z]/.test(path))
    throw new WireFault('a FieldMask has a path without a lowerCamelCase form');
  return camel;
}

function printListValue(printer: MessagePrinter, table: MessageTable, end: number): void {
  const { source, out } = printer;
  const value = (table.fields[0] as FieldTable).message();
  const start = out.pos;
  while (source.pos < end) {
    const tag = source.tag(end);
    if (tag !== tag1Bytes) {
      source.skip(tag, end, maxWireDepth);
      continue;
    }
    out.comma();
    printer.message(value, source.lengthEnd(end));
  }
  out.enclose(start, 0x5b, 0x5d);
}

/** The last kind that is set counts; a Value without one cannot be printed. */
function printValue(printer: MessagePrinter, table: MessageTable, end: number): void {
  const { source, out } = printer;
  let kindTag = 0;
  let at = 0;
  while (source.pos < end) {
    const tag = source.tag(end);
    if (tag === 0x08 || tag === 0x11 || tag === 0x1a || tag === 0x20 || tag === 0x2a || tag === 0x32) {
      kindTag = tag;
      at = source.pos;
    }
    source.skip(tag, end, maxWireDepth);
  }
  source.pos = at;
  switch (kindTag) {
    case 0x08:
      out.ascii('null');
      break;
    case 0x11: {
      const value = source.double(end);
      if (!Number.isFinite(value)) throw new WireFault('a Value is a number that JSON does not have');
      printDouble(value, out);
      break;
    }
    case 0x1a:
    case 0x20:
      printScalar(source, table.fields[(kindTag >>> 3) - 1] as FieldTable, end, out);
      break;
    case 0x2a:
    case 0x32:
      printer.message((table.fields[(kindTag >>> 3) - 1] as FieldTable).message(), source.lengthEnd(end));
      break;
    default:
      throw new WireFault('a Value has no kind');
  }
  source.pos = end;
}

function printWrapper({ source, out }: MessagePrinter, table: MessageTable, end: number): void {
  const value = table.fields[0] as FieldTable;
  let at = -1;
  while (source.pos < end) {
    const tag = source.tag(end);
    if (tag === value.tag) at = source.pos;
    source.skip(tag, end, maxWireDepth);
  }
  if (at < 0) {
    printZero(value, out);
    return;
  }
  source.pos = at;
  printScalar(source, value, end, out);
  source.pos = end;
}

/** An Any of an unknown type keeps its bytes, in base64, so that it is not lost (PJ11). */
export function printAny(printer: MessagePrinter, end: number): void {
  const { source, out } = printer;
  let urlStart = 0;
  let urlEnd = 0;
  let valueStart = end;
  let valueEnd = end;
  while (source.pos < end) {
    const tag = source.tag(end);
    if (tag !== tag1Bytes && tag !== tag2Bytes) {
      source.skip(tag, end, maxWireDepth);
      continue;
    }
    const after = source.lengthEnd(end);
    if (tag === tag1Bytes) [urlStart, urlEnd] = [source.pos, after];
    else [valueStart, valueEnd] = [source.pos, after];
    source.pos = after;
  }
  out.byte(0x7b);
  if (urlStart < urlEnd) {
    out.ascii('"@type":');
    if (!out.string(source.src, urlStart, urlEnd)) throw new WireFault('a string is not UTF-8');
    const typeUrl = new TextDecoder().decode(source.src.subarray(urlStart, urlEnd));
    const table = printer.resolve(typeUrl.slice(typeUrl.lastIndexOf('/') + 1));
    source.pos = valueStart;
    if (table?.known === 'none') printer.fields(table, valueEnd);
    else {
      out.ascii(',"value":');
      if (table === undefined) out.base64(source.src, valueStart, valueEnd);
      else printer.message(table, valueEnd);
    }
  }
  out.byte(0x7d);
  source.pos = end;
}
