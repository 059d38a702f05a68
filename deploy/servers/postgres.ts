import { access, chown, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { Client } from 'pg';

import { libraryEnv, run } from './binaries/binaries.js';
import { ServerProcess } from './process/process.js';
import { makeWorkDir, unprivilegedUser } from './user.js';

import type { Binary } from './binaries/binaries.js';
import type { User } from './user.js';

export type PostgresLaunch = {
  readonly binary: Binary;
  readonly port: number;
  /** Where the data is kept beyond stop(); undefined means in the temporary folder. */
  readonly dataDir: string | undefined;
  readonly args: readonly string[];
};

/** Starts PostgreSQL on 127.0.0.1 with a superuser `postgres` who needs no password, making the data folder if needed. */
export async function launchPostgres({ binary, port, dataDir, args }: PostgresLaunch): Promise<ServerProcess> {
  const user = await unprivilegedUser();
  const workDir = await makeWorkDir('postgres', user);
  const data = dataDir ?? join(workDir, 'data');
  try {
    await initialise(data, binary, user, workDir);
  } catch (error) {
    await rm(workDir, { recursive: true, force: true });
    throw error;
  }
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  return ServerProcess.start({
    name: 'postgres',
    url,
    port,
    binary,
    args: ['-D', data, '-p', String(port), ...SETTINGS.flatMap((setting) => ['-c', setting]), ...args],
    user,
    workDir,
    stopSignals: ['SIGINT', 'SIGQUIT'],
    orphanSignal: 'QUIT',
    probe: (timeoutMs) => probePostgres(url, timeoutMs),
  });
}

const SETTINGS: readonly string[] = [
  'listen_addresses=127.0.0.1',
  // No socket file: its path may be too long, and TCP is what is tested.
  'unix_socket_directories=',
  'max_connections=200',
  // Safe against a killed server (the kernel has the pages), not against a power cut.
  // synchronous_commit stays on: without it a kill loses what was committed just before.
  'fsync=off',
  'full_page_writes=off',
];

/** Runs a query, which fails while the server still starts up or recovers. */
export async function probePostgres(url: string, timeoutMs: number): Promise<string> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const result = await client.query<{ version: string }>("select current_setting('server_version') as version");
    return result.rows[0]?.version ?? 'unknown';
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function initialise(data: string, binary: Binary, user: User | undefined, workDir: string): Promise<void> {
  if (await exists(join(data, 'PG_VERSION'))) return;
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (user !== undefined) await chown(data, user.uid, user.gid);
  const args = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', ...libraryEnv(binary.libraryDirs) };
  try {
    await run(join(dirname(binary.path), 'initdb'), args, { cwd: workDir, env, ...user });
  } catch (error) {
    throw isDenied(error) ? new Error(`${binary.path} ${UNREACHABLE}`, { cause: error }) : error;
  }
}

const UNREACHABLE =
  'cannot be reached by the user it has to run as (Postgres refuses root): ' +
  'set SLUICE_SERVERS_CACHE to a folder which every user can read';

function isDenied(error: unknown): boolean {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'EACCES';
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
