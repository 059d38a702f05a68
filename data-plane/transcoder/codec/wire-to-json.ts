import { FieldPlaces } from './field-places.js';
import { JsonOutput } from './json-output.js';
import { printKnown } from './print-known.js';
import { printMapRun } from './print-map.js';
import { printPacked, printScalar, printZero } from './print-scalar.js';
import { printScattered } from './print-scattered.js';
import type { Emission, MessagePrinter } from './printer.js';
import { isListed, isUnknownValue, takesTag } from './record.js';
import type { FieldTable, MessageTable } from './table.js';
import { maxWireDepth, WireFault, WireSource } from './wire-source.js';

export type { Emission };

const maxDisappointments = 4;

const nothing = new Uint8Array(0);
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/**
 * Prints the JSON form of messages straight from their wire form, fields in the order of declaration. One printer serves a
 * schema and works on one message at a time. Throws WireFault when the bytes are not the message.
 */
export class WireToJson implements MessagePrinter {
  readonly source = new WireSource();
  readonly out = new JsonOutput();
  readonly places = new FieldPlaces();
  readonly resolve: (typeName: string) => MessageTable | undefined;
  emission: Emission = 'set';
  #depth = 0;
  #disappointments = 0;

  constructor(resolve: (typeName: string) => MessageTable | undefined) {
    this.resolve = resolve;
  }

  begin(wire: Uint8Array, emission: Emission): void {
    this.source.load(wire);
    this.out.begin();
    this.#depth = 0;
    this.#disappointments = 0;
    this.places.clear();
    this.emission = emission;
  }

  /** What has been printed, as bytes that stay as they are; lets the message go. */
  end(): Uint8Array {
    this.source.load(nothing);
    return this.out.take();
  }

  /** The same, as latin1 text when it is short. */
  endShort(): string | Uint8Array {
    this.source.load(nothing);
    return this.out.takeShort();
  }

  get isHopeful(): boolean {
    return this.#disappointments < maxDisappointments;
  }

  disappoint(): void {
    this.#disappointments++;
  }

  message(table: MessageTable, end: number): void {
    // A Value is no container; what it holds is.
    const isContainer = table.known !== 'value';
    if (isContainer && ++this.#depth > maxWireDepth) throw new WireFault('it is nested too deeply');
    if (table.known === 'none') {
      const start = this.out.pos;
      this.fields(table, end);
      this.out.enclose(start, openBrace, closeBrace);
    } else {
      printKnown(this, table, end);
    }
    if (isContainer) this.#depth--;
  }

  fields(table: MessageTable, end: number): void {
    if (this.isHopeful) {
      const start = this.source.pos;
      const before = this.out.pos;
      if (this.#inOrder(table, end)) return;
      this.disappoint();
      this.source.pos = start;
      this.out.pos = before;
    }
    printScattered(this, table, end);
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
      if (index < next || (field.isClosedEnum && isUnknownValue(source, field, end))) return false;
      if (field.oneofMark >= 0) {
        const bit = 1 << (field.oneofMark - fields.length);
        if (table.oneofCount > 31 || (oneofs & bit) !== 0) return false;
        oneofs |= bit;
      }
      if (emitsUnset) for (; next < index; next++) this.unset(fields[next] as FieldTable);
      next = index + 1;
      this.#inPlace(field, tag, at, end);
    }
    if (emitsUnset) for (; next < fields.length; next++) this.unset(fields[next] as FieldTable);
    return true;
  }

  /** Prints a field of which the first tag, at `at`, has just been read. */
  #inPlace(field: FieldTable, tag: number, at: number, end: number): void {
    const out = this.out;
    const before = out.pos;
    out.key(field);
    if (field.isMap) printMapRun(this, field, at, end, before);
    else if (field.repeated) this.#listRun(field, tag, end, before);
    else if (field.isMessage) this.nested(field, tag, end);
    else if (printScalar(this.source, field, end, out) && field.implicit && this.emission === 'set') out.pos = before;
  }

  /** Prints the elements of records that follow each other; the first tag has been read. */
  #listRun(field: FieldTable, firstTag: number, end: number, before: number): void {
    const { source, out } = this;
    const start = out.pos;
    for (let tag = firstTag; ;) {
      this.elements(field, tag, end);
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

  elements(field: FieldTable, tag: number, end: number): void {
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
    if (field.isMessage) this.nested(field, tag, end);
    else printScalar(source, field, end, out);
  }

  nested(field: FieldTable, tag: number, end: number): void {
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

  unset(field: FieldTable): void {
    const out = this.out;
    if (field.field.extension) return;
    const isNull = !field.repeated && !field.implicit;
    if (isNull && (this.emission !== 'all' || field.field.synthetic || field.oneofMark >= 0)) return;
    out.key(field);
    if (field.repeated) out.ascii(field.isMap ? '{}' : '[]');
    else if (isNull) out.ascii('null');
    else printZero(field, out);
  }
}
