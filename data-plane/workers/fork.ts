import cluster, { type Worker as ClusterWorker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import type { FromWorker, ToWorker } from './messages.js';
import type { Fork } from './worker.js';

/**
 * Workers as processes that share the port by node:cluster. The kernel hands out connections (SCHED_NONE): it costs a quarter of
 * what handing them over from the primary process does, and a connection that a dead worker has not taken goes to another.
 */
export function forkByCluster(): Fork {
  const exec = fileURLToPath(new URL('./worker-process.js', import.meta.url));
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  // The words of a config travel as bytes.
  cluster.setupPrimary({ exec, args: [], serialization: 'advanced' });
  return ({ heard, ended }) => {
    const worker = cluster.fork();
    worker.on('message', (message: FromWorker) => heard(message));
    worker.once('exit', (code: number, signal: string | null) => ended(signal ?? `exit code ${code}`));
    // A message to a process that is just ending fails, and its exit follows; without a process there is no exit.
    worker.on('error', (error) => {
      if (worker.process.pid === undefined) ended(`could not be started: ${error.message}`);
    });
    return {
      pid: worker.process.pid,
      send: (message) => send(worker, message),
      release: () => {
        if (worker.isConnected()) worker.process.disconnect();
      },
      kill: () => void worker.process.kill('SIGKILL'),
    };
  };
}

function send(worker: ClusterWorker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message);
}
