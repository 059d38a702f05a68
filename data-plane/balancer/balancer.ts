import type { Endpoint } from './endpoint.js';
import { CyclePicker } from './cycle.js';
import { SmoothPicker } from './smooth.js';

export { Endpoint } from './endpoint.js';
export type { EndpointAddress, EndpointHealth } from './endpoint.js';

/**
 * Chooses an endpoint for one attempt. A picker is made anew when the endpoints change; the counters live in the endpoints.
 * It never sends, and never judges health: it only leaves out who is ejected.
 */
export interface Picker {
  /**
   * The next endpoint that is not in `tried` and not ejected at `nowMs`; when fewer than half of the endpoints would be left
   * (panic), ejections are ignored. An endpoint of `tried` comes again only when there is no other. Null when there is none.
   */
  pick(nowMs: number, tried: readonly Endpoint[]): Endpoint | null;
}

/** Above this many endpoints the O(n) smooth pick costs more than walking a precomputed cycle. */
const smoothLimit = 200;

/**
 * Weighted round robin over `endpoints` (those with weight 0 are left out). `random` gives [0, 1): replicas start at different
 * places of the cycle, so that many nodes do not begin with the same endpoint.
 */
export function weightedRoundRobin(endpoints: readonly Endpoint[], random: () => number): Picker {
  const candidates = endpoints.filter((endpoint) => endpoint.weight > 0);
  return candidates.length <= smoothLimit ? new SmoothPicker(candidates, random) : new CyclePicker(candidates, random);
}
