import { FieldBlock } from '../headers.js';

/** The Date field of now, made once per second. */
export class HttpDate {
  #block = new FieldBlock([]);
  #untilMs = 0;

  block(): FieldBlock {
    const nowMs = Date.now();
    if (nowMs >= this.#untilMs || nowMs < this.#untilMs - 1_000) {
      const second = Math.floor(nowMs / 1_000) * 1_000;
      this.#block = new FieldBlock(['Date', new Date(second).toUTCString()]);
      this.#untilMs = second + 1_000;
    }
    return this.#block;
  }

  /** As a field line of HTTP/1. */
  line(): string {
    return this.block().text;
  }
}
