import type { WireWriter } from './writer.js';

/** The keys of one map, as they stand on the wire. Nothing is made for a map of one entry. */
export class KeySet {
  readonly #out: WireWriter;
  #first: string | null = null;
  #rest: Set<string> | null = null;

  constructor(out: WireWriter) {
    this.#out = out;
  }

  /** Whether the key that was written from `start` on was there before; it is now. */
  has(start: number): boolean {
    const { buf, pos } = this.#out;
    let key = '';
    for (let at = start; at < pos; at++) key += String.fromCharCode(buf[at] as number);
    if (this.#first === null) {
      this.#first = key;
      return false;
    }
    this.#rest ??= new Set([this.#first]);
    const size = this.#rest.size;
    return this.#rest.add(key).size === size;
  }
}
