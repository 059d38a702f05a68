import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

import { ServerProcess } from './process/process.js';
import { makeWorkDir } from './user.js';

import type { Binary } from './binaries/binaries.js';

export type HaproxyLaunch = {
  readonly binary: Binary;
  readonly port: number;
  /** Writes the configuration; it has to bind to the port it is given. */
  readonly config: (port: number) => string;
};

/** Starts HAProxy in the foreground with the given configuration. */
export async function launchHaproxy({ binary, port, config }: HaproxyLaunch): Promise<ServerProcess> {
  const workDir = await makeWorkDir('haproxy', undefined);
  const file = join(workDir, 'haproxy.cfg');
  const adminSocket = join(workDir, 'admin.sock');
  await writeFile(file, `${config(port)}\n\nglobal\n  stats socket ${adminSocket}\n`);
  return ServerProcess.start({
    name: 'haproxy',
    url: `http://127.0.0.1:${port}`,
    port,
    binary,
    args: ['-db', '-f', file],
    user: undefined,
    workDir,
    stopSignals: ['SIGTERM'],
    orphanSignal: 'KILL',
    probe: (timeoutMs) => probeHaproxy(port, adminSocket, timeoutMs),
  });
}

/** The port shows that the configuration binds it; the version comes from the admin socket. */
async function probeHaproxy(port: number, adminSocket: string, timeoutMs: number): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  const client = connect({ host: '127.0.0.1', port, signal });
  const admin = connect({ path: adminSocket, signal });
  try {
    await Promise.all([once(client, 'connect'), once(admin, 'connect')]);
    admin.write('show info\n');
    const version = /^Version: (\S+)$/m.exec(await text(admin))?.[1];
    if (version === undefined) throw new Error('HAProxy does not say its version');
    return version;
  } finally {
    client.destroy();
    admin.destroy();
  }
}
