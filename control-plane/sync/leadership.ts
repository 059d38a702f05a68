/** How long the word of another leader keeps this one quiet. Longer than a few of its beacons. */
const yieldMs = 5_000;

/**
 * Whether this replica leads, and in which epoch. The store elects; a beacon of a higher epoch ends it at once, since the store may
 * be the last to know. If those beacons stop and the store still has not deposed us, we lead again: better the older of two leaders
 * than none.
 */
export class Leadership {
  readonly #changed: (epoch: bigint | null) => void;
  #won: bigint | null = null;
  #highest = 0n;
  #yieldTimer: NodeJS.Timeout | undefined;

  /** `changed` hears the epoch to lead with, or null. */
  constructor(changed: (epoch: bigint | null) => void) {
    this.#changed = changed;
  }

  /** The epoch to lead with now; null while another leads or nobody does. */
  get epoch(): bigint | null {
    return this.#yieldTimer === undefined ? this.#won : null;
  }

  /** The highest epoch heard of. */
  get highest(): bigint {
    return this.#highest;
  }

  elected(epoch: bigint): void {
    this.#turn(() => {
      this.#won = epoch;
      if (epoch < this.#highest) return;
      this.#highest = epoch;
      this.#stopYielding();
    });
  }

  deposed(): void {
    this.#turn(() => {
      this.#won = null;
      this.#stopYielding();
    });
  }

  hear(epoch: bigint): void {
    this.#turn(() => {
      if (epoch > this.#highest) this.#highest = epoch;
      if (this.#won === null || epoch <= this.#won) return;
      clearTimeout(this.#yieldTimer);
      this.#yieldTimer = setTimeout(() => this.#turn(() => this.#stopYielding()), yieldMs);
    });
  }

  close(): void {
    this.#won = null;
    this.#stopYielding();
  }

  #turn(change: () => void): void {
    const before = this.epoch;
    change();
    if (this.epoch !== before) this.#changed(this.epoch);
  }

  #stopYielding(): void {
    clearTimeout(this.#yieldTimer);
    this.#yieldTimer = undefined;
  }
}
