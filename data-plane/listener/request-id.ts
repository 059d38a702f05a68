/**
 * Ids of exchanges: unique to this process's life by a random prefix, in order of their making, and made without a call into
 * crypto per request. `nowMs` and `random` (32 bits) are taken once.
 */
export class RequestIds {
  readonly #prefix: string;
  #high = 0;
  #low = 0;
  #start: string;

  constructor(nowMs: number, random: number) {
    this.#prefix = nowMs.toString(16).padStart(12, '0') + (random >>> 0).toString(16).padStart(8, '0');
    this.#start = this.#startOf(0);
  }

  next(): string {
    if (this.#low === pairs.length) {
      this.#low = 0;
      this.#start = this.#startOf(++this.#high);
    }
    return this.#start + (pairs[this.#low++] as string);
  }

  #startOf(high: number): string {
    return `${this.#prefix}-${high.toString(16).padStart(11, '0')}`;
  }
}

/** The last two digits of a count in hex. */
const pairs: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
