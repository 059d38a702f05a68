import type { Discovery } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Registry, RegistryObserver, RegistryStatus } from './port.js';

/** The adapters by the discovery that each understands. */
export type RegistriesBySource = { readonly [Source in DiscoverySource]: Registry };

type DiscoverySource = NonNullable<Discovery['source']['case']>;

/** One Registry of several: each service goes to the adapter of its discovery; the status is that of the worst one. */
export function combineRegistries(bySource: RegistriesBySource): Registry {
  const sources = Object.keys(bySource) as DiscoverySource[];
  const all = sources.map((source) => bySource[source]);
  const status = (): RegistryStatus =>
    all.map((registry) => registry.status()).reduce((worst, next) => (isWorse(next, worst) ? next : worst));
  return {
    observe(observer) {
      const combined: RegistryObserver = {
        endpoints: (service, endpoints) => observer.endpoints(service, endpoints),
        status: () => observer.status(status()),
      };
      for (const registry of all) registry.observe(combined);
    },
    want(services) {
      for (const source of sources) {
        bySource[source].want(services.filter((wanted) => wanted.discovery.source.case === source));
      }
    },
    status,
    async close() {
      await Promise.all(all.map((registry) => registry.close()));
    },
  };
}

function isWorse(a: RegistryStatus, b: RegistryStatus): boolean {
  return a.state === b.state ? a.staleMs > b.staleMs : a.state > b.state;
}
