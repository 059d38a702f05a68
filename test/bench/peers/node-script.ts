import { fileURLToPath } from 'node:url';
import { freePort, makeWorkDir, type RunningServer } from '../../../deploy/servers/servers.js';
import type { System } from '../harness/harness.js';
import { startPeerProcess } from './peer-process.js';
import { running } from './running.js';

/** A peer that is a script of the folder `scripts`. It is called with its own port, those of the upstreams, and `others`. */
export function nodeScript(name: string, script: string, others: readonly string[] = []): System {
  return {
    name,
    required: false,
    start: async (upstreamPorts) => running(await startScript(script, [...upstreamPorts, ...others])),
  };
}

/** Starts a script of the folder `scripts`, and is done when it listens on its port, which is its first argument. */
export async function startScript(script: string, others: readonly (number | string)[] = []): Promise<RunningServer> {
  const port = await freePort();
  return startPeerProcess({
    name: script,
    port,
    binary: { path: process.execPath, libraryDirs: [] },
    args: [fileURLToPath(new URL(`scripts/${script}.js`, import.meta.url)), ...[port, ...others].map(String)],
    workDir: await makeWorkDir('bench-peer', undefined),
  });
}
