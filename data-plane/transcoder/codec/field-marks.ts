/** Which fields of a message have been seen, for messages within each other: a stack of bits in one array. */
export class FieldMarks {
  #bits = new Int32Array(1_024);
  #top = 0;

  clear(): void {
    this.#top = 0;
  }

  /** Makes room for a message that needs so many words; what it answers names the message until `leave`. */
  enter(words: number): number {
    const base = this.#top;
    this.#top = base + words;
    if (this.#top > this.#bits.length) {
      const grown = new Int32Array(this.#top * 2);
      grown.set(this.#bits);
      this.#bits = grown;
    }
    for (let i = base; i < this.#top; i++) this.#bits[i] = 0;
    return base;
  }

  leave(base: number): void {
    this.#top = base;
  }

  /** Sets a mark; true when it was set before. */
  set(base: number, index: number): boolean {
    const word = base + (index >>> 5);
    const bit = 1 << (index & 31);
    const before = this.#bits[word] as number;
    this.#bits[word] = before | bit;
    return (before & bit) !== 0;
  }
}
