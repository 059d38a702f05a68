import { changedNames, markChecks, markServices } from '../meaning/signals.js';
import { ConsulError } from './client.js';
import { follow } from './follow.js';
import { Position } from './position.js';
import { ReadQueue } from './read-queue.js';

import type { CheckMarks, Marks } from '../meaning/signals.js';
import type { ServiceQuery } from '../service-query.js';
import type { ConsulClient, Read, Reply } from './client.js';
import type { Timing } from './timing.js';

/** How often it is looked for queries that are due. */
const TICK_MS = 100;

/**
 * Keeps the queries of one datacenter answered when they are too many for a blocking query each: two blocking queries say what may
 * have changed, and only that is read. The checks tell of every change of health, and of most registrations; the list of services
 * tells that something was registered, which counts for instances without a check of their own. What neither tells (another weight
 * or address, with the same tags) is found as each query is read again within one and a half waits.
 */
export class Crowd {
  readonly #queue: ReadQueue<ServiceQuery>;
  readonly #stop = new AbortController();
  readonly #signals: readonly Promise<void>[];
  readonly #timer: NodeJS.Timeout;
  #checks: CheckMarks | null = null;
  #services: Marks | null = null;
  #servicesIndex = 0;

  constructor(datacenter: string, client: ConsulClient, timing: Timing) {
    this.#queue = new ReadQueue(timing);
    const signal = (ask: (read: Read) => Promise<Reply>, answered: (reply: Reply) => void): Promise<void> =>
      follow({ position: new Position(timing), ask, answered, failed: () => this.#lost() }, timing, this.#stop.signal);
    this.#signals = [
      signal(
        (read) => client.checks(datacenter, read),
        (reply) => this.#heardChecks(reply),
      ),
      signal(
        (read) => client.services(datacenter, read),
        (reply) => this.#heardServices(reply),
      ),
    ];
    this.#timer = setInterval(() => this.#queue.readDue(performance.now()), TICK_MS);
  }

  /** The complete list. */
  set(queries: ReadonlySet<ServiceQuery>): void {
    this.#queue.set(queries);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await Promise.all([...this.#signals, this.#queue.close()]);
  }

  #heardChecks({ body }: Reply): void {
    const before = this.#checks;
    this.#checks = markChecks(body);
    if (this.#checks === null) throw new ConsulError('Consul answered something else than checks');
    if (before === null) return this.#readWhere(() => true);
    const services = changedNames(before.services, this.#checks.services);
    const nodes = changedNames(before.nodes, this.#checks.nodes);
    this.#readWhere((query) => services.has(query.service) || query.isOnAny(nodes));
  }

  #heardServices({ body, index }: Reply): void {
    const before = this.#services;
    const moved = index !== this.#servicesIndex;
    this.#services = markServices(body);
    this.#servicesIndex = index;
    if (this.#services === null) throw new ConsulError('Consul answered something else than services');
    if (before === null) return this.#readWhere(() => true);
    const changed = changedNames(before, this.#services);
    this.#readWhere((query) => changed.has(query.service) || (moved && query.hasUncheckedInstance));
  }

  /** Reads show whether Consul is gone; if it is not, what they lack may still be no deregistration. */
  #lost(): void {
    if (this.#checks === null && this.#services === null) return;
    this.#checks = null;
    this.#services = null;
    for (const query of this.#queue.queries) query.position.restart();
    this.#readWhere(() => true);
  }

  #readWhere(isConcerned: (query: ServiceQuery) => boolean): void {
    for (const query of this.#queue.queries) {
      if (isConcerned(query)) this.#queue.read(query);
    }
  }
}
