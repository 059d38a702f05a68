import { judgedAt } from './available.js';
import type { Endpoint } from './endpoint.js';
import type { Picker } from './picker.js';

/** Picks of the warm-up that spreads the starting places of replicas; more would only repeat the cycle of small weights. */
const maxWarmUpPicks = 1_000;

/**
 * nginx's smooth weighted round robin: each pick adds every candidate's weight to its running value, takes the largest, and
 * subtracts the total from it. Exact over a cycle, and never two in a row where that can be helped.
 */
export class SmoothPicker implements Picker {
  readonly #endpoints: readonly Endpoint[];
  readonly #totalWeight: number;

  constructor(endpoints: readonly Endpoint[], random: () => number) {
    this.#endpoints = endpoints;
    this.#totalWeight = endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0);
    if (endpoints.every((endpoint) => endpoint.running === 0)) this.#startAnywhere(random());
    else this.#recentre();
  }

  pick(nowMs: number, tried: readonly Endpoint[]): Endpoint | null {
    const asOfMs = judgedAt(this.#endpoints, nowMs);
    return this.#pickAmong(asOfMs, tried) ?? this.#pickAmong(Infinity, tried) ?? this.#pickAmong(Infinity, []);
  }

  #pickAmong(nowMs: number, tried: readonly Endpoint[]): Endpoint | null {
    let best: Endpoint | null = null;
    let total = 0;
    for (let i = 0; i < this.#endpoints.length; i++) {
      const endpoint = this.#endpoints[i] as Endpoint;
      if (endpoint.health.ejectedUntilMs > nowMs || (tried.length > 0 && tried.includes(endpoint))) continue;
      endpoint.running += endpoint.weight;
      total += endpoint.weight;
      if (best === null || endpoint.running > best.running) best = endpoint;
    }
    if (best !== null) best.running -= total;
    return best;
  }

  /** The offset is over the weighted cycle, not over the endpoints: else heavy endpoints are first everywhere (envoy#32233). */
  #startAnywhere(random: number): void {
    const picks = Math.floor(random * Math.min(this.#totalWeight, maxWarmUpPicks));
    for (let i = 0; i < picks; i++) this.#pickAmong(Infinity, []);
  }

  /** Running values add up to zero; those of endpoints that left or joined would shift everybody's turn. */
  #recentre(): void {
    const mean = this.#endpoints.reduce((sum, endpoint) => sum + endpoint.running, 0) / this.#endpoints.length;
    for (const endpoint of this.#endpoints) endpoint.running -= mean;
  }
}
