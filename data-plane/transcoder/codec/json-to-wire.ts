import { FieldMarks } from './field-marks.js';
import { JsonSource, tooDeep } from './json-source.js';
import { readKnown } from './read-known.js';
import { readName } from './read-name.js';
import { readList, readMap } from './read-repeated.js';
import type { Int64Slot } from './read-number.js';
import { readScalar } from './read-value.js';
import { maxJsonDepth, type MessageReader } from './reader.js';
import { takesNull, type FieldTable, type MessageTable } from './table.js';
import { WireWriter } from './writer.js';

const quote = 0x22;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const letterN = 0x6e;
const colon = 0x3a;

/**
 * Reads the JSON form of messages and writes their wire form in one pass, with no object between. One reader serves a schema:
 * it works on one text at a time, which is `source`, and writes to `out`.
 */
export class JsonToWire implements MessageReader {
  readonly source = new JsonSource();
  out: WireWriter;
  ignoreUnknown = false;
  keepZeros = false;
  readonly resolve: (typeName: string) => MessageTable | undefined;
  readonly slot: Int64Slot = { low: 0, high: 0 };
  depth = 0;
  readonly #marks = new FieldMarks();

  constructor(resolve: (typeName: string) => MessageTable | undefined) {
    this.resolve = resolve;
    this.out = new WireWriter(0);
  }

  /** Makes ready for a text, whose wire form is written behind what `out` holds. */
  begin(json: Uint8Array, out: WireWriter, ignoreUnknown: boolean, keepZeros: boolean): void {
    this.source.load(json);
    this.out = out;
    this.depth = 0;
    this.#marks.clear();
    this.ignoreUnknown = ignoreUnknown;
    this.keepZeros = keepZeros;
  }

  /** Checks that nothing but blanks follows, and lets the text go. */
  end(): void {
    if (this.source.next() !== 0 || this.source.pos < this.source.end) this.source.unexpected('its end');
    this.source.unload();
  }

  message(table: MessageTable): void {
    if (table.known === 'none') this.#object(table, false);
    else readKnown(this, table);
  }

  anyObject(table: MessageTable): void {
    this.#object(table, true);
  }

  /** Reads the object at the position into the fields of `table`. Of an Any, `@type` is passed over. */
  #object(table: MessageTable, isAny: boolean): void {
    const source = this.source;
    if (source.next() !== openBrace) source.fail('is not an object');
    this.enter();
    const seen = this.#marks.enter(table.seenWords);
    const fields = table.fields;
    let expected = 0;
    let hasType = false;
    if (source.next() === closeBrace) source.pos++;
    else
      do {
        if (source.next() !== quote) source.unexpected('a key');
        const start = source.pos;
        const index = this.#key(table, expected);
        if (source.next() !== colon) source.unexpected('":"');
        source.pos++;
        if (index < 0) {
          if (this.#unknown(start, isAny)) {
            if (hasType) source.fail('is given more than once', start);
            hasType = true;
          }
        } else {
          const field = fields[index] as FieldTable;
          if (this.#marks.set(seen, index)) source.fail('is given more than once', start);
          source.next();
          this.#field(field, seen);
          expected = index + 1;
        }
      } while (source.more(closeBrace));
    this.#marks.leave(seen);
    this.depth--;
  }

  /** Reads the value of one field, and writes it with its tag. */
  fieldValue(field: FieldTable): void {
    const base = this.#marks.enter(field.marks);
    const byte = this.source.next();
    if (byte === letterN && !field.repeated && field.isMessage && !takesNull(field)) this.source.fail('is null');
    this.#field(field, base);
    this.#marks.leave(base);
  }

  enter(): void {
    if (++this.depth > maxJsonDepth) this.source.fail(tooDeep);
    this.source.pos++;
  }

  skip(): void {
    this.source.skipValue(maxJsonDepth - this.depth);
  }

  /** Reads the key at the position and answers the field's place, or -1. Callers mostly write fields in their order. */
  #key(table: MessageTable, expected: number): number {
    const source = this.source;
    const guess = table.fields[expected];
    if (guess !== undefined && source.pass(guess.quotedName)) return expected;
    const slot = readName(source, table.names);
    return slot < 0 ? -1 : table.names.value(slot);
  }

  /** Whether it is the `@type` of an Any, which is passed over as any other that the message does not have. */
  #unknown(keyStart: number, isAny: boolean): boolean {
    const source = this.source;
    const isType = isAny && source.ascii(keyStart, keyStart + 7) === '"@type"';
    if (!isType && !this.ignoreUnknown) source.fail('is not a field of the message', keyStart);
    this.skip();
    return isType;
  }

  #field(field: FieldTable, seen: number): void {
    const source = this.source;
    if (source.src[source.pos] === letterN && (field.repeated || !takesNull(field))) {
      source.word('null');
      return;
    }
    if (field.repeated) {
      if (field.isMap) readMap(this, field);
      else readList(this, field);
      return;
    }
    if (field.oneofMark >= 0 && this.#marks.set(seen, field.oneofMark))
      source.fail('is in a oneof of which another member is given as well');
    if (field.isMessage) this.nested(field);
    else readScalar(this, field, field.implicit && !this.keepZeros);
  }

  nested(field: FieldTable): void {
    const out = this.out;
    out.varint32(field.tag);
    if (field.delimited) {
      this.message(field.message());
      out.varint32(field.tag + 1);
    } else {
      const start = out.open();
      this.message(field.message());
      out.close(start);
    }
  }
}
