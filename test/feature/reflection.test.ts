import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

import { controlPlaneConfig } from '../../control-plane/config.js';
import { startControlPlane } from '../../control-plane/main.js';
import { createRegistry } from '../../control-plane/registry/registry.js';
import { dataPlaneConfig } from '../../data-plane/config.js';
import { ConfigReader } from '../../deploy/config.js';
import { startDataPlane } from '../../data-plane/main.js';
import { MemoryBroker } from '../../proto/bus/memory.js';
import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { useClosing } from '../support/closing.js';
import { AdminClient } from '../support/admin.js';
import { openFreshStore } from '../support/database.js';
import { buildDescriptors } from '../support/descriptors.js';
import { testCertificate } from './consul-certificate.js';
import { startLoad, TestClient } from '../support/load.js';
import { startReflecting, type ReflectingOptions, type ReflectingService } from '../support/reflecting-service.js';

import type { sendUnaryData, ServerUnaryCall, ServiceDefinition } from '@grpc/grpc-js';
import type { SchemaStatus } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { ReflectionStatus } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Store } from '../../control-plane/store/store.js';

const closing = useClosing();

afterEach(async () => {
  await admin.call('apply', { prune: true });
});

const logged: string[] = [];
const log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message: string, fields: object = {}) => void logged.push(`${message} ${JSON.stringify(fields)}`),
  error: (message: string, fields: object = {}) => void logged.push(`${message} ${String(Object.values(fields))}`),
};

/** Version 1 of a service can get books, version 2 can name them as well. */
const versions = [1, 2].map((version) =>
  buildDescriptors({
    'book.proto': 'syntax = "proto3"; package shop.v1; message Book { string id = 1; string title = 2; }',
    'shop.proto': `
      syntax = "proto3"; package shop.v1;
      import "google/api/annotations.proto"; import "book.proto";
      message GetRequest { string id = 1; }
      service Shop {
        rpc Get(GetRequest) returns (Book) { option (google.api.http) = { get: "/v1/books/{id}" }; }
        ${version === 1 ? '' : 'rpc Title(GetRequest) returns (Book) { option (google.api.http) = { get: "/v1/books/{id}/title" }; }'}
      }`,
  }),
);

/** The rule of its method has a variable of no field. */
const broken = buildDescriptors({
  'shop.proto': `
    syntax = "proto3"; package shop.v1; import "google/api/annotations.proto";
    message GetRequest { string id = 1; } message Book { string id = 1; string title = 2; }
    service Shop { rpc Get(GetRequest) returns (Book) { option (google.api.http) = { get: "/v1/{isbn}" }; } }`,
});

type Unary = (call: ServerUnaryCall<{ id: string }, unknown>, done: sendUnaryData<unknown>) => void;

const get: Unary = ({ request }, done) => done(null, { id: request.id, title: 'a book' });
const handlers = { Get: get, Title: get };

async function startShop(version: 1 | 2, more: Partial<ReflectingOptions> = {}): Promise<ReflectingService> {
  const descriptorSet = versions[version - 1] ?? new Uint8Array(0);
  const used = version === 1 ? { Get: get } : handlers;
  const shop = await startReflecting({ descriptorSet, service: 'shop.v1.Shop', handlers: used, ...more });
  closing.push(() => shop.close());
  return shop;
}

const broker = new MemoryBroker(log);
let store: Store;
let admin: AdminClient;
let url: string;

/** One cluster for all tests; each applies its own config, and nothing else is left in it. */
beforeAll(async () => {
  store = await openFreshStore();
  const steps: (() => Promise<unknown> | void)[] = [];
  admin = await startControl('cp-1', store, steps);
  const stateDir = mkdtempSync(join(tmpdir(), 'sluice-node-'));
  steps.push(() => rmSync(stateDir, { recursive: true, force: true }));
  const source = new ConfigReader({ httpPort: '0', opsPort: '0', host: '127.0.0.1', tlsPort: 'off', stateDir }, {});
  const config = { ...dataPlaneConfig(source, 'n1'), drainGraceMs: 0, drainDeadlineMs: 500 };
  const node = await startDataPlane(config, { bus: broker.connect(), log, softwareVersion: 'test' });
  steps.push(async () => {
    for (const { stop } of node.stopSteps) await stop();
  });
  url = `http://127.0.0.1:${node.port}`;
  return async () => {
    for (const step of steps.toReversed()) await step();
  };
});

/** A control plane over `store`, which it closes. */
async function startControl(
  replicaId: string,
  own: Store,
  steps: (() => Promise<unknown> | void)[],
): Promise<AdminClient> {
  const config = controlPlaneConfig(new ConfigReader({ replicaId, adminPort: '0' }, {}), 'test');
  const registry = createRegistry(config.consul, log);
  const control = await startControlPlane(config, { store: own, bus: broker.connect(), registry, log });
  const client = new AdminClient(`127.0.0.1:${control.adminPort}`);
  steps.push(async () => {
    for (const { stop } of control.stopSteps) await stop();
  });
  steps.push(() => client.close());
  return client;
}

interface Wanted {
  readonly reflect?: object;
  readonly schema?: object;
  readonly service?: object;
}

/** A config of one service, read and served as REST. */
async function applyShop(ports: readonly number[], { reflect, schema, service }: Wanted = {}): Promise<void> {
  const endpoints = ports.map((port) => ({ address: '127.0.0.1', port }));
  const discovery = { source: { case: 'static' as const, value: { endpoints } } };
  // All requests that are under way may meet the endpoint that has just gone.
  const retries = { attempts: 3, budgetPercent: 100 };
  await admin.call('apply', {
    services: [{ name: 'shop', protocol: Protocol.GRPC, discovery, retries, ...service }],
    schemas: [{ name: 'shop', reflect: { service: 'shop', interval: { seconds: 1n }, ...reflect }, ...schema }],
    routes: [{ name: 'shop', service: 'shop', transcode: { schema: 'shop' } }],
    prune: true,
  });
}

async function until<T>(what: string, look: () => Promise<T | undefined | false>, timeoutMs = 8_000): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > end) throw new Error(`waited in vain until ${what}: ${logged.join('\n')}`);
    await sleep(25);
  }
}

async function statusOf(from = admin): Promise<SchemaStatus> {
  const { schemas } = await from.call('listSchemaStatus', {});
  const [status] = schemas;
  if (status === undefined) throw new Error('there is no schema');
  return status;
}

/** Until a round has brought this. */
function untilStatus(what: string, fits: (status: ReflectionStatus) => boolean): Promise<SchemaStatus> {
  return until(what, async () => {
    const status = await statusOf();
    return status.reflection !== undefined && fits(status.reflection) && status;
  });
}

const client = new TestClient();
afterAll(() => client.close());

async function statusCode(path: string): Promise<number> {
  return (await client.send(url + path)).status;
}

async function untilServed(path = '/v1/books/7'): Promise<void> {
  let last = 0;
  await until(`${path} is served`, async () => (last = await statusCode(path)) === 200).catch(
    async (cause: unknown) => {
      const { reflection, digest } = await statusOf();
      throw new Error(`it answers ${last}, digest "${digest}", error "${reflection?.lastError}"`, { cause });
    },
  );
}

test('DS2 a schema is read from its service, and its calls are served as REST', async () => {
  const shop = await startShop(1);

  await applyShop([shop.port]);
  await untilServed();

  expect(JSON.parse((await client.send(`${url}/v1/books/7`)).body)).toEqual({ id: '7', title: 'a book' });
  const { revisions } = await admin.call('listRevisions', { pageSize: 2 });
  expect(revisions.map(({ actor }) => actor)).toEqual(['reflection', expect.stringContaining('127.0.0.1')]);
  const status = await untilStatus('the round is over', ({ lastAttempt }) => lastAttempt !== undefined);
  expect(status).toMatchObject({
    name: 'shop',
    digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    services: ['shop.v1.Shop'],
    reflection: { service: 'shop', lastError: '', disagreement: false },
  });
  expect(status.reflection?.endpoints).toMatchObject([{ address: `127.0.0.1:${shop.port}`, digest: status.digest }]);
});

test('DS2 a server that comes back with one more method gets its route, and no request fails meanwhile', async () => {
  const first = await startShop(1);
  const second = await startShop(1);
  await applyShop([first.port, second.port]);
  await untilServed();
  expect(await statusCode('/v1/books/7/title')).toBe(404);

  const load = startLoad([`${url}/v1/books/7`], 4);
  await first.stop();
  await startShop(2, { port: first.port });
  await untilStatus('the replicas disagree', ({ disagreement }) => disagreement);
  expect(await statusCode('/v1/books/7/title')).toBe(404);
  await second.stop();
  await startShop(2, { port: second.port });
  await untilServed('/v1/books/7/title');
  const { answers, failures } = await load.stop();

  expect([...failures]).toEqual([]);
  expect(answers).toBeGreaterThan(20);
  await untilStatus('they agree', ({ disagreement, lastError }) => !disagreement && lastError === '');
}, 30_000);

test('DS2 replicas that disagree are each reported with what they serve, and nothing flaps', async () => {
  const first = await startShop(1);
  await applyShop([first.port]);
  await untilServed();
  const { digest } = await statusOf();
  const other = await startShop(2);

  await applyShop([first.port, other.port]);
  const status = await untilStatus('the replicas disagree', ({ disagreement }) => disagreement);

  expect(status.digest).toBe(digest);
  expect(status.reflection?.lastError).toContain('endpoints serve different descriptors');
  const served = status.reflection?.endpoints.map((endpoint) => endpoint.digest) ?? [];
  expect(new Set(served).size).toBe(2);
  const { version } = await store.read();
  const before = status.reflection?.lastAttempt;
  await untilStatus('another round', ({ lastAttempt }) => lastAttempt?.nanos !== before?.nanos);
  expect((await store.read()).version.revision).toBe(version.revision);
});

test('DS2 the older protocol, v1alpha, does as well', async () => {
  const shop = await startShop(1, { versions: ['v1alpha'] });

  await applyShop([shop.port]);

  await untilServed();
});

test('DS2 PT17 a server whose reflection loses the options gets its rules from beside them', async () => {
  const shop = await startByGrpcJs();
  const rule = { selector: 'bookstore.v1.Bookstore.ListShelves', pattern: { case: 'get', value: '/all' } };

  await applyShop([shop.port], { schema: { httpRules: { rules: [rule] } } });

  await untilServed('/all');
});

test('a server without reflection is named with the reason, and its routes wait', async () => {
  const shop = await startShop(1, { versions: [] });

  await applyShop([shop.port]);
  const status = await untilStatus('it was asked', ({ lastError }) => lastError !== '');

  expect(status.reflection?.lastError).toContain(
    'the server has no reflection, neither grpc.reflection.v1 nor v1alpha',
  );
  expect(status).toMatchObject({ digest: '', services: [] });
  expect(await statusCode('/v1/books/7')).toBe(404);
});

test('descriptors that the config refuses, or a server that is gone, leave the last good ones in force', async () => {
  const shop = await startShop(1);
  await applyShop([shop.port]);
  await untilServed();
  const { digest } = await statusOf();

  shop.close();
  await untilStatus('it is gone', ({ lastError }) => /ECONNREFUSED|UNAVAILABLE|connect/i.test(lastError));
  await startShop(1, { port: shop.port, descriptorSet: broken });
  const status = await untilStatus('it is refused', ({ lastError }) => lastError.includes('shop.v1.Shop.Get'));

  expect(status.digest).toBe(digest);
  expect(status.reflection?.lastError).toContain('template "/v1/{isbn}": column 6');
  expect(await statusCode('/v1/books/7')).toBe(200);
});

test('a pinned digest is the only one that is taken', async () => {
  const shop = await startShop(1);
  await applyShop([shop.port]);
  await untilServed();
  const { digest } = await statusOf();

  await applyShop([shop.port], { reflect: { pinnedDigest: digest } });
  await shop.stop();
  const changed = await startShop(2, { port: shop.port });
  const status = await untilStatus('it is reported', ({ disagreement }) => disagreement);

  expect(status.reflection?.lastError).toBe('no endpoint serves the pinned descriptors');
  expect(status.digest).toBe(digest);
  const served = status.reflection?.endpoints[0]?.digest ?? '';
  await applyShop([changed.port], { reflect: { pinnedDigest: served } });
  await untilServed('/v1/books/7/title');
});

test('a version that breaks callers is taken, and the log says what it breaks', async () => {
  const shop = await startShop(2);
  await applyShop([shop.port]);
  await untilServed('/v1/books/7/title');

  await shop.stop();
  await startShop(1, { port: shop.port });
  await until('the method is gone', async () => (await statusCode('/v1/books/7/title')) === 404);

  const told = await until('it is told', async () => logged.find((line) => line.includes('breaks callers')));
  expect(told).toContain('shop.v1.Shop.Title: the method is gone');
  expect(told).toContain('GET /v1/books/{id}/title is not served any more');
});

test('applying the same again keeps what was read, and changes nothing', async () => {
  const shop = await startShop(1);
  await applyShop([shop.port]);
  await untilServed();
  const { version } = await store.read();

  await applyShop([shop.port]);

  expect((await store.read()).version.revision).toBe(version.revision);
  expect(await statusCode('/v1/books/7')).toBe(200);
});

test('a grpcs service is asked over TLS, and is verified', async () => {
  const { key, cert } = testCertificate;
  const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) };
  const shop = await startShop(1, { credentials: ServerCredentials.createSsl(null, [pair]) });

  await applyShop([shop.port], { service: { protocol: Protocol.GRPCS } });
  await untilStatus('it is not trusted', ({ lastError }) => /certificate/.test(lastError));
  await applyShop([shop.port], { service: { protocol: Protocol.GRPCS, tls: { caPem: cert } } });
  await untilServed();
  await applyShop([shop.port], {
    service: { protocol: Protocol.GRPCS, tls: { caPem: cert, serverName: 'other.test' } },
  });
  await untilStatus('the name is wrong', ({ lastError }) => lastError.includes('other.test'));
});

test('another control plane shows what the leader finds', async () => {
  const shop = await startShop(1);
  await applyShop([shop.port]);
  await untilServed();
  const mine: (() => Promise<unknown> | void)[] = [];
  const other = await startControl('cp-2', sharing(store), mine);
  closing.push(async () => {
    for (const step of mine.toReversed()) await step();
  });

  const there = await until('it has heard', async () => {
    const status = await statusOf(other);
    return status.reflection?.lastAttempt !== undefined && status;
  });

  expect(there.reflection?.endpoints).toEqual((await statusOf()).reflection?.endpoints);
});

/** The same store for another replica, which never leads and does not close it. */
function sharing(whole: Store): Store {
  return {
    read: () => whole.read(),
    transact: (actor, decide) => whole.transact(actor, decide),
    history: (before, limit) => whole.history(before, limit),
    patchesSince: (revision) => whole.patchesSince(revision),
    watch: (changed) => whole.watch(changed),
    campaign: () => undefined,
    reachable: true,
    close: async () => undefined,
  };
}

/** What people of grpc-js run: @grpc/reflection puts files together anew, without the options it does not know. */
async function startByGrpcJs(): Promise<{ port: number }> {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const loaded = loadSync('bookstore/v1/bookstore.proto', {
    includeDirs: [join(root, 'deploy/demo/proto'), join(root, 'proto/vendor')],
    keepCase: true,
  });
  const server = new Server();
  const definition = (loaded['bookstore.v1.Bookstore'] ?? {}) as ServiceDefinition;
  const list = (_: unknown, done: sendUnaryData<unknown>): void => done(null, { shelves: [] });
  server.addService(definition, { ListShelves: list });
  new ReflectionService(loaded).addToServer(server);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  closing.push(() => server.forceShutdown());
  return { port };
}
