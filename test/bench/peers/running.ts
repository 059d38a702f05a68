import type { RunningServer } from '../../../deploy/servers/servers.js';
import type { Running } from '../harness/harness.js';

/** A system of one process (and its children). */
export function running(server: RunningServer, tlsPort: number | null = null): Running {
  return { port: server.port, tlsPort, pid: pidOf(server), helpers: [], stop: () => server.stop() };
}

export function pidOf({ name, pid }: RunningServer): number {
  if (pid === undefined) throw new Error(`${name} has ended: its time cannot be measured`);
  return pid;
}
