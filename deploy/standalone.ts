import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { AdminClient, applyFiles, newestRevision, waitForNodes } from '../control-plane/cli/cli.js';
import type { ControlPlaneConfig } from '../control-plane/config.js';
import { startControlPlane } from '../control-plane/main.js';
import { createRegistry } from '../control-plane/registry/registry.js';
import { openPglite } from '../control-plane/store/pglite.js';
import { openPostgres } from '../control-plane/store/postgres.js';
import type { Store } from '../control-plane/store/store.js';
import type { DataPlaneConfig } from '../data-plane/config.js';
import { startDataPlane, type DataPlane } from '../data-plane/main.js';
import { MemoryBroker } from '../proto/bus/memory.js';
import { localCertificate } from './certificate/local.js';
import { demoCommands, demoConfigFile, demoPorts, startDemoServices } from './demo/demo.js';
import { stopInOrder, stopSignal, type StopStep } from './life.js';
import type { Log } from './log.js';
import { softwareVersion } from './version.js';
import { serveOps } from './ops-server.js';

export interface StandaloneOptions {
  readonly controlPlane: ControlPlaneConfig;
  readonly dataPlane: DataPlaneConfig;
  /** Holds the embedded database; not used with a database URL. */
  readonly dataDir: string;
  readonly demo: boolean;
  readonly log: Log;
  print(line: string): void;
}

/** Both planes in one process, on the embedded database unless a URL names one. Returns when told to stop and stopped. */
export async function runStandalone(options: StandaloneOptions): Promise<void> {
  const stopped = stopSignal();
  const steps: StopStep[] = [];
  try {
    await start(options, steps);
    options.log.info('stopping', { signal: await stopped });
  } finally {
    await stopInOrder(steps.toReversed(), options.log);
  }
}

/** Each thing that is started adds the step that stops it, so that a failed start stops what it had begun. */
async function start(options: StandaloneOptions, steps: StopStep[]): Promise<void> {
  const { controlPlane: controlConfig, dataPlane: dataConfig, dataDir, log, print } = options;
  const broker = new MemoryBroker(log);
  // The database takes longest to open; the demo services do not need it.
  const opening = openStore(options);
  if (options.demo) {
    const services = await startDemoServices(demoPorts);
    steps.push({ name: 'demo services', deadlineMs: 2_000, stop: () => services.close() });
  }
  const store = await opening;
  const registry = createRegistry(controlConfig.consul, log);
  const controlPlane = await startControlPlane(controlConfig, { store, bus: broker.connect(), registry, log });
  steps.push(...controlPlane.stopSteps.toReversed());
  const dataPlane = await startDataPlane(options.demo ? await withCertificate(dataConfig, dataDir) : dataConfig, {
    bus: broker.connect(),
    log,
    softwareVersion: softwareVersion(),
  });
  steps.push(...dataPlane.stopSteps.toReversed());
  for (const [pages, host, port] of [
    [dataPlane, dataConfig.opsHost, dataConfig.opsPort],
    [controlPlane, controlConfig.opsHost, controlConfig.opsPort],
  ] as const) {
    const ops = await serveOps(pages, host, port);
    steps.push({ name: 'ops', deadlineMs: 1_000, stop: () => ops.close() });
  }
  const secure = dataPlane.tlsPort === null ? '' : `  https://localhost:${dataPlane.tlsPort}`;
  print(`gateway    http://localhost:${dataPlane.port}${secure}`);
  print(`admin API  localhost:${controlPlane.adminPort}`);
  if (options.demo) await applyDemo(controlPlane.adminPort, dataPlane, print);
}

/** HTTPS works out of the box, with a certificate that clients have to be told to trust. */
async function withCertificate(config: DataPlaneConfig, dataDir: string): Promise<DataPlaneConfig> {
  if (config.tlsPort === null || config.tlsCert !== '' || config.tlsKey !== '') return config;
  const { certFile, keyFile } = await localCertificate(join(dataDir, 'tls'));
  return { ...config, tlsCert: certFile, tlsKey: keyFile };
}

async function openStore({ controlPlane, dataDir }: StandaloneOptions): Promise<Store> {
  const lineage = randomUUID();
  if (controlPlane.databaseUrl !== '') return openPostgres({ url: controlPlane.databaseUrl, lineage });
  return openPglite({ dataDir: join(dataDir, 'store'), lineage });
}

/** A config that anyone has changed is kept as it is. */
async function applyDemo(
  adminPort: number,
  { port, tlsPort }: Pick<DataPlane, 'port' | 'tlsPort'>,
  print: (line: string) => void,
): Promise<void> {
  const client = new AdminClient(`127.0.0.1:${adminPort}`);
  try {
    const output = { line: () => undefined, error: print };
    if ((await newestRevision(client)) === 0n) {
      await applyFiles(client, [demoConfigFile], { dryRun: false, prune: false, expectedRevision: 0n });
    }
    await waitForNodes(client, output, 0n, 10_000);
  } finally {
    client.close();
  }
  print('');
  for (const command of demoCommands({ port, tlsPort, adminPort })) print(`  ${command}`);
  print('');
}
