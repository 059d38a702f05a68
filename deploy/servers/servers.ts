import { packageFile } from '../package-file.js';
import { findBinary as find } from './binaries/binaries.js';
import { launchConsul, probeConsul } from './consul.js';
import { useExternal } from './external.js';
import { launchHaproxy } from './haproxy.js';
import { launchNats, probeNats } from './nats.js';
import { launchPostgres, probePostgres } from './postgres.js';
import { freePort, freePorts } from './ports.js';

import type { Binary, FindOptions, ProgramName, ServerName, ToolName } from './binaries/binaries.js';
import type { RunningServer } from './process/process.js';

export { ServerProcess } from './process/process.js';
export { processTree } from './process/tree.js';
export { makeWorkDir } from './user.js';
export { freePort, freePorts };
export type { Binary, FindOptions, ProgramName, RunningServer, ServerName, ToolName };

/** How a server is found and where it listens; all of it can be left out. `env` is process.env by default. */
export type ServerOptions = Partial<FindOptions> & { readonly port?: number };
export type ArgumentOptions = ServerOptions & {
  /** More arguments for the server's command line. */
  readonly args?: readonly string[];
};
export type PostgresOptions = ArgumentOptions & {
  /** A folder to keep the data in beyond stop(). */
  readonly dataDir?: string;
};
export type HaproxyOptions = ServerOptions & {
  /** Writes the configuration; it has to bind to 127.0.0.1 and the port it is given. */
  readonly config: (port: number) => string;
};

/**
 * The real servers which tests and `npm run cluster` need, found or downloaded (see findBinary), started on
 * 127.0.0.1 and ready when the promise resolves. They end with this process at the latest.
 * This room never installs anything, never needs root, and never touches a server it did not start.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningServer> {
  const { dataDir, args = [] } = options;
  return launchPostgres({ ...(await place('postgres', options)), dataDir, args });
}

/** Starts a NATS server. */
export async function startNats(options: ArgumentOptions = {}): Promise<RunningServer> {
  return launchNats({ ...(await place('nats-server', options)), args: options.args ?? [] });
}

/** Starts a Consul agent in development mode, which keeps nothing over a restart. */
export async function startConsul(options: ArgumentOptions = {}): Promise<RunningServer> {
  const innerPorts = await freePorts(2);
  return launchConsul({ ...(await place('consul', options)), innerPorts, args: options.args ?? [] });
}

/** Starts HAProxy with a configuration written for its port. */
export async function startHaproxy(options: HaproxyOptions): Promise<RunningServer> {
  return launchHaproxy({ ...(await place('haproxy', options)), config: options.config });
}

/** The PostgreSQL that DATABASE_URL names, else one started here. */
export async function useOrStartPostgres(options: PostgresOptions = {}): Promise<RunningServer> {
  const url = envOf(options)['DATABASE_URL'];
  if (url === undefined || url === '') return startPostgres(options);
  return useExternal({ name: 'postgres', url, defaultPort: 5432, probe: probePostgres });
}

/** The NATS server that NATS_URL names, else one started here. */
export async function useOrStartNats(options: ArgumentOptions = {}): Promise<RunningServer> {
  const url = envOf(options)['NATS_URL'];
  if (url === undefined || url === '') return startNats(options);
  return useExternal({ name: 'nats-server', url: withScheme('nats', url), defaultPort: 4222, probe: probeNats });
}

/** The Consul agent that CONSUL_HTTP_ADDR names (`host:port` or a URL), else one started here. */
export async function useOrStartConsul(options: ArgumentOptions = {}): Promise<RunningServer> {
  const url = envOf(options)['CONSUL_HTTP_ADDR'];
  if (url === undefined || url === '') return startConsul(options);
  return useExternal({ name: 'consul', url: withScheme('http', url), defaultPort: 8500, probe: probeConsul });
}

/**
 * Finds the executable of a server or tool: SLUICE_<NAME>_BIN, then PATH, then the cache (SLUICE_SERVERS_CACHE, else
 * `.cache/servers` in the repository), then a download with this machine's own apt mirror.
 * If it cannot be had, throws one sentence saying what is missing, why, and how to get it.
 */
export async function findBinary(name: ProgramName, options: Partial<FindOptions> = {}): Promise<Binary> {
  const env = envOf(options);
  return find(name, {
    env,
    cacheDir: options.cacheDir ?? env['SLUICE_SERVERS_CACHE'] ?? packageFile('.cache/servers'),
    aptGet: options.aptGet ?? 'apt-get',
    postgresDir: options.postgresDir ?? '/usr/lib/postgresql',
  });
}

async function place(name: ServerName, options: ServerOptions): Promise<{ binary: Binary; port: number }> {
  const binary = await findBinary(name, options);
  return { binary, port: options.port ?? (await freePort()) };
}

function envOf(options: Partial<FindOptions>): NodeJS.ProcessEnv {
  return options.env ?? process.env;
}

function withScheme(scheme: string, address: string): string {
  return address.includes('://') ? address : `${scheme}://${address}`;
}
