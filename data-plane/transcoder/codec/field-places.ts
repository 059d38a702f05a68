import type { FieldTable, MessageTable } from './table.js';

/**
 * Where the records of each field begin, for messages whose records come in any order. A stack in one array: messages within
 * each other lie behind each other. Places are kept plus one, so that zero is none.
 */
export class FieldPlaces {
  #places = new Int32Array(1_024);
  #top = 0;

  clear(): void {
    this.#top = 0;
  }

  /** Makes room for a message; what it answers names the message until `leave`. */
  enter(table: MessageTable): number {
    const base = this.#top;
    this.#top = base + table.placeCount;
    if (this.#top > this.#places.length) {
      const grown = new Int32Array(this.#top * 2);
      grown.set(this.#places);
      this.#places = grown;
    }
    this.#places.fill(0, base, this.#top);
    return base;
  }

  leave(base: number): void {
    this.#top = base;
  }

  /** Notes a record of a field; of a oneof the last member counts, and the one before is forgotten. */
  add(base: number, table: MessageTable, { index, oneofMark }: FieldTable, at: number): void {
    const places = this.#places;
    const place = base + index * 2;
    if (places[place] === 0) {
      places[place] = at + 1;
      if (oneofMark >= 0) this.#clearSibling(base, base + table.fields.length + oneofMark, index);
    }
    places[place + 1] = at + 1;
  }

  /** Where the first record of a field begins, or -1. */
  first(base: number, { index }: FieldTable): number {
    return (this.#places[base + index * 2] as number) - 1;
  }

  last(base: number, { index }: FieldTable): number {
    return (this.#places[base + index * 2 + 1] as number) - 1;
  }

  /** `memberPlace` holds the member that came before, plus one. */
  #clearSibling(base: number, memberPlace: number, index: number): void {
    const places = this.#places;
    const before = (places[memberPlace] as number) - 1;
    if (before >= 0 && before !== index) {
      places[base + before * 2] = 0;
      places[base + before * 2 + 1] = 0;
    }
    places[memberPlace] = index + 1;
  }
}
