import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, createServer as createHttpsServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';

import { makeCertificate, type CertificatePair } from '../../deploy/certificate/certificate.js';
import { ProbeWhen, Protocol, RouteProtocol } from '../../proto/gen/sluice/v1/config_pb.js';
import type { GatewayConfig } from '../support/gateway.js';
import { eventually } from '../support/load.js';
import { startNode, type TestNode } from '../support/node.js';
import { startUpstream, type TestUpstream } from '../support/upstream.js';

const day = 86_400_000;
const validity = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + 30 * day) };
const authority = makeCertificate({ names: ['Test CA'], isAuthority: true, ...validity });
const issue = (...names: string[]): CertificatePair => makeCertificate({ names, issuer: authority, ...validity });
const pairs = {
  shop: issue('shop.example', '*.shop.example'),
  api: issue('api.shop.example'),
  renewed: issue('shop.example', '*.shop.example'),
  local: issue('localhost'),
};

let upstream: TestUpstream;
let node: TestNode;
let opened: (() => void)[] = [];

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(() => upstream.close());

afterEach(async () => {
  for (const close of opened) close();
  opened = [];
  await node.close();
});

type Certificates = NonNullable<GatewayConfig['certificates']>;

const certificate = (
  name: string,
  { cert, key }: CertificatePair,
  more: { readonly default?: boolean } = {},
): Certificates[number] => ({
  name,
  certPem: cert,
  keyPem: key,
  ...more,
});

const configOf = (certificates: Certificates, more: Partial<GatewayConfig> = {}): GatewayConfig => ({
  services: [{ name: 'orders' }],
  routes: [{ name: 'orders', service: 'orders', paths: [{ kind: { case: 'prefix', value: '/' } }] }],
  endpoints: { orders: [upstream.port] },
  certificates,
  ...more,
});

/** A handshake; rejects with what it fails with. */
async function handshake(servername: string, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({
    port: node.ports.tls ?? 0,
    host: '127.0.0.1',
    ca: authority.cert,
    checkServerIdentity: () => undefined,
    ...(servername === '' ? {} : { servername }),
    ...options,
  });
  opened.push(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.on('error', () => undefined);
  return socket;
}

async function subjectFor(servername: string): Promise<string> {
  const socket = await handshake(servername);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

interface HttpsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Over HTTP/1.1. */
function get(path: string, agent: Agent, servername = 'shop.example'): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const target = { host: '127.0.0.1', port: node.ports.tls, path, agent, servername, ca: authority.cert };
    const sent = request({ ...target, headers: { host: servername }, timeout: 5_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    sent.on('error', reject).end();
  });
}

function newAgent(options: { readonly keepAlive: boolean }): Agent {
  const agent = new Agent(options);
  opened.push(() => agent.destroy());
  return agent;
}

function counted(name: string): string[] {
  return node
    .metrics()
    .split('\n')
    .filter((line) => line.startsWith(name));
}

describe('the certificate', () => {
  test.each([
    ['shop.example', 'shop.example'],
    ['SHOP.example', 'shop.example'],
    ['www.shop.example', 'shop.example'],
    ['api.shop.example', 'api.shop.example'],
    ['a.b.shop.example', 'localhost'],
    ['else.example', 'localhost'],
    ['', 'localhost'],
  ])('for %j is that of %s', async (servername, subject) => {
    const all = [
      certificate('api', pairs.api),
      certificate('local', pairs.local, { default: true }),
      certificate('shop', pairs.shop),
    ];
    node = await startNode(configOf(all));

    expect(await subjectFor(servername)).toBe(subject);
  });

  test('is the first by name where none is the default, and one from a file before that', async () => {
    const certificates = [certificate('b-shop', pairs.shop), certificate('a-api', pairs.api)];
    node = await startNode(configOf(certificates));

    expect(await subjectFor('else.example')).toBe('api.shop.example');

    await node.close();
    const fallback = { name: 'file', certPem: pairs.local.cert, keyPem: pairs.local.key, snis: [], isDefault: true };
    node = await startNode(configOf(certificates), { fallback });

    expect(await subjectFor('else.example')).toBe('localhost');
    expect(await subjectFor('shop.example')).toBe('shop.example');
  });

  test('is served with its chain', async () => {
    const chained = { cert: pairs.shop.cert + authority.cert, key: pairs.shop.key };
    node = await startNode(configOf([certificate('shop', chained)]));

    const socket = await handshake('shop.example');

    expect(socket.getPeerCertificate(true).issuerCertificate.subject.CN).toBe('Test CA');
  });

  test('that is missing refuses handshakes by name, with a log line and a metric, until there is one', async () => {
    node = await startNode(configOf([]));

    await expect(handshake('shop.example')).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' });
    await expect(handshake('shop.example')).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' });

    expect(node.warnings).toEqual([expect.stringContaining('there is no certificate')]);
    expect(counted('sluice_tls_handshakes_total')).toEqual(['sluice_tls_handshakes_total{result="refused"} 2']);
    node.apply(configOf([certificate('shop', pairs.shop)]));
    expect(await subjectFor('shop.example')).toBe('shop.example');
  });

  test('shows when it ends as a metric, for as long as it is served', async () => {
    node = await startNode(configOf([certificate('shop', pairs.shop), certificate('api', pairs.api)]));
    const seconds = Math.floor(validity.notAfter.getTime() / 1_000);

    expect(counted('sluice_certificate_not_after_seconds')).toEqual([
      `sluice_certificate_not_after_seconds{name="api"} ${seconds}`,
      `sluice_certificate_not_after_seconds{name="shop"} ${seconds}`,
    ]);
    node.apply(configOf([]));
    expect(counted('sluice_certificate_not_after_seconds')).toEqual([]);
  });

  test('with a key that is not its own is refused by the node as well, which goes on with the one before', async () => {
    node = await startNode(configOf([certificate('shop', pairs.shop)]));

    const bad = configOf([certificate('shop', { cert: pairs.renewed.cert, key: pairs.api.key })]);

    expect(() => node.apply(bad)).toThrow('shop key_pem: is not the key of the certificate');
    expect(await subjectFor('shop.example')).toBe('shop.example');
  });
});

describe('requests over TLS', () => {
  const facts = async (answer: HttpsAnswer | string): Promise<Record<string, string>> =>
    (JSON.parse(typeof answer === 'string' ? answer : answer.body) as { headers: Record<string, string> }).headers;

  test('go over HTTP/1.1, and the service learns that they came by https', async () => {
    node = await startNode(configOf([certificate('shop', pairs.shop)]));

    const answer = await get('/things', newAgent({ keepAlive: false }));

    expect(answer.status).toBe(200);
    expect(await facts(answer)).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-forwarded-port': String(node.ports.tls),
    });
  });

  test('go over HTTP/2, as ALPN chooses', async () => {
    node = await startNode(configOf([certificate('shop', pairs.shop)]));

    const session = connectHttp2(`https://shop.example:${node.ports.tls}`, {
      ca: authority.cert,
      createConnection: () =>
        connect({
          port: node.ports.tls ?? 0,
          host: '127.0.0.1',
          servername: 'shop.example',
          ca: authority.cert,
          ALPNProtocols: ['h2'],
        }),
    });
    opened.push(() => session.destroy());
    const stream = session.request({ ':path': '/things' });
    let body = '';
    stream.setEncoding('utf8').on('data', (text: string) => (body += text));
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
    await once(stream, 'end');

    expect(head[':status']).toBe(200);
    expect(session.alpnProtocol).toBe('h2');
    expect(await facts(body)).toMatchObject({ 'x-forwarded-proto': 'https' });
  });

  test.each([
    [{}, false],
    [{ ALPNProtocols: ['http/1.1'] }, 'http/1.1'],
    [{ ALPNProtocols: ['h2', 'http/1.1'] }, 'h2'],
    [{ ALPNProtocols: ['http/1.1', 'h2'] }, 'h2'],
  ])('by a client that offers %j speak %s', async (options, chosen) => {
    node = await startNode(configOf([certificate('shop', pairs.shop)]));

    expect((await handshake('shop.example', options)).alpnProtocol).toBe(chosen);
  });

  test('need TLS 1.2', async () => {
    node = await startNode(configOf([certificate('shop', pairs.shop)]));

    const old = { minVersion: 'TLSv1' as const, maxVersion: 'TLSv1.1' as const, ciphers: 'DEFAULT@SECLEVEL=0' };

    await expect(handshake('shop.example', old)).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    });
    expect((await handshake('shop.example', { maxVersion: 'TLSv1.2' })).getProtocol()).toBe('TLSv1.2');
    expect((await handshake('shop.example')).getProtocol()).toBe('TLSv1.3');
    expect(counted('sluice_tls_handshakes_total')).toContain('sluice_tls_handshakes_total{result="failed"} 1');
  });

  test('are encrypted by suites that HTTP/2 allows, and are not renegotiated', async () => {
    node = await startNode(configOf([certificate('shop', pairs.shop)]));
    const cbc = { maxVersion: 'TLSv1.2' as const, ciphers: 'ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384' };
    const socket = await handshake('shop.example', { maxVersion: 'TLSv1.2' });

    await expect(handshake('shop.example', cbc)).rejects.toMatchObject({
      code: expect.stringMatching(/HANDSHAKE_FAILURE/),
    });
    expect(socket.getCipher().standardName).toMatch(/_GCM_|_CHACHA20_/);
    socket.renegotiate({}, () => undefined);
    await expect(once(socket, 'secure', { signal: AbortSignal.timeout(200) })).rejects.toThrow();
  });

  test('are what routes for https alone take; over the plain port they are redirected, or told to upgrade', async () => {
    const route = (name: string, value: string, httpsRedirect: number): GatewayConfig['routes'][number] => ({
      name,
      service: 'orders',
      paths: [{ kind: { case: 'prefix', value } }],
      protocols: [RouteProtocol.HTTPS],
      httpsRedirect,
    });
    const routes = [route('strict', '/strict', 0), route('moved', '/moved', 308)];
    node = await startNode(configOf([certificate('shop', pairs.shop)], { routes }));
    const plain = async (path: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${node.ports.http}${path}`, { redirect: 'manual' });

    const agent = newAgent({ keepAlive: true });

    expect((await get('/strict', agent)).status).toBe(200);
    expect((await get('/moved', agent)).status).toBe(200);
    expect((await plain('/strict')).status).toBe(426);
    expect((await plain('/moved?a=b')).status).toBe(308);
    expect((await plain('/moved?a=b')).headers.get('location')).toBe(`https://127.0.0.1:${node.ports.tls}/moved?a=b`);
  });

  test('are told apart by the name of the handshake where routes have snis', async () => {
    const route = (name: string, snis: string[], protocols: RouteProtocol[] = []): GatewayConfig['routes'][number] => {
      return { name, service: 'orders', paths: [{ kind: { case: 'prefix', value: `/${name}` } }], snis, protocols };
    };
    const routes = [route('shop', ['Shop.example']), route('strict', ['shop.example'], [RouteProtocol.HTTPS])];
    node = await startNode(configOf([certificate('shop', pairs.shop)], { routes }));
    const agent = newAgent({ keepAlive: false });

    expect((await get('/shop', agent, 'shop.example')).status).toBe(200);
    expect((await get('/shop', agent, 'www.shop.example')).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${node.ports.http}/shop`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${node.ports.http}/strict`)).status).toBe(426);
  });

  test('may have bodies that the service reads in fits and starts', async () => {
    const slow = await startUpstream((request, response) => {
      const hash = createHash('sha256');
      request.on('data', (bytes: Buffer) => {
        hash.update(bytes);
        request.pause();
        setTimeout(() => request.resume(), 1);
      });
      request.on('end', () => response.end(hash.digest('hex')));
    });
    opened.push(() => void slow.close());
    node = await startNode(configOf([certificate('shop', pairs.shop)], { endpoints: { orders: [slow.port] } }));
    const body = randomBytes(4_000_000);
    const target = { host: '127.0.0.1', port: node.ports.tls, servername: 'shop.example', ca: authority.cert };

    const [response] = (await once(
      request({ ...target, method: 'POST', agent: newAgent({ keepAlive: false }) }).end(body),
      'response',
    )) as [IncomingMessage];

    expect(await text(response)).toBe(createHash('sha256').update(body).digest('hex'));
  });

  test('can become WebSockets', async () => {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    sockets.on('connection', (socket) => socket.on('message', (message) => socket.send(`echo ${String(message)}`)));
    opened.push(() => sockets.close());
    await once(sockets, 'listening');
    const { port } = sockets.address() as AddressInfo;
    node = await startNode(configOf([certificate('shop', pairs.shop)], { endpoints: { orders: [port] } }));

    const trust = { ca: authority.cert, servername: 'shop.example' };
    const socket = new WebSocket(`wss://127.0.0.1:${node.ports.tls}/chat`, [], trust);
    opened.push(() => socket.terminate());
    await once(socket, 'open');
    socket.send('hello');
    const [message] = (await once(socket, 'message')) as [Buffer];

    expect(String(message)).toBe('echo hello');
  });
});

describe('a change of certificates', () => {
  test('fails no request under load, and shows in handshakes from then on', async () => {
    node = await startNode(configOf([certificate('shop', pairs.shop)]));
    const agents = [newAgent({ keepAlive: true }), newAgent({ keepAlive: false })];
    let running = true;
    let answers = 0;
    const failures: string[] = [];
    const load = agents.flatMap((agent) =>
      Array.from({ length: 4 }, async () => {
        while (running) {
          const answer = await get('/', agent).catch((error: unknown) => String(error));
          if (typeof answer === 'string' || answer.status !== 200) failures.push(JSON.stringify(answer));
          else answers++;
        }
      }),
    );

    const serials = new Set<string>();
    for (let swap = 0; swap < 40; swap++) {
      node.apply(configOf([certificate('shop', swap % 2 === 0 ? pairs.renewed : pairs.shop)]));
      const socket = await handshake('shop.example');
      serials.add(socket.getPeerCertificate().serialNumber);
      socket.destroy();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    running = false;
    await Promise.all(load);

    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(40);
    expect(serials.size).toBe(2);
  });

  test('leaves connections alone, even when the last certificate goes', async () => {
    node = await startNode(configOf([certificate('shop', pairs.shop)]));
    const agent = newAgent({ keepAlive: true });
    await get('/', agent);

    node.apply(configOf([]));

    expect((await get('/', agent)).status).toBe(200);
    await expect(handshake('shop.example')).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' });
  });
});

test('a port for TLS that is taken is said with the flag that chooses another', async () => {
  node = await startNode(configOf([]));
  const taken = node.ports.tls ?? 0;

  await expect(startNode(configOf([]), {}, taken)).rejects.toThrow(
    `EADDRINUSE: address already in use 127.0.0.1:${taken} (--tls-port takes another one, or off for no TLS)`,
  );
});

describe('sessions', () => {
  async function session(maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<Buffer> {
    const socket = await handshake('shop.example', { maxVersion });
    if (maxVersion === 'TLSv1.2') return socket.getSession() as Buffer;
    socket.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
    const [bytes] = (await once(socket, 'session')) as [Buffer];
    return bytes;
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'of %s are continued, also by another worker and after a change elsewhere',
    async (maxVersion) => {
      const tls = { ticketKeys: Buffer.alloc(48, 7) };
      node = await startNode(configOf([certificate('shop', pairs.shop)]), tls);
      const first = node;
      opened.push(() => void first.close());
      const saved = await session(maxVersion);

      expect((await handshake('shop.example', { maxVersion, session: saved })).isSessionReused()).toBe(true);
      node = await startNode(configOf([certificate('shop', pairs.shop), certificate('api', pairs.api)]), tls);
      expect((await handshake('shop.example', { maxVersion, session: saved })).isSessionReused()).toBe(true);
      await eventually('the handshake is counted', 1_000, () =>
        counted('sluice_tls_handshakes_total').includes('sluice_tls_handshakes_total{result="resumed"} 1'),
      );
    },
  );
});

describe('endpoints that ask who calls', () => {
  const client = issue('gateway.internal');
  let seen: string[] = [];

  beforeEach(() => {
    seen = [];
  });

  async function startStrictUpstream(): Promise<number> {
    const options = { ...pairs.local, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
    const server = createHttpsServer(options, (asked, response) => {
      const caller = String((asked.socket as TLSSocket).getPeerCertificate().subject.CN);
      seen.push(`${asked.url} ${caller}`);
      response.end(caller);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    opened.push(() => {
      server.close();
      server.closeAllConnections();
    });
    return (server.address() as AddressInfo).port;
  }

  const withTls = (port: number, tls: object, more: object = {}): GatewayConfig =>
    configOf([], {
      services: [
        {
          name: 'orders',
          protocol: Protocol.HTTPS,
          tls: { caPem: authority.cert, serverName: 'localhost', ...tls },
          ...more,
        },
      ],
      endpoints: { orders: [port] },
    });

  test('are shown the certificate of the service, and its successor once it has changed', async () => {
    const port = await startStrictUpstream();
    node = await startNode(withTls(port, { certPem: client.cert, keyPem: client.key }));
    const ask = async (): Promise<string> => (await fetch(`http://127.0.0.1:${node.ports.http}/`)).text();

    expect(await ask()).toBe('gateway.internal');
    expect(JSON.stringify(node.debug('routes'))).toContain('BEGIN CERTIFICATE');
    expect(JSON.stringify(node.debug('routes'))).not.toContain('PRIVATE KEY');

    const next = issue('next.internal');
    node.apply(withTls(port, { certPem: next.cert, keyPem: next.key }));
    expect(await ask()).toBe('next.internal');
  });

  test('are shown it by probes as well', async () => {
    const probe = { case: 'http' as const, value: { path: '/healthz' } };
    const interval = { seconds: 0n, nanos: 100_000_000 };
    const health = { active: { probe, interval, when: ProbeWhen.ALWAYS } };

    const tls = { certPem: client.cert, keyPem: client.key };
    node = await startNode(withTls(await startStrictUpstream(), tls, { health }));

    await eventually('two probes', 5_000, () => seen.length >= 2);
    expect(new Set(seen)).toEqual(new Set(['/healthz gateway.internal']));
  });

  test.each([
    ['without one', {}],
    [
      'with one of another authority',
      (({ cert, key }) => ({ certPem: cert, keyPem: key }))(makeCertificate({ names: ['stranger'], ...validity })),
    ],
  ])('refuse a gateway %s, which is a 502', async (_, tls) => {
    node = await startNode(withTls(await startStrictUpstream(), tls));

    const answer = await fetch(`http://127.0.0.1:${node.ports.http}/`);

    expect(answer.status).toBe(502);
  });
});
