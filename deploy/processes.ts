import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlPlaneConfig } from '../control-plane/config.js';
import { AdminError } from '../control-plane/errors.js';
import { startControlPlane } from '../control-plane/main.js';
import { createRegistry } from '../control-plane/registry/registry.js';
import { openPostgres } from '../control-plane/store/postgres.js';
import type { Store } from '../control-plane/store/store.js';
import type { DataPlaneConfig } from '../data-plane/config.js';
import { startDataPlane } from '../data-plane/main.js';
import { natsBus } from '../proto/bus/nats.js';
import { ConfigError } from './config.js';
import { stopInOrder, stopSignal, type StopStep } from './life.js';
import type { Log } from './log.js';
import { softwareVersion } from './version.js';
import { serveOps, type OpsPages } from './ops-server.js';

const storeRetryMs = 1_000;

/** One control plane of a cluster, until told to stop. */
export async function runControlPlane(config: ControlPlaneConfig, log: Log): Promise<void> {
  if (config.databaseUrl === '')
    throw new ConfigError(
      'a control plane needs --database-url or DATABASE_URL; only standalone has a database of its own',
    );
  const stopped = stopSignal();
  const store = await openStore(config, stopped, log);
  const bus = natsBus({ servers: config.natsUrl.split(','), name: config.replicaId, log });
  const registry = createRegistry(config.consul, log);
  const controlPlane = await startControlPlane(config, { store, bus, registry, log });
  await serveUntil(stopped, controlPlane, controlPlane.stopSteps, { host: config.opsHost, port: config.opsPort }, log);
}

/** A control plane may well start before its database does. */
async function openStore(
  { databaseUrl, replicaId }: ControlPlaneConfig,
  stopped: Promise<unknown>,
  log: Log,
): Promise<Store> {
  let stopping = false;
  const waitForStop = stopped.then(() => (stopping = true));
  for (;;) {
    try {
      return await openPostgres({ url: databaseUrl, lineage: randomUUID(), applicationName: `sluice ${replicaId}` });
    } catch (error) {
      if (!(error instanceof AdminError) || error.reason !== 'STORE_UNAVAILABLE') throw error;
      log.warn('the database cannot be opened yet', { reason: error.message });
      await Promise.race([sleep(storeRetryMs), waitForStop]);
      if (stopping) throw new Error('told to stop before the database could be opened', { cause: error });
    }
  }
}

/** One node of a cluster, until told to stop. */
export async function runDataPlane(config: DataPlaneConfig, log: Log): Promise<void> {
  const stopped = stopSignal();
  const bus = natsBus({ servers: config.natsUrl.split(','), name: config.nodeId, log });
  const dataPlane = await startDataPlane(config, { bus, log, softwareVersion: softwareVersion() });
  await serveUntil(stopped, dataPlane, dataPlane.stopSteps, { host: config.opsHost, port: config.opsPort }, log);
}

async function serveUntil(
  stopped: Promise<NodeJS.Signals>,
  pages: OpsPages,
  stopSteps: readonly StopStep[],
  address: { readonly host: string; readonly port: number },
  log: Log,
): Promise<void> {
  const ops = await serveOps(pages, address.host, address.port);
  log.info('stopping', { signal: await stopped });
  await stopInOrder([...stopSteps, { name: 'ops', deadlineMs: 1_000, stop: () => ops.close() }], log);
}
