import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { libraryEnv } from '../../../deploy/servers/binaries/binaries.js';
import { findBinary } from '../../../deploy/servers/servers.js';
import type { HttpRequest } from './request.js';

/** A kind of slow client, as slowhttptest has them: it sends a head, or a body, or reads its answer, a few bytes at a time. */
export interface SlowClients {
  readonly slow: 'heads' | 'bodies' | 'readers';
  readonly request: Pick<HttpRequest, 'path' | 'headers'>;
  readonly connections: number;
  /** How many of them come in a second. */
  readonly rate: number;
}

export interface SlowConnections {
  /** How many there are now. */
  count(): Promise<number>;
  end(): Promise<void>;
}

/** The body is never whole, and neither is the answer read, in the time that slowhttptest runs at most. */
const modes: Readonly<Record<SlowClients['slow'], readonly string[]>> = {
  heads: ['-H', '-i', '5'],
  bodies: ['-B', '-i', '5', '-s', '100000'],
  readers: ['-X', '-n', '5', '-z', '32', '-w', '10', '-y', '20'],
};
const endsAfterSeconds = 60;
/** Standard streams and what its event loop has: these are no connections. */
const otherFiles = 5;

/**
 * Starts slowhttptest. It turns without sleeping, so it gets only what nobody else on its core wants (SCHED_IDLE, see sched(7)).
 * The port is told as that of a proxy, which lets it send the Host of the request.
 */
export async function startSlowClients(
  { slow, request, connections, rate }: SlowClients,
  port: number,
  core: number,
): Promise<SlowConnections> {
  const { path, libraryDirs } = await findBinary('slowhttptest');
  const url = `http://${request.headers['Host'] ?? '127.0.0.1'}${request.path}`;
  const amount = ['-c', String(connections), '-r', String(rate), '-l', String(endsAfterSeconds)];
  const command = [path, ...modes[slow], ...amount, '-d', `127.0.0.1:${port}`, '-u', url];
  const child = spawn('chrt', ['--idle', '0', 'taskset', '-c', String(core), ...command], {
    env: { ...process.env, ...libraryEnv(libraryDirs) },
    stdio: 'ignore',
  });
  await once(child, 'spawn');
  return {
    count: async () => (await readdir(`/proc/${child.pid}/fd`).catch(() => [])).length - otherFiles,
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
