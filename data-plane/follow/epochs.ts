/**
 * Which epochs count. A leader that was replaced may not know it yet, so what carries a lower epoch than one heard before is left
 * aside. Not for ever: if the higher one has been silent for `forgetMs`, the lower one is all there is (the database was made anew,
 * or the newer leader died with nobody to follow it).
 */
export class Epochs {
  readonly #forgetMs: number;
  #highest = 0n;
  #heardMs = -Infinity;
  #ignored = 0;

  constructor(forgetMs: number) {
    this.#forgetMs = forgetMs;
  }

  get highest(): bigint {
    return this.#highest;
  }

  /** How many messages were left aside. */
  get ignored(): number {
    return this.#ignored;
  }

  /** `nowMs` is monotonic. */
  isOutdated(epoch: bigint, nowMs: number): boolean {
    return epoch < this.#highest && nowMs - this.#heardMs <= this.#forgetMs;
  }

  /** Whether a message counts; if so, its epoch is the one to go by. */
  admit(epoch: bigint, nowMs: number): boolean {
    if (this.isOutdated(epoch, nowMs)) {
      this.#ignored++;
      return false;
    }
    this.#highest = epoch;
    this.#heardMs = nowMs;
    return true;
  }
}
