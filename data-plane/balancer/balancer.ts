import type { Endpoint } from './endpoint.js';
import { CyclePicker } from './cycle.js';
import type { Picker } from './picker.js';
import { SmoothPicker } from './smooth.js';

export { Endpoint } from './endpoint.js';
export type { EndpointAddress, EndpointHealth, ProbeRecord } from './endpoint.js';
export type { Picker } from './picker.js';

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
