import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import { downloadPackage, downloadPackages } from './download.js';
import { libraryDirs, libraryEnv } from './libraries.js';
import { withLock } from './lock.js';
import { run } from './run.js';

export { downloadPackages, libraryEnv, run, withLock };

export type ServerName = 'postgres' | 'nats-server' | 'consul' | 'haproxy';
/** What benchmarks compare with, and measure with. */
export type ToolName = 'nginx' | 'wrk' | 'h2load' | 'nghttpd' | 'nghttpx' | 'slowhttptest';
export type ProgramName = ServerName | ToolName;

/** An executable, and the folders with shared libraries it needs beyond the machine's own. */
export type Binary = { readonly path: string; readonly libraryDirs: readonly string[] };

export type FindOptions = {
  readonly env: NodeJS.ProcessEnv;
  /** Where downloads are unpacked and kept. */
  readonly cacheDir: string;
  readonly aptGet: string;
  /** Where Debian keeps PostgreSQL's executables, which it does not put on PATH. */
  readonly postgresDir: string;
};

type Origin = { readonly packageName: string; readonly suite: string | undefined; readonly remedy: string };

const ORIGINS: Readonly<Record<ProgramName, Origin>> = {
  postgres: { packageName: 'postgresql', suite: undefined, remedy: 'apt-get install postgresql, or set DATABASE_URL' },
  'nats-server': {
    packageName: 'nats-server',
    suite: undefined,
    remedy: 'apt-get install nats-server, or set NATS_URL',
  },
  // Debian dropped Consul after bullseye.
  consul: {
    packageName: 'consul',
    suite: 'bullseye',
    remedy: 'put Consul 1.8 or later on PATH, or set CONSUL_HTTP_ADDR',
  },
  haproxy: { packageName: 'haproxy', suite: undefined, remedy: 'apt-get install haproxy, or set SLUICE_HAPROXY_BIN' },
  nginx: { packageName: 'nginx', suite: undefined, remedy: 'apt-get install nginx' },
  wrk: { packageName: 'wrk', suite: undefined, remedy: 'apt-get install wrk' },
  h2load: { packageName: 'nghttp2-client', suite: undefined, remedy: 'apt-get install nghttp2-client' },
  nghttpd: { packageName: 'nghttp2-server', suite: undefined, remedy: 'apt-get install nghttp2-server' },
  nghttpx: { packageName: 'nghttp2-proxy', suite: undefined, remedy: 'apt-get install nghttp2-proxy' },
  slowhttptest: { packageName: 'slowhttptest', suite: undefined, remedy: 'apt-get install slowhttptest' },
};

/**
 * Finds a program's executable: SLUICE_<NAME>_BIN, then PATH, then the cache, then a download into the cache
 * with this machine's own apt mirror (no root, nothing installed). Safe for processes doing so at once.
 * If it cannot be had, throws one sentence saying what is missing, why, and how to get it.
 */
export async function findBinary(name: ProgramName, options: FindOptions): Promise<Binary> {
  const path = (await named(name, options.env)) ?? (await onMachine(name, options));
  if (path !== undefined) return { path, libraryDirs: [] };
  const root = join(options.cacheDir, name);
  return (await inRoot(root, name)) ?? (await downloaded(root, name, options));
}

async function named(name: ProgramName, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const variable = `SLUICE_${name.toUpperCase().replaceAll('-', '_')}_BIN`;
  const path = env[variable];
  if (path === undefined || path === '') return undefined;
  if (await isExecutable(path)) return path;
  throw new Error(`${variable} names ${path}, which is not an executable file`);
}

async function onMachine(name: ProgramName, { env, postgresDir }: FindOptions): Promise<string | undefined> {
  const onPath = (env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '');
  return firstExecutable([...onPath, ...(await postgresBins(postgresDir))], name);
}

async function inRoot(root: string, name: ProgramName): Promise<Binary | undefined> {
  const path = await locate(root, name);
  return path === undefined ? undefined : { path, libraryDirs: await libraryDirs(root) };
}

async function downloaded(target: string, name: ProgramName, options: FindOptions): Promise<Binary> {
  const { remedy, ...origin } = ORIGINS[name];
  try {
    await downloadPackage({ ...options, ...origin, target, locate: (root) => locate(root, name) });
    const binary = await inRoot(target, name);
    if (binary !== undefined) return binary;
    throw new Error('the cache folder is incomplete: remove it');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${name} is not on PATH and could not be downloaded (${reason}): ${remedy}`, { cause: error });
  }
}

async function locate(root: string, name: ProgramName): Promise<string | undefined> {
  const versions = await postgresBins(join(root, 'usr/lib/postgresql'));
  return firstExecutable([join(root, 'usr/bin'), join(root, 'usr/sbin'), ...versions], name);
}

/** Newest version first. */
async function postgresBins(dir: string): Promise<readonly string[]> {
  const versions = await readdir(dir).catch(() => []);
  return versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(dir, version, 'bin'));
}

async function firstExecutable(dirs: readonly string[], name: string): Promise<string | undefined> {
  for (const dir of dirs) if (await isExecutable(join(dir, name))) return join(dir, name);
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
