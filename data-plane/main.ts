import { NodePhase } from '../proto/gen/sluice/v1/snapshot_pb.js';
import { subjectsOf, type Bus } from '../proto/bus/bus.js';
import { ClientTrust } from './client-trust.js';
import type { DataPlaneConfig } from './config.js';
import { createFollower, lastGoodFolder, type FollowerStatus } from './follow/follow.js';
import { createProbe, isDown, Prober } from './health/health.js';
import { createListener } from './listener/listener.js';
import { Metrics } from './ops/ops.js';
import { Proxy } from './proxy.js';
import { RuntimeHolder, type ServiceSettings } from './runtime/runtime.js';
import { createHttp1Transport } from './upstream/http1/pool.js';
import { createHttp2Transport } from './upstream/http2/http2.js';
import type { Endpoint, EndpointAddress } from './balancer/balancer.js';
import type { Transport } from './upstream/transport.js';
import { TimerWheel } from './wheel.js';

export interface DataPlaneParts {
  readonly bus: Bus;
  /** Told to the control planes. */
  readonly softwareVersion: string;
  readonly log: DataPlaneLog;
}

export interface DataPlaneLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface DataPlane {
  readonly port: number;
  ready(): { readonly ready: boolean; readonly detail: Readonly<Record<string, unknown>> };
  metrics(): string;
  readonly debug: Readonly<Record<string, () => unknown>>;
  /** In order: not ready, but serving → no new connections, requests in flight finish → probes → upstream connections → bus. */
  readonly stopSteps: readonly { readonly name: string; readonly deadlineMs: number; stop(): Promise<void> }[];
}

/** A part of each deadline is for what comes after it: resets, and the last bytes of answers. */
const spareMs = 2_000;

/** Starts one node. Its start order is the order of the lines. */
export async function startDataPlane(
  config: DataPlaneConfig,
  { bus, log, softwareVersion }: DataPlaneParts,
): Promise<DataPlane> {
  const timers = new TimerWheel();
  const metrics = new Metrics();
  const transport = transports(timers);
  const runtime = new RuntimeHolder({ metrics, random: Math.random, transport });
  const proxy = new Proxy({
    current: () => runtime.current(),
    trust: new ClientTrust(config.trustedIps),
    metrics,
    timers,
    latencyHeaders: config.latencyHeaders,
    nowMs: () => performance.now(),
  });
  const listener = createListener({ host: config.host, port: config.httpPort, wheel: timers }, proxy);
  const { port } = await listener.listen();
  const follower = createFollower({
    bus,
    subjects: subjectsOf(config.cluster),
    nodeId: config.nodeId,
    softwareVersion,
    address: () => `${config.host}:${port}`,
    runtime,
    disk: lastGoodFolder(config.stateDir, log),
    log,
  });
  await follower.start();
  const prober = new Prober({
    services: () => runtime.services(),
    registryIsSilent: () => follower.status.phase === NodePhase.DETACHED,
    probe: createProbe(transport),
    nowMs: () => performance.now(),
    random: Math.random,
    log,
  });
  prober.start();
  log.info('node accepts traffic', { port, node: config.nodeId });
  let draining = false;
  return {
    port,
    ready: () => ({
      ready: runtime.current() !== null && !draining,
      detail: { draining, ...describe(follower.status) },
    }),
    metrics: () => metrics.render(gauges(follower.status, listener.connections)),
    debug: {
      follow: () => describe(follower.status),
      routes: () => runtime.routes.map(({ settings }) => settings),
      endpoints: () => describeEndpoints(runtime, performance.now()),
    },
    stopSteps: [
      {
        name: 'grace',
        deadlineMs: config.drainGraceMs + spareMs,
        stop: async () => {
          draining = true;
          follower.drain();
          listener.retire();
          await new Promise((resolve) => setTimeout(resolve, config.drainGraceMs));
        },
      },
      {
        name: 'listener',
        deadlineMs: config.drainDeadlineMs + spareMs,
        stop: () => listener.close(config.drainDeadlineMs),
      },
      { name: 'prober', deadlineMs: spareMs, stop: () => prober.close() },
      { name: 'upstreams', deadlineMs: spareMs, stop: () => runtime.close() },
      { name: 'follower', deadlineMs: spareMs, stop: () => follower.close() },
      { name: 'bus', deadlineMs: spareMs, stop: () => bus.close() },
      {
        name: 'timers',
        deadlineMs: spareMs,
        stop: async () => {
          runtime.destroy();
          timers.close();
        },
      },
    ],
  };
}

/** Which transport speaks a service's protocol. */
export function transports(wheel: TimerWheel): (service: ServiceSettings, endpoint: EndpointAddress) => Transport {
  return ({ protocol, tls }, { address, port }) => {
    const options = { address, port, wheel, ...(tls === null ? {} : { tls }) };
    switch (protocol) {
      case 'http':
      case 'https':
        return createHttp1Transport(options);
      case 'grpc':
      case 'grpcs':
        return createHttp2Transport(options);
    }
  };
}

function describe({
  phase,
  config,
  refusal,
  endpoints,
  epoch,
  beaconAgeMs,
}: FollowerStatus): Readonly<Record<string, unknown>> {
  return {
    phase: NodePhase[phase],
    revision: config?.revision ?? null,
    refusal:
      refusal === null
        ? null
        : { revision: refusal.revision, name: refusal.name, field: refusal.field, reason: refusal.reason },
    endpoints: endpoints === null ? null : { epoch: endpoints.epoch, sequence: endpoints.sequence },
    epoch,
    beaconAgeMs,
  };
}

function describeEndpoints(runtime: RuntimeHolder, nowMs: number): unknown {
  return Object.fromEntries(
    [...runtime.services()].map(({ settings, upstream }) => [
      settings.name,
      upstream.endpoints.map((endpoint) => describeEndpoint(endpoint, nowMs)),
    ]),
  );
}

/** `ejectedMs` is what is left of an ejection; who is down is out until probes pass. */
function describeEndpoint(endpoint: Endpoint, nowMs: number): unknown {
  const { id, authority, weight, suspect, requestsInFlight, health } = endpoint;
  const down = isDown(endpoint);
  const ejectedMs = down ? 0 : Math.max(0, Math.round(health.ejectedUntilMs - nowMs));
  return { id, authority, weight, suspect, requestsInFlight, ejectedMs, down };
}

function gauges(
  { phase, config, endpoints, beaconAgeMs }: FollowerStatus,
  connections: number,
): [string, string, number][] {
  return [
    ['sluice_connections', 'Client connections open.', connections],
    ['sluice_config_revision', 'The revision that runs.', Number(config?.revision ?? 0n)],
    [
      'sluice_endpoints_sequence',
      'The version of the endpoints that run, within its epoch.',
      Number(endpoints?.sequence ?? 0n),
    ],
    ['sluice_detached', 'Whether no control plane is heard.', phase === NodePhase.DETACHED ? 1 : 0],
    [
      'sluice_beacon_age_seconds',
      'Since the last word of a control plane; -1 before the first.',
      beaconAgeMs === null ? -1 : beaconAgeMs / 1_000,
    ],
  ];
}
