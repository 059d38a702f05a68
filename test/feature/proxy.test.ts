import { request, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../deploy/servers/servers.js';
import { useClosing } from '../support/closing.js';
import { startGateway, type GatewayConfig, type TestGateway } from '../support/gateway.js';
import { eventually, TestClient } from '../support/load.js';
import { startRawUpstream, startUpstream, type TestUpstream } from '../support/upstream.js';

const second = { seconds: 1n, nanos: 0 };
const closing = useClosing();
const client = new TestClient();

afterEach(() => client.close());

async function gateway(config: GatewayConfig): Promise<TestGateway> {
  const started = await startGateway(config);
  closing.push(() => started.close());
  return started;
}

async function upstream(...args: Parameters<typeof startUpstream>): Promise<TestUpstream> {
  const started = await startUpstream(...args);
  closing.push(() => started.close());
  return started;
}

const prefix = (value: string) => ({ kind: { case: 'prefix' as const, value } });

/** A gateway with one route `/` to the ports. */
async function plainGateway(ports: readonly number[], service: object = {}, route: object = {}): Promise<TestGateway> {
  return gateway({
    services: [{ name: 'app', ...service }],
    routes: [{ name: 'app', paths: [prefix('/app')], service: 'app', ...route }],
    endpoints: { app: ports },
  });
}

describe('a request through the gateway', () => {
  it('reaches the service without the matched prefix, with Host of the endpoint and the fields that say who asked', async () => {
    const app = await upstream();
    const { url } = await plainGateway([app.port]);

    const answer = await client.send(`${url}/app/items?x=1&y=%2F`, {
      method: 'POST',
      body: '{"a":1}',
      headers: {
        'X-Custom': 'Kept',
        connection: 'x-hop, close',
        'x-hop': 'gone',
        te: 'gzip',
        'content-type': 'application/json',
      },
    });

    const seen = JSON.parse(answer.body) as {
      url: string;
      method: string;
      headers: Record<string, string>;
      body: string;
    };
    expect(answer.status).toBe(200);
    expect(seen).toMatchObject({ method: 'POST', url: '/items?x=1&y=%2F', body: '{"a":1}' });
    expect(seen.headers).toMatchObject({
      host: `127.0.0.1:${app.port}`,
      'x-custom': 'Kept',
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': '127.0.0.1',
      'x-forwarded-prefix': '/app',
      via: '1.1 sluice',
    });
    expect(seen.headers['x-request-id']).toMatch(/\w{8}/);
    expect(Object.keys(seen.headers)).not.toEqual(expect.arrayContaining(['x-hop', 'te']));
    expect(answer.headers).toMatchObject({
      via: '1.1 sluice',
      'x-sluice-upstream-latency': expect.stringMatching(/^\d+$/),
    });
    expect(answer.headers['x-sluice-error']).toBeUndefined();
  });

  it('keeps case and order of the fields that nobody touches', async () => {
    const app = await upstream();
    const { url } = await plainGateway([app.port]);

    await client.send(`${url}/app`, { headers: { 'X-One': '1', 'x-TWO': '2', 'X-three': '3' } });

    const names = app.seen[0]?.rawHeaders.filter((_, i) => i % 2 === 0) ?? [];
    expect(names.filter((name) => /^x-(one|two|three)$/i.test(name))).toEqual(['X-One', 'x-TWO', 'X-three']);
  });

  it.each([
    { what: 'the path as it is with strip_path off', route: { stripPath: false }, service: {}, want: '/app/a' },
    { what: 'the service path in front', route: {}, service: { path: '/api/' }, want: '/api/a' },
    { what: 'a rewrite', route: { rewrite: '/v2$$' }, service: { path: '/api' }, want: '/api/v2$' },
  ])('sends $what', async ({ route, service, want }) => {
    const app = await upstream();
    const { url } = await plainGateway([app.port], service, route);

    await client.send(`${url}/app/a?q`);

    expect(app.seen[0]?.url).toBe(`${want}?q`);
  });

  it.each([
    {
      what: 'the client’s Host when the route preserves it',
      route: { preserveHost: true },
      service: { host: 'orders.internal' },
      want: 'shop.example',
    },
    { what: 'the service’s host otherwise', route: {}, service: { host: 'orders.internal' }, want: 'orders.internal' },
  ])('sends $what', async ({ route, service, want }) => {
    const app = await upstream();
    const { url } = await plainGateway([app.port], service, route);

    await client.send(`${url}/app`, { headers: { host: 'shop.example' } });

    expect(app.seen[0]?.headers.host).toBe(want);
  });

  it('brings back status, fields and body of the service, whatever the status', async () => {
    const app = await upstream((_, response) => {
      response.writeHead(405, 'Nope', { 'x-own': 'yes', allow: 'GET', 'set-cookie': ['a=1', 'b=2'] }).end('own words');
    });
    const { url } = await plainGateway([app.port]);

    const answer = await client.send(`${url}/app`);

    expect(answer).toMatchObject({ status: 405, body: 'own words' });
    expect(answer.headers).toMatchObject({ 'x-own': 'yes', allow: 'GET', 'set-cookie': ['a=1', 'b=2'] });
    expect(answer.headers['x-sluice-error']).toBeUndefined();
  });
});

describe('bodies', () => {
  it('stream both ways as they come', async () => {
    const app = await upstream((incoming, response) => {
      response.writeHead(200);
      incoming.on('data', (chunk: Buffer) => response.write(`<${chunk.toString()}>`)).on('end', () => response.end());
    });
    const { url } = await plainGateway([app.port]);
    const sent = request(`${url}/app`, { method: 'POST' });

    sent.write('one');
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let received = '';
    response.on('data', (chunk: Buffer) => (received += chunk.toString()));
    await eventually('the first piece comes back', 2_000, () => received === '<one>');
    const ended = once(response, 'end');
    sent.end('two');
    await ended;

    expect(received).toBe('<one><two>');
  });

  it('of 20 MB arrive whole in both directions', async () => {
    const body = 'x'.repeat(20 * 1024 * 1024);
    const app = await upstream((incoming, response) => void incoming.pipe(response));
    const { url } = await plainGateway([app.port]);

    expect((await client.send(`${url}/app`, { method: 'PUT', body })).body.length).toBe(body.length);
  });

  it('keep the service waiting while the client does not read', async () => {
    let written = 0;
    const chunk = Buffer.alloc(64 * 1024);
    const app = await upstream((_, response) => {
      const more = (): void => {
        while (written < 200 * 1024 * 1024) {
          written += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
      };
      more();
    });
    const { url } = await plainGateway([app.port]);
    const sent = request(`${url}/app`);
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.pause();
    await sleep(500);
    const stalledAt = written;
    await sleep(300);
    sent.destroy();

    expect(written).toBe(stalledAt);
    expect(written).toBeLessThan(40 * 1024 * 1024);
  });
});

describe('answers that the gateway makes itself', () => {
  it.each([
    { what: '404 where no route matches', path: '/none', method: 'GET', status: 404, kind: 'no_route', code: 5 },
    {
      what: '405 where only the method fails',
      path: '/app',
      method: 'DELETE',
      status: 405,
      kind: 'method_not_allowed',
      code: 12,
    },
    { what: '400 for a dot segment', path: '/app/%2e%2e/x', method: 'GET', status: 400, kind: 'bad_path', code: 3 },
    {
      what: '503 where the service has no endpoint',
      path: '/empty',
      method: 'GET',
      status: 503,
      kind: 'no_endpoint',
      code: 14,
    },
  ])('are marked: $what', async ({ path, method, status, kind, code }) => {
    const app = await upstream();
    const { url } = await gateway({
      services: [{ name: 'app' }, { name: 'empty' }],
      routes: [
        { name: 'app', paths: [prefix('/app')], methods: ['GET', 'POST'], service: 'app' },
        { name: 'empty', paths: [prefix('/empty')], service: 'empty' },
      ],
      endpoints: { app: [app.port] },
    });

    const answer = await client.send(url + path, { method });

    const body = JSON.parse(answer.body) as {
      code: number;
      message: string;
      details: { reason: string; domain: string; metadata: object }[];
    };
    expect(answer.status).toBe(status);
    expect(answer.headers['x-sluice-error']).toBe(kind);
    expect(body.code).toBe(code);
    expect(body.details[0]).toMatchObject({
      reason: kind.toUpperCase(),
      domain: 'sluice',
      metadata: { request_id: expect.any(String) },
    });
    if (status === 405) expect(answer.headers['allow']).toBe('GET, POST');
  });

  it('is 426, or the redirect that the route names, for http where a route takes https only', async () => {
    const app = await upstream();
    const { url } = await gateway({
      services: [{ name: 'app' }],
      routes: [
        { name: 'strict', paths: [prefix('/strict')], protocols: [2], service: 'app' },
        { name: 'moved', paths: [prefix('/moved')], protocols: [2], httpsRedirect: 308, service: 'app' },
      ],
      endpoints: { app: [app.port] },
      trustedIps: ['127.0.0.1'],
    });

    const strict = await client.send(`${url}/strict`);
    const moved = await client.send(`${url}/moved?x=1`, { headers: { host: 'shop.example' } });
    const behindTls = await client.send(`${url}/strict`, { headers: { 'x-forwarded-proto': 'https' } });

    expect(strict).toMatchObject({ status: 426, headers: { upgrade: 'TLS/1.2, HTTP/1.1' } });
    expect(moved).toMatchObject({ status: 308, headers: { location: 'https://shop.example/moved?x=1' } });
    expect(behindTls.status).toBe(200);
  });
});

describe('a request that breaks off before an endpoint is reached', () => {
  it('is refused once, reaches nobody, and is not counted as in flight any more', async () => {
    const app = await upstream();
    const { port, runtime } = await plainGateway([app.port]);
    const [endpoint] = runtime.upstream('app')?.endpoints ?? [];

    const socket = connect(port, '127.0.0.1');
    socket.write('POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n');
    const answer = await text(socket);
    await sleep(50);

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(app.seen).toEqual([]);
    expect(endpoint?.requestsInFlight).toBe(0);
    expect(endpoint?.health.ejectedUntilMs).toBe(0);
  });
});

describe('a failing upstream', () => {
  it('that refuses connections gets no request and costs none: another endpoint answers', async () => {
    const app = await upstream();
    const { url, runtime } = await plainGateway([app.port, await freePort()]);

    const statuses = await Promise.all(
      Array.from({ length: 20 }, () => client.send(`${url}/app`, { method: 'POST', body: 'x' })),
    );

    expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(runtime.upstream('app')?.endpoints.some(({ health }) => health.ejectedUntilMs > 0)).toBe(true);
  });

  it('alone gives 502 when it refuses connections', async () => {
    const { url } = await plainGateway([await freePort()]);

    expect(await client.send(`${url}/app`)).toMatchObject({
      status: 502,
      headers: { 'x-sluice-error': 'connect_failed' },
    });
  });

  it('that hangs gives 504 after the read timeout, and its connection is closed', async () => {
    const raw = await startRawUpstream(() => undefined);
    closing.push(() => raw.close());
    const { url } = await plainGateway([raw.port], {
      timeouts: { read: { seconds: 0n, nanos: 200_000_000 } },
      retries: { attempts: 0 },
    });

    expect(await client.send(`${url}/app`)).toMatchObject({
      status: 504,
      headers: { 'x-sluice-error': 'upstream_timeout' },
    });
  });

  it('is given up when the whole request takes longer than its limit', async () => {
    const app = await upstream((_, response) => void setTimeout(() => response.end('late'), 2_000).unref());
    const { url } = await plainGateway([app.port], { timeouts: { request: { seconds: 0n, nanos: 300_000_000 } } });

    expect(await client.send(`${url}/app`)).toMatchObject({
      status: 504,
      headers: { 'x-sluice-error': 'request_deadline' },
    });
  });

  it('that resets after reading a POST is not asked again', async () => {
    const raw = await startRawUpstream((socket) => socket.once('data', () => socket.resetAndDestroy()));
    closing.push(() => raw.close());
    const other = await upstream();
    const { url } = await plainGateway([raw.port, raw.port === other.port ? 0 : raw.port]);

    const answer = await client.send(`${url}/app`, { method: 'POST', body: 'x' });

    expect(answer).toMatchObject({ status: 502, headers: { 'x-sluice-error': 'upstream_reset' } });
    expect(raw.connections()).toBe(1);
  });

  it('that resets a GET is passed over for another endpoint', async () => {
    const raw = await startRawUpstream((socket) => socket.once('data', () => socket.resetAndDestroy()));
    closing.push(() => raw.close());
    const app = await upstream();
    const { url } = await plainGateway([raw.port, app.port]);

    const statuses = await Promise.all(Array.from({ length: 6 }, () => client.send(`${url}/app`)));

    expect(new Set(statuses.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('that refuses an upload and resets the connection is heard all the same', async () => {
    const refusal = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge';
    const raw = await startRawUpstream((socket) => {
      socket.once('data', () => {
        socket.pause();
        socket.write(refusal, () => socket.resetAndDestroy());
      });
    });
    closing.push(() => raw.close());
    const { url } = await plainGateway([raw.port]);
    const body = 'x'.repeat(4 * 1024 * 1024);

    for (let i = 0; i < 40; i++) {
      const answer = await client.send(`${url}/app`, { method: 'POST', body });
      expect(answer).toMatchObject({ status: 413, body: 'large' });
    }
    expect(raw.connections()).toBe(40);
  });

  it('whose answer goes wrong in the middle: what came before is with the client, the rest is cut', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nno size\r\n';
    const raw = await startRawUpstream((socket) => socket.once('data', () => socket.write(answer)));
    closing.push(() => raw.close());
    const { port } = await plainGateway([raw.port]);

    const socket = connect(port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
    socket.on('error', () => {});
    socket.write('GET /app HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'close');

    expect(received).toContain('part');
    expect(received).not.toContain('0\r\n\r\n');
  });

  it('that answers with garbage gives 502', async () => {
    const raw = await startRawUpstream((socket) => socket.end('SSH-2.0-OpenSSH\r\n'));
    closing.push(() => raw.close());
    const { url } = await plainGateway([raw.port], { timeouts: { connect: second } });

    expect(await client.send(`${url}/app`)).toMatchObject({
      status: 502,
      headers: { 'x-sluice-error': 'upstream_malformed' },
    });
  });

  it('is told within a second when the client goes away', async () => {
    let closed = false;
    const app = await upstream((_, response) => void response.on('close', () => (closed = true)));
    const { url } = await plainGateway([app.port]);
    const sent = request(`${url}/app`).on('error', () => undefined);
    sent.end();
    while (app.seen.length === 0) await sleep(5);
    sent.destroy();

    await eventually('the service is told', 1_000, () => closed);
  });
});

describe('a config change', () => {
  it('takes effect for the next request and fails none', async () => {
    const one = await upstream((_, response) => void response.end('one'));
    const two = await upstream((_, response) => void response.end('two'));
    const config = (port: number): GatewayConfig => ({
      services: [{ name: 'app' }],
      routes: [{ name: 'app', paths: [prefix('/app')], service: 'app' }],
      endpoints: { app: [port] },
    });
    const { url, apply } = await gateway(config(one.port));
    let sending = true;
    const statuses = new Set<number>();
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (sending) statuses.add((await client.send(`${url}/app`)).status);
      }),
    );

    for (let i = 0; i < 50; i++) {
      apply(config(i % 2 === 0 ? two.port : one.port));
      await sleep(5);
    }
    sending = false;
    await load;

    expect(statuses).toEqual(new Set([200]));
    apply(config(two.port));
    expect((await client.send(`${url}/app`)).body).toBe('two');
  });

  it('lets a request in flight finish on the endpoint it started with', async () => {
    let release: () => void = () => undefined;
    const app = await upstream((_, response) => {
      response.write('first ');
      release = () => response.end('last');
    });
    const { url, apply } = await plainGateway([app.port]);
    const answering = client.send(`${url}/app`);
    while (app.seen.length === 0) await sleep(5);

    apply({ services: [], routes: [], endpoints: { app: [] } });
    release();

    expect((await answering).body).toBe('first last');
    expect((await client.send(`${url}/app`)).status).toBe(404);
  });
});
