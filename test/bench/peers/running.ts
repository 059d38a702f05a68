import type { RunningServer } from '../../../deploy/servers/servers.js';
import type { Running } from '../harness/harness.js';

/** A system of one process (and its children). */
export function running(server: RunningServer): Running {
  return { port: server.port, pid: pidOf(server), helpers: [], stop: () => server.stop() };
}

export function pidOf({ name, pid }: RunningServer): number {
  if (pid === undefined) throw new Error(`${name} has ended: its time cannot be measured`);
  return pid;
}
