import { staticTable } from './static-table.js';
import { TextCache } from './text-cache.js';

/** Takes the fields of a block in order, while it is decoded. Values are latin1 text. */
export interface FieldSink {
  field(name: string, value: string): void;
}

/** The block cannot be decoded; the table is lost with it, so the connection has to end (COMPRESSION_ERROR). */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

const staticFields = staticTable.length;
/** RFC 7541 section 4.1: what an entry counts beside its text. */
const entryOverhead = 32;
/** Integers beyond this are an attack: no index, length or table size comes near it. */
const largestInteger = 0x0fffffff;
const emptyBlock: Buffer = Buffer.alloc(0);

/**
 * The decoding side of one connection (RFC 7541): static and dynamic table, size updates, Huffman texts. A block must be
 * given whole. Memory is bounded by the table size; what `sink` keeps is its own affair, and bounded by the block's length
 * times what one table entry can hold.
 */
export class HpackDecoder {
  readonly #texts: TextCache;
  /** A ring: the newest entry stands at `#first`, older ones follow. Grows to the most entries that the table size allows. */
  #names: string[] = new Array<string>(16).fill('');
  #values: string[] = new Array<string>(16).fill('');
  #first = 0;
  #count = 0;
  #tableBytes = 0;
  #tableLimit: number;
  #settingsLimit: number;
  #at = 0;
  #end = 0;
  #block: Buffer = emptyBlock;

  /** `maxTableBytes` is what the peer may use by SETTINGS_HEADER_TABLE_SIZE; 4,096 until it has acknowledged another. */
  constructor(maxTableBytes = 4096, texts: TextCache = new TextCache()) {
    this.#texts = texts;
    this.#tableLimit = maxTableBytes;
    this.#settingsLimit = maxTableBytes;
  }

  get tableBytes(): number {
    return this.#tableBytes;
  }

  /** The peer has given up the table for good, so that a block means the same whenever it comes. */
  get stateless(): boolean {
    return this.#tableLimit === 0 && this.#settingsLimit === 0;
  }

  /** The peer has acknowledged a new limit: its next block may raise or must lower the size to it by an update. */
  setMaxTableBytes(bytes: number): void {
    this.#settingsLimit = bytes;
  }

  /** Decodes `block[start, end)` into `sink`. Throws HpackError. */
  decode(block: Buffer, start: number, end: number, sink: FieldSink): void {
    this.#block = block;
    this.#at = start;
    this.#end = end;
    let updatesAllowed = true;
    while (this.#at < end) {
      const first = block[this.#at] as number;
      if ((first & 0xe0) === 0x20) {
        if (!updatesAllowed) throw new HpackError('a table size update after a field');
        this.#updateSize(this.#integer(0x1f));
        continue;
      }
      updatesAllowed = false;
      if (first >= 0x80) this.#indexed(this.#integer(0x7f), sink);
      else if (first >= 0x40) this.#literal(this.#integer(0x3f), true, false, sink);
      else this.#literal(this.#integer(0x0f), false, first >= 0x10, sink);
    }
    this.#block = emptyBlock;
  }

  #indexed(index: number, sink: FieldSink): void {
    if (index > 0 && index <= staticFields) {
      const [name, value] = staticTable[index - 1] as readonly [string, string];
      sink.field(name, value);
      return;
    }
    const slot = this.#slot(index);
    sink.field(this.#names[slot] as string, this.#values[slot] as string);
  }

  #literal(nameIndex: number, indexing: boolean, secret: boolean, sink: FieldSink): void {
    let name: string;
    if (nameIndex === 0) name = this.#text(false);
    else if (nameIndex <= staticFields) name = (staticTable[nameIndex - 1] as readonly [string, string])[0];
    else name = this.#names[this.#slot(nameIndex)] as string;
    const value = this.#text(secret);
    if (indexing) this.#insert(name, value);
    sink.field(name, value);
  }

  #slot(index: number): number {
    const position = index - staticFields - 1;
    if (position < 0 || position >= this.#count) throw new HpackError(`no field has the index ${index}`);
    return (this.#first + position) & (this.#names.length - 1);
  }

  #insert(name: string, value: string): void {
    const size = name.length + value.length + entryOverhead;
    this.#evict(this.#tableLimit - size);
    // Larger than the whole table: it has emptied it, and that is all (section 4.4).
    if (size > this.#tableLimit) return;
    if (this.#count === this.#names.length) this.#grow();
    this.#first = (this.#first - 1) & (this.#names.length - 1);
    this.#names[this.#first] = name;
    this.#values[this.#first] = value;
    this.#count++;
    this.#tableBytes += size;
  }

  #evict(roomBytes: number): void {
    while (this.#count > 0 && this.#tableBytes > roomBytes) {
      this.#count--;
      const oldest = (this.#first + this.#count) & (this.#names.length - 1);
      this.#tableBytes -=
        (this.#names[oldest] as string).length + (this.#values[oldest] as string).length + entryOverhead;
      this.#names[oldest] = '';
      this.#values[oldest] = '';
    }
  }

  #grow(): void {
    const inOrder = (ring: readonly string[]): string[] => [
      ...ring.slice(this.#first),
      ...ring.slice(0, this.#first),
      ...new Array<string>(ring.length).fill(''),
    ];
    this.#names = inOrder(this.#names);
    this.#values = inOrder(this.#values);
    this.#first = 0;
  }

  #updateSize(bytes: number): void {
    if (bytes > this.#settingsLimit)
      throw new HpackError(`a table of ${bytes} bytes, where ${this.#settingsLimit} are allowed`);
    this.#tableLimit = bytes;
    this.#evict(bytes);
  }

  /** Section 5.1; `mask` covers the prefix bits, and is the largest value that fits in them. */
  #integer(mask: number): number {
    let value = (this.#block[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.#at >= this.#end) throw new HpackError('the block ends within an integer');
      const byte = this.#block[this.#at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > largestInteger) break;
        return value;
      }
    }
    throw new HpackError('an integer is too large');
  }

  #text(secret: boolean): string {
    if (this.#at >= this.#end) throw new HpackError('the block ends within a field');
    const huffman = (this.#block[this.#at] as number) >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#at;
    if (length > this.#end - start) throw new HpackError('a text is longer than its block');
    this.#at = start + length;
    const text = secret
      ? this.#texts.decode(this.#block, start, this.#at, huffman)
      : this.#texts.text(this.#block, start, this.#at, huffman);
    if (text === null) throw new HpackError('a text is not Huffman coded');
    return text;
  }
}
