import { findBinary, freePort, makeWorkDir } from '../../../deploy/servers/servers.js';
import type { System } from '../harness/harness.js';
import { startPeerProcess } from './peer-process.js';
import { running } from './running.js';

/** nghttpx from HTTP/1.1 to HTTP/2, passing on what it gets: what the protocol change alone costs in C++. */
export const nghttpx: System = {
  name: 'nghttpx',
  required: false,
  async start(upstreamPorts) {
    const port = await freePort();
    const workDir = await makeWorkDir('nghttpx', undefined);
    const backends = upstreamPorts.map((each) => `--backend=127.0.0.1,${each};;proto=h2`);
    const server = await startPeerProcess({
      name: 'nghttpx',
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
      workDir,
    });
    return running(server);
  },
};
