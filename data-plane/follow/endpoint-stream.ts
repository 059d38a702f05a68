import { EndpointSnapshotSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { EndpointTrack } from './endpoint-track.js';
import { Repair } from './repair.js';

import type { EndpointPatch, EndpointSet, EndpointVersion } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Taken } from './config-track.js';
import type { Epochs } from './epochs.js';
import type { Fetch } from './fetch.js';
import type { RepairOutcome, RepairTimes } from './repair.js';

export interface EndpointStreamDeps {
  readonly fetch: Fetch;
  readonly epochs: Epochs;
  readonly repairTimes: RepairTimes;
  /** Gets the sets that differ from what it has, and the services that are gone. */
  readonly give: (changed: readonly EndpointSet[], removed: readonly string[]) => void;
  /** There is something newer. */
  readonly advanced: () => void;
  readonly repairFailed: (reason: string) => void;
}

/** Follows the endpoints that the leader announces, whatever happens to the config meanwhile. */
export class EndpointStream {
  readonly #deps: EndpointStreamDeps;
  readonly #track = new EndpointTrack();
  readonly #repair: Repair;
  readonly #waiting = new Set<() => void>();
  #given = new Map<string, EndpointSet>();
  #mustAsk = true;

  constructor(deps: EndpointStreamDeps) {
    this.#deps = deps;
    this.#repair = new Repair((signal) => this.#ask(signal), deps.repairTimes, deps.repairFailed);
  }

  get version(): EndpointVersion | null {
    return this.#track.version;
  }

  sets(): EndpointSet[] {
    return this.#track.sets();
  }

  remember(sets: readonly EndpointSet[]): void {
    this.#track.remember(sets);
    this.#give();
  }

  heardPatch(patch: EndpointPatch): void {
    this.#take(this.#track.offer(patch));
  }

  /** `afresh`: the leader is new or back, so that former failures mean nothing. */
  heardVersion(version: EndpointVersion, afresh: boolean): void {
    if (this.#track.announce(version) === 'behind') this.#repair.want(afresh);
  }

  /** Asks the leader, whether anything is known to be missing or not. */
  compare(): void {
    this.#mustAsk = true;
    this.#repair.want(true);
  }

  /** The config names these services only. */
  keepOnly(services: ReadonlySet<string>): void {
    this.#track.keepOnly(services);
    this.#give();
  }

  /** Resolves when there are endpoint sets of all `services`, after `maxMs` at the latest. */
  async arrival(services: readonly string[], maxMs: number): Promise<void> {
    const deadlineMs = performance.now() + maxMs;
    while (services.some((service) => this.#track.get(service) === undefined)) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0 || this.#repair.closed) return;
      await this.#nextAdvance(leftMs);
    }
  }

  async close(): Promise<void> {
    const closed = this.#repair.close();
    this.#wake();
    await closed;
  }

  #take(taken: Taken): void {
    if (taken === 'behind') this.#repair.want();
    if (taken !== 'advanced') return;
    this.#give();
    this.#wake();
    this.#deps.advanced();
  }

  async #ask(signal: AbortSignal): Promise<RepairOutcome> {
    if (!this.#mustAsk && !this.#track.isBehind) return 'done';
    const { fetch, epochs } = this.#deps;
    const { reply, version } = await fetch.endpoints(this.#track.version, signal);
    if (version === undefined || epochs.isOutdated(version.epoch, performance.now())) {
      return { again: 'a leader cut off answered' };
    }
    switch (reply.case) {
      case 'unchanged':
        this.#track.announce(version);
        break;
      case 'snapshot':
        this.#take(this.#track.replace(await fetch.blob(reply.value, EndpointSnapshotSchema, signal)));
        break;
      case 'busy':
        return { again: 'the leader is busy', afterMs: reply.value.retryAfterMs };
      case undefined:
        return { again: 'the leader answered something newer than this node knows' };
      default:
        return reply satisfies never;
    }
    if (this.#track.isBehind) return { again: 'the answer did not lead to what was announced' };
    this.#mustAsk = false;
    return 'done';
  }

  #give(): void {
    const now = new Map(this.#track.sets().map((set) => [set.service, set]));
    const changed = [...now.values()].filter((set) => this.#given.get(set.service) !== set);
    const removed = [...this.#given.keys()].filter((service) => !now.has(service));
    this.#given = now;
    if (changed.length > 0 || removed.length > 0) this.#deps.give(changed, removed);
  }

  #nextAdvance(maxMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, maxMs);
      this.#waiting.add(done);
    });
  }

  #wake(): void {
    for (const done of this.#waiting) done();
  }
}
