#!/usr/bin/env -S node --v8-pool-size=1
import { hostname } from 'node:os';
import { Command, Option } from 'commander';
import { addAdminCommands } from '../control-plane/cli/cli.js';
import { controlPlaneConfig } from '../control-plane/config.js';
import { dataPlaneConfig } from '../data-plane/config.js';
import { ConfigError, ConfigReader, type Flags } from './config.js';
import { runRegisteredDemo } from './demo/registered.js';
import { createLog } from './log.js';
import { runControlPlane, runDataPlane } from './processes.js';
import { runStandalone } from './standalone.js';

/** Exit codes of every command: 0 done, 1 refused or failed, 2 wrong usage, 3 no control plane reached. */
const usage = 2;

const dataPlaneFlags: readonly (readonly [flag: string, about: string])[] = [
  ['--node-id <id>', 'the name of this node in the cluster'],
  ['--host <address>', 'where traffic is accepted (0.0.0.0)'],
  ['--http-port <port>', 'traffic (8080)'],
  ['--tls-port <port|off>', 'traffic over TLS (8443)'],
  ['--tls-cert <file>', 'a certificate, with its chain, for names that no certificate of the config has (none)'],
  ['--tls-key <file>', 'the key of that certificate'],
  ['--workers <count>', 'processes that serve requests, 0 for one per core (1)'],
  ['--ops-host <address>', 'where health, metrics and debug pages are served (127.0.0.1)'],
  ['--ops-port <port>', 'health, metrics and debug pages (9902)'],
  ['--state-dir <folder>', 'where the last good snapshot is kept (.sluice/node-PORT)'],
  ['--trusted-ips <list>', 'addresses and CIDRs whose X-Forwarded-* fields are believed (none)'],
  ['--proxy-protocol-from <list>', 'addresses and CIDRs whose connections begin with a PROXY header (none)'],
  ['--latency-headers <on|off>', 'X-Sluice-Proxy-Latency and X-Sluice-Upstream-Latency (on)'],
  ['--drain-grace-ms <ms>', 'how long to serve on after the signal to stop (0)'],
  ['--drain-deadline-ms <ms>', 'how long requests in flight may take to finish (30000)'],
];

const controlPlaneFlags: readonly (readonly [flag: string, about: string])[] = [
  ['--replica-id <id>', 'the name of this control plane in the cluster'],
  ['--admin-host <address>', 'where the admin API is served (127.0.0.1)'],
  ['--admin-port <port>', 'gRPC admin API (9900)'],
  ['--control-ops-host <address>', 'where health and metrics are served (127.0.0.1)'],
  ['--control-ops-port <port>', 'health and metrics (9901)'],
  ['--database-url <url>', 'Postgres (env DATABASE_URL)'],
  ['--consul-address <url>', 'Consul agent (env CONSUL_HTTP_ADDR, http://127.0.0.1:8500)'],
];

const sharedFlags: readonly (readonly [flag: string, about: string])[] = [
  ['--cluster <name>', 'the cluster to belong to (default)'],
  ['--nats-url <url>', 'NATS (env NATS_URL, nats://127.0.0.1:4222)'],
  ['--log-level <level>', 'debug, info, warn, error or silent (info; warn with --demo)'],
];

async function main(): Promise<void> {
  // A reader such as `head` may have enough before everything is printed.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const program = new Command('sluice')
    .description('A gateway cluster that knows where services are.')
    .option('--address <host:port>', 'the admin API to talk to (env SLUICE_ADMIN, 127.0.0.1:9900)')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : usage));
  addProcessCommands(program);
  addDemoCommand(program);
  addAdminCommands(program, {
    output: {
      line: (text) => void process.stdout.write(`${text}\n`),
      error: (text) => void process.stderr.write(`${text}\n`),
    },
    defaultAddress: process.env['SLUICE_ADMIN'] ?? '127.0.0.1:9900',
    exit: (code) => (process.exitCode = code),
  });
  await program.parseAsync();
}

function addProcessCommands(program: Command): void {
  withFlags(
    program.command('standalone').description('both planes in one process'),
    dataPlaneFlags,
    controlPlaneFlags,
    sharedFlags,
  )
    .option('--data-dir <folder>', 'holds the embedded database (.sluice)')
    .option('--demo', 'with example services, and routes to them')
    .action((flags: Flags) =>
      run(flags, (source, log) =>
        runStandalone({
          controlPlane: controlPlaneConfig(source, hostId()),
          dataPlane: dataPlaneConfig(source, hostId()),
          dataDir: source.text('dataDir', '.sluice'),
          demo: flags['demo'] === true,
          log,
          print: (line) => void process.stdout.write(`${line}\n`),
        }),
      ),
    );
  withFlags(program.command('control-plane').description('run a control plane'), controlPlaneFlags, sharedFlags).action(
    (flags: Flags) => run(flags, (source, log) => runControlPlane(controlPlaneConfig(source, hostId()), log)),
  );
  withFlags(program.command('data-plane').description('run a node'), dataPlaneFlags, sharedFlags).action(
    (flags: Flags) => run(flags, (source, log) => runDataPlane(dataPlaneConfig(source, hostId()), log)),
  );
}

function addDemoCommand(program: Command): void {
  program
    .command('demo-services')
    .description('example services, registered in Consul while they run')
    .option('--consul-address <url>', 'Consul agent (env CONSUL_HTTP_ADDR, http://127.0.0.1:8500)')
    .option('--host <address>', 'where the instances listen (127.0.0.1)')
    .option('--advertise <address>', 'what Consul tells of them (127.0.0.1)')
    .option('--orders-ports <list>', 'one HTTP instance each (9101,9102,9103)')
    .option('--bookstore-ports <list>', 'one gRPC instance each (9111,9112)')
    .action((flags: Flags) =>
      run(flags, (source, log) =>
        runRegisteredDemo({
          consulUrl: source.text('consulAddress', 'http://127.0.0.1:8500'),
          host: source.text('host', '127.0.0.1'),
          advertise: source.text('advertise', '127.0.0.1'),
          ports: {
            orders: source.ports('ordersPorts', [9101, 9102, 9103]),
            bookstore: source.ports('bookstorePorts', [9111, 9112]),
          },
          log,
        }),
      ),
    );
}

function withFlags(command: Command, ...groups: readonly (readonly (readonly [string, string])[])[]): Command {
  for (const [flag, about] of groups.flat()) command.addOption(new Option(flag, about));
  return command;
}

async function run(
  flags: Flags,
  work: (source: ConfigReader, log: ReturnType<typeof createLog>) => Promise<void>,
): Promise<void> {
  const source = new ConfigReader(flags, process.env);
  try {
    await work(source, createLog(source.text('logLevel', flags['demo'] === true ? 'warn' : 'info'), {}));
  } catch (error) {
    process.stderr.write(`sluice: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof ConfigError ? usage : 1);
  }
  process.exit(0);
}

/** Names of nodes and replicas are one token on the bus. */
function hostId(): string {
  return hostname().replace(/[^A-Za-z0-9_-]/g, '-');
}

await main();
