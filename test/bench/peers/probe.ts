import { once } from 'node:events';
import { connect } from 'node:net';

/** Connects to a port of 127.0.0.1, which shows that something listens. Gives no version: not every peer tells it. */
export async function probePort(port: number, timeoutMs: number): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(timeoutMs) });
    return '';
  } finally {
    socket.destroy();
  }
}
