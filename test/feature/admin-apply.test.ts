import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { code } from '../../control-plane/errors.js';
import { ChangeAction } from '../../proto/gen/sluice/v1/admin_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { bookRoute, bookSchema, grpcService, httpService, prefixRoute } from '../support/admin-config.js';
import { refusalOf, startAdmin } from '../support/admin.js';

import type { ApplyResponse } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { AdminFixture } from '../support/admin.js';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.close());

beforeEach(async () => {
  await admin.client.call('apply', { prune: true });
});

const whole = () => ({
  services: [httpService(), grpcService()],
  routes: [prefixRoute(), bookRoute()],
  schemas: [bookSchema()],
});

function outline({ changes }: ApplyResponse): string[] {
  return changes.map(({ kind, name, action }) => `${ChangeAction[action]} ${Kind[kind]} ${name}`);
}

test('a whole config is one revision, and its changes are in the order schemas, services, routes', async () => {
  const before = await admin.revision();

  const applied = await admin.client.call('apply', whole());

  expect(applied.revision).toBe(before + 1n);
  expect(await admin.revision()).toBe(before + 1n);
  expect(outline(applied)).toEqual([
    'CREATE SCHEMA books',
    'CREATE SERVICE library',
    'CREATE SERVICE orders',
    'CREATE ROUTE books',
    'CREATE ROUTE orders-read',
  ]);
});

test('the same config again makes no revision and changes nothing', async () => {
  const first = await admin.client.call('apply', whole());
  const route = await admin.client.call('getRoute', { name: 'orders-read' });

  const second = await admin.client.call('apply', whole());

  expect(second).toMatchObject({ revision: first.revision, changes: [] });
  expect(await admin.client.call('getRoute', { name: 'orders-read' })).toEqual(route);
});

test('resources that are read and applied again are unchanged', async () => {
  await admin.client.call('apply', whole());
  const { services } = await admin.client.call('listServices', {});
  const { routes } = await admin.client.call('listRoutes', {});

  const again = await admin.client.call('apply', { services, routes });

  expect(again.changes).toEqual([]);
});

test('what is not named stays as it is', async () => {
  await admin.client.call('apply', whole());

  const applied = await admin.client.call('apply', { services: [httpService('orders', 9009)] });

  expect(outline(applied)).toEqual(['UPDATE SERVICE orders']);
  expect((await admin.client.call('listRoutes', {})).routes).toHaveLength(2);
});

test('an update lists the fields that differ, with both values', async () => {
  await admin.client.call('apply', { services: [httpService()], routes: [{ ...prefixRoute(), methods: ['GET'] }] });
  const changed = {
    ...prefixRoute(),
    hosts: ['b.example'],
    paths: [{ kind: { case: 'prefix' as const, value: '/x' } }, { kind: { case: 'exact' as const, value: '/y' } }],
    timeouts: { read: { seconds: 5n } },
    priority: 3,
  };

  const { changes } = await admin.client.call('apply', { routes: [changed] });

  expect(changes[0]?.fields.map(({ path, before, after }) => [path, before, after])).toEqual([
    ['hosts', '["api.example.com"]', '["b.example"]'],
    ['paths[0].prefix', '"/orders"', '"/x"'],
    ['paths[1]', '', '{"exact":"/y"}'],
    ['methods', '["GET"]', ''],
    ['priority', '', '3'],
    ['timeouts', '', '{"read":"5s"}'],
  ]);
});

test('a changed descriptor set is listed by size and hash', async () => {
  await admin.client.call('apply', { schemas: [bookSchema()] });
  const descriptorSet = Buffer.concat([bookSchema().descriptorSet, Uint8Array.of(0x10, 0x01)]);

  const { changes } = await admin.client.call('apply', { schemas: [{ name: 'books', descriptorSet }] });

  expect(changes[0]?.fields).toMatchObject([
    { path: 'descriptor_set', before: expect.stringMatching(/^"\d+ bytes, sha256 [0-9a-f]{16}…"$/) },
  ]);
});

describe('prune', () => {
  test('deletes every service, route and schema that is not named', async () => {
    await admin.client.call('apply', whole());

    const pruned = await admin.client.call('apply', {
      services: [httpService()],
      routes: [prefixRoute()],
      prune: true,
    });

    expect(outline(pruned)).toEqual(['DELETE SCHEMA books', 'DELETE SERVICE library', 'DELETE ROUTE books']);
    expect((await admin.client.call('listSchemas', {})).schemas).toEqual([]);
  });

  test('a named route may not lose its service', async () => {
    await admin.client.call('apply', whole());

    const refusal = await refusalOf(admin.client.call('apply', { routes: [prefixRoute()], prune: true }));

    expect(refusal).toMatchObject({ code: code.invalidArgument, fields: ['routes[0].service'] });
  });
});

describe('a dry run', () => {
  test('reports what would change, and changes nothing', async () => {
    const before = await admin.revision();

    const dry = await admin.client.call('apply', { ...whole(), dryRun: true });

    expect(dry.revision).toBe(before);
    expect(dry.changes).toHaveLength(5);
    expect(await admin.revision()).toBe(before);
    expect((await admin.client.call('listServices', {})).services).toEqual([]);
  });

  test('refuses what a real one would refuse', async () => {
    const refusal = await refusalOf(admin.client.call('apply', { routes: [prefixRoute()], dryRun: true }));

    expect(refusal).toMatchObject({ code: code.invalidArgument, fields: ['routes[0].service'] });
  });
});

describe('expected_revision', () => {
  test('lets the change through while the config is at it', async () => {
    const before = await admin.revision();

    const applied = await admin.client.call('apply', { ...whole(), expectedRevision: before });

    expect(applied.revision).toBe(before + 1n);
  });

  test('of two writers who expect the same revision one is refused', async () => {
    const expectedRevision = await admin.revision();

    const calls = ['a', 'b'].map((name) =>
      admin.client.call('apply', { services: [httpService(name)], expectedRevision }),
    );
    const outcomes = await Promise.allSettled(calls);

    const lost = outcomes.findIndex(({ status }) => status === 'rejected');
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await refusalOf(calls[lost] ?? Promise.resolve())).toMatchObject({
      code: code.aborted,
      reason: 'REVISION_MISMATCH',
      fields: ['expected_revision'],
    });
    expect(await admin.revision()).toBe(expectedRevision + 1n);
  });
});

describe('age', () => {
  test('the order of the file is the age of what it creates, and an update keeps it', async () => {
    const routes = ['c', 'a', 'b'].map((name) => prefixRoute(name, 'orders', `/${name}`));
    const applied = await admin.client.call('apply', { services: [httpService()], routes });

    await admin.client.call('apply', { routes: routes.toReversed().map((route) => ({ ...route, priority: 1 })) });

    const stored = (await admin.client.call('listRoutes', {})).routes;
    expect(stored.map(({ name, meta }) => [name, meta?.ordinal])).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 0],
    ]);
    expect(stored.every(({ meta }) => meta?.createdRevision === applied.revision)).toBe(true);
    expect(stored.every(({ meta }) => meta?.revision === applied.revision + 1n)).toBe(true);
  });
});

describe('history', () => {
  test('revisions come newest first, with actor, time, digests and changes', async () => {
    await admin.client.call('apply', whole());
    await admin.client.call('updateService', { service: httpService('orders', 9005) });
    await admin.client.call('deleteRoute', { name: 'books' });

    const { revisions } = await admin.client.call('listRevisions', { pageSize: 3 });

    const newest = await admin.revision();
    expect(revisions.map(({ revision }) => revision)).toEqual([newest, newest - 1n, newest - 2n]);
    expect(
      revisions.map(({ changes }) => changes.map(({ action, name }) => `${ChangeAction[action]} ${name}`).toSorted()),
    ).toEqual([
      ['DELETE books'],
      ['UPDATE orders'],
      ['CREATE books', 'CREATE books', 'CREATE library', 'CREATE orders', 'CREATE orders-read'],
    ]);
    expect(revisions[0]?.actor).toMatch(/^127\.0\.0\.1:/);
    expect(revisions[0]).toMatchObject({
      commitTime: expect.anything(),
      chain: expect.any(Uint8Array),
      digest: expect.any(Uint8Array),
    });
  });

  test('pages go on where the last one ended, down to the first revision', async () => {
    const seen: bigint[] = [];
    let pageToken = '';
    do {
      const page = await admin.client.call('listRevisions', { pageSize: 7, pageToken });
      seen.push(...page.revisions.map(({ revision }) => revision));
      pageToken = page.nextPageToken;
    } while (pageToken !== '');

    const newest = Number(await admin.revision());
    expect(seen.map(Number)).toEqual(Array.from({ length: newest }, (_, i) => newest - i));
  });
});

describe('many resources', () => {
  test('2,000 routes are one change, listed without the fields when these would be too many', async () => {
    const routes = Array.from({ length: 2000 }, (_, i) => prefixRoute(`r${i}`, 'orders', `/p${i}`));
    const hosts = Array.from({ length: 40 }, (_, i) => `host-${i}.example.com`);

    const created = await admin.client.call('apply', { services: [httpService()], routes });
    const updated = await admin.client.call('apply', { routes: routes.map((route) => ({ ...route, hosts })) });

    expect(created.changes).toHaveLength(2001);
    expect(updated.changes).toHaveLength(2000);
    expect(updated.changes[0]?.fields).toHaveLength(1);
    expect(updated.changes.at(-1)?.fields).toHaveLength(0);
  });
});
