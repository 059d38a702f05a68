import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { entryPoint, startMember, type Member } from '../../../deploy/cluster/member.js';
import { freePorts, startNats, startPostgres, type RunningServer } from '../../../deploy/servers/servers.js';
import { weightOf, type System } from '../harness/harness.js';
import { otherRoutes } from './other-routes.js';
import { certificateFiles } from '../peers/certificate.js';
import { pidOf } from '../peers/running.js';

/** What the gateway is told, besides where the endpoints are; as in a config file. */
export interface Service {
  readonly protocol: 'http' | 'grpc';
  /** The route that the requests match; it is one of a thousand. */
  readonly route: Readonly<Record<string, unknown>>;
  readonly schemas: readonly Readonly<Record<string, unknown>>[];
}

/**
 * The gateway as its users run it: a node, fed over NATS by a control plane on Postgres, all with their defaults, so with
 * metrics, request ids, forwarded and latency headers. Only the node's time is counted.
 */
export function sluice(service: Service): System {
  return {
    name: 'sluice',
    required: true,
    async start(upstreamPorts) {
      const opened: RunningServer[] = [];
      const keep = async <T extends RunningServer>(starting: Promise<T>): Promise<T> => {
        const server = await starting;
        opened.push(server);
        return server;
      };
      const stop = async (): Promise<void> => {
        for (const each of opened.splice(0).toReversed()) await each.stop();
      };
      try {
        const postgres = await keep(startPostgres());
        const nats = await keep(startNats());
        const controlPlane = await keep(startControlPlane(postgres.url, nats.url));
        const node = await keep(startNode(nats.url));
        await applyConfig(controlPlane.port, config(service, upstreamPorts));
        const helpers = [postgres, nats, controlPlane].map(pidOf);
        return { port: node.port, tlsPort: node.tlsPort, pid: pidOf(node), helpers, stop };
      } catch (error) {
        await stop();
        throw error;
      }
    },
  };
}

function config({ protocol, route, schemas }: Service, upstreamPorts: readonly number[]): object {
  const endpoints = upstreamPorts.map((port, i) => ({ address: '127.0.0.1', port, weight: weightOf(i) }));
  const others = otherRoutes(999).map((each, i) => ({ name: `other-${i}`, service: 'other', ...each }));
  const discovery = { static: { endpoints } };
  return {
    services: [
      { name: 'bench', protocol, discovery },
      { name: 'other', discovery },
    ],
    schemas,
    routes: [...others.slice(0, 500), { name: 'bench', service: 'bench', ...route }, ...others.slice(500)],
  };
}

async function startControlPlane(databaseUrl: string, natsUrl: string): Promise<Member> {
  const [port = 0, opsPort = 0] = await freePorts(2);
  const flags = {
    'replica-id': 'bench',
    'admin-port': String(port),
    'control-ops-port': String(opsPort),
    'database-url': databaseUrl,
    'nats-url': natsUrl,
  };
  return startMember({ id: 'control-plane', command: 'control-plane', port, flags }, opsPort);
}

async function startNode(natsUrl: string): Promise<Member & { readonly tlsPort: number }> {
  const files = await certificateFiles();
  const [port = 0, tlsPort = 0, opsPort = 0] = await freePorts(3);
  const flags = {
    'node-id': 'bench',
    host: '127.0.0.1',
    'http-port': String(port),
    'tls-port': String(tlsPort),
    'tls-cert': files.cert,
    'tls-key': files.key,
    'ops-port': String(opsPort),
    'nats-url': natsUrl,
    // In the folder it runs in, which goes when it ends.
    'state-dir': 'state',
  };
  try {
    const node = await startMember({ id: 'node', command: 'data-plane', port, flags }, opsPort);
    return Object.assign(node, { tlsPort });
  } finally {
    await files.remove();
  }
}

async function applyConfig(adminPort: number, content: object): Promise<void> {
  const args = [entryPoint, '--address', `127.0.0.1:${adminPort}`, 'apply', '-f', '-', '--wait'];
  const applying = promisify(execFile)(process.execPath, args);
  // JSON is YAML.
  applying.child.stdin?.end(JSON.stringify(content));
  await applying.catch((error: Error & { stderr?: string }) => {
    throw new Error(`sluice apply: ${error.stderr?.trim() || error.message}`, { cause: error });
  });
}
