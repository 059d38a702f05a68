import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  freePort,
  freePorts,
  startConsul,
  startHaproxy,
  startNats,
  startPostgres,
  type RunningServer,
} from '../servers/servers.js';
import { haproxyConfig } from './load-balancer.js';
import { startDemo, startMember, type DemoMember, type Member, type NodeMember } from './member.js';

/** A whole cluster on loopback: real servers, our own processes, example services registered in Consul. */
export interface Cluster {
  readonly postgres: RunningServer;
  readonly nats: RunningServer;
  readonly consul: RunningServer;
  readonly loadBalancer: LoadBalancer;
  readonly controlPlanes: readonly Member[];
  readonly nodes: readonly NodeMember[];
  readonly demo: DemoMember;
  /** Starts one node more; `stateDir` may be one that another node has left. It ends with the cluster. */
  addNode(id: string, stateDir?: string): Promise<NodeMember>;
  stateDirOf(nodeId: string): string;
  /** Ends everything and removes its files. */
  close(): Promise<void>;
}

/** Passes TLS through. */
export interface LoadBalancer extends RunningServer {
  readonly tlsPort: number;
}

export interface ClusterOptions {
  readonly controlPlanes: number;
  readonly nodes: number;
}

interface Closing {
  close(): Promise<void>;
}

/** Starts a cluster and resolves when every member is ready. On failure everything that was started is ended. */
export async function startCluster({ controlPlanes, nodes }: ClusterOptions): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-cluster-'));
  const opened: Closing[] = [{ close: () => rm(folder, { recursive: true, force: true }) }];
  const keep = async <T extends RunningServer>(starting: Promise<T>): Promise<T> => {
    const server = await starting;
    opened.push({ close: () => server.stop() });
    return server;
  };
  const close = async (): Promise<void> => {
    for (const each of opened.splice(0).toReversed()) await each.close();
  };
  try {
    const [postgres, nats, consul] = await Promise.all([keep(startPostgres()), keep(startNats()), keep(startConsul())]);
    const demo = await keep(startDemo(consul.url));
    const urls = { postgres: postgres.url, nats: nats.url, consul: consul.url };
    const planes = await Promise.all(named('cp', controlPlanes).map((id) => keep(startControlPlaneMember(id, urls))));
    const stateDirOf = (id: string): string => join(folder, id);
    const startNode = (id: string, stateDir = stateDirOf(id)): Promise<NodeMember> =>
      keep(startNodeMember(id, urls.nats, stateDir));
    const members = await Promise.all(named('node', nodes).map((id) => startNode(id)));
    const loadBalancer = await keep(startLoadBalancer(members));
    return {
      postgres,
      nats,
      consul,
      loadBalancer,
      controlPlanes: planes,
      nodes: members,
      demo,
      addNode: startNode,
      stateDirOf,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function named(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`);
}

async function startControlPlaneMember(
  id: string,
  urls: { readonly postgres: string; readonly nats: string; readonly consul: string },
): Promise<Member> {
  const [port = 0, opsPort = 0] = await freePorts(2);
  const flags = {
    'replica-id': id,
    'admin-port': String(port),
    'control-ops-port': String(opsPort),
    'database-url': urls.postgres,
    'nats-url': urls.nats,
    'consul-address': urls.consul,
  };
  return startMember({ id, command: 'control-plane', port, flags }, opsPort);
}

async function startLoadBalancer(nodes: readonly NodeMember[]): Promise<LoadBalancer> {
  const tlsPort = await freePort();
  const backends = nodes.map(({ name: id, port, tlsPort: nodeTlsPort, opsPort }) => {
    return { id, host: '127.0.0.1', port, tlsPort: nodeTlsPort, opsPort };
  });
  const server = await startHaproxy({
    config: (port) => haproxyConfig({ plain: `127.0.0.1:${port}`, tls: `127.0.0.1:${tlsPort}` }, backends),
  });
  return Object.assign(server, { tlsPort });
}

async function startNodeMember(id: string, natsUrl: string, stateDir: string): Promise<NodeMember> {
  const [port = 0, tlsPort = 0, opsPort = 0] = await freePorts(3);
  const flags = {
    'node-id': id,
    host: '127.0.0.1',
    'http-port': String(port),
    'tls-port': String(tlsPort),
    'ops-port': String(opsPort),
    'nats-url': natsUrl,
    'state-dir': stateDir,
  };
  return Object.assign(await startMember({ id, command: 'data-plane', port, flags }, opsPort), { tlsPort });
}
