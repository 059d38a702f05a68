/** How long changes are gathered: until `quietMs` without another, `ceilingMs` after the first at the latest. */
export interface HoldOffTimes {
  readonly quietMs: number;
  readonly ceilingMs: number;
}

/** Turns bursts of changes into single calls of `fire`. Of changes that wait together the shortest times count. */
export class HoldOff {
  readonly #fire: () => void;
  #timer: NodeJS.Timeout | undefined;
  #deadlineMs = Infinity;
  #quietMs = Infinity;

  constructor(fire: () => void) {
    this.#fire = fire;
  }

  touch({ quietMs, ceilingMs }: HoldOffTimes): void {
    const nowMs = performance.now();
    this.#deadlineMs = Math.min(this.#deadlineMs, nowMs + ceilingMs);
    this.#quietMs = Math.min(this.#quietMs, quietMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(), Math.max(0, Math.min(this.#quietMs, this.#deadlineMs - nowMs)));
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#deadlineMs = Infinity;
    this.#quietMs = Infinity;
  }

  #run(): void {
    this.cancel();
    this.#fire();
  }
}
