import { nodeFlags } from '../node-flags.js';
import { packageFile } from '../package-file.js';
import { freePorts, makeWorkDir, ServerProcess, type RunningServer } from '../servers/servers.js';

/** `sluice`, compiled. */
export const entryPoint = packageFile('dist/deploy/sluice.js');

/** A process of our own, run as a user would run it. */
export interface Member extends RunningServer {
  readonly opsPort: number;
}

export interface NodeMember extends Member {
  readonly tlsPort: number;
}

interface MemberOptions {
  readonly id: string;
  readonly command: 'control-plane' | 'data-plane' | 'demo-services';
  readonly port: number;
  /** As `{ 'http-port': '8080' }`. */
  readonly flags: Readonly<Record<string, string>>;
  /** Answers 200 when the process is up. */
  readonly probeUrl: string;
}

/** Starts a control plane or a node and waits until it answers. */
export async function startMember(options: Omit<MemberOptions, 'probeUrl'>, opsPort: number): Promise<Member> {
  return Object.assign(await start({ ...options, probeUrl: `http://127.0.0.1:${opsPort}/livez` }), { opsPort });
}

export interface DemoMember extends RunningServer {
  readonly ordersPorts: readonly number[];
  readonly bookstorePorts: readonly number[];
}

/** Starts the example services, three HTTP and two gRPC instances, and waits until they are up. */
export async function startDemo(consulUrl: string): Promise<DemoMember> {
  const ports = await freePorts(5);
  const [ordersPorts, bookstorePorts] = [ports.slice(0, 3), ports.slice(3)];
  const flags = {
    'consul-address': consulUrl,
    'orders-ports': ordersPorts.join(','),
    'bookstore-ports': bookstorePorts.join(','),
  };
  const port = ordersPorts[0] ?? 0;
  const probeUrl = `http://127.0.0.1:${port}/healthz`;
  return Object.assign(await start({ id: 'demo', command: 'demo-services', port, flags, probeUrl }), {
    ordersPorts,
    bookstorePorts,
  });
}

async function start({ id, command, port, flags, probeUrl }: MemberOptions): Promise<ServerProcess> {
  return ServerProcess.start({
    name: id,
    url: `http://127.0.0.1:${port}`,
    port,
    binary: { path: process.execPath, libraryDirs: [] },
    args: [
      ...nodeFlags,
      entryPoint,
      command,
      ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    user: undefined,
    workDir: await makeWorkDir(id, undefined),
    stopSignals: ['SIGTERM'],
    orphanSignal: 'KILL',
    probe: (timeoutMs) => probe(probeUrl, timeoutMs),
  });
}

async function probe(url: string, timeoutMs: number): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  return 'sluice';
}
