import { create } from '@bufbuild/protobuf';

import { EndpointSchema, EndpointState, SourceState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { compareNames } from '../../proto/snapshot/snapshot.js';

import type { StaticDiscovery, StaticEndpoint } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Endpoint } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Registry, RegistryObserver, RegistryStatus, WantedService } from './port.js';

/** Endpoints that the config itself lists, as a Registry: reported within `want`, and always current. */
export function createStaticRegistry(): Registry {
  return new StaticRegistry();
}

class StaticRegistry implements Registry {
  /** The discovery that was reported last, by service. */
  readonly #reported = new Map<string, string>();
  #observer: RegistryObserver | null = null;

  observe(observer: RegistryObserver): void {
    this.#observer = observer;
  }

  want(services: readonly WantedService[]): void {
    const gone = new Set(this.#reported.keys());
    for (const { service, discovery } of services) {
      if (discovery.source.case !== 'static') continue;
      gone.delete(service);
      this.#report(service, discovery.source.value);
    }
    for (const service of gone) this.#reported.delete(service);
  }

  status(): RegistryStatus {
    return { state: SourceState.UP, staleMs: 0 };
  }

  close(): Promise<void> {
    this.#observer = null;
    return Promise.resolve();
  }

  #report(service: string, discovery: StaticDiscovery): void {
    const key = JSON.stringify(discovery);
    if (this.#reported.get(service) === key) return;
    this.#reported.set(service, key);
    this.#observer?.endpoints(service, staticEndpoints(discovery));
  }
}

/** Sorted by id, which is address and port; of two with the same id the later one counts. */
export function staticEndpoints({ endpoints }: StaticDiscovery): readonly Endpoint[] {
  const byId = new Map(endpoints.map((endpoint) => [idOf(endpoint), toEndpoint(endpoint)]));
  return [...byId.values()].toSorted((a, b) => compareNames(a.id, b.id));
}

function toEndpoint(endpoint: StaticEndpoint): Endpoint {
  const { address, port, tags, weight = 1 } = endpoint;
  const isOut = weight === 0;
  return create(EndpointSchema, {
    id: idOf(endpoint),
    address,
    port,
    weight,
    tags: [...tags],
    state: isOut ? EndpointState.OUT : EndpointState.ACTIVE,
    reason: isOut ? 'weight 0' : '',
  });
}

function idOf({ address, port }: StaticEndpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
