import { createServer, type AddressInfo } from 'node:net';

import { create } from '@bufbuild/protobuf';
import { afterEach, expect, test } from 'vitest';

import { Protocol, ServiceSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { EndpointSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { bookSet, get } from '../../test/support/http-rules.js';
import { startReflecting, type ReflectingOptions } from '../../test/support/reflecting-service.js';
import { EndpointReader } from './endpoint.js';

import type { MessageInitShape } from '@bufbuild/protobuf';

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const limits = { bytes: 100_000, files: 100, services: 100, timeoutMs: 2_000 };

function reader(port: number, service: MessageInitShape<typeof ServiceSchema> = {}, address = '127.0.0.1') {
  const protocol = { name: 's', protocol: Protocol.GRPC };
  const made = new EndpointReader(
    create(ServiceSchema, { ...protocol, ...service }),
    create(EndpointSchema, { id: 'e', address, port }),
  );
  closing.push(() => made.close());
  return made;
}

async function startBooks(more: Partial<ReflectingOptions> = {}) {
  const set = bookSet(get('/v1/books/{id}'));
  const books = await startReflecting({ descriptorSet: set, service: 'books.v1.Books', handlers: {}, ...more });
  closing.push(() => books.close());
  return books;
}

test('the descriptors of a server are read, and that it went away is noticed', async () => {
  const books = await startBooks();
  const reading = reader(books.port, {}, 'localhost');
  const { descriptorSet, error } = await reading.read(limits);
  const gone = new Promise<string>((resolve) => reading.watch(() => resolve('gone')));

  books.close();

  expect({ error, bytes: descriptorSet?.length }).toEqual({ error: '', bytes: bookSet(get('/v1/books/{id}')).length });
  expect(await gone).toBe('gone');
});

test('a reader that is closed does not tell of it', async () => {
  const reading = reader((await startBooks()).port);
  await reading.read(limits);
  let told = 0;
  reading.watch(() => told++);

  reading.close();
  await new Promise((resolve) => setTimeout(resolve, 20));

  expect(told).toBe(0);
});

test('DS7 a server that says nothing is given up', async () => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  closing.push(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const startMs = performance.now();

  const { error } = await reader(port).read({ ...limits, timeoutMs: 200 });

  expect(error).toMatch(/[Dd]eadline/);
  expect(performance.now() - startMs).toBeLessThan(1_500);
});

test('DS7 a server that answers something else is named with that', async () => {
  const books = await startBooks({
    answer: (request) => (request.case === 'listServices' ? undefined : { case: undefined }),
  });

  expect((await reader(books.port).read(limits)).error).toBe('the server answered something else');
});

test('DS7 more services than allowed are not asked for', async () => {
  const service = Array.from({ length: 101 }, (_, i) => ({
    $typeName: 'grpc.reflection.v1.ServiceResponse' as const,
    name: `p.S${i}`,
  }));
  const books = await startBooks({
    answer: () => ({
      case: 'listServicesResponse',
      value: { $typeName: 'grpc.reflection.v1.ListServiceResponse', service },
    }),
  });

  expect((await reader(books.port).read(limits)).error).toBe('the server has more than 100 services');
  expect(books.asked).toEqual(['listServices ']);
});

test.each([
  ['nobody listens', {}, 1, /ECONNREFUSED/],
  [
    'the PEM of its service is none',
    { protocol: Protocol.GRPCS, tls: { certPem: 'x', keyPem: 'x' } },
    1,
    /PEM|no start line/i,
  ],
])('why there are no descriptors is said when %s', async (_, service, port, said) => {
  expect((await reader(port, service).read(limits)).error).toMatch(said);
});

test('a server that speaks something else is named with a reason', async () => {
  const other = createServer((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  closing.push(() => other.close());

  const { error } = await reader((other.address() as AddressInfo).port).read({ ...limits, timeoutMs: 500 });

  expect(error).not.toBe('');
});
