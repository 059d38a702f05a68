import { findBinary, freePort, makeWorkDir, ServerProcess } from '../../../deploy/servers/servers.js';
import type { System } from '../harness/harness.js';
import { probePort } from './probe.js';
import { running } from './running.js';

/** nghttpx from HTTP/1.1 to HTTP/2, passing on what it gets: what the protocol change alone costs in C++. */
export const nghttpx: System = {
  name: 'nghttpx',
  required: false,
  async start(upstreamPorts) {
    const port = await freePort();
    const workDir = await makeWorkDir('nghttpx', undefined);
    const backends = upstreamPorts.map((each) => `--backend=127.0.0.1,${each};;proto=h2`);
    const server = await ServerProcess.start({
      name: 'nghttpx',
      url: `http://127.0.0.1:${port}`,
      port,
      binary: await findBinary('nghttpx'),
      args: [
        '--conf=/dev/null',
        `--frontend=127.0.0.1,${port};no-tls`,
        ...backends,
        '--workers=1',
        '--single-process',
        '--accesslog-file=/dev/null',
        '--errorlog-file=/dev/stderr',
      ],
      user: undefined,
      workDir,
      stopSignals: ['SIGTERM'],
      orphanSignal: 'KILL',
      probe: (timeoutMs) => probePort(port, timeoutMs),
    });
    return running(server);
  },
};
