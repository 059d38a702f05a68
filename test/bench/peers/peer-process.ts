import { once } from 'node:events';
import { connect } from 'node:net';
import { ServerProcess, type Binary, type RunningServer } from '../../../deploy/servers/servers.js';

/** A peer that is one process and listens on `port` of 127.0.0.1. */
export interface PeerProcess {
  readonly name: string;
  readonly port: number;
  readonly binary: Binary;
  readonly args: readonly string[];
  /** What it runs in; it goes when the peer ends. */
  readonly workDir: string;
}

/** Starts it, and is done when it listens. */
export function startPeerProcess(peer: PeerProcess): Promise<RunningServer> {
  return ServerProcess.start({
    ...peer,
    url: `http://127.0.0.1:${peer.port}`,
    user: undefined,
    stopSignals: ['SIGTERM'],
    orphanSignal: 'KILL',
    probe: (timeoutMs) => probe(peer.port, timeoutMs),
  });
}

/** That it can be connected to shows that something listens. Gives no version: not every peer tells it. */
async function probe(port: number, timeoutMs: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(timeoutMs) });
    return '';
  } finally {
    socket.destroy();
  }
}
