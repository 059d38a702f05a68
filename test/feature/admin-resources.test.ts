import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { code } from '../../control-plane/errors.js';
import { bookRoute, bookSchema, grpcService, httpService, prefixRoute } from '../support/admin-config.js';
import { refusalOf, startAdmin } from '../support/admin.js';
import { descriptorSet } from '../support/http-rules.js';

import type { AdminFixture } from '../support/admin.js';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.close());

beforeEach(async () => {
  await admin.client.call('apply', { prune: true });
});

describe('create', () => {
  test('a created resource is read back as it was sent, with the meta of its revision', async () => {
    const before = await admin.revision();

    const created = await admin.client.call('createService', { service: httpService() });

    expect(await admin.client.call('getService', { name: 'orders' })).toEqual(created);
    expect(created).toMatchObject(httpServiceShape);
    expect(created.meta).toMatchObject({ revision: before + 1n, createdRevision: before + 1n, ordinal: 0 });
    expect(created.meta?.etag).toMatch(/^[\w-]{12}$/);
    expect(created.meta?.createTime).toEqual(created.meta?.updateTime);
  });

  test('a name that is taken is ALREADY_EXISTS', async () => {
    await admin.client.call('createService', { service: httpService() });

    const refusal = await refusalOf(admin.client.call('createService', { service: httpService('orders', 9002) }));

    expect(refusal).toMatchObject({ code: code.alreadyExists, reason: 'ALREADY_EXISTS' });
  });

  test('kinds have names of their own', async () => {
    await admin.client.call('createService', { service: httpService('same') });
    await admin.client.call('createRoute', { route: prefixRoute('same', 'same') });
    await admin.client.call('createSchema', { schema: bookSchema('same') });

    expect((await admin.client.call('getRoute', { name: 'same' })).service).toBe('same');
    expect(await admin.client.call('getSchema', { name: 'same' })).toMatchObject({
      name: 'same',
      meta: { ordinal: 0 },
    });
  });

  test('a Meta that the caller sends is ignored', async () => {
    const meta = { revision: 900n, createdRevision: 900n, ordinal: 9, etag: 'mine' };

    const created = await admin.client.call('createService', { service: { ...httpService(), meta } });

    expect(created.meta?.revision).toBe(await admin.revision());
    expect(created.meta).toMatchObject({ ordinal: 0, etag: expect.not.stringContaining('mine') });
  });
});

const httpServiceShape = { name: 'orders', discovery: { source: { case: 'static' } } };

describe('update', () => {
  test('the whole resource is replaced, and keeps its age', async () => {
    const created = await admin.client.call('createService', { service: { ...httpService(), path: '/old' } });

    const updated = await admin.client.call('updateService', { service: httpService('orders', 9002) });

    expect(updated.path).toBe('');
    expect(updated.meta?.createdRevision).toBe(created.meta?.createdRevision);
    expect(updated.meta?.createTime).toEqual(created.meta?.createTime);
    expect(updated.meta?.revision).toBe((created.meta?.revision ?? 0n) + 1n);
    expect(updated.meta?.etag).not.toBe(created.meta?.etag);
  });

  test('an update that changes nothing makes no revision and keeps the etag', async () => {
    const created = await admin.client.call('createService', { service: httpService() });

    const updated = await admin.client.call('updateService', { service: created, etag: created.meta?.etag ?? '' });

    expect(updated).toEqual(created);
    expect(await admin.revision()).toBe(created.meta?.revision);
  });

  test('what is not there is NOT_FOUND, unless it may be missing', async () => {
    const refusal = await refusalOf(admin.client.call('updateService', { service: httpService() }));
    const created = await admin.client.call('updateService', { service: httpService(), allowMissing: true });

    expect(refusal).toMatchObject({ code: code.notFound, reason: 'NOT_FOUND' });
    expect(created.meta?.createdRevision).toBe(created.meta?.revision);
  });

  test('of two writers with the same etag the second is refused, and nothing of it is kept', async () => {
    const { meta } = await admin.client.call('createService', { service: httpService() });
    const etag = meta?.etag ?? '';

    const outcomes = await Promise.allSettled(
      [9002, 9003].map((port) => admin.client.call('updateService', { service: httpService('orders', port), etag })),
    );

    const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    const lost = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [Promise.reject(outcome.reason)] : []));
    expect(won).toHaveLength(1);
    expect(await refusalOf(lost[0] ?? Promise.resolve())).toMatchObject({
      code: code.aborted,
      reason: 'ETAG_MISMATCH',
      fields: ['etag'],
    });
    expect(await admin.client.call('getService', { name: 'orders' })).toEqual(won[0]);
    expect(await admin.revision()).toBe((meta?.revision ?? 0n) + 1n);
  });

  test('a change there and back again does not bring an old etag to life', async () => {
    const { meta } = await admin.client.call('createService', { service: httpService() });
    await admin.client.call('updateService', { service: httpService('orders', 9002) });
    await admin.client.call('updateService', { service: httpService() });

    const refusal = await refusalOf(
      admin.client.call('updateService', { service: httpService('orders', 9003), etag: meta?.etag ?? '' }),
    );

    expect(refusal.reason).toBe('ETAG_MISMATCH');
  });

  test('a schema that loses a gRPC service in use is refused with the route that needs it', async () => {
    const route = { ...bookRoute(), transcode: { schema: 'books', services: ['books.v1.Books'] } };
    await admin.client.call('apply', { services: [grpcService()], schemas: [bookSchema()], routes: [route] });

    const empty = descriptorSet({ name: 'empty.proto', syntax: 'proto3' });
    const refusal = await refusalOf(
      admin.client.call('updateSchema', { schema: { name: 'books', descriptorSet: empty } }),
    );

    expect(refusal).toMatchObject({
      code: code.failedPrecondition,
      reason: 'CONFIG_INVALID',
      fields: ['route "books".transcode.services[0]'],
    });
  });
});

describe('delete', () => {
  test('a deleted resource is gone', async () => {
    await admin.client.call('createService', { service: httpService() });

    await admin.client.call('deleteService', { name: 'orders' });

    expect(await refusalOf(admin.client.call('getService', { name: 'orders' }))).toMatchObject({ code: code.notFound });
    expect(await refusalOf(admin.client.call('deleteService', { name: 'orders' }))).toMatchObject({
      code: code.notFound,
    });
  });

  test('what others refer to is kept, and the refusal names them', async () => {
    await admin.client.call('apply', {
      services: [httpService()],
      routes: [prefixRoute('a'), prefixRoute('b', 'orders', '/b')],
    });
    const before = await admin.revision();

    const refusal = await refusalOf(admin.client.call('deleteService', { name: 'orders' }));

    expect(refusal).toMatchObject({ code: code.failedPrecondition, reason: 'RESOURCE_IN_USE' });
    expect(refusal.message).toContain('route "a", route "b"');
    expect(refusal.fields).toEqual(['route "a".service', 'route "b".service']);
    expect(await admin.revision()).toBe(before);
  });

  test('a schema in use is kept too', async () => {
    await admin.client.call('apply', { services: [grpcService()], schemas: [bookSchema()], routes: [bookRoute()] });

    const refusal = await refusalOf(admin.client.call('deleteSchema', { name: 'books' }));

    expect(refusal).toMatchObject({ code: code.failedPrecondition, fields: ['route "books".transcode.schema'] });
  });

  test('an old etag is refused', async () => {
    const { meta } = await admin.client.call('createService', { service: httpService() });
    const updated = await admin.client.call('updateService', { service: httpService('orders', 9002) });

    const refusal = await refusalOf(admin.client.call('deleteService', { name: 'orders', etag: meta?.etag ?? '' }));
    await admin.client.call('deleteService', { name: 'orders', etag: updated.meta?.etag ?? '' });

    expect(refusal).toMatchObject({ code: code.aborted, reason: 'ETAG_MISMATCH', fields: ['etag'] });
  });
});

describe('list', () => {
  test('pages are in the order of names, whatever is written between them', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    await admin.client.call('apply', { services: names.toReversed().map((name) => httpService(name)) });

    const first = await admin.client.call('listServices', { pageSize: 2 });
    await admin.client.call('deleteService', { name: 'b' });
    await admin.client.call('createService', { service: httpService('aa') });
    const second = await admin.client.call('listServices', { pageSize: 2, pageToken: first.nextPageToken });
    const third = await admin.client.call('listServices', { pageSize: 2, pageToken: second.nextPageToken });

    expect([first, second, third].map((page) => page.services.map(({ name }) => name))).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e'],
    ]);
    expect(third.nextPageToken).toBe('');
    expect(third.revision).toBe(await admin.revision());
  });

  test('an exact page is the last one', async () => {
    await admin.client.call('apply', {
      services: [httpService('a'), httpService('b')],
      routes: [prefixRoute('r', 'a')],
    });

    const page = await admin.client.call('listServices', { pageSize: 2 });

    expect(page.services).toHaveLength(2);
    expect(page.nextPageToken).toBe('');
  });

  test('a page ends early when its items are large', async () => {
    const large = (name: string) => ({
      name,
      descriptorSet: Buffer.concat([bookSchema().descriptorSet, unknownField(1_500_000)]),
    });
    await admin.client.call('apply', { schemas: [large('x'), large('y')] });

    const first = await admin.client.call('listSchemas', {});
    const second = await admin.client.call('listSchemas', { pageToken: first.nextPageToken });

    expect([first, second].map((page) => page.schemas.map(({ name }) => name))).toEqual([['x'], ['y']]);
  });
});

/** A field that no descriptor set has, of this many bytes. */
function unknownField(length: number): Uint8Array {
  const varint: number[] = [];
  for (let rest = length; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.concat([Uint8Array.of(0xfa, 0x3e, ...varint, rest), Buffer.alloc(length)]);
    varint.push((rest & 0x7f) | 0x80);
  }
}

test('a descriptor set of more than 4 MiB, the common limit of gRPC messages, is taken and given back', async () => {
  const large = Buffer.concat([bookSchema().descriptorSet, unknownField(4_200_000)]);

  const created = await admin.client.call('createSchema', { schema: { name: 'large', descriptorSet: large } });

  expect(Buffer.compare(created.descriptorSet, large)).toBe(0);
});

test('a descriptor set of 32 MiB is taken, and one byte more is not', async () => {
  const set = bookSchema().descriptorSet;
  const largest = Buffer.concat([set, unknownField(32 * 1024 * 1024 - set.length - 6)]);
  const apply = (bytes: Uint8Array) =>
    admin.client.call('apply', { schemas: [{ name: 'x', descriptorSet: bytes }], dryRun: true });

  const { changes } = await apply(largest);
  const refusal = await refusalOf(apply(Buffer.concat([largest, Uint8Array.of(0)])));

  expect(changes).toHaveLength(1);
  expect(refusal).toMatchObject({ code: code.invalidArgument, fields: ['schemas[0].descriptor_set'] });
});
