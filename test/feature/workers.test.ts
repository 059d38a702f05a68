import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { get, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';

import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { makeCertificate } from '../../deploy/certificate/certificate.js';
import { entryPoint, startMember, type NodeMember } from '../../deploy/cluster/member.js';
import { freePorts, processTree, startNats, type RunningServer } from '../../deploy/servers/servers.js';
import { natsBus } from '../../proto/bus/nats.js';
import { CertificateSchema, ProbeWhen, RouteSchema, ServiceSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import {
  EndpointSchema,
  EndpointState,
  Kind,
  ResourceSchema,
  type Endpoint,
  type Resource,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { connected } from '../contract/bus.contract.js';
import { put, remove, serviceResource, startReplica, type Replica } from '../support/distribution.js';
import { FakeDatabase } from '../support/fake-store.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { eventually, TestClient } from '../support/load.js';
import { startUpstream, type TestUpstream } from '../support/upstream.js';

import type { Bus } from '../../proto/bus/bus.js';

const quiet = { info: () => undefined, warn: () => undefined };

interface WorkerPage {
  readonly number: number;
  readonly pid: number;
  readonly state: string;
  readonly requests: number;
}

describe('a node with two workers, told by a control plane over the real NATS', () => {
  const registry = new FakeRegistry();
  /** Answers to /held, which end when a test says so. */
  const held: ServerResponse[] = [];
  let folder: string;
  let nats: RunningServer;
  let bus: Bus;
  let replica: Replica;
  let upstreams: readonly TestUpstream[];
  let node: NodeMember;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-workers-'));
    nats = await startNats();
    bus = natsBus({ servers: [nats.url], name: 'control-plane', log: quiet, reconnectWaitMs: 50 });
    await connected(bus);
    replica = startReplica('control-plane', bus, new FakeDatabase(), registry);
    upstreams = await Promise.all(['one', 'two'].map(startInstance));
    registry.answer('orders', upstreams.map(endpointOf));
    await put(replica.store, serviceResource('orders'), route('orders', '/'));
    node = await startNode('node');
    await eventually(`a ready node; it logged ${node.log()}`, 10_000, () => isReady());
  }, 60_000);

  afterAll(async () => {
    await node?.stop();
    await replica?.sync.close();
    await bus?.close();
    await Promise.all((upstreams ?? []).map((upstream) => upstream.close()));
    await nats?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const startInstance = (name: string): Promise<TestUpstream> =>
    startUpstream((request, response) => {
      response.writeHead(200, { 'x-instance': name });
      if (request.url !== '/held') return void response.end('whole');
      response.write('ha');
      return void held.push(response);
    });

  const startNode = async (id: string): Promise<NodeMember> => {
    const [port = 0, tlsPort = 0, opsPort = 0] = await freePorts(3);
    const flags = {
      workers: '2',
      cluster: 'test',
      'node-id': id,
      host: '127.0.0.1',
      'http-port': String(port),
      'tls-port': String(tlsPort),
      'ops-port': String(opsPort),
      'nats-url': nats.url,
      'state-dir': join(folder, id),
    };
    return Object.assign(await startMember({ id, command: 'data-plane', port, flags }, opsPort), { tlsPort });
  };

  const page = async (path: string, of = node): Promise<Response> => fetch(`http://127.0.0.1:${of.opsPort}${path}`);
  const isReady = async (of = node): Promise<boolean> => (await page('/readyz', of)).status === 200;
  const workers = async (of = node): Promise<WorkerPage[]> =>
    (await (await page('/debug/workers', of)).json()) as WorkerPage[];
  const counter = async (name: string): Promise<number> => {
    const lines = (await (await page('/metrics')).text()).split('\n').filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0);
  };
  const applied = (revision: bigint): Promise<void> =>
    eventually(`revision ${revision} is applied`, 5_000, () =>
      replica.sync.nodes.nodes().some(({ status }) => status.config?.revision === revision),
    );
  /** So many requests, each over a connection of its own; gives the answers' status and instance. */
  const answers = async (path: string, count: number): Promise<string[]> => {
    const client = new TestClient(count);
    const all = await Promise.all(Array.from({ length: count }, () => client.send(node.url + path)));
    client.close();
    return all.map(({ status, headers }) => `${status} ${String(headers['x-instance'] ?? headers['x-sluice-error'])}`);
  };

  it('serves from both on one port, and shows the sum of what they counted', async () => {
    let sent = 0;
    await eventually('both workers have served', 5_000, async () => {
      sent += (await answers('/', 50)).length;
      await page('/metrics');
      return (await workers()).every(({ requests }) => requests > 0);
    });

    const requests = (await workers()).reduce((sum, worker) => sum + worker.requests, 0);
    expect(requests).toBe(sent);
    expect(await counter('sluice_requests_total{route="orders",status="2xx"}')).toBe(sent);
    expect(await counter('sluice_request_duration_seconds_count{route="orders"}')).toBe(sent);
    expect(await counter('sluice_workers ')).toBe(2);
  });

  it('has a change of the config live in all workers when it reports that it applied it', async () => {
    for (const version of [1, 2, 3, 4]) {
      await applied(await put(replica.store, route('orders', '/orders'), route('changing', `/changing-${version}`)));

      expect(new Set(await answers(`/changing-${version - 1}`, 20))).toEqual(new Set(['404 no_route']));
      for (const answer of await answers(`/changing-${version}`, 20)) expect(answer).toMatch(/^200/);
    }
    await remove(replica.store, route('changing', '/'));
    await applied(await put(replica.store, route('orders', '/')));
  });

  it('speaks TLS from both, who continue the sessions of each other', async () => {
    const names = ['shop.example'];
    const [notBefore, notAfter] = [new Date(Date.now() - 86_400_000), new Date(Date.now() + 86_400_000)];
    const { cert: certPem, key: keyPem } = makeCertificate({ names, notBefore, notAfter });
    const message = create(CertificateSchema, { name: 'shop', certPem, keyPem });
    const body = toBinary(CertificateSchema, message);
    const certificate = create(ResourceSchema, { kind: Kind.CERTIFICATE, name: 'shop', body });
    await applied(await put(replica.store, certificate));
    const handshake = async (session?: Buffer): Promise<TLSSocket> => {
      const resume = session === undefined ? {} : { session };
      const trust = { servername: 'shop.example', ca: certPem, maxVersion: 'TLSv1.2' as const };
      const socket = connectTls({ host: '127.0.0.1', port: node.tlsPort, ...trust, ...resume });
      await once(socket, 'secureConnect');
      return socket;
    };

    const first = await handshake();
    const others = await Promise.all(Array.from({ length: 20 }, () => handshake(first.getSession())));

    expect(others.filter((socket) => socket.isSessionReused())).toHaveLength(20);
    await eventually('the handshakes are counted', 5_000, async () => {
      return (await counter('sluice_tls_handshakes_total{result="resumed"}')) === 20;
    });
    for (const socket of [first, ...others]) socket.destroy();
    expect(await counter('sluice_certificate_not_after_seconds{name="shop"}')).toBe(
      Math.floor(notAfter.getTime() / 1_000),
    );
    await remove(replica.store, certificate);
  });

  it('runs the config before in all workers when it refuses one, and says why', async () => {
    const broken = route('broken', '/broken', 'missing');
    const revision = await put(replica.store, broken);
    await eventually('a refusal', 5_000, () =>
      replica.sync.nodes.nodes().some(({ status }) => status.refusal?.revision === revision),
    );

    const refusal = replica.sync.nodes.nodes()[0]?.status.refusal;
    expect(refusal).toMatchObject({ name: 'broken', field: 'service', reason: 'there is no service "missing"' });
    for (const answer of await answers('/broken', 20)) expect(answer).toMatch(/^200/);

    await remove(replica.store, broken);
    await applied(revision + 1n);
  });

  it('sends nothing to an endpoint that is gone, from any worker', async () => {
    registry.answer('orders', upstreams.slice(0, 1).map(endpointOf));
    await eventually('both workers have dropped it', 5_000, async () => {
      const pages = (await (await page('/debug/endpoints')).json()) as Record<string, { orders: unknown[] }>;
      return Object.values(pages).every(({ orders }) => orders.length === 1);
    });

    expect(new Set(await answers('/', 50))).toEqual(new Set(['200 one']));

    registry.answer('orders', upstreams.map(endpointOf));
  });

  it('probes an endpoint as one process would, and all workers know what that showed', async () => {
    let health = 200;
    const watched = await startUpstream((_, response) => void response.writeHead(health).end());
    registry.answer('watched', [endpointOf(watched), ...upstreams.map(endpointOf)]);
    await applied(await put(replica.store, probedService('watched', 200), route('watched', '/watched', 'watched')));
    const probes = (): number => watched.seen.filter(({ url }) => url === '/healthz').length;
    await eventually('it is probed', 5_000, () => probes() > 0);

    const before = probes();
    await sleep(2_000);
    // Ten by one process, give or take a fifth, and at most a quarter more by several. By each on its own it would be twenty.
    expect(probes() - before).toBeGreaterThan(5);
    expect(probes() - before).toBeLessThan(16);

    health = 503;
    await eventually('both workers have it down', 5_000, async () => {
      const pages = (await (await page('/debug/endpoints')).json()) as Record<string, { watched: { down: boolean }[] }>;
      return Object.values(pages).every((each) => each.watched[0]?.down === true);
    });

    await remove(replica.store, route('watched', '/watched', 'watched'), probedService('watched', 200));
    await watched.close();
  });

  it('loses no new connection and no count when a worker is killed, and replaces it', async () => {
    const before = await counter('sluice_requests_total');
    const { pid = 0 } = (await workers())[0] ?? {};
    const load = startConnections(`${node.url}/`, 6);
    await sleep(100);

    process.kill(pid, 'SIGKILL');
    await eventually('the worker is gone', 2_000, () => isGone(pid));
    const goneMs = performance.now();
    const readyWithOne = await isReady();
    await eventually('another has served in its place', 10_000, async () => {
      await page('/metrics');
      const now = await workers();
      return now.length === 2 && now.every((worker) => worker.pid !== pid && worker.requests > 0);
    });
    const outcomes = await load.stop();

    const failures = outcomes.filter(({ failure }) => failure !== null);
    expect(failures.filter(({ startMs }) => startMs > goneMs)).toEqual([]);
    expect(outcomes.filter(({ startMs }) => startMs > goneMs).length).toBeGreaterThan(20);
    // What it had taken is lost with it, one connection per client at most.
    expect(failures.length).toBeLessThanOrEqual(6);
    expect(readyWithOne).toBe(true);
    expect(await counter('sluice_requests_total')).toBeGreaterThan(before);
    expect(await counter('sluice_workers_replaced_total')).toBe(1);
    expect(await counter('sluice_errors_total{kind="no_config"}')).toBe(0);
  });

  it('ends with all its processes at a second signal, and when its primary process is killed', async () => {
    const [signalled, orphaned] = await Promise.all([startNode('signalled'), startNode('orphaned')]);
    const others = [signalled, orphaned];
    for (const other of others) await eventually('ready', 10_000, () => isReady(other));
    const pids = (await Promise.all(others.map(({ pid }) => processTree(pid ?? 0)))).flat();
    const client = new TestClient();
    const requests = others.map(({ url }) => client.send(`${url}/held`).catch((error: Error) => error.message));
    await eventually('requests in flight', 2_000, () => held.length === others.length);

    process.kill(orphaned.pid ?? 0, 'SIGKILL');
    process.kill(signalled.pid ?? 0, 'SIGTERM');
    await eventually('it drains', 2_000, () => signalled.log().includes('stopping'));
    process.kill(signalled.pid ?? 0, 'SIGTERM');

    await eventually('nothing is left', 2_000, () => pids.every(isGone));
    expect(pids).toHaveLength(6);
    for (const outcome of await Promise.all(requests)) expect(outcome).toMatch(/aborted|hang up|ECONNRESET/);
    for (const response of held.splice(0)) response.end();
    client.close();
    await Promise.all(others.map((other) => other.stop()));
  });

  it('finishes every request in flight when it is told to stop, and leaves no process behind', async () => {
    const pids = await processTree(node.pid ?? 0);
    const client = new TestClient(40);
    const requests = Array.from({ length: 40 }, () => client.send(`${node.url}/held`));
    await eventually('all are in flight', 5_000, () => held.length === 40);

    process.kill(node.pid ?? 0, 'SIGTERM');
    await eventually('it stops', 2_000, () => node.log().includes('stopping'));
    await sleep(200);
    for (const response of held.splice(0)) response.end('lf');

    for (const { status, body } of await Promise.all(requests)) expect(`${status} ${body}`).toBe('200 half');
    client.close();
    await eventually('all its processes are gone', 5_000, () => pids.every(isGone));
    expect(pids).toHaveLength(3);
    expect(node.log()).not.toMatch(/overdue|"level":50/);
  });
});

describe('`sluice data-plane --workers`', () => {
  const run = async (...flags: string[]): Promise<{ code: number | null; output: string }> => {
    const child = spawn(process.execPath, [entryPoint, 'data-plane', '--state-dir', tmpdir(), ...flags]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += String(bytes)));
    const [code] = (await once(child, 'exit')) as [number | null];
    return { code, output };
  };

  it('takes a whole number', async () => {
    const { code, output } = await run('--workers', 'many');

    expect(code).toBe(2);
    expect(output).toContain('--workers (SLUICE_WORKERS) must be a whole number from 0 to 256, not "many"');
  });

  it('ends, with the reason, when the port is taken', async () => {
    const upstream = await startUpstream();

    const { code, output } = await run('--workers', '2', '--host', '127.0.0.1', '--http-port', String(upstream.port));

    expect(code).toBe(1);
    expect(output).toContain(`EADDRINUSE 127.0.0.1:${upstream.port}`);
    await upstream.close();
  });
});

function route(name: string, prefix: string, service = 'orders'): Resource {
  const init = { name, service, paths: [{ kind: { case: 'prefix' as const, value: prefix } }] };
  const body = toBinary(RouteSchema, create(RouteSchema, init));
  return create(ResourceSchema, { kind: Kind.ROUTE, name, body });
}

function probedService(name: string, intervalMs: number): Resource {
  const interval = { seconds: 0n, nanos: intervalMs * 1e6 };
  const active = { probe: { case: 'http' as const, value: { path: '/healthz' } }, interval, when: ProbeWhen.ALWAYS };
  const discovery = { source: { case: 'consul' as const, value: { service: name } } };
  const body = toBinary(ServiceSchema, create(ServiceSchema, { name, discovery, health: { active } }));
  return create(ResourceSchema, { kind: Kind.SERVICE, name, body });
}

function endpointOf({ port }: TestUpstream): Endpoint {
  const id = `127.0.0.1:${port}`;
  return create(EndpointSchema, { id, address: '127.0.0.1', port, weight: 1, state: EndpointState.ACTIVE });
}

interface Outcome {
  readonly startMs: number;
  readonly failure: string | null;
}

/** So many clients at a time that send one request per connection, until `stop`. */
function startConnections(url: string, clients: number): { stop(): Promise<Outcome[]> } {
  const outcomes: Outcome[] = [];
  let running = true;
  const client = async (): Promise<void> => {
    while (running) {
      const startMs = performance.now();
      outcomes.push({ startMs, failure: await sendOnce(url) });
    }
  };
  const all = Array.from({ length: clients }, client);
  return {
    stop: async () => {
      running = false;
      await Promise.all(all);
      return outcomes;
    },
  };
}

/** A request on a connection of its own; says what went wrong, or null. */
function sendOnce(url: string): Promise<string | null> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200 ? null : String(response.statusCode)));
      response.on('error', (error) => resolve(error.message));
    });
    request.on('error', (error) => resolve(error.message));
  });
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
