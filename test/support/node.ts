import { randomBytes } from 'node:crypto';

import { dataPlaneConfig } from '../../data-plane/config.js';
import { LocalServing, type ServingPorts } from '../../data-plane/serving.js';
import type { TlsBase } from '../../data-plane/tls-base.js';
import { endpointSets, resources, type GatewayConfig } from './gateway.js';

/** All that serves requests in a node's process, on its two ports, fed by the test in place of a control plane. */
export interface TestNode {
  readonly ports: ServingPorts;
  readonly warnings: readonly string[];
  /** Swaps the whole config and all endpoints; throws what a node refuses a config with. */
  apply(config: GatewayConfig): void;
  /** As the ops port shows them. */
  metrics(): string;
  debug(page: 'routes' | 'endpoints'): unknown;
  retire(): void;
  /** Lets what is in flight finish. */
  close(): Promise<void>;
}

export async function startNode(config: GatewayConfig, tls: Partial<TlsBase> = {}, tlsPort = 0): Promise<TestNode> {
  const warnings: string[] = [];
  const options: Readonly<Record<string, string>> = {
    host: '127.0.0.1',
    trustedIps: config.trustedIps?.join() ?? '',
    proxyProtocolFrom: config.proxyProtocolFrom?.join() ?? '',
  };
  const processConfig = dataPlaneConfig(
    {
      text: (name, fallback) => options[name] ?? fallback,
      port: (name) => (name === 'tlsPort' ? tlsPort : 0),
      milliseconds: (name, fallback) => (name === 'drainDeadlineMs' ? 2_000 : fallback),
      count: (_, fallback) => fallback,
    },
    'test',
  );
  const serving = new LocalServing(processConfig, {
    log: { info: () => undefined, warn: (message) => void warnings.push(message) },
    tls: { ticketKeys: randomBytes(48), fallback: null, ...tls },
    registryIsSilent: () => false,
  });
  const apply = (next: GatewayConfig): void => {
    serving.applyEndpoints(endpointSets(next), []);
    serving.applyConfig(resources(next));
  };
  apply(config);
  const ports = await serving.listen().catch((error: unknown) => {
    serving.destroy();
    throw error;
  });
  return {
    ports,
    warnings,
    apply,
    metrics: () => serving.metrics().render(serving.gauges),
    debug: (page) => serving.debug[page](),
    retire: () => serving.retire(),
    close: async () => {
      for (const { stop } of serving.stopSteps) await stop();
      serving.destroy();
    },
  };
}
