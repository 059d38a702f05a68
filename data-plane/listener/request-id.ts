/**
 * Ids of exchanges: unique to this process's life by a random prefix, in order of their making, and made without a call into
 * crypto per request. `nowMs` and `random` (32 bits) are taken once.
 */
export class RequestIds {
  readonly #prefix: string;
  #high = 0;
  #low = lowStart;
  #start: string;

  constructor(nowMs: number, random: number) {
    this.#prefix = nowMs.toString(16).padStart(12, '0') + (random >>> 0).toString(16).padStart(8, '0');
    this.#start = this.#startOf(0);
  }

  next(): string {
    if (++this.#low > lowEnd) {
      this.#low = lowStart + 1;
      this.#start = this.#startOf(++this.#high);
    }
    return this.#start + this.#low.toString(16);
  }

  #startOf(high: number): string {
    return `${this.#prefix}-${high.toString(16).padStart(6, '0')}`;
  }
}

/** All seven-digit hex numbers that begin with 1 to f sort as they count. */
const lowStart = 0x1000000;
const lowEnd = 0xfffffff;
