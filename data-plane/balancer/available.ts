import type { Endpoint } from './endpoint.js';

/** The share of endpoints below which ejections are ignored: better to try a doubtful endpoint than to overload the rest. */
const panicShare = 0.5;

/** The time to judge ejections by: `nowMs`, or Infinity (nobody is ejected) when too few endpoints would be left. */
export function judgedAt(endpoints: readonly Endpoint[], nowMs: number): number {
  let ejected = 0;
  for (let i = 0; i < endpoints.length; i++) {
    if ((endpoints[i] as Endpoint).health.ejectedUntilMs > nowMs) ejected++;
  }
  return ejected > 0 && endpoints.length - ejected < endpoints.length * panicShare ? Infinity : nowMs;
}
