import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { startAdmin } from '../support/admin.js';

import type { AdminFixture } from '../support/admin.js';

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.close());

beforeEach(async () => {
  await admin.client.call('apply', { prune: true });
});

const endpoints = (...ports: number[]) => ({
  source: { case: 'static' as const, value: { endpoints: ports.map((port) => ({ address: '127.0.0.1', port })) } },
});
const orders = { name: 'orders', protocol: Protocol.HTTP, discovery: endpoints(9001) };

test('a created resource is read back as it was sent, with the meta of its revision', async () => {
  const before = await admin.revision();

  const created = await admin.client.call('createService', { service: orders });

  const read = await admin.client.call('getService', { name: 'orders' });
  expect(read).toEqual(created);
  expect(created).toMatchObject({ name: 'orders', protocol: Protocol.HTTP });
  expect(created.meta).toMatchObject({ revision: before + 1n, createdRevision: before + 1n, ordinal: 0 });
  expect(created.meta?.etag).toMatch(/^[\w-]{12}$/);
});
