/** Milliseconds between two looks at the clock: how late a timer may be, beside the tick it was set in. */
const tickMs = 50;
/** One turn of the wheel is 25.6 s; longer timers go round. */
const slotCount = 512;

/** Something that may expire. Made once per connection and set again and again; setting it is one or two stores. */
export class WheelTimer {
  /** For the wheel: milliseconds on its clock, Infinity when not set. */
  deadline = Infinity;
  /** For the wheel: the tick whose slot holds this timer, -1 when none does. */
  tick = -1;
  readonly expire: () => void;

  constructor(expire: () => void) {
    this.expire = expire;
  }
}

/**
 * The one coarse clock of a data plane's timeouts: a connection sets its timers many times per request, and one interval looks
 * at those that may be due. A timer expires no earlier than its time and at most two ticks (100 ms) later, on a node that keeps
 * up. A timer that was set to a later time, or cleared, stays where it is until its slot comes round.
 */
export class TimerWheel {
  readonly #slots: WheelTimer[][] = Array.from({ length: slotCount }, () => []);
  readonly #clock: () => number;
  readonly #interval: NodeJS.Timeout;
  #tick = 0;
  #originMs: number;
  #nowMs = 0;

  /** `clock` counts milliseconds and never goes back. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.#originMs = clock();
    this.#interval = setInterval(() => this.advance(), tickMs);
    this.#interval.unref();
  }

  /** Milliseconds since the wheel was made, as of the last tick. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Sets the timer to expire in `ms`, whatever it was set to before; 0 clears it. */
  set(timer: WheelTimer, ms: number): void {
    if (ms <= 0) {
      timer.deadline = Infinity;
      return;
    }
    timer.deadline = this.#nowMs + ms + tickMs;
    const tick = Math.ceil(timer.deadline / tickMs);
    if (timer.tick < 0 || timer.tick > tick) this.#place(timer, tick);
  }

  /** The timer does not expire. */
  clear(timer: WheelTimer): void {
    timer.deadline = Infinity;
  }

  /** Takes the timer out at once, so that the wheel does not keep its owner alive. */
  remove(timer: WheelTimer): void {
    timer.deadline = Infinity;
    if (timer.tick < 0) return;
    const slot = this.#slots[timer.tick % slotCount] as WheelTimer[];
    const at = slot.indexOf(timer);
    const last = slot.pop() as WheelTimer;
    if (at < slot.length) slot[at] = last;
    timer.tick = -1;
  }

  /** Expires what is due. The interval calls it; tests with their own clock do too. */
  advance(): void {
    this.#nowMs = this.#clock() - this.#originMs;
    const target = Math.floor(this.#nowMs / tickMs);
    // After a long stall every slot is looked at once, not once per tick that was missed.
    this.#tick = Math.max(this.#tick, target - slotCount);
    while (this.#tick < target) this.#visit(++this.#tick);
  }

  close(): void {
    clearInterval(this.#interval);
  }

  #visit(tick: number): void {
    const index = tick % slotCount;
    const due = this.#slots[index] as WheelTimer[];
    if (due.length === 0) return;
    this.#slots[index] = [];
    for (const timer of due) timer.tick = -1;
    for (const timer of due) {
      if (timer.tick >= 0) continue;
      if (timer.deadline <= this.#nowMs) {
        timer.deadline = Infinity;
        timer.expire();
      } else if (timer.deadline !== Infinity) {
        this.#place(timer, Math.ceil(timer.deadline / tickMs));
      }
    }
  }

  #place(timer: WheelTimer, tick: number): void {
    if (timer.tick >= 0) {
      const { deadline } = timer;
      this.remove(timer);
      timer.deadline = deadline;
    }
    timer.tick = Math.min(Math.max(tick, this.#tick + 1), this.#tick + slotCount - 1);
    (this.#slots[timer.tick % slotCount] as WheelTimer[]).push(timer);
  }
}
