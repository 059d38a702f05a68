import { joined } from '../../joined.js';
import { ArgumentError } from '../codec/errors.js';

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const byteOrderMark = [0xef, 0xbb, 0xbf];

/**
 * Cuts JSON text that arrives in chunks of any size into values: the elements of one array, or values one after the other,
 * with or without blanks between (ST7), behind a byte order mark or none (BD8). It only finds where values end; whoever reads them finds their faults.
 */
export class JsonSplitter {
  readonly #maxValueBytes: number;
  readonly #take: (value: Uint8Array) => void;
  #state: 'start' | 'element' | 'first-element' | 'separator' | 'value' | 'closed' | 'within' = 'start';
  #isArray = false;
  /** How many bytes of a byte order mark have come. */
  #marked = 0;
  #parts: Uint8Array[] = [];
  #partsLength = 0;
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #isScalar = false;

  /** `take` is called with the text of each value as it becomes complete. */
  constructor(maxValueBytes: number, take: (value: Uint8Array) => void) {
    this.#maxValueBytes = maxValueBytes;
    this.#take = take;
  }

  /** Throws ArgumentError for text between values that does not belong there, and for a value that is too large. */
  push(chunk: Uint8Array): void {
    let pos = 0;
    while (pos < chunk.length) {
      if (this.#state === 'within') pos = this.#continue(chunk, pos);
      else if (isBlank(chunk[pos] as number)) pos++;
      else pos = this.#between(chunk, pos);
    }
  }

  /** Throws ArgumentError when the text ends within the array or within a value. */
  end(): void {
    if (this.#state === 'within' && this.#isScalar && !this.#inString) this.#finish();
    const isWhole = this.#isArray ? this.#state === 'closed' : this.#state === 'start' || this.#state === 'value';
    if (!isWhole) throw new ArgumentError('', 'the JSON text ends too early');
  }

  /** Handles a byte between values; answers where to go on. */
  #between(chunk: Uint8Array, pos: number): number {
    const byte = chunk[pos] as number;
    switch (this.#state) {
      case 'start':
        if (this.#marked < byteOrderMark.length && byte === byteOrderMark[this.#marked]) {
          this.#marked++;
          return pos + 1;
        }
        if (this.#marked % byteOrderMark.length > 0)
          throw new ArgumentError('', 'the JSON text should have a value here');
        this.#isArray = byte === openBracket;
        if (!this.#isArray) return this.#begin(chunk, pos);
        this.#state = 'first-element';
        return pos + 1;
      case 'first-element':
      case 'element':
        if (byte !== closeBracket) return this.#begin(chunk, pos);
        if (this.#state === 'element')
          throw new ArgumentError('', 'the JSON text should have a value behind the comma');
        this.#state = 'closed';
        return pos + 1;
      case 'separator':
        if (byte !== comma && byte !== closeBracket)
          throw new ArgumentError('', 'the JSON text should have "," or "]" behind a value');
        this.#state = byte === comma ? 'element' : 'closed';
        return pos + 1;
      case 'value':
        return this.#begin(chunk, pos);
      case 'closed':
        throw new ArgumentError('', 'the JSON text goes on behind the array');
      case 'within':
        return pos;
    }
  }

  #begin(chunk: Uint8Array, pos: number): number {
    const byte = chunk[pos] as number;
    this.#state = 'within';
    this.#depth = 0;
    this.#isScalar = byte !== 0x7b && byte !== openBracket;
    this.#inString = false;
    return this.#continue(chunk, pos);
  }

  /** Goes on within a value from `pos`; answers the position behind it, or the end of the chunk. */
  #continue(chunk: Uint8Array, from: number): number {
    let pos = from;
    while (pos < chunk.length) {
      if (this.#inString) {
        pos = this.#string(chunk, pos);
        if (!this.#inString && this.#depth === 0) return this.#complete(chunk, from, pos);
        continue;
      }
      const byte = chunk[pos] as number;
      if (byte === quote) this.#inString = true;
      else if (byte === 0x7b || byte === openBracket) this.#depth++;
      else if (byte === 0x7d || byte === closeBracket) {
        if (this.#depth === 0) return this.#complete(chunk, from, pos);
        if (--this.#depth === 0) return this.#complete(chunk, from, pos + 1);
      } else if (this.#isScalar && (byte === comma || isBlank(byte))) return this.#complete(chunk, from, pos);
      pos++;
    }
    this.#keep(chunk.subarray(from));
    return pos;
  }

  /** Goes on within a string; answers the position behind its closing quote, or the end of the chunk. */
  #string(chunk: Uint8Array, from: number): number {
    for (let pos = from; pos < chunk.length; pos++) {
      const byte = chunk[pos];
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === backslash) this.#isEscaped = true;
      else if (byte === quote) {
        this.#inString = false;
        return pos + 1;
      }
    }
    return chunk.length;
  }

  #complete(chunk: Uint8Array, from: number, to: number): number {
    this.#keep(chunk.subarray(from, to));
    this.#finish();
    return to;
  }

  #finish(): void {
    const [first] = this.#parts;
    const value = this.#parts.length === 1 && first !== undefined ? first : joined(this.#parts);
    this.#parts = [];
    this.#partsLength = 0;
    this.#state = this.#isArray ? 'separator' : 'value';
    // A closing bracket where a value should be.
    if (value.length === 0) throw new ArgumentError('', 'the JSON text should have a value here');
    this.#take(value);
  }

  #keep(part: Uint8Array): void {
    this.#partsLength += part.length;
    if (this.#partsLength > this.#maxValueBytes) throw new TooLarge();
    this.#parts.push(part);
  }
}

/** One value of the text is larger than a message may be. */
export class TooLarge extends Error {}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
