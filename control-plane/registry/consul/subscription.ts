import { doubtRemovals, endpointsOf, firstSight, heldCount, see, settle } from './meaning/hold.js';
import { toInstances } from './meaning/translate.js';

import type { Endpoint } from '../../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Entry } from './meaning/entry.js';
import type { HoldState } from './meaning/hold.js';

export interface SubscriptionObserver {
  endpoints(endpoints: readonly Endpoint[]): void;
  /** Some are held, or none any more; `reason` says why they are. */
  held(count: number, reason: string): void;
}

/** One of our services on a query: its tags, its hold, and what was reported last. */
export class Subscription {
  readonly #tags: readonly string[];
  readonly #holdMs: number;
  readonly #observer: SubscriptionObserver;
  #state: HoldState | null = null;
  #reported: readonly Endpoint[] | null = null;
  #held = 0;
  #timer: NodeJS.Timeout | null = null;
  /** The end of a hold waits for an answer while there are none: an outage empties nothing. */
  #answersAreCurrent = true;

  constructor(tags: readonly string[], holdMs: number, observer: SubscriptionObserver) {
    this.#tags = tags;
    this.#holdMs = holdMs;
    this.#observer = observer;
  }

  /** `doubt` as Position gives it. */
  see(entries: readonly Entry[], doubt: string): void {
    const instances = toInstances(entries, this.#tags);
    this.#answersAreCurrent = true;
    const absence = doubt === '' ? 'explicit' : 'doubtful';
    const next =
      this.#state === null
        ? firstSight(instances, this.#holdMs)
        : see(this.#state, instances, absence, performance.now());
    this.#take(next, doubt === '' ? 'most of the service went critical at once' : doubt);
  }

  /** What the last second took away was more than a service's own affair. */
  doubtRemovals(reason: string): void {
    if (this.#state !== null) this.#take(doubtRemovals(this.#state, performance.now()), reason);
  }

  answersFail(): void {
    this.#answersAreCurrent = false;
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #take(state: HoldState, reason: string): void {
    this.#state = state;
    this.#arm(state.heldUntilMs);
    const endpoints = endpointsOf(state);
    if (this.#reported === null || !sameEndpoints(this.#reported, endpoints)) {
      this.#reported = endpoints;
      this.#observer.endpoints(endpoints);
    }
    const held = heldCount(state);
    if (held !== this.#held) {
      this.#held = held;
      this.#observer.held(held, reason);
    }
  }

  #arm(heldUntilMs: number | null): void {
    this.close();
    if (heldUntilMs === null) return;
    // Timers may fire a little early by this clock.
    const delayMs = Math.max(1, heldUntilMs - performance.now() + 1);
    this.#timer = setTimeout(() => this.#expire(), delayMs);
  }

  #expire(): void {
    if (this.#state !== null && this.#answersAreCurrent)
      this.#take(settle(this.#state, performance.now()), 'its time is over');
  }
}

function sameEndpoints(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  return a.length === b.length && a.every((endpoint, i) => isEqual(endpoint, b[i]));
}

/** By hand: the general comparison of messages takes as long as all the rest of a large answer. */
function isEqual(a: Endpoint, b: Endpoint | undefined): boolean {
  if (b === undefined) return false;
  const isSame = a.id === b.id && a.address === b.address && a.port === b.port && a.weight === b.weight;
  return isSame && a.state === b.state && a.reason === b.reason && sameTags(a.tags, b.tags);
}

function sameTags(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((tag, i) => tag === b[i]);
}
