import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

import type { Server } from 'node:net';

/**
 * Finds `count` different free TCP ports of 127.0.0.1, checked by listening on them.
 * They lie below the range the kernel takes outgoing ports from: a client which keeps dialling a stopped server
 * of that range can be given the server's own port, connect to itself, and so block the restart.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const end = await ephemeralStart();
  const held: Server[] = [];
  try {
    while (held.length < count) {
      const server = await listen(LOWEST + Math.floor(Math.random() * (end - LOWEST)));
      if (server !== undefined) held.push(server);
    }
    return held.map(portOf);
  } finally {
    await Promise.all(held.map((server) => once(server.close(), 'close')));
  }
}

/** One free TCP port of 127.0.0.1; see {@link freePorts}. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('no free port');
  return port;
}

const LOWEST = 10_000;
const USUAL_EPHEMERAL_START = 32_768;

async function ephemeralStart(): Promise<number> {
  const text = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '');
  const start = Number.parseInt(text, 10);
  return start > LOWEST + 1_000 ? start : USUAL_EPHEMERAL_START;
}

async function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return server;
  } catch {
    return undefined;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}
