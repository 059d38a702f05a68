import { NodePhase } from '../proto/gen/sluice/v1/snapshot_pb.js';
import { subjectsOf, type Bus } from '../proto/bus/bus.js';
import type { DataPlaneConfig } from './config.js';
import type { OpenApiPage } from './explain/explain.js';
import { createFollower, lastGoodFolder, type FollowerStatus } from './follow/follow.js';
import type { Value } from './ops/ops.js';
import { LocalServing, spareMs, type DataPlaneLog, type Serving, type StopStep } from './serving.js';
import { readTlsBase } from './tls-base.js';
import { serveByWorkers } from './workers/workers.js';

export interface DataPlaneParts {
  readonly bus: Bus;
  /** Told to the control planes. */
  readonly softwareVersion: string;
  readonly log: DataPlaneLog;
}

export interface DataPlane {
  readonly port: number;
  /** Null: TLS is not spoken. */
  readonly tlsPort: number | null;
  ready(): { readonly ready: boolean; readonly detail: Readonly<Record<string, unknown>> };
  metrics(): Promise<string>;
  readonly debug: Readonly<Record<string, () => unknown>>;
  /** What is transcoded at a host, by the config that runs. */
  openApi(request: { readonly host: string; readonly version: '3.1' | '2.0' }): Promise<OpenApiPage>;
  /** In order: not ready, but serving → what serves, see Serving → follower → bus. */
  readonly stopSteps: readonly StopStep[];
}

/** Starts one node. Its start order is the order of the lines. */
export async function startDataPlane(
  config: DataPlaneConfig,
  { bus, log, softwareVersion }: DataPlaneParts,
): Promise<DataPlane> {
  let isDetached = (): boolean => false;
  const parts = { log, tls: await readTlsBase(config), registryIsSilent: () => isDetached() };
  const serving: Serving = config.workers === 1 ? new LocalServing(config, parts) : serveByWorkers(config, parts);
  const { http: port, tls: tlsPort } = await serving.listen();
  const follower = createFollower({
    bus,
    subjects: subjectsOf(config.cluster),
    nodeId: config.nodeId,
    softwareVersion,
    address: () => `${config.host}:${port}`,
    runtime: serving,
    disk: lastGoodFolder(config.stateDir, log),
    log,
  });
  isDetached = () => follower.status.phase === NodePhase.DETACHED;
  await follower.start();
  log.info('node accepts traffic', { port, tlsPort, node: config.nodeId, workers: config.workers });
  let draining = false;
  return {
    port,
    tlsPort,
    ready: () => ({ ready: serving.ready && !draining, detail: { draining, ...describe(follower.status) } }),
    metrics: async () => (await serving.metrics()).render([...serving.gauges, ...gauges(follower.status)]),
    debug: { follow: () => describe(follower.status), ...serving.debug },
    openApi: async (request) => serving.openApi({ ...request, revision: follower.status.config?.revision ?? 0n }),
    stopSteps: [
      {
        name: 'grace',
        deadlineMs: config.drainGraceMs + spareMs,
        stop: async () => {
          draining = true;
          follower.drain();
          serving.retire();
          await new Promise((resolve) => setTimeout(resolve, config.drainGraceMs));
        },
      },
      ...serving.stopSteps,
      { name: 'follower', deadlineMs: spareMs, stop: () => follower.close() },
      { name: 'bus', deadlineMs: spareMs, stop: () => bus.close() },
      { name: 'rest', deadlineMs: spareMs, stop: async () => serving.destroy() },
    ],
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

function gauges({ phase, config, endpoints, beaconAgeMs }: FollowerStatus): Value[] {
  return [
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
