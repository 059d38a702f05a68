import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { ClientTrust } from '../../data-plane/client-trust.js';
import { createProbe, Prober } from '../../data-plane/health/health.js';
import { createListener, SecureContexts } from '../../data-plane/listener/listener.js';
import { Metrics } from '../../data-plane/ops/ops.js';
import { transports } from '../../data-plane/serving.js';
import { Proxy } from '../../data-plane/proxy.js';
import { RuntimeHolder } from '../../data-plane/runtime/runtime.js';
import { TimerWheel } from '../../data-plane/wheel.js';
import {
  CertificateSchema,
  MetaSchema,
  RouteSchema,
  SchemaSchema,
  ServiceSchema,
} from '../../proto/gen/sluice/v1/config_pb.js';
import {
  EndpointSetSchema,
  EndpointState,
  Kind,
  ResourceSchema,
  type EndpointSet,
  type Resource,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';

export interface GatewayConfig {
  /** Only what matters to the test; the discovery is not looked at. */
  readonly services: readonly MessageInitShape<typeof ServiceSchema>[];
  readonly routes: readonly MessageInitShape<typeof RouteSchema>[];
  readonly schemas?: readonly MessageInitShape<typeof SchemaSchema>[];
  readonly certificates?: readonly MessageInitShape<typeof CertificateSchema>[];
  /** By service: ports on 127.0.0.1, each active with weight 1 or as given. */
  readonly endpoints: Readonly<Record<string, readonly (number | TestEndpoint)[]>>;
  readonly trustedIps?: readonly string[];
  /** Of a whole node only. */
  readonly proxyProtocolFrom?: readonly string[];
}

export interface TestEndpoint {
  readonly port: number;
  readonly weight?: number;
  readonly state?: EndpointState;
}

/** A node without a control plane: the real listener, proxy, runtime and transports, fed by the test. */
export interface TestGateway {
  readonly port: number;
  readonly url: string;
  readonly metrics: Metrics;
  readonly runtime: RuntimeHolder;
  /** Swaps the whole config and all endpoints. */
  apply(config: GatewayConfig): void;
  /** Ends it and throws when a connection is left. */
  close(): Promise<void>;
}

export async function startGateway(config: GatewayConfig): Promise<TestGateway> {
  const timers = new TimerWheel();
  const metrics = new Metrics();
  const transport = transports(timers);
  const certificates = new SecureContexts({ ticketKeys: Buffer.alloc(48), fallback: null });
  const runtime = new RuntimeHolder({ metrics, certificates, random: Math.random, transport });
  const proxy = new Proxy({
    current: () => runtime.current(),
    trust: new ClientTrust(config.trustedIps ?? []),
    metrics,
    timers,
    latencyHeaders: true,
    tlsPort: () => null,
    nowMs: () => performance.now(),
  });
  const listener = createListener({ host: '127.0.0.1', port: 0, wheel: timers }, proxy);
  const { port } = await listener.listen();
  const apply = (next: GatewayConfig): void => {
    runtime.applyEndpoints(endpointSets(next));
    runtime.applyConfig(resources(next));
  };
  apply(config);
  const prober = new Prober({
    services: () => runtime.services(),
    registryIsSilent: () => false,
    probe: createProbe(transport),
    nowMs: () => performance.now(),
    random: Math.random,
    log: { info: () => undefined, warn: () => undefined },
    tickMs: 10,
  });
  prober.start();
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    metrics,
    runtime,
    apply,
    close: async () => {
      await listener.close(1_000);
      await prober.close();
      await runtime.close();
      runtime.destroy();
      timers.close();
      if (listener.connections > 0) throw new Error(`${listener.connections} client connections are left`);
    },
  };
}

export function resources({ services, routes, schemas = [], certificates = [] }: GatewayConfig): Resource[] {
  const resource = (kind: Kind, name: string | undefined, body: Uint8Array): Resource =>
    create(ResourceSchema, { kind, name: name ?? '', body });
  return [
    ...services.map((init) => resource(Kind.SERVICE, init.name, toBinary(ServiceSchema, create(ServiceSchema, init)))),
    ...routes.map((init, ordinal) => {
      const route = create(RouteSchema, { ...init, meta: create(MetaSchema, { createdRevision: 1n, ordinal }) });
      return resource(Kind.ROUTE, init.name, toBinary(RouteSchema, route));
    }),
    ...schemas.map((init) => resource(Kind.SCHEMA, init.name, toBinary(SchemaSchema, create(SchemaSchema, init)))),
    ...certificates.map((init) =>
      resource(Kind.CERTIFICATE, init.name, toBinary(CertificateSchema, create(CertificateSchema, init))),
    ),
  ];
}

export function endpointSets({ endpoints }: GatewayConfig): EndpointSet[] {
  return Object.entries(endpoints).map(([service, ports]) => endpointSet(service, ports));
}

function endpointSet(service: string, ports: GatewayConfig['endpoints'][string]): EndpointSet {
  const endpoints = ports
    .map((each): TestEndpoint => (typeof each === 'number' ? { port: each } : each))
    .map(({ port, weight = 1, state = EndpointState.ACTIVE }) => ({
      id: `127.0.0.1:${port}`,
      address: '127.0.0.1',
      port,
      weight,
      state,
    }));
  return create(EndpointSetSchema, { service, endpoints });
}
