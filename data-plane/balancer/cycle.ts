import { judgedAt } from './available.js';
import type { Endpoint } from './endpoint.js';
import type { Picker } from './picker.js';

/** Length of the precomputed cycle; weights are scaled down to fit, each staying at least 1. */
const maxCycleLength = 10_000;

/** Weighted round robin for many endpoints: the cycle is laid out once, and a pick is one step along it. */
export class CyclePicker implements Picker {
  readonly #endpoints: readonly Endpoint[];
  readonly #cycle: readonly Endpoint[];
  #at: number;

  constructor(endpoints: readonly Endpoint[], random: () => number) {
    this.#endpoints = endpoints;
    this.#cycle = layOut(endpoints);
    this.#at = Math.floor(random() * this.#cycle.length);
  }

  pick(nowMs: number, tried: readonly Endpoint[]): Endpoint | null {
    const asOfMs = this.#next().health.ejectedUntilMs > nowMs ? judgedAt(this.#endpoints, nowMs) : nowMs;
    return this.#pickAmong(asOfMs, tried) ?? this.#pickAmong(Infinity, tried) ?? this.#pickAmong(Infinity, []);
  }

  #pickAmong(asOfMs: number, tried: readonly Endpoint[]): Endpoint | null {
    for (let steps = 0; steps < this.#cycle.length; steps++) {
      const endpoint = this.#next();
      this.#at = (this.#at + 1) % this.#cycle.length;
      if (endpoint.health.ejectedUntilMs <= asOfMs && !tried.includes(endpoint)) return endpoint;
    }
    return null;
  }

  #next(): Endpoint {
    return this.#cycle[this.#at] as Endpoint;
  }
}

/** Every endpoint as often as its weight says, evenly spaced: the k-th of w turns stands at (k + ½) / w of the cycle. */
function layOut(endpoints: readonly Endpoint[]): Endpoint[] {
  const divisor = endpoints.reduce((common, endpoint) => gcd(common, endpoint.weight), 0);
  const total = endpoints.reduce((sum, endpoint) => sum + endpoint.weight / divisor, 0);
  const scale = Math.min(1, maxCycleLength / total) / divisor;
  const turns: { readonly at: number; readonly endpoint: Endpoint }[] = [];
  for (const endpoint of endpoints) {
    const count = Math.max(1, Math.round(endpoint.weight * scale));
    for (let k = 0; k < count; k++) turns.push({ at: (k + 0.5) / count, endpoint });
  }
  return turns.toSorted((a, b) => a.at - b.at).map((turn) => turn.endpoint);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
