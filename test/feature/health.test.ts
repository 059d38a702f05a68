import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../deploy/servers/servers.js';
import { localCertificate, testAuthority } from '../../data-plane/listener/certificates.fixture.js';
import type { Endpoint } from '../../data-plane/balancer/balancer.js';
import { isDown } from '../../data-plane/health/health.js';
import { ProbeWhen, Protocol, type ActiveHealthSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { EndpointState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { useClosing } from '../support/closing.js';
import { startGateway, type GatewayConfig, type TestEndpoint, type TestGateway } from '../support/gateway.js';
import { eventually, TestClient } from '../support/load.js';
import { startUpstream, type TestUpstream } from '../support/upstream.js';

type Active = MessageInitShape<typeof ActiveHealthSchema>;

const closing = useClosing();
const client = new TestClient();
const milliseconds = (ms: number) => ({ seconds: 0n, nanos: ms * 1e6 });
/** One probe in 50 ms, so that a change takes about 150 ms. */
const fast = { interval: milliseconds(50), timeout: milliseconds(500) };
const http: Active = { ...fast, probe: { case: 'http', value: { path: '/healthz' } } };
const tcp: Active = { ...fast, probe: { case: 'tcp', value: {} } };
const grpc: Active = { ...fast, probe: { case: 'grpc', value: { service: 'shop' } } };
const always = { when: ProbeWhen.ALWAYS };
/** Enough for any change, many times over. */
const patienceMs = 5_000;

afterEach(() => client.close());

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const status =
  (code: number): Answer =>
  (_, response) =>
    void response.writeHead(code).end();
const silence: Answer = () => undefined;

/** A service instance that says who it is, and whose /healthz the test decides. */
class Instance {
  health: Answer = status(200);
  answer: Answer = status(200);
  server!: TestUpstream;

  static async start(port = 0): Promise<Instance> {
    const instance = new Instance();
    await instance.open(port);
    closing.push(() => instance.server.close());
    return instance;
  }

  async open(port: number): Promise<void> {
    this.server = await startUpstream((request, response) => {
      response.setHeader('x-instance', String(this.server.port));
      if (request.url?.startsWith('/healthz') === true) this.health(request, response);
      else this.answer(request, response);
    }, port);
  }

  get port(): number {
    return this.server.port;
  }

  get probes(): number {
    return this.server.seen.filter(({ url }) => url === '/healthz').length;
  }
}

interface ServiceFields {
  readonly protocol?: Protocol;
  readonly path?: string;
  readonly tls?: { readonly caPem?: string; readonly serverName?: string };
}

function config(
  active: Active | null,
  endpoints: readonly (number | TestEndpoint)[],
  service: ServiceFields = {},
): GatewayConfig {
  return {
    services: [{ name: 'app', ...service, ...(active === null ? {} : { health: { active } }) }],
    routes: [{ name: 'app', service: 'app', paths: [{ kind: { case: 'prefix', value: '/' } }] }],
    endpoints: { app: endpoints },
  };
}

async function gateway(...args: Parameters<typeof config>): Promise<TestGateway> {
  const started = await startGateway(config(...args));
  closing.push(() => started.close());
  return started;
}

/** Which instances answer ten requests; a failed one counts as "undefined". */
async function whoAnswers({ url }: TestGateway): Promise<number[]> {
  const seen = new Set<number>();
  for (let i = 0; i < 10; i++) seen.add(Number((await client.send(`${url}/work`)).headers['x-instance']));
  return [...seen].toSorted((a, b) => a - b);
}

async function untilAnsweredBy(running: TestGateway, ...instances: readonly Instance[]): Promise<void> {
  const wanted = instances.map(({ port }) => port).toSorted((a, b) => a - b);
  await eventually(`only ${wanted.join(' and ')} answer`, patienceMs, async () => {
    return (await whoAnswers(running)).join() === wanted.join();
  });
}

const endpointsOf = ({ runtime }: TestGateway): readonly Endpoint[] => runtime.upstream('app')?.endpoints ?? [];
const isFirstDown = (running: TestGateway): boolean => isDown(endpointsOf(running)[0] as Endpoint);

describe('an endpoint that is probed always', () => {
  it.each([
    { what: 'says that it is sick', sick: status(503), active: http },
    { what: 'redirects', sick: status(302), active: http },
    { what: 'does not answer in time', sick: silence, active: { ...http, timeout: milliseconds(50) } },
    { what: 'breaks off', sick: (({ socket }) => void socket.destroy()) as Answer, active: http },
  ])('gets no traffic when it $what, until it is well again', async ({ sick, active }) => {
    const [a, b] = [await Instance.start(), await Instance.start()];
    const running = await gateway({ ...active, ...always }, [a.port, b.port]);
    await untilAnsweredBy(running, a, b);

    a.health = sick;
    await untilAnsweredBy(running, b);
    const seen = a.server.seen.filter(({ url }) => url === '/work').length;
    await whoAnswers(running);
    expect(a.server.seen.filter(({ url }) => url === '/work')).toHaveLength(seen);

    a.health = status(204);
    await untilAnsweredBy(running, a, b);
  });

  it.each([{ active: tcp }, { active: http }])(
    'is found dead and alive again without a request ($active.probe.case)',
    async ({ active }) => {
      const [a, b] = [await Instance.start(), await Instance.start()];
      const running = await gateway({ ...active, ...always }, [a.port, b.port]);

      const { port } = a;
      await a.server.close();
      await eventually('it is down', patienceMs, () => isFirstDown(running));
      expect(await whoAnswers(running)).toEqual([b.port]);

      await a.open(port);
      await eventually('it is back', patienceMs, () => !isFirstDown(running));
      await untilAnsweredBy(running, a, b);
    },
  );

  it('is asked with the Host and path that are set, and is well by the statuses that are', async () => {
    const a = await Instance.start();
    a.health = status(401);
    const probe = { path: '/healthz', host: 'shop.internal', statuses: [200, 401] };
    const running = await gateway({ ...http, ...always, probe: { case: 'http', value: probe } }, [a.port], {
      path: '/api',
    });

    await eventually('it is probed', patienceMs, () => a.probes >= 4);

    expect(a.server.seen.find(({ url }) => url === '/healthz')).toMatchObject({
      method: 'GET',
      headers: { host: 'shop.internal' },
    });
    expect(isFirstDown(running)).toBe(false);
  });

  it('is tried all the same when all are down', async () => {
    const [a, b] = [await Instance.start(), await Instance.start()];
    for (const instance of [a, b]) instance.health = status(500);
    const running = await gateway({ ...http, ...always }, [a.port, b.port]);

    await eventually('all are down', patienceMs, () => endpointsOf(running).every(isDown));

    expect(await whoAnswers(running)).toEqual([a.port, b.port].toSorted((x, y) => x - y));
  });

  it('is left alone as soon as it is no endpoint any more', async () => {
    const [a, b] = [await Instance.start(), await Instance.start()];
    const running = await gateway({ ...http, ...always }, [a.port, b.port]);
    await eventually('it is probed', patienceMs, () => a.probes > 0);

    running.apply(config({ ...http, ...always }, [b.port]));
    await sleep(50);
    const [probesOfA, probesOfB] = [a.probes, b.probes];
    await eventually('the other is probed on', patienceMs, () => b.probes > probesOfB + 4);

    expect(a.probes).toBe(probesOfA);
  });

  it('stays down when the config changes, is probed as the new one says, and is free when that has no probe', async () => {
    const [a, b] = [await Instance.start(), await Instance.start()];
    a.health = status(503);
    const running = await gateway({ ...http, ...always }, [a.port, b.port]);
    await eventually('it is down', patienceMs, () => isFirstDown(running));

    running.apply(
      config({ ...http, ...always, probe: { case: 'http', value: { path: '/healthz?v=2' } } }, [a.port, b.port]),
    );
    expect(isFirstDown(running)).toBe(true);
    await eventually('it is asked anew', patienceMs, () => a.server.seen.some(({ url }) => url === '/healthz?v=2'));
    expect(isFirstDown(running)).toBe(true);

    running.apply(config(null, [a.port, b.port]));
    await untilAnsweredBy(running, a, b);
  });
});

describe('an endpoint that is probed when suspect', () => {
  it('is not probed as long as nothing speaks against it', async () => {
    const [a, b] = [await Instance.start(), await Instance.start()];
    const running = await gateway(http, [a.port, b.port]);

    await untilAnsweredBy(running, a, b);
    await sleep(300);

    expect(a.probes + b.probes).toBe(0);
  });

  it('comes back early after an ejection, as soon as probes pass', async () => {
    const [a, b] = [await Instance.start(), await Instance.start()];
    a.answer = status(500);
    a.health = status(500);
    const running = await gateway(http, [a.port, b.port]);

    await untilAnsweredBy(running, b);
    a.answer = status(200);
    a.health = status(200);
    await untilAnsweredBy(running, a, b);

    expect(a.probes).toBeGreaterThanOrEqual(2);
    expect(b.probes).toBe(0);
  });

  it('goes when the registry doubts it and probes fail', async () => {
    const [a, b] = [await Instance.start(), await Instance.start()];
    for (const instance of [a, b]) instance.health = status(503);
    const running = await gateway(http, [{ port: a.port, state: EndpointState.SUSPECT }, b.port]);

    await eventually('it is down', patienceMs, () => isFirstDown(running));

    expect(await whoAnswers(running)).toEqual([b.port]);
    expect(b.probes).toBe(0);
  });
});

describe('a probe of an https service', () => {
  it.each([
    {
      what: 'passes by the authority that the service trusts',
      active: http,
      tls: { caPem: testAuthority },
      down: false,
    },
    { what: 'fails without it', active: http, tls: {}, down: true },
    {
      what: 'passes by the name that the service expects',
      active: http,
      tls: { caPem: testAuthority, serverName: 'localhost' },
      down: false,
    },
    { what: 'fails by another name', active: http, tls: { caPem: testAuthority, serverName: 'other' }, down: true },
    { what: 'that connects only shakes hands', active: tcp, tls: { caPem: testAuthority }, down: false },
    { what: 'that connects only needs the authority', active: tcp, tls: {}, down: true },
  ])('$what', async ({ active, tls: verification, down }) => {
    let handshakes = 0;
    const server = createHttpsServer({ key: localCertificate.key, cert: localCertificate.cert }, status(200));
    server.on('secureConnection', () => handshakes++);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    closing.push(async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    });
    const { port } = server.address() as AddressInfo;
    const running = await gateway({ ...active, ...always }, [port], { protocol: Protocol.HTTPS, tls: verification });

    if (down) await eventually('it is down', patienceMs, () => isFirstDown(running));
    else await eventually('it is probed', patienceMs, () => handshakes >= 4);

    expect(isFirstDown(running)).toBe(down);
  });
});

describe('a probe of a gRPC service', () => {
  it('asks grpc.health.v1 for the name that is set, and takes SERVING only', async () => {
    const serving = Buffer.from([0, 0, 0, 0, 2, 8, 1]);
    const notServing = Buffer.from([0, 0, 0, 0, 2, 8, 2]);
    const server = await startGrpcHealth();
    const running = await gateway({ ...grpc, ...always }, [server.port], { protocol: Protocol.GRPC });

    server.reply = { message: serving, status: '0' };
    await eventually('it is probed', patienceMs, () => server.asked.length >= 4);
    expect(isFirstDown(running)).toBe(false);
    expect(server.asked[0]).toEqual({ path: '/grpc.health.v1.Health/Check', body: '\0\0\0\0\u0006\n\u0004shop' });

    for (const sick of [
      { message: notServing, status: '0' },
      { message: Buffer.alloc(0), status: '5' },
    ]) {
      server.reply = sick;
      await eventually('it is down', patienceMs, () => isFirstDown(running));
      server.reply = { message: serving, status: '0' };
      await eventually('it is back', patienceMs, () => !isFirstDown(running));
    }
  });

  it('fails where nobody listens', async () => {
    const running = await gateway({ ...grpc, ...always }, [await freePort()], { protocol: Protocol.GRPC });

    await eventually('it is down', patienceMs, () => isFirstDown(running));
  });
});

interface GrpcHealth {
  readonly port: number;
  readonly asked: { readonly path: string; readonly body: string }[];
  reply: { readonly message: Buffer; readonly status: string };
}

async function startGrpcHealth(): Promise<GrpcHealth> {
  const server = createHttp2Server();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session)).on('error', () => undefined);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const health: GrpcHealth = {
    port: (server.address() as AddressInfo).port,
    asked: [],
    reply: { message: Buffer.alloc(0), status: '5' },
  };
  server.on('stream', (stream, { ':path': path = '' }) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      health.asked.push({ path, body: Buffer.concat(chunks).toString('latin1') });
      const { message, status: grpcStatus } = health.reply;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': grpcStatus }));
      stream.end(message);
    });
  });
  closing.push(async () => {
    server.close();
    for (const session of sessions) session.destroy();
    await once(server, 'close');
  });
  return health;
}
