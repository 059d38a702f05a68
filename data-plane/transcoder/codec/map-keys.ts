const maxCompared = 16;

/**
 * The keys of one map, to notice one that comes twice. They stay where they are, in bytes that do not change: a few are compared
 * with each other, and only many become a set of texts.
 */
export class MapKeys {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #texts: Set<string> | null = null;

  /** Whether the key between two positions of `bytes` was there before; it is now. All keys stand in the same bytes. */
  has(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#texts !== null || this.#starts.length === maxCompared) {
      return this.hasText(bytes, latin1(bytes, start, end));
    }
    for (let i = 0; i < this.#starts.length; i++) {
      if (equals(bytes, this.#starts[i] as number, this.#ends[i] as number, start, end)) return true;
    }
    this.#starts.push(start);
    this.#ends.push(end);
    return false;
  }

  /** The same for a key that is given as text, one char per byte; `bytes` are those of the other keys. */
  hasText(bytes: Uint8Array, text: string): boolean {
    this.#texts ??= new Set(this.#starts.map((start, i) => latin1(bytes, start, this.#ends[i] as number)));
    const size = this.#texts.size;
    return this.#texts.add(text).size === size;
  }
}

/** Bytes as text, one char per byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at] as number);
  return text;
}

function equals(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let i = end - start - 1; i >= 0; i--) {
    if (bytes[start + i] !== bytes[otherStart + i]) return false;
  }
  return true;
}
