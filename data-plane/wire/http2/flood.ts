import { errorCode, violation } from './protocol.js';

/** What frames cost a peer that sends nothing else. A stream that ends well pays for one that does not. */
export const costOf = { frame: 1, reset: 3 } as const;

const largestBudget = 2000;
const refillPerMs = 0.1;

/**
 * Notices a peer that keeps us busy with frames that carry nothing: PING, SETTINGS, RST_STREAM, PRIORITY, empty DATA and the
 * like. Each costs; work that is done for the peer, and time, give back. A peer that talks much because it works much
 * (a WINDOW_UPDATE and a PING for every message, as some stacks send them) never comes near the end of its budget.
 */
export class FloodGuard {
  #budget = largestBudget;
  #refilledMs = 0;

  /** Throws Http2Error (ENHANCE_YOUR_CALM) when the budget is spent. */
  charge(cost: number, nowMs: number): void {
    this.#budget -= cost;
    if (this.#budget >= 0) return;
    this.#budget += (nowMs - this.#refilledMs) * refillPerMs;
    this.#refilledMs = nowMs;
    if (this.#budget > largestBudget) this.#budget = largestBudget;
    if (this.#budget < 0) throw violation(errorCode.enhanceYourCalm, 'too many frames without any use');
  }

  earn(gain: number): void {
    if (this.#budget < largestBudget) this.#budget += gain;
  }
}
