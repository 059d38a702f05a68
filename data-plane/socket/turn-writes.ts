/**
 * So many writers are flushed before a turn ends: peers are awake by then, and what was read first has waited for all reads since.
 */
const mostWaiting = 64;

/** What has something to write at the end of the turn. */
export interface TurnEnd {
  flush(): void;
}

/**
 * Lets what is written in one turn of the event loop leave together, after all its reads. A peer that sleeps is woken once, and
 * is busy by the time the other bytes reach it; waking it is the dearest part of a write between two processes.
 */
export class TurnWrites {
  readonly #atTurnEnd: (run: () => void) => void;
  readonly #run = (): void => this.flush();
  #isScheduled = false;
  #isFlushing = false;
  #waiting: TurnEnd[] = [];
  #last: TurnEnd[] = [];
  /** The list that is not in use just now. */
  #spare: TurnEnd[] = [];

  constructor(atTurnEnd: (run: () => void) => void = setImmediate) {
    this.#atTurnEnd = atTurnEnd;
  }

  /** `writer.flush` will be called once, at the end of this turn at the latest; it may be in this call. */
  add(writer: TurnEnd): void {
    if (this.#waiting.push(writer) >= mostWaiting && !this.#isFlushing) this.#flushWaiting();
    else this.#schedule();
  }

  /** The same, but never before the end. */
  addLast(writer: TurnEnd): void {
    this.#last.push(writer);
    this.#schedule();
  }

  /** The turn is over. */
  flush(): void {
    this.#isScheduled = false;
    this.#flushWaiting();
    if (this.#last.length === 0) return;
    const writers = this.#last;
    this.#last = [];
    for (const writer of writers) writer.flush();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#atTurnEnd(this.#run);
  }

  #flushWaiting(): void {
    const writers = this.#waiting;
    this.#waiting = this.#spare;
    this.#spare = writers;
    this.#isFlushing = true;
    for (const writer of writers) writer.flush();
    this.#isFlushing = false;
    writers.length = 0;
  }
}
