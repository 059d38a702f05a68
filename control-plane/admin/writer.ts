import { plan } from './plan.js';

import type { State, Store } from '../store/store.js';
import type { Check, Compare, Edit, Plan } from './plan.js';

export interface Written {
  /** The state that holds the result. */
  readonly state: State;
  readonly plan: Plan;
}

/** Decides on the newest state, and throws an AdminError to refuse. May be called several times, so it must be pure. */
export type Decide = (state: State) => Edit;

/** The one way into the store: every write is planned on the newest state and checked as a whole before it is committed. */
export class ConfigWriter {
  readonly #store: Store;
  readonly #clock: () => number;
  readonly #check: Check;
  readonly #compare: Compare;

  constructor(store: Store, clock: () => number, check: Check, compare: Compare) {
    this.#store = store;
    this.#clock = clock;
    this.#check = check;
    this.#compare = compare;
  }

  async write(actor: string, decide: Decide): Promise<Written> {
    const nowMs = this.#clock();
    let planned: Plan | undefined;
    const state = await this.#store.transact(actor, (newest) => {
      planned = plan(newest, decide(newest), nowMs, this.#check, this.#compare);
      return planned.change;
    });
    if (planned === undefined) throw new Error('the store did not ask for the change');
    return { state, plan: planned };
  }

  /** What `write` would do, without doing it. */
  async preview(decide: Decide): Promise<Written> {
    const state = await this.#store.read();
    return { state, plan: this.planOn(state, decide) };
  }

  /** The same on another state than the newest. */
  planOn(state: State, decide: Decide): Plan {
    return plan(state, decide(state), this.#clock(), this.#check, this.#compare);
  }
}
