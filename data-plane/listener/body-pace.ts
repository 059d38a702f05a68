/** How fast a request body comes, not counting the time in which nobody wanted it. */
export class BodyPace {
  readonly #graceMs: number;
  readonly #minBytesPerSecond: number;
  #startMs = 0;
  #pausedMs = -1;

  constructor(graceMs: number, minBytesPerSecond: number) {
    this.#graceMs = graceMs;
    this.#minBytesPerSecond = minBytesPerSecond;
  }

  start(nowMs: number): void {
    this.#startMs = nowMs;
    this.#pausedMs = -1;
  }

  pause(nowMs: number): void {
    if (this.#pausedMs < 0) this.#pausedMs = nowMs;
  }

  resume(nowMs: number): void {
    if (this.#pausedMs >= 0) this.#startMs += nowMs - this.#pausedMs;
    this.#pausedMs = -1;
  }

  isTooSlow(nowMs: number, bytes: number): boolean {
    const elapsedMs = nowMs - this.#startMs;
    return this.#graceMs > 0 && elapsedMs > this.#graceMs && bytes * 1_000 < this.#minBytesPerSecond * elapsedMs;
  }
}
