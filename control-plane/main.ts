import type { Bus } from '../proto/bus/bus.js';
import { subjectsOf } from '../proto/bus/bus.js';
import { SourceState, type ReflectionStatus } from '../proto/gen/sluice/v1/snapshot_pb.js';
import { createAdminServer } from './admin/admin.js';
import type { ControlPlaneConfig } from './config.js';
import { createReflection } from './reflection/reflection.js';
import type { Registry } from './registry/registry.js';
import { build } from './snapshot/snapshot.js';
import type { Store } from './store/store.js';
import { createSync, tellingCommits, type SyncStatus } from './sync/sync.js';

/** What differs between a cluster and a process that holds everything: made by deploy, ended here. */
export interface ControlPlaneParts {
  readonly store: Store;
  readonly bus: Bus;
  readonly registry: Registry;
  readonly log: ControlPlaneLog;
}

export interface ControlPlaneLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface ControlPlane {
  readonly adminPort: number;
  ready(): { readonly ready: boolean; readonly detail: Readonly<Record<string, unknown>> };
  metrics(): string;
  readonly debug: Readonly<Record<string, () => unknown>>;
  /** In order: refuse writes, finish the current publish, give the leadership back, then bus, registry and store. */
  readonly stopSteps: readonly { readonly name: string; readonly deadlineMs: number; stop(): Promise<void> }[];
}

/** Starts one control plane. Its start order is the order of the lines. */
export async function startControlPlane(config: ControlPlaneConfig, parts: ControlPlaneParts): Promise<ControlPlane> {
  const { store, bus, registry, log } = parts;
  const sync = createSync({
    store,
    registry,
    bus,
    subjects: subjectsOf(config.cluster),
    replicaId: config.replicaId,
    log,
  });
  const written = tellingCommits(store, (revision) => sync.committed(revision));
  const admin = createAdminServer({
    store: written,
    nodes: sync.nodes,
    endpoints: sync.endpoints,
    reflections: { status: (schema) => reflection.status(schema) },
    clock: Date.now,
    logger: log,
  });
  const reflection = createReflection({
    store,
    bus,
    subjects: subjectsOf(config.cluster),
    leading: () => (sync.status.leading ? sync.status.epoch : null),
    revision: () => sync.status.config?.revision ?? null,
    endpoints: (service) => sync.endpoints.endpoints(service),
    adopt: (schema, service, descriptorSet) => admin.adoptDescriptors(schema, service, descriptorSet),
    log,
  });
  sync.start();
  reflection.start();
  const adminPort = await admin.start(config.adminHost, config.adminPort);
  log.info('control plane is ready', { adminPort, replica: config.replicaId });
  return {
    adminPort,
    ready: () => ({ ready: sync.status.state === 'ready', detail: describe(sync.status) }),
    metrics: () => renderMetrics(sync.status, reflection.statuses),
    debug: {
      sync: () => describe(sync.status),
      nodes: () => sync.nodes.nodes(),
      reflection: () => reflection.statuses,
      /** Empty unless a newer version of this program is stricter than the one that took the config. */
      problems: async () => build((await store.read()).resources).problems,
    },
    stopSteps: [
      { name: 'admin', deadlineMs: 6_000, stop: () => admin.close(5_000) },
      { name: 'reflection', deadlineMs: 2_000, stop: () => reflection.close() },
      { name: 'sync', deadlineMs: 5_000, stop: () => sync.close() },
      { name: 'bus', deadlineMs: 2_000, stop: () => bus.close() },
      { name: 'registry', deadlineMs: 2_000, stop: () => registry.close() },
      { name: 'store', deadlineMs: 5_000, stop: () => store.close() },
    ],
  };
}

function describe(status: SyncStatus): Readonly<Record<string, unknown>> {
  return {
    state: status.state,
    leading: status.leading,
    epoch: status.epoch,
    revision: status.config?.revision ?? null,
    endpoints: { epoch: status.endpoints.epoch, sequence: status.endpoints.sequence },
    postgres: SourceState[status.postgres],
    consul: SourceState[status.consul],
    consulStaleMs: status.consulStaleMs,
    nodes: status.fleetSize,
  };
}

function renderMetrics(status: SyncStatus, reflected: readonly ReflectionStatus[]): string {
  const gauges = [
    ['sluice_control_leading', 'Whether this replica leads.', status.leading ? 1 : 0],
    ['sluice_control_epoch', 'The highest epoch heard of.', Number(status.epoch)],
    ['sluice_control_revision', 'The newest revision known here.', Number(status.config?.revision ?? 0n)],
    ['sluice_control_nodes', 'Nodes that are not silent.', status.fleetSize],
    ['sluice_control_postgres_up', 'Whether Postgres answers.', status.postgres === SourceState.UP ? 1 : 0],
    ['sluice_control_consul_up', 'Whether Consul answers.', status.consul === SourceState.UP ? 1 : 0],
    [
      'sluice_control_consul_stale_seconds',
      'How long the oldest held answer has gone unconfirmed.',
      status.consulStaleMs / 1_000,
    ],
    ['sluice_control_reflected_schemas', 'Schemas that this replica reads from services.', reflected.length],
    [
      'sluice_control_reflected_schemas_failing',
      'Of these, those that the last round did not bring up to date.',
      reflected.filter(({ lastError }) => lastError !== '').length,
    ],
    [
      'sluice_control_reflected_schemas_disagreeing',
      'Of these, those whose endpoints serve different descriptors.',
      reflected.filter(({ disagreement }) => disagreement).length,
    ],
  ] as const;
  return gauges
    .map(([name, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`)
    .join('');
}
