import { CR, LF } from './bytes.js';
import { malformed, Violation } from './violation.js';

/**
 * Finds the empty line that ends a head or trailer section, and gathers the section when it comes in pieces. Each byte is
 * looked at once, however small the pieces are.
 */
export class HeadBuffer {
  readonly #maxBytes: number;
  #held: Buffer | null = null;
  #length = 0;
  /** Bytes since the last line end. */
  #lineLength = 0;
  #last = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes gathered so far. */
  get length(): number {
    return this.#length;
  }

  /**
   * Looks for the end in bytes[start, end): the index after the empty line, or -1 when it is not there yet; then the bytes have
   * been copied. With an end, `take` gives the whole.
   */
  find(bytes: Buffer, start: number, end: number): number {
    const stop = Math.min(end, start + this.#maxBytes - this.#length);
    const found = this.#scan(bytes, start, stop);
    if (found < 0 && stop < end) throw new Violation('head_too_large', 'head');
    if (found < 0 || this.#length > 0) this.#hold(bytes, start, found < 0 ? end : found);
    return found;
  }

  /** The section that `find` found to end at `end`: the gathered one, which is the caller's now, or a view of bytes[start, end). */
  take(bytes: Buffer, start: number, end: number): Buffer {
    if (this.#held === null) return bytes.subarray(start, end);
    const whole = this.#held.subarray(0, this.#length);
    this.#held = null;
    this.#length = 0;
    return whole;
  }

  #scan(bytes: Buffer, start: number, end: number): number {
    let lineLength = this.#lineLength;
    let last = this.#last;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === LF) {
        if (last !== CR) throw malformed('line feed without carriage return');
        if (lineLength === 1) {
          this.#lineLength = 0;
          this.#last = 0;
          return at + 1;
        }
        lineLength = 0;
      } else {
        if (last === CR) throw malformed('carriage return without line feed');
        lineLength++;
      }
      last = byte;
    }
    this.#lineLength = lineLength;
    this.#last = last;
    return -1;
  }

  #hold(bytes: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    if (this.#held === null || length > this.#held.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * (this.#held?.length ?? 512)));
      this.#held?.copy(grown, 0, 0, this.#length);
      this.#held = grown;
    }
    bytes.copy(this.#held, this.#length, start, end);
    this.#length = length;
  }
}
