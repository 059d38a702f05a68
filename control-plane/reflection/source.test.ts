import { createServer, type AddressInfo } from 'node:net';

import { create } from '@bufbuild/protobuf';
import { afterEach, expect, test } from 'vitest';

import { Protocol, SchemaSchema, ServiceSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { EndpointSetSchema, EndpointState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { bookSet, get } from '../../test/support/http-rules.js';
import { startReflecting, type ReflectingService } from '../../test/support/reflecting-service.js';
import { SchemaSource, type Wanted } from './source.js';

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const first = bookSet(get('/v1/books/{id}'));
const second = bookSet(get('/v1/books/{id}'), get('/v2/books/{id}'));
const deadPort = 1;
const interval = 10_000;
const retry = 1_000;

async function startBooks(descriptorSet: Uint8Array): Promise<ReflectingService> {
  const books = await startReflecting({ descriptorSet, service: 'books.v1.Books', handlers: {} });
  closing.push(() => books.close());
  return books;
}

function wanted(ports: readonly number[], descriptorSet: Uint8Array = new Uint8Array(0)): Wanted {
  const endpoints = ports.map((port) => ({ id: `${port}`, address: '127.0.0.1', port, state: EndpointState.ACTIVE }));
  return {
    schema: create(SchemaSchema, { name: 's', descriptorSet, reflect: { service: 'books' } }),
    service: create(ServiceSchema, { name: 'books', protocol: Protocol.GRPC }),
    endpoints: create(EndpointSetSchema, { service: 'books', endpoints }),
  };
}

/** A source, and what it put into the config. */
function start(from: Wanted, refuse: () => string = () => '') {
  const adopted: Uint8Array[] = [];
  const source = new SchemaSource(
    {
      times: { intervalMs: interval, retryMs: retry, gapMs: 0 },
      limits: { bytes: 100_000, files: 10, services: 10, timeoutMs: 5_000 },
      adopt: async (_schema, _service, set) => {
        if (refuse() !== '') throw new Error(refuse());
        adopted.push(set);
      },
    },
    from,
    null,
  );
  closing.push(() => source.close());
  return { source, adopted, round: () => source.round(() => 0) };
}

const bytes = (set: Uint8Array | undefined): string => Buffer.from(set ?? []).toString('hex');

test('DS2 an endpoint that cannot be read holds a change up for three rounds', async () => {
  const books = await startBooks(second);
  const { source, adopted, round } = start(wanted([books.port, deadPort], first));

  for (let i = 0; i < 3; i++) await round();
  expect(adopted).toEqual([]);
  expect(source.status.lastError).toContain('endpoints serve new descriptors, but not all could be read');
  await round();

  expect(adopted.map(bytes)).toEqual([bytes(second)]);
  expect(source.status).toMatchObject({ lastError: '', disagreement: false });
  expect(source.status.endpoints.map(({ error }) => error === '')).toEqual([true, false]);
});

test('DS2 descriptors that are refused are tried again, and the reason stands in the status', async () => {
  let reason = 'schema.descriptor_set: no';
  const books = await startBooks(second);
  const { source, adopted, round } = start(wanted([books.port], first), () => reason);

  await round();
  expect(source.status.lastError).toBe('schema.descriptor_set: no');
  expect(source.status.lastSuccess).toBeUndefined();
  reason = '';
  await round();

  expect(adopted).toHaveLength(1);
  expect(source.status.lastSuccess).toBeDefined();
});

test('DS2 a config that is applied anew without descriptors gets them again', async () => {
  const books = await startBooks(first);
  // As it is decoded where there are none: all have the same empty bytes.
  const schema = () => create(SchemaSchema, { name: 's', reflect: { service: 'books' } });
  const applied = (): Wanted => ({ ...wanted([books.port]), schema: schema() });
  const { source, adopted, round } = start(applied());
  await round();
  expect(adopted.map(bytes)).toEqual([bytes(first)]);

  source.update(applied());
  expect(source.isDue(1)).toBe(true);
  await round();

  expect(adopted.map(bytes)).toEqual([bytes(first), bytes(first)]);
});

test('DS2 what is in force already is not written again', async () => {
  const books = await startBooks(first);
  const { source, adopted, round } = start(wanted([books.port], first));

  await round();

  expect(adopted).toEqual([]);
  expect(source.status.lastError).toBe('');
});

test('a round that brings all is followed by one after the interval, another one sooner', async () => {
  const books = await startBooks(first);
  const good = start(wanted([books.port], first));
  const bad = start(wanted([deadPort], first));

  await good.round();
  await bad.round();

  expect([0.8, 1.2].map((part) => good.source.isDue(interval * part))).toEqual([false, true]);
  expect([0.8, 1.2].map((part) => bad.source.isDue(retry * part))).toEqual([false, true]);
  for (let i = 0; i < 6; i++) await bad.round();
  expect([0.8, 1.2].map((part) => bad.source.isDue(interval * part))).toEqual([false, true]);
});

test('an endpoint that goes away, other endpoints, and descriptors of somebody else begin a round', async () => {
  const books = await startBooks(first);
  const { source, round } = start(wanted([books.port], first));
  await round();
  expect(source.isDue(1)).toBe(false);

  source.update(wanted([books.port], first));
  expect(source.isDue(1)).toBe(false);
  source.update(wanted([books.port], second));
  expect(source.isDue(1)).toBe(true);
  await round();
  source.update(wanted([books.port, deadPort], second));
  expect(source.isDue(1)).toBe(true);
  source.update(wanted([books.port], second));
  await round();
  books.close();

  const end = performance.now() + 2_000;
  while (!source.isDue(1) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(source.isDue(1)).toBe(true);
});

test('a round whose endpoints are not wanted any more ends at once and says nothing', async () => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  closing.push(() => silent.close());
  const { source, round } = start(wanted([(silent.address() as AddressInfo).port]));
  const startMs = performance.now();

  const running = round();
  source.update(wanted([deadPort]));
  await running;

  expect(performance.now() - startMs).toBeLessThan(2_000);
  expect(source.status.lastAttempt).toBeUndefined();
  expect(source.isDue(1)).toBe(true);
});
