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
  #waiting: TurnEnd[] = [];
  #flushing: TurnEnd[] = [];

  constructor(atTurnEnd: (run: () => void) => void = setImmediate) {
    this.#atTurnEnd = atTurnEnd;
  }

  /** `writer.flush` will be called once, at the end of this turn. */
  add(writer: TurnEnd): void {
    if (this.#waiting.push(writer) === 1) this.#atTurnEnd(this.#run);
  }

  flush(): void {
    const writers = this.#waiting;
    this.#waiting = this.#flushing;
    this.#flushing = writers;
    for (const writer of writers) writer.flush();
    writers.length = 0;
  }
}
