import { fileURLToPath } from 'node:url';
import { freePort, makeWorkDir, ServerProcess } from '../../../deploy/servers/servers.js';
import type { System } from '../harness/harness.js';
import { probePort } from './probe.js';
import { running } from './running.js';

/** A peer that is a script of the folder `scripts`. It is called with its own port and those of the upstreams. */
export function nodeScript(name: string, script: string): System {
  return {
    name,
    required: false,
    async start(upstreamPorts) {
      const port = await freePort();
      const server = await ServerProcess.start({
        name: script,
        url: `http://127.0.0.1:${port}`,
        port,
        binary: { path: process.execPath, libraryDirs: [] },
        args: [
          fileURLToPath(new URL(`scripts/${script}.js`, import.meta.url)),
          String(port),
          ...upstreamPorts.map(String),
        ],
        user: undefined,
        workDir: await makeWorkDir('bench-peer', undefined),
        stopSignals: ['SIGTERM'],
        orphanSignal: 'KILL',
        probe: (timeoutMs) => probePort(port, timeoutMs),
      });
      return running(server);
    },
  };
}
