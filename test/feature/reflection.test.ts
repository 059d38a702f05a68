import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, expect, test } from 'vitest';

import { startControlPlane, type ControlPlane } from '../../control-plane/main.js';
import { createRegistry } from '../../control-plane/registry/registry.js';
import { startDataPlane } from '../../data-plane/main.js';
import { MemoryBroker } from '../../proto/bus/memory.js';
import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { AdminClient } from '../support/admin.js';
import { openFreshStore } from '../support/database.js';
import { buildDescriptors } from '../support/descriptors.js';
import { startLoad, TestClient } from '../support/load.js';
import { startReflecting, type ReflectingOptions, type ReflectingService } from '../support/reflecting-service.js';

import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import type { SchemaStatus } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Store } from '../../control-plane/store/store.js';

const closing: (() => Promise<unknown> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
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

interface Planes {
  readonly admin: AdminClient;
  readonly url: string;
  readonly store: Store;
  readonly broker: MemoryBroker;
}

async function startControl(
  store: Store,
  broker: MemoryBroker,
  replicaId: string,
): Promise<[ControlPlane, AdminClient]> {
  const consul = { address: 'http://127.0.0.1:1', token: '', caFile: '' };
  const ports = { adminHost: '127.0.0.1', adminPort: 0, opsHost: '127.0.0.1', opsPort: 0 };
  const config = { replicaId, cluster: 'default', ...ports, databaseUrl: '', natsUrl: '', consul };
  const control = await startControlPlane(config, {
    store,
    bus: broker.connect(),
    registry: createRegistry(consul, log),
    log,
  });
  closing.push(async () => {
    for (const { stop } of control.stopSteps) await stop();
  });
  const admin = new AdminClient(`127.0.0.1:${control.adminPort}`);
  closing.push(() => admin.close());
  return [control, admin];
}

async function startPlanes(): Promise<Planes> {
  const broker = new MemoryBroker(log);
  const store = await openFreshStore();
  const [, admin] = await startControl(store, broker, 'cp-1');
  const stateDir = mkdtempSync(join(tmpdir(), 'sluice-node-'));
  closing.push(() => rmSync(stateDir, { recursive: true, force: true }));
  const node = await startDataPlane(
    {
      nodeId: 'n1',
      cluster: 'default',
      host: '127.0.0.1',
      httpPort: 0,
      tlsPort: null,
      tlsCert: '',
      tlsKey: '',
      workers: 1,
      opsHost: '127.0.0.1',
      opsPort: 0,
      natsUrl: '',
      stateDir,
      trustedIps: [],
      latencyHeaders: false,
      drainGraceMs: 0,
      drainDeadlineMs: 1_000,
    },
    { bus: broker.connect(), log, softwareVersion: 'test' },
  );
  closing.push(async () => {
    for (const { stop } of node.stopSteps) await stop();
  });
  return { admin, url: `http://127.0.0.1:${node.port}`, store, broker };
}

function shopConfig(ports: readonly number[], reflect: object = {}) {
  const endpoints = ports.map((port) => ({ address: '127.0.0.1', port }));
  const discovery = { source: { case: 'static' as const, value: { endpoints } } };
  return {
    // All requests that are under way may meet the endpoint that has just gone.
    services: [{ name: 'shop', protocol: Protocol.GRPC, discovery, retries: { attempts: 3, budgetPercent: 100 } }],
    schemas: [{ name: 'shop', reflect: { service: 'shop', interval: { seconds: 1n }, ...reflect } }],
    routes: [{ name: 'shop', service: 'shop', transcode: { schema: 'shop' } }],
  };
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

async function statusOf(admin: AdminClient): Promise<SchemaStatus> {
  const { schemas } = await admin.call('listSchemaStatus', {});
  const [status] = schemas;
  if (status === undefined) throw new Error('there is no schema');
  return status;
}

async function answerOf(url: string): Promise<{ status: number; body: string }> {
  const client = new TestClient();
  try {
    const { status, body } = await client.send(url);
    return { status, body };
  } finally {
    client.close();
  }
}

test('a schema is read from its service, and its calls are served as REST', async () => {
  const shop = await startShop(1);
  const { admin, url } = await startPlanes();

  await admin.call('apply', shopConfig([shop.port]));
  await until('the route is there', async () => (await answerOf(`${url}/v1/books/7`)).status === 200);

  expect(JSON.parse((await answerOf(`${url}/v1/books/7`)).body)).toEqual({ id: '7', title: 'a book' });
  const { revisions } = await admin.call('listRevisions', {});
  expect(revisions.map(({ actor }) => actor)).toEqual(['reflection', expect.stringContaining('127.0.0.1')]);
  const status = await statusOf(admin);
  expect(status).toMatchObject({
    name: 'shop',
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    services: ['shop.v1.Shop'],
    reflection: { service: 'shop', lastError: '', disagreement: false },
  });
  expect(status.reflection?.endpoints).toMatchObject([{ address: `127.0.0.1:${shop.port}`, digest: status.digest }]);
});

test('a server that comes back with one more method gets its route, and no request fails meanwhile', async () => {
  const first = await startShop(1);
  const second = await startShop(1);
  const { admin, url } = await startPlanes();
  await admin.call('apply', shopConfig([first.port, second.port]));
  await until('the route is there', async () => (await answerOf(`${url}/v1/books/7`)).status === 200);
  expect((await answerOf(`${url}/v1/books/7/title`)).status).toBe(404);

  const load = startLoad([`${url}/v1/books/7`], 4);
  const { port } = first;
  await first.stop();
  await startShop(2, { port });
  await until('the replicas disagree', async () => (await statusOf(admin)).reflection?.disagreement);
  expect((await answerOf(`${url}/v1/books/7/title`)).status).toBe(404);
  await second.stop();
  await startShop(2, { port: second.port });
  await until('the new route is there', async () => (await answerOf(`${url}/v1/books/7/title`)).status === 200);
  const { answers, failures } = await load.stop();

  expect([...failures]).toEqual([]);
  expect(answers).toBeGreaterThan(20);
  expect((await statusOf(admin)).reflection).toMatchObject({ disagreement: false });
}, 30_000);
