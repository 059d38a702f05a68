import { fieldKind, type Field, type FieldKind } from '../schema/types.js';
import { JsonOutput } from './json-output.js';
import { printKnown } from './print-known.js';
import { printScalar, printZero } from './print-scalar.js';
import type { EnumTable, FieldTable, MessageTable } from './table.js';
import { wireTypeOf } from './text.js';
import { WireFault, WireSource } from './wire-source.js';

/**
 * What is printed of fields that are not set (PJ3): nothing; fields without presence, lists and maps; those and null for
 * messages, as grpc-gateway does.
 */
export type Emission = 'set' | 'implicit' | 'all';

export const maxWireDepth = 100;

const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const nullBytes = new TextEncoder().encode('null');

/**
 * Prints the JSON form of messages straight from their wire form, fields in the order of declaration. One printer serves a
 * schema and works on one message at a time. Throws WireFault when the bytes are not the message.
 */
export class WireToJson {
  readonly source = new WireSource();
  readonly out = new JsonOutput();
  readonly resolve: (typeName: string) => MessageTable | undefined;
  emission: Emission = 'set';
  depth = 0;
  /** For each message that is open: where the first and the last record of each field begin, plus one. */
  #places = new Int32Array(1_024);
  #top = 0;

  constructor(resolve: (typeName: string) => MessageTable | undefined) {
    this.resolve = resolve;
  }

  begin(wire: Uint8Array, emission: Emission): void {
    this.source.load(wire);
    this.out.pos = 0;
    this.depth = 0;
    this.#top = 0;
    this.emission = emission;
  }

  /** Prints the message whose fields stand between the position and `end`. */
  message(table: MessageTable, end: number): void {
    // A Value is no container; what it holds is.
    const isContainer = table.known !== 'value';
    if (isContainer && ++this.depth > maxWireDepth) throw new WireFault('it is nested too deeply');
    if (table.known === 'none') {
      this.out.byte(openBrace);
      this.fields(table, end, false);
      this.out.byte(closeBrace);
    } else {
      printKnown(this, table, end);
    }
    if (isContainer) this.depth--;
  }

  /** Prints the fields of a message without its braces; `following` when a member stands before them. */
  fields(table: MessageTable, end: number, following: boolean): void {
    const base = this.#index(table, end);
    const out = this.out;
    const places = table.fields.length * 2;
    let separate = following;
    for (let at = 0; at < places; at += 2) {
      const field = table.fields[at >>> 1] as FieldTable;
      const first = this.#places[base + at] as number;
      if (first === 0 && this.emission === 'set') continue;
      const before = out.pos;
      if (separate) out.byte(comma);
      const printed =
        first === 0
          ? this.#unset(field)
          : this.#field(field, first - 1, (this.#places[base + at + 1] as number) - 1, end);
      if (printed) separate = true;
      else out.pos = before;
    }
    this.#top = base;
    this.source.pos = end;
  }

  /** Finds the records of each field. Fields that the message does not have are passed over (PJ15). */
  #index(table: MessageTable, end: number): number {
    const base = this.#top;
    this.#top = base + table.placeCount;
    if (this.#top > this.#places.length) {
      const grown = new Int32Array(this.#top * 2);
      grown.set(this.#places);
      this.#places = grown;
    }
    const places = this.#places;
    for (let i = base; i < this.#top; i++) places[i] = 0;
    const source = this.source;
    while (source.pos < end) {
      const at = source.pos;
      const tag = source.tag(end);
      const index = table.indexOf(tag >>> 3);
      const field = index < 0 ? undefined : table.fields[index];
      if (field === undefined || !takesTag(field, tag) || this.#isUnknownValue(field, end)) {
        source.skip(tag, end, maxWireDepth);
        continue;
      }
      const place = base + index * 2;
      if (places[place] === 0) {
        places[place] = at + 1;
        if (field.oneofMark >= 0) clearSibling(places, base, base + table.fields.length + field.oneofMark, index);
      }
      places[place + 1] = at + 1;
      source.skip(tag, end, maxWireDepth);
    }
    return base;
  }

  /** A number that a closed enum does not have counts as an unknown field. */
  #isUnknownValue(field: FieldTable, end: number): boolean {
    if (field.kind !== fieldKind.enum || field.repeated) return false;
    const type = field.enumeration().type;
    if (type.open) return false;
    const at = this.source.pos;
    const value = this.source.varint32(end) | 0;
    this.source.pos = at;
    return !type.names.has(value);
  }

  #unset(field: FieldTable): boolean {
    const out = this.out;
    if (field.field.extension) return false;
    if (field.repeated) {
      out.raw(field.key);
      out.byte(field.isMap ? openBrace : openBracket);
      out.byte(field.isMap ? closeBrace : closeBracket);
      return true;
    }
    if (field.implicit) {
      out.raw(field.key);
      printZero(field, out);
      return true;
    }
    if (this.emission !== 'all' || field.field.synthetic || field.oneofMark >= 0) return false;
    out.raw(field.key);
    out.raw(nullBytes);
    return true;
  }

  #field(field: FieldTable, first: number, last: number, end: number): boolean {
    this.out.raw(field.key);
    return this.#present(field, first, last, end);
  }

  /** Prints the value of a field that is set; false when it need not be printed. */
  #present(field: FieldTable, first: number, last: number, end: number): boolean {
    if (field.isMap) return this.map(field, first, last, end);
    if (field.repeated) return this.#list(field, first, last, end);
    const source = this.source;
    source.pos = last;
    const tag = source.tag(end);
    if (!isMessageKind(field.kind))
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
    let current = table;
    for (const step of path) {
      const source = this.source;
      const end = source.src.length;
      const base = this.#index(current, end);
      const field = current.of(step);
      const first = this.#places[base + field.index * 2] as number;
      if (first === 0) return null;
      source.load(this.#payload(field, first - 1, (this.#places[base + field.index * 2 + 1] as number) - 1, end));
      current = field.message();
    }
    return this.source.src;
  }

  /** Prints the value of one field of the message that has been loaded, set or not (RS1). */
  fieldValue(table: MessageTable, step: Field): void {
    const end = this.source.src.length;
    const base = this.#index(table, end);
    const field = table.of(step);
    const first = this.#places[base + field.index * 2] as number;
    const out = this.out;
    if (first !== 0) this.#present(field, first - 1, (this.#places[base + field.index * 2 + 1] as number) - 1, end);
    else if (field.repeated) out.ascii(field.isMap ? '{}' : '[]');
    else if (field.implicit) printZero(field, out);
    else out.raw(nullBytes);
  }

  #list(field: FieldTable, first: number, last: number, end: number): boolean {
    const { source, out } = this;
    out.byte(openBracket);
    const empty = out.pos;
    source.pos = first;
    while (source.pos <= last) {
      const tag = source.tag(end);
      if (tag === field.tag) this.#element(field, tag, end, empty);
      else if (tag >>> 3 === field.field.number && (tag & 7) === 2 && isPackable(field.kind)) {
        const packedEnd = source.lengthEnd(end);
        while (source.pos < packedEnd) this.#element(field, tag, packedEnd, empty);
      } else source.skip(tag, end, maxWireDepth);
    }
    const printed = out.pos !== empty;
    out.byte(closeBracket);
    return printed || this.emission !== 'set';
  }

  #element(field: FieldTable, tag: number, end: number, empty: number): void {
    const { source, out } = this;
    const before = out.pos;
    if (before !== empty) out.byte(comma);
    if (isMessageKind(field.kind)) this.#nested(field, tag, end);
    else if (field.kind === fieldKind.enum && !isListed(source, field.enumeration(), end)) out.pos = before;
    else printScalar(source, field, end, out);
  }

  /** Prints a map of which all records begin from `first` to `last`. */
  map(field: FieldTable, first: number, last: number, end: number): boolean {
    const { source, out } = this;
    const [key, value] = field.message().fields as [FieldTable, FieldTable];
    out.byte(openBrace);
    const empty = out.pos;
    const entries = first === last ? [last] : this.#lastEntries(field.tag, key, first, last, end);
    for (const entry of entries) {
      source.pos = entry;
      source.tag(end);
      this.#entry(key, value, source.lengthEnd(end), empty);
    }
    const printed = out.pos !== empty;
    out.byte(closeBrace);
    return printed || this.emission !== 'set';
  }

  /** Where the entries of a map begin, of each key the last one. */
  #lastEntries(mapTag: number, key: FieldTable, first: number, last: number, end: number): Iterable<number> {
    const source = this.source;
    const entries = new Map<string, number>();
    source.pos = first;
    while (source.pos <= last) {
      const at = source.pos;
      const tag = source.tag(end);
      if (tag !== mapTag) {
        source.skip(tag, end, maxWireDepth);
        continue;
      }
      const entryEnd = source.lengthEnd(end);
      entries.set(this.#keyText(key, entryEnd), at);
      source.pos = entryEnd;
    }
    return entries.values();
  }

  /** The bytes of an entry's key, one char each; '' for the zero key, which need not be on the wire. */
  #keyText(key: FieldTable, entryEnd: number): string {
    const { source } = this;
    let text = '';
    while (source.pos < entryEnd) {
      const tag = source.tag(entryEnd);
      if (tag !== key.tag) {
        source.skip(tag, entryEnd, maxWireDepth);
        continue;
      }
      let start = source.pos;
      source.skip(tag, entryEnd, maxWireDepth);
      if (key.kind === fieldKind.string) {
        const after = source.pos;
        source.pos = start;
        source.lengthEnd(entryEnd);
        start = source.pos;
        source.pos = after;
      }
      text = '';
      let isZero = key.kind !== fieldKind.string;
      for (let at = start; at < source.pos; at++) {
        if (source.src[at] !== 0) isZero = false;
        text += String.fromCharCode(source.src[at] as number);
      }
      if (isZero) text = '';
    }
    return text;
  }

  #entry(key: FieldTable, value: FieldTable, end: number, empty: number): void {
    const { source, out } = this;
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
    const before = out.pos;
    if (before !== empty) out.byte(comma);
    this.#mapKey(key, keyAt, end);
    out.byte(0x3a);
    if (!this.#mapValue(value, valueFirst, valueLast, end)) out.pos = before;
    source.pos = end;
  }

  #mapKey(key: FieldTable, at: number, end: number): void {
    const { source, out } = this;
    const quoted = key.kind === fieldKind.string || is64(key.kind);
    if (!quoted) out.byte(0x22);
    if (at < 0) printZero(key, out);
    else {
      source.pos = at;
      printScalar(source, key, end, out);
    }
    if (!quoted) out.byte(0x22);
  }

  /** False when the entry is unknown, its value being none of a closed enum's. */
  #mapValue(value: FieldTable, first: number, last: number, end: number): boolean {
    const { source, out } = this;
    if (first < 0) {
      if (isMessageKind(value.kind)) this.message(value.message(), source.pos);
      else printZero(value, out);
      return true;
    }
    source.pos = last;
    const tag = source.tag(end);
    if (isMessageKind(value.kind)) {
      if (first === last) this.#nested(value, tag, end);
      else this.#merged(value, first, last, end);
      return true;
    }
    if (value.kind === fieldKind.enum && !isListed(source, value.enumeration(), end)) return false;
    printScalar(source, value, end, out);
    return true;
  }
}

/** Whether a record with this tag can be the field's. Both ways of writing a list of scalars are read. */
function takesTag(field: FieldTable, tag: number): boolean {
  return tag === field.tag || (field.repeated && (tag & 7) === 2 && isPackable(field.kind));
}

/** Of a oneof the last member counts; `memberPlace` holds the one before, plus one. */
function clearSibling(places: Int32Array, base: number, memberPlace: number, index: number): void {
  const before = (places[memberPlace] as number) - 1;
  if (before >= 0 && before !== index) {
    places[base + before * 2] = 0;
    places[base + before * 2 + 1] = 0;
  }
  places[memberPlace] = index + 1;
}

/** Whether the enum value at the position is printed; one that is none of a closed enum's is passed over. */
function isListed(source: WireSource, table: EnumTable, end: number): boolean {
  if (table.type.open) return true;
  const at = source.pos;
  const known = table.type.names.has(source.varint32(end) | 0);
  if (known) source.pos = at;
  return known;
}

function isMessageKind(kind: FieldKind): boolean {
  return kind === fieldKind.message || kind === fieldKind.group;
}

function isPackable(kind: FieldKind): boolean {
  return (wireTypeOf[kind] & 2) === 0 || wireTypeOf[kind] === 5;
}

function is64(kind: FieldKind): boolean {
  switch (kind) {
    case fieldKind.int64:
    case fieldKind.uint64:
    case fieldKind.sint64:
    case fieldKind.fixed64:
    case fieldKind.sfixed64:
      return true;
    default:
      return false;
  }
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
