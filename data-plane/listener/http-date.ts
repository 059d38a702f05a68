/** The Date field line, made once per second. */
export class HttpDate {
  #line = '';
  #untilMs = 0;

  line(): string {
    const nowMs = Date.now();
    if (nowMs >= this.#untilMs || nowMs < this.#untilMs - 1_000) {
      const second = Math.floor(nowMs / 1_000) * 1_000;
      this.#line = `Date: ${new Date(second).toUTCString()}\r\n`;
      this.#untilMs = second + 1_000;
    }
    return this.#line;
  }
}
