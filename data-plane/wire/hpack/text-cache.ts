import { huffmanDecode } from './huffman.js';

const slots = 512;
/** Longer texts are seldom seen twice, and native decoding of them costs less than hashing (65 ns against 2 ns a byte). */
const longestCached = 40;
const sparedScratch = 4096;

/**
 * Turns literal bytes of header blocks into strings, and remembers the short ones: field names and common values come again
 * and again, and finding one by its bytes is cheaper than a Huffman decode or a new string. Direct-mapped, so it never
 * grows. One cache may serve any number of connections; it never changes what a text means.
 */
export class TextCache {
  /** The bytes as they came, as latin1 text; for plain literals that is the text itself. */
  readonly #coded: string[] = new Array<string>(slots * 2).fill('');
  readonly #texts: string[] = new Array<string>(slots * 2).fill('');
  #scratch = Buffer.allocUnsafe(sparedScratch);

  /** The text of `source[start, end)`, or null when it is not a Huffman text. */
  text(source: Buffer, start: number, end: number, huffman: boolean): string | null {
    const length = end - start;
    if (length === 0) return '';
    if (length > longestCached) return this.decode(source, start, end, huffman);
    const slot = slotOf(source, start, end) + (huffman ? slots : 0);
    if (same(this.#coded[slot] as string, source, start, length)) return this.#texts[slot] as string;
    const text = this.decode(source, start, end, huffman);
    if (text === null) return null;
    this.#coded[slot] = huffman ? source.toString('latin1', start, end) : text;
    this.#texts[slot] = text;
    return text;
  }

  /** The same, without a trace in the cache: for secrets. */
  decode(source: Buffer, start: number, end: number, huffman: boolean): string | null {
    if (!huffman) return source.toString('latin1', start, end);
    const room = ((end - start) * 8) / 5 + 1;
    const into = room <= sparedScratch ? this.#scratch : Buffer.allocUnsafe(room);
    const length = huffmanDecode(source, start, end, into);
    return length < 0 ? null : into.toString('latin1', 0, length);
  }
}

/** FNV-1a. */
function slotOf(source: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (source[i] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) & (slots - 1);
}

function same(text: string, source: Buffer, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) {
    if (text.charCodeAt(i) !== source[start + i]) return false;
  }
  return true;
}
