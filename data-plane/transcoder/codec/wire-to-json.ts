import { fieldKind, type Field } from '../schema/types.js';
import { FieldPlaces } from './field-places.js';
import { JsonOutput } from './json-output.js';
import { latin1, MapKeys } from './map-keys.js';
import { printKnown } from './print-known.js';
import { printPacked, printScalar, printZero } from './print-scalar.js';
import type { EnumTable, FieldTable, MessageTable } from './table.js';
import { maxWireDepth, WireFault, WireSource } from './wire-source.js';

/**
 * What is printed of fields that are not set (PJ3): nothing; fields without presence, lists and maps; those and null for
 * messages, as grpc-gateway does.
 */
export type Emission = 'set' | 'implicit' | 'all';

/** A message out of order is printed twice, its inner ones too; after so many the attempt in order is not made any more. */
const maxDisorders = 4;

const colon = 0x3a;
const quote = 0x22;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * Prints the JSON form of messages straight from their wire form, fields in the order of declaration. Members and elements are
 * printed with a comma before each; the first one's gives way to the bracket. One printer serves a schema and works on one
 * message at a time. Throws WireFault when the bytes are not the message.
 */
export class WireToJson {
  readonly source = new WireSource();
  readonly out = new JsonOutput();
  readonly resolve: (typeName: string) => MessageTable | undefined;
  emission: Emission = 'set';
  depth = 0;
  #disorders = 0;
  readonly #places = new FieldPlaces();

  constructor(resolve: (typeName: string) => MessageTable | undefined) {
    this.resolve = resolve;
  }

  begin(wire: Uint8Array, emission: Emission): void {
    this.source.load(wire);
    this.out.pos = 0;
    this.depth = 0;
    this.#disorders = 0;
    this.#places.clear();
    this.emission = emission;
  }

  /** Prints the message whose fields stand between the position and `end`. */
  message(table: MessageTable, end: number): void {
    // A Value is no container; what it holds is.
    const isContainer = table.known !== 'value';
    if (isContainer && ++this.depth > maxWireDepth) throw new WireFault('it is nested too deeply');
    if (table.known === 'none') {
      const start = this.out.pos;
      this.fields(table, end);
      this.out.enclose(start, openBrace, closeBrace);
    } else {
      printKnown(this, table, end);
    }
    if (isContainer) this.depth--;
  }

  /** Prints the fields of a message, each with a comma before it, without braces. */
  fields(table: MessageTable, end: number): void {
    if (this.#disorders < maxDisorders) {
      const start = this.source.pos;
      const before = this.out.pos;
      if (this.#inOrder(table, end)) return;
      this.#disorders++;
      this.source.pos = start;
      this.out.pos = before;
    }
    this.#inAnyOrder(table, end);
  }

  /**
   * Prints fields as they come, which works for what nearly every service sends: records in the order of declaration, each
   * single field once. False, with the output to be dropped, when they come otherwise.
   */
  #inOrder(table: MessageTable, end: number): boolean {
    const source = this.source;
    const fields = table.fields;
    const emitsUnset = this.emission !== 'set';
    let next = 0;
    let oneofs = 0;
    while (source.pos < end) {
      const at = source.pos;
      const tag = source.tag(end);
      const guess = fields[next];
      const index = guess !== undefined && guess.tag === tag ? next : table.indexOf(tag >>> 3);
      const field = index < 0 ? undefined : fields[index];
      if (field === undefined || (tag !== field.tag && !takesTag(field, tag))) {
        source.skip(tag, end, maxWireDepth);
        continue;
      }
      if (index < next || (field.isClosedEnum && this.#isUnknownValue(field, end))) return false;
      if (field.oneofMark >= 0) {
        const bit = 1 << (field.oneofMark - fields.length);
        if (table.oneofCount > 31 || (oneofs & bit) !== 0) return false;
        oneofs |= bit;
      }
      if (emitsUnset) for (; next < index; next++) this.#unset(fields[next] as FieldTable);
      next = index + 1;
      this.#inPlace(field, tag, at, end);
    }
    if (emitsUnset) for (; next < fields.length; next++) this.#unset(fields[next] as FieldTable);
    return true;
  }

  /** Prints a field of which the first tag, at `at`, has just been read. */
  #inPlace(field: FieldTable, tag: number, at: number, end: number): void {
    const out = this.out;
    const before = out.pos;
    out.key(field);
    if (field.isMap) this.#mapRun(field, at, end, before);
    else if (field.repeated) this.#listRun(field, tag, end, before);
    else if (field.isMessage) this.#nested(field, tag, end);
    else if (printScalar(this.source, field, end, out) && field.implicit && this.emission === 'set') out.pos = before;
  }

  /** Prints the elements of records that follow each other; the first tag has been read. */
  #listRun(field: FieldTable, firstTag: number, end: number, before: number): void {
    const { source, out } = this;
    const start = out.pos;
    for (let tag = firstTag; ;) {
      this.#elements(field, tag, end);
      if (source.pos >= end) break;
      const at = source.pos;
      tag = source.tag(end);
      if (tag !== field.tag && !takesTag(field, tag)) {
        source.pos = at;
        break;
      }
    }
    if (out.pos === start && this.emission === 'set') out.pos = before;
    else out.enclose(start, openBracket, closeBracket);
  }

  /** Prints the elements of one record, whose tag has been read. */
  #elements(field: FieldTable, tag: number, end: number): void {
    const source = this.source;
    if (tag === field.tag) {
      this.#element(field, tag, end);
      return;
    }
    const packedEnd = source.lengthEnd(end);
    if (printPacked(source, field, packedEnd, this.out)) return;
    while (source.pos < packedEnd) this.#element(field, tag, packedEnd);
  }

  #element(field: FieldTable, tag: number, end: number): void {
    const { source, out } = this;
    if (field.isClosedEnum && !isListed(source, field.enumeration(), end)) return;
    out.comma();
    if (field.isMessage) this.#nested(field, tag, end);
    else printScalar(source, field, end, out);
  }

  /** Prints the entries of records that follow each other; the first tag, at `first`, has been read. */
  #mapRun(field: FieldTable, first: number, end: number, before: number): void {
    const { source, out } = this;
    const start = out.pos;
    const [key, value] = field.message().fields as [FieldTable, FieldTable];
    let keys: MapKeys | null = null;
    for (;;) {
      const keyStart = out.pos;
      const keyEnd = this.#entry(key, value, source.lengthEnd(end));
      const isLast = source.pos >= end;
      if (keys !== null || !isLast) {
        keys ??= new MapKeys();
        if (keys.has(out.buf, keyStart, keyEnd)) {
          this.#doubledMap(field, first, start, end);
          break;
        }
      }
      if (isLast) break;
      const at = source.pos;
      if (source.tag(end) !== field.tag) {
        source.pos = at;
        break;
      }
    }
    if (out.pos === start && this.emission === 'set') out.pos = before;
    else out.enclose(start, openBrace, closeBrace);
  }

  /** Prints the entries of a map anew of which some key comes twice: the later one takes the place of the earlier. */
  #doubledMap(field: FieldTable, first: number, start: number, end: number): void {
    const source = this.source;
    source.pos = first;
    this.out.pos = start;
    const last = this.#lastOfRun(field, end);
    const after = source.pos;
    this.#entries(field, first, last, end);
    source.pos = after;
  }

  /** Where the last of the records begins that follow each other from the position, which is moved behind it. */
  #lastOfRun(field: FieldTable, end: number): number {
    const source = this.source;
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

  /** Prints fields whose records come in any order and number: finds all of them first. */
  #inAnyOrder(table: MessageTable, end: number): void {
    const base = this.#index(table, end);
    const out = this.out;
    for (const field of table.fields) {
      const first = this.#places.first(base, field);
      const last = this.#places.last(base, field);
      if (first < 0) {
        if (this.emission !== 'set') this.#unset(field);
        continue;
      }
      const before = out.pos;
      out.key(field);
      if (!this.#present(field, first, last, end)) out.pos = before;
    }
    this.#places.leave(base);
    this.source.pos = end;
  }

  /** Finds the records of each field. Fields that the message does not have are passed over (PJ15). */
  #index(table: MessageTable, end: number): number {
    const base = this.#places.enter(table);
    const source = this.source;
    while (source.pos < end) {
      const at = source.pos;
      const tag = source.tag(end);
      const index = table.indexOf(tag >>> 3);
      const field = index < 0 ? undefined : table.fields[index];
      if (field !== undefined && takesTag(field, tag) && !(field.isClosedEnum && this.#isUnknownValue(field, end))) {
        this.#places.add(base, table, field, at);
      }
      source.skip(tag, end, maxWireDepth);
    }
    return base;
  }

  /** A number that a closed enum does not have counts as an unknown field; one in a list is passed over on its own. */
  #isUnknownValue(field: FieldTable, end: number): boolean {
    if (field.repeated) return false;
    const at = this.source.pos;
    const value = this.source.varint32(end) | 0;
    this.source.pos = at;
    return !field.enumeration().type.names.has(value);
  }

  #unset(field: FieldTable): void {
    const out = this.out;
    if (field.field.extension) return;
    const isNull = !field.repeated && !field.implicit;
    if (isNull && (this.emission !== 'all' || field.field.synthetic || field.oneofMark >= 0)) return;
    out.key(field);
    if (field.repeated) out.ascii(field.isMap ? '{}' : '[]');
    else if (isNull) out.ascii('null');
    else printZero(field, out);
  }

  /** Prints the value of a field that is set; false when it need not be printed. */
  #present(field: FieldTable, first: number, last: number, end: number): boolean {
    if (field.isMap) return this.map(field, first, last, end);
    if (field.repeated) return this.#list(field, first, last, end);
    const source = this.source;
    source.pos = last;
    const tag = source.tag(end);
    if (!field.isMessage)
      return !printScalar(source, field, end, this.out) || !field.implicit || this.emission !== 'set';
    if (first === last) this.#nested(field, tag, end);
    else this.#merged(field, first, last, end);
    return true;
  }

  /** Prints the message whose tag has just been read. */
  #nested(field: FieldTable, tag: number, end: number): void {
    const source = this.source;
    if (!field.delimited) {
      this.message(field.message(), source.lengthEnd(end));
      return;
    }
    const start = source.pos;
    const fieldsEnd = source.groupEnd(tag, end, maxWireDepth);
    const after = source.pos;
    source.pos = start;
    this.message(field.message(), fieldsEnd);
    source.pos = after;
  }

  /** A message in several records is their fields one after the other. */
  #merged(field: FieldTable, first: number, last: number, end: number): void {
    const source = this.source;
    const whole = source.src;
    const joined = this.#payload(field, first, last, end);
    const after = source.pos;
    source.load(joined);
    this.message(field.message(), joined.length);
    source.load(whole);
    source.pos = after;
  }

  /** The fields of a message, joined from all its records. */
  #payload(field: FieldTable, first: number, last: number, end: number): Uint8Array {
    const source = this.source;
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
    return joinParts(parts);
  }

  /** The fields of the message that `path` leads to, or null when it is not set. */
  messageAt(table: MessageTable, path: readonly Field[]): Uint8Array | null {
    const source = this.source;
    let current = table;
    for (const step of path) {
      const end = source.src.length;
      const base = this.#index(current, end);
      const field = current.of(step);
      const first = this.#places.first(base, field);
      const last = this.#places.last(base, field);
      if (first < 0) return null;
      source.load(this.#payload(field, first, last, end));
      current = field.message();
    }
    return source.src;
  }

  /** Prints the value of one field of the message that has been loaded, set or not (RS1). */
  fieldValue(table: MessageTable, step: Field): void {
    const end = this.source.src.length;
    const base = this.#index(table, end);
    const field = table.of(step);
    const first = this.#places.first(base, field);
    const out = this.out;
    if (first >= 0) {
      const isPrinted = this.#present(field, first, this.#places.last(base, field), end);
      if (isPrinted || !field.repeated) return;
      out.pos = 0;
    }
    if (field.repeated) out.ascii(field.isMap ? '{}' : '[]');
    else if (field.implicit) printZero(field, out);
    else out.ascii('null');
  }

  #list(field: FieldTable, first: number, last: number, end: number): boolean {
    const { source, out } = this;
    const start = out.pos;
    source.pos = first;
    while (source.pos <= last) {
      const tag = source.tag(end);
      if (takesTag(field, tag)) this.#elements(field, tag, end);
      else source.skip(tag, end, maxWireDepth);
    }
    const isEmpty = out.pos === start;
    out.enclose(start, openBracket, closeBracket);
    return !isEmpty || this.emission !== 'set';
  }

  /** Prints a map of which all records begin from `first` to `last`; false when it is empty and need not be printed. */
  map(field: FieldTable, first: number, last: number, end: number): boolean {
    const out = this.out;
    const start = out.pos;
    this.#entries(field, first, last, end);
    const isEmpty = out.pos === start;
    out.enclose(start, openBrace, closeBrace);
    return !isEmpty || this.emission !== 'set';
  }

  #entries(field: FieldTable, first: number, last: number, end: number): void {
    const source = this.source;
    const [key, value] = field.message().fields as [FieldTable, FieldTable];
    for (const entry of this.#lastEntries(field, key, value, first, last, end)) {
      source.pos = entry;
      source.tag(end);
      this.#entry(key, value, source.lengthEnd(end));
    }
  }

  /** Where the entries of a map begin, of each key the last one. */
  #lastEntries(
    field: FieldTable,
    key: FieldTable,
    value: FieldTable,
    first: number,
    last: number,
    end: number,
  ): Iterable<number> {
    const { source, out } = this;
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
      const keyEnd = this.#entryKey(key, value, entryEnd);
      if (keyEnd >= 0) entries.set(latin1(out.buf, start, keyEnd), at);
      out.pos = start;
      source.pos = entryEnd;
    }
    return entries.values();
  }

  /** Prints the key of the entry at the position; answers where it ends, or -1 when the entry is an unknown one. */
  #entryKey(key: FieldTable, value: FieldTable, end: number): number {
    const { source, out } = this;
    let keyAt = -1;
    while (source.pos < end) {
      const tag = source.tag(end);
      if (tag === key.tag) keyAt = source.pos;
      else if (tag === value.tag && value.isClosedEnum && this.#isUnknownValue(value, end)) return -1;
      source.skip(tag, end, maxWireDepth);
    }
    this.#mapKey(key, keyAt, end);
    return out.pos;
  }

  /** Prints the entry that stands between the position and `end`; answers where its key ends. */
  #entry(key: FieldTable, value: FieldTable, end: number): number {
    const { source, out } = this;
    const before = out.pos;
    const start = source.pos;
    // Nearly every entry is a key and a value, in this order.
    if (start < end && source.tag(end) === key.tag) {
      out.comma();
      this.#mapKey(key, source.pos, end);
      const keyEnd = out.pos;
      if (source.pos < end && !value.isClosedEnum && source.tag(end) === value.tag) {
        out.byte(colon);
        if (value.isMessage) this.#nested(value, value.tag, end);
        else printScalar(source, value, end, out);
        if (source.pos === end) return keyEnd;
      }
      out.pos = before;
    }
    source.pos = start;
    return this.#looseEntry(key, value, end);
  }

  /** An entry of which parts are missing, doubled or the other way round. */
  #looseEntry(key: FieldTable, value: FieldTable, end: number): number {
    const { source, out } = this;
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
    this.#mapKey(key, keyAt, end);
    const keyEnd = out.pos;
    out.byte(colon);
    const isPrinted = this.#mapValue(value, valueFirst, valueLast, end);
    source.pos = end;
    if (isPrinted) return keyEnd;
    out.pos = before;
    return before;
  }

  /** Prints the key whose value begins at `at`, or the zero of its type when that is negative. */
  #mapKey(key: FieldTable, at: number, end: number): void {
    const { source, out } = this;
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
  #mapValue(value: FieldTable, first: number, last: number, end: number): boolean {
    const { source, out } = this;
    if (first < 0) {
      if (value.isMessage) this.message(value.message(), source.pos);
      else printZero(value, out);
      return true;
    }
    source.pos = last;
    const tag = source.tag(end);
    if (value.isMessage) {
      if (first === last) this.#nested(value, tag, end);
      else this.#merged(value, first, last, end);
      return true;
    }
    if (value.isClosedEnum && this.#isUnknownValue(value, end)) return false;
    printScalar(source, value, end, out);
    return true;
  }
}

/** Whether a record with this tag can be the field's. Both ways of writing a list of scalars are read. */
function takesTag(field: FieldTable, tag: number): boolean {
  return tag === field.tag || (field.isPackable && (tag & 7) === 2 && tag >>> 3 === field.tag >>> 3);
}

/** Whether the enum value at the position is printed; one that a closed enum does not have is passed over. */
function isListed(source: WireSource, table: EnumTable, end: number): boolean {
  const at = source.pos;
  const isKnown = table.type.names.has(source.varint32(end) | 0);
  if (isKnown) source.pos = at;
  return isKnown;
}

function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
