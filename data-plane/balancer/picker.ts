import type { Endpoint } from './endpoint.js';

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
