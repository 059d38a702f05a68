import { SourceState } from '../../../proto/gen/sluice/v1/snapshot_pb.js';
import { ConsulClient } from './reading/client.js';
import { EmptiedLately } from './meaning/emptied.js';
import { defaultTiming } from './reading/timing.js';
import { DEFAULT_MAX_BLOCKING, Readers } from './reading/readers.js';
import { ServiceQuery } from './service-query.js';
import { Subscription } from './subscription.js';

import type { ConsulDiscovery } from '../../../proto/gen/sluice/v1/config_pb.js';
import type { Registry, RegistryObserver, RegistryStatus, WantedService } from '../port.js';
import type { ClientOptions } from './reading/client.js';
import type { SkippedEntry } from './meaning/entry.js';
import type { Timing } from './reading/timing.js';
import type { QueryObserver } from './service-query.js';

export interface ConsulOptions extends ClientOptions {
  /** Hears what is worth a log line or a counter. Does not throw. */
  readonly report: (event: ConsulEvent) => void;
  readonly timing?: Partial<Timing>;
  /** With more Consul services than this, there is no blocking query for each. */
  readonly maxBlocking?: number;
}

export type ConsulEvent =
  /** Consul does not answer for a service (its name in Consul); the last answer is held. Once per reason. */
  | { readonly kind: 'failing'; readonly consulService: string; readonly datacenter: string; readonly reason: string }
  | { readonly kind: 'recovered'; readonly consulService: string; readonly datacenter: string }
  /** Instances that cannot be used; the rest of the answer is. */
  | { readonly kind: 'skipped'; readonly consulService: string; readonly entries: readonly SkippedEntry[] }
  /** The hold on mass loss: so many endpoints of a service (its name with us) are kept as SUSPECT; 0 when it is over. */
  | { readonly kind: 'held'; readonly service: string; readonly count: number; readonly reason: string };

/** Consul as a Registry: one question for each Consul service and datacenter, however many ask it. Throws an Error that names a bad option. */
export function createConsulRegistry(options: ConsulOptions): Registry {
  return new ConsulRegistry(options);
}

interface Watched {
  /** Of its discovery: another one starts again. */
  readonly key: string;
  readonly query: ServiceQuery;
  readonly subscription: Subscription;
}

class ConsulRegistry implements Registry, QueryObserver {
  readonly #client: ConsulClient;
  readonly #report: ConsulOptions['report'];
  readonly #timing: Timing;
  readonly #readers: Readers;
  readonly #watched = new Map<string, Watched>();
  readonly #queries = new Map<string, ServiceQuery>();
  readonly #emptied = new EmptiedLately<ServiceQuery>();
  #observer: RegistryObserver | null = null;
  #state = SourceState.UP;

  constructor({ report, timing, maxBlocking = DEFAULT_MAX_BLOCKING, ...client }: ConsulOptions) {
    this.#client = new ConsulClient(client);
    this.#report = report;
    this.#timing = { ...defaultTiming, ...timing };
    this.#readers = new Readers(this.#client, this.#timing, maxBlocking);
  }

  observe(observer: RegistryObserver): void {
    this.#observer = observer;
  }

  want(services: readonly WantedService[]): void {
    const wanted = new Map<string, ConsulDiscovery>();
    for (const { service, discovery } of services) {
      if (discovery.source.case === 'consul') wanted.set(service, discovery.source.value);
    }
    for (const [service, watched] of this.#watched) {
      const discovery = wanted.get(service);
      if (discovery === undefined || discoveryKey(discovery) !== watched.key) this.#unwatch(service, watched);
    }
    for (const [service, discovery] of wanted) {
      if (!this.#watched.has(service)) this.#watch(service, discovery);
    }
    for (const [key, { subscriptions }] of this.#queries) {
      if (subscriptions.size === 0) this.#queries.delete(key);
    }
    this.#readers.read(new Set(this.#queries.values()));
    this.changed();
  }

  status(): RegistryStatus {
    return statusOf([...this.#queries.values()], performance.now());
  }

  async close(): Promise<void> {
    this.#observer = null;
    for (const [service, watched] of this.#watched) this.#unwatch(service, watched);
    this.#queries.clear();
    await this.#readers.close();
    this.#client.close();
  }

  changed(): void {
    const status = this.status();
    if (status.state === this.#state) return;
    this.#state = status.state;
    this.#observer?.status(status);
  }

  failing({ service, datacenter }: ServiceQuery, reason: string): void {
    this.#report({ kind: 'failing', consulService: service, datacenter, reason });
  }

  recovered({ service, datacenter }: ServiceQuery): void {
    this.#report({ kind: 'recovered', consulService: service, datacenter });
  }

  skipped({ service }: ServiceQuery, entries: readonly SkippedEntry[]): void {
    this.#report({ kind: 'skipped', consulService: service, entries });
  }

  emptied(query: ServiceQuery, count: number): void {
    const remaining = [...this.#queries.values()].reduce((sum, { instanceCount }) => sum + instanceCount, 0);
    for (const doubted of this.#emptied.note(query, count, remaining, performance.now())) {
      for (const subscription of doubted.subscriptions) subscription.doubtRemovals('several services vanished at once');
    }
  }

  #watch(service: string, discovery: ConsulDiscovery): void {
    const query = this.#queryFor(discovery);
    const subscription = new Subscription(discovery.tags, this.#timing.holdMs, {
      endpoints: (endpoints) => this.#observer?.endpoints(service, endpoints),
      held: (count, reason) => this.#report({ kind: 'held', service, count, reason }),
    });
    this.#watched.set(service, { key: discoveryKey(discovery), query, subscription });
    query.subscribe(subscription);
  }

  #queryFor({ service, datacenter }: ConsulDiscovery): ServiceQuery {
    const key = `${datacenter}/${service}`;
    const query = this.#queries.get(key) ?? new ServiceQuery({ service, datacenter }, this.#client, this.#timing, this);
    this.#queries.set(key, query);
    return query;
  }

  #unwatch(service: string, { query, subscription }: Watched): void {
    this.#watched.delete(service);
    query.subscriptions.delete(subscription);
    subscription.close();
  }
}

/** Neither a datacenter nor a service name has a `/`. */
function discoveryKey({ service, datacenter, tags }: ConsulDiscovery): string {
  return JSON.stringify([service, datacenter, tags.toSorted()]);
}

/** A query that was never answered holds nothing: one unknown datacenter does not make all the others stale. */
function statusOf(queries: readonly ServiceQuery[], nowMs: number): RegistryStatus {
  const answered = queries.filter(({ answeredAtMs }) => answeredAtMs !== null);
  if (queries.length > 0 && answered.length === 0) {
    const sinceMs = Math.min(...queries.map(({ startedAtMs }) => startedAtMs));
    return { state: SourceState.DOWN, staleMs: Math.round(nowMs - sinceMs) };
  }
  const held = answered.filter(({ isFailing }) => isFailing);
  if (held.length === 0) return { state: SourceState.UP, staleMs: 0 };
  const sinceMs = Math.min(...held.map(({ answeredAtMs }) => answeredAtMs ?? nowMs));
  return { state: SourceState.STALE, staleMs: Math.round(nowMs - sinceMs) };
}
