import { once } from 'node:events';
import { connect } from 'node:net';

import { ServerProcess } from './process/process.js';
import { makeWorkDir } from './user.js';

import type { Binary } from './binaries/binaries.js';

export type NatsLaunch = { readonly binary: Binary; readonly port: number; readonly args: readonly string[] };

/** Starts a NATS server on 127.0.0.1; with `-js` among the arguments JetStream keeps its files over a restart. */
export async function launchNats({ binary, port, args }: NatsLaunch): Promise<ServerProcess> {
  const workDir = await makeWorkDir('nats', undefined);
  const url = `nats://127.0.0.1:${port}`;
  return ServerProcess.start({
    name: 'nats-server',
    url,
    port,
    binary,
    args: ['--addr', '127.0.0.1', '--port', String(port), '--store_dir', workDir, ...args],
    user: undefined,
    workDir,
    stopSignals: ['SIGTERM'],
    orphanSignal: 'KILL',
    probe: (timeoutMs) => probeNats(url, timeoutMs),
  });
}

/** Reads the version from the INFO line, which a NATS server sends first, before TLS and authentication. */
export async function probeNats(url: string, timeoutMs: number): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port || '4222') });
  try {
    const [data] = (await once(socket, 'data', { signal: AbortSignal.timeout(timeoutMs) })) as [Buffer];
    const version = /^INFO .*"version":"([^"]+)"/.exec(data.toString('latin1'))?.[1];
    if (version === undefined) throw new Error(`${url} does not answer as a NATS server`);
    return version;
  } finally {
    socket.destroy();
  }
}
