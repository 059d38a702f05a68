import { fileURLToPath } from 'node:url';
import { makeWorkDir, ServerProcess, type RunningServer } from '../servers/servers.js';

const entryPoint = fileURLToPath(new URL(import.meta.url.includes('/dist/') ? '../sluice.js' : '../../dist/deploy/sluice.js', import.meta.url));

/** A process of our own, run as a user would run it. */
export interface Member extends RunningServer {
  readonly opsPort: number;
}

interface MemberOptions {
  readonly id: string;
  readonly command: 'control-plane' | 'data-plane';
  readonly port: number;
  readonly opsPort: number;
  /** As `{ 'http-port': '8080' }`. */
  readonly flags: Readonly<Record<string, string>>;
}

/** Starts `sluice COMMAND` and waits until it is ready by its own word. */
export async function startMember({ id, command, port, opsPort, flags }: MemberOptions): Promise<Member> {
  const process_ = await ServerProcess.start({
    name: id,
    url: `http://127.0.0.1:${port}`,
    port,
    binary: { path: process.execPath, libraryDirs: [] },
    args: [entryPoint, command, ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])],
    user: undefined,
    workDir: await makeWorkDir(id, undefined),
    stopSignals: ['SIGTERM'],
    orphanSignal: 'KILL',
    probe: (timeoutMs) => probeReady(opsPort, timeoutMs),
  });
  return Object.assign(process_, { opsPort });
}

async function probeReady(opsPort: number, timeoutMs: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${opsPort}/livez`, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`/livez answers ${response.status}`);
  return 'sluice';
}
