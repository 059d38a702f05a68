import { LOSS_WINDOW_MS } from './hold.js';

const MANY_SERVICES = 2;
const LARGE_SHARE = 0.2;

interface Emptied<Query> {
  readonly query: Query;
  readonly count: number;
  readonly atMs: number;
}

/**
 * Services that lost all their instances lately. When several go within a second, with more than a fifth of all endpoints, then
 * Consul is likelier to have lost its state, or we our right to see it, than all of them to have been deregistered.
 */
export class EmptiedLately<Query> {
  #lately: readonly Emptied<Query>[] = [];

  /** Gives those that are not believed, which may include earlier ones; `remaining` endpoints are left in all services. */
  note(query: Query, count: number, remaining: number, nowMs: number): readonly Query[] {
    const before = this.#lately.filter((other) => nowMs - other.atMs <= LOSS_WINDOW_MS && other.query !== query);
    this.#lately = [...before, { query, count, atMs: nowMs }];
    const lost = this.#lately.reduce((sum, emptied) => sum + emptied.count, 0);
    const isMany = this.#lately.length >= MANY_SERVICES && lost > LARGE_SHARE * (lost + remaining);
    return isMany ? this.#lately.map((emptied) => emptied.query) : [];
  }
}
