/** Who lived for so long did not die of how it started. */
const soundMs = 10_000;
const firstPauseMs = 100;
const maxPauseMs = 10_000;

/** How long to wait before a worker is started again: not at all, unless it dies again and again within seconds. */
export class RestartPace {
  /** In a row. */
  #earlyEnds = 0;

  pauseMs(livedMs: number): number {
    this.#earlyEnds = livedMs >= soundMs ? 0 : this.#earlyEnds + 1;
    return this.#earlyEnds < 2 ? 0 : Math.min(maxPauseMs, firstPauseMs * 2 ** (this.#earlyEnds - 2));
  }
}
