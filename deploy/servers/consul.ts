import { ServerProcess } from './process/process.js';
import { makeWorkDir } from './user.js';

import type { Binary } from './binaries/binaries.js';

export type ConsulLaunch = {
  readonly binary: Binary;
  readonly port: number;
  /** For Raft and gossip, which must be listened on, though nobody uses them. */
  readonly innerPorts: readonly number[];
  readonly args: readonly string[];
};

/** Starts a Consul agent in development mode: one server, in memory; a restart forgets everything. */
export async function launchConsul({ binary, port, innerPorts, args }: ConsulLaunch): Promise<ServerProcess> {
  const workDir = await makeWorkDir('consul', undefined);
  const [raftPort = -1, lanPort = -1] = innerPorts;
  const ports = { 'http-port': port, 'server-port': raftPort, 'serf-lan-port': lanPort };
  const unused = { 'serf-wan-port': -1, 'dns-port': -1, 'grpc-port': -1 };
  const portArgs = Object.entries({ ...ports, ...unused }).map(([name, value]) => `-${name}=${value}`);
  const url = `http://127.0.0.1:${port}`;
  return ServerProcess.start({
    name: 'consul',
    url,
    port,
    binary,
    args: ['agent', '-dev', '-bind=127.0.0.1', '-client=127.0.0.1', ...portArgs, '-hcl', LIMITS, ...args],
    user: undefined,
    workDir,
    stopSignals: ['SIGTERM'],
    orphanSignal: 'KILL',
    probe: (timeoutMs) => probeConsul(url, timeoutMs),
  });
}

// The default of 200 is less than a test with many blocking queries needs.
const LIMITS = 'limits { http_max_conns_per_client = 1000 }';

/** Gives the version once there is a leader, as writes fail before. */
export async function probeConsul(url: string, timeoutMs: number): Promise<string> {
  const leader = await getJson(`${url}/v1/status/leader`, timeoutMs);
  if (typeof leader !== 'string' || leader === '') throw new Error(`the Consul at ${url} has no leader`);
  const self = await getJson(`${url}/v1/agent/self`, timeoutMs);
  const version = (self as { Config?: { Version?: string } }).Config?.Version;
  return version ?? 'unknown';
}

async function getJson(url: string, timeoutMs: number): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return response.json();
}
