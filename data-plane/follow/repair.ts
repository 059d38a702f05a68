export interface RepairTimes {
  /** The first attempt comes within this, so that many nodes do not ask in the same moment. */
  readonly spreadMs: () => number;
  /** Failed attempts double from here, at random below it. */
  readonly baseMs: number;
  readonly capMs: number;
}

/** `again`: worth another attempt, after `afterMs` if the control plane said so. */
export type RepairOutcome = 'done' | { readonly again: string; readonly afterMs?: number };

/**
 * Asks the control plane for what is missing: one attempt at a time, soon at first and with growing pauses while it fails. However
 * many reasons come up meanwhile, they make one more attempt.
 */
export class Repair {
  readonly #attempt: (signal: AbortSignal) => Promise<RepairOutcome>;
  readonly #times: RepairTimes;
  readonly #failed: (reason: string) => void;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | null = null;
  #again = false;
  #failures = 0;

  /** `failed` hears why attempts do not help: the first, the second, the fourth and so on. */
  constructor(
    attempt: (signal: AbortSignal) => Promise<RepairOutcome>,
    times: RepairTimes,
    failed: (reason: string) => void,
  ) {
    this.#attempt = attempt;
    this.#times = times;
    this.#failed = failed;
  }

  /** Soon; unless an attempt is due later because others failed, and this is not `afresh`: things have changed since. */
  want(afresh = false): void {
    if (afresh) {
      this.#failures = 0;
      this.#stopTimer();
    }
    if (this.#running !== null) this.#again = true;
    else this.#timer ??= this.#after(Math.random() * this.#times.spreadMs());
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the follower was closed'));
    this.#stopTimer();
    await this.#running;
  }

  #run(): void {
    this.#stopTimer();
    if (!this.#closing.signal.aborted) this.#running = this.#attemptOnce();
  }

  async #attemptOnce(): Promise<void> {
    this.#again = false;
    let outcome: RepairOutcome;
    try {
      outcome = await this.#attempt(this.#closing.signal);
    } catch (error) {
      outcome = { again: error instanceof Error ? error.message : String(error) };
    }
    this.#running = null;
    this.#settle(outcome);
  }

  #settle(outcome: RepairOutcome): void {
    if (this.#closing.signal.aborted) return;
    if (outcome === 'done') {
      this.#failures = 0;
      if (this.#again) this.want();
      return;
    }
    if (outcome.afterMs !== undefined) {
      // To be told when to come again is no failure.
      this.#timer = this.#after(outcome.afterMs * (1 + Math.random()));
      return;
    }
    const { baseMs, capMs } = this.#times;
    const windowMs = Math.min(capMs, baseMs * 2 ** this.#failures++);
    // In a long outage every attempt would say the same.
    if (Number.isInteger(Math.log2(this.#failures))) this.#failed(outcome.again);
    this.#timer = this.#after(Math.random() * windowMs);
  }

  #after(ms: number): NodeJS.Timeout | undefined {
    return this.#closing.signal.aborted ? undefined : setTimeout(() => this.#run(), ms);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
