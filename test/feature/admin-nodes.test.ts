import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { code } from '../../control-plane/errors.js';
import {
  ConvergenceSchema,
  NodeConvergenceState,
  WatchConvergenceRequestSchema,
} from '../../proto/gen/sluice/v1/admin_pb.js';
import { EndpointSetSchema, EndpointState, Kind, NodeStatusSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { httpService } from '../support/admin-config.js';
import { refusalOf, startAdmin } from '../support/admin.js';

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { NodeRecord } from '../../control-plane/admin/admin.js';
import type { Convergence } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { AdminFixture } from '../support/admin.js';

let admin: AdminFixture;
let lineage: string;

beforeAll(async () => {
  admin = await startAdmin();
  await admin.client.call('createService', { service: httpService() });
  lineage = (await admin.store.read()).version.lineage;
});

afterAll(() => admin.close());

afterEach(() => admin.tables.setNodes([]));

function node(
  nodeId: string,
  revision: bigint,
  more: Partial<NodeRecord> & { status?: NodeRecord['status'] } = {},
): NodeRecord {
  const status = create(NodeStatusSchema, { nodeId, config: { lineage, revision }, configLagMs: 12n });
  return { status, lastSeenMs: 1_700_000_000_000, silent: false, ...more };
}

function refusing(nodeId: string, revision: bigint): NodeRecord {
  const refusal = { revision, kind: Kind.ROUTE, name: 'r', field: 'hosts[0]', reason: 'no' };
  return node(nodeId, 0n, { status: create(NodeStatusSchema, { nodeId, config: { lineage, revision: 0n }, refusal }) });
}

async function* watch(request: MessageInitShape<typeof WatchConvergenceRequestSchema>): AsyncGenerator<Convergence> {
  const bytes = toBinary(WatchConvergenceRequestSchema, create(WatchConvergenceRequestSchema, request));
  for await (const message of admin.client.stream('WatchConvergence', bytes))
    yield fromBinary(ConvergenceSchema, message);
}

async function drain(stream: AsyncIterable<Convergence>): Promise<Convergence[]> {
  const all: Convergence[] = [];
  for await (const message of stream) all.push(message);
  return all;
}

describe('ListNodes', () => {
  test('gives what each node said last, by id, and the newest revision', async () => {
    admin.tables.setNodes([node('b', 1n), node('a', 0n, { silent: true })]);

    const { nodes, revision } = await admin.client.call('listNodes', {});

    expect(nodes.map(({ status, silent, lastSeen }) => [status?.nodeId, silent, lastSeen?.seconds])).toEqual([
      ['a', true, 1_700_000_000n],
      ['b', false, 1_700_000_000n],
    ]);
    expect(revision).toBe(1n);
  });
});

describe('ListEndpoints', () => {
  test('gives the endpoints as the registry says', async () => {
    const endpoints = [{ id: 'x', address: '10.0.0.1', port: 80, weight: 3, state: EndpointState.ACTIVE }];
    admin.tables.sets.set('orders', create(EndpointSetSchema, { service: 'orders', endpoints }));

    const answer = await admin.client.call('listEndpoints', { name: 'orders' });

    expect(answer).toMatchObject({ endpoints: { service: 'orders', endpoints }, version: { epoch: 1n, sequence: 7n } });
  });

  test('an unknown service is NOT_FOUND, and one without an answer of the registry UNAVAILABLE', async () => {
    admin.tables.sets.clear();

    expect(await refusalOf(admin.client.call('listEndpoints', { name: 'nope' }))).toMatchObject({
      code: code.notFound,
    });
    expect(await refusalOf(admin.client.call('listEndpoints', { name: 'orders' }))).toMatchObject({
      code: code.unavailable,
      reason: 'ENDPOINTS_UNKNOWN',
    });
  });
});

describe('WatchConvergence', () => {
  test('ends at once when every node has applied the revision, a later one included', async () => {
    admin.tables.setNodes([node('a', 1n), node('b', 5n)]);

    const pictures = await drain(watch({}));

    expect(pictures).toMatchObject([
      { revision: 1n, applied: 2, pending: 0, done: true, nodes: [{ nodeId: 'a', lagMs: 12n }, { nodeId: 'b' }] },
    ]);
  });

  test('sends a picture whenever it changes, and ends when no live node is pending', async () => {
    admin.tables.setNodes([node('a', 0n), node('b', 0n), node('c', 0n, { silent: true })]);
    const stream = watch({ revision: 1n });

    const first = await stream.next();
    admin.tables.setNodes([node('a', 1n), node('b', 0n), node('c', 0n, { silent: true })]);
    const second = await stream.next();
    admin.tables.setNodes([node('a', 1n), refusing('b', 1n), node('c', 0n, { silent: true })]);
    const third = await stream.next();
    const end = await stream.next();

    expect(first.value).toMatchObject({ applied: 0, pending: 2, silent: 1, done: false });
    expect(second.value).toMatchObject({ applied: 1, pending: 1, silent: 1, done: false });
    expect(third.value).toMatchObject({ applied: 1, refused: 1, silent: 1, done: true });
    expect(third.value?.nodes[1]).toMatchObject({
      state: NodeConvergenceState.REFUSED,
      refusal: { name: 'r', field: 'hosts[0]' },
    });
    expect(end.done).toBe(true);
  });

  test('a change that leaves the picture as it was sends nothing', async () => {
    admin.tables.setNodes([node('a', 0n)]);
    const stream = watch({ revision: 1n });
    await stream.next();

    admin.tables.setNodes([node('a', 0n, { lastSeenMs: 5 })]);
    admin.tables.setNodes([node('a', 1n)]);

    expect((await stream.next()).value).toMatchObject({ done: true });
  });

  test('a node of another lineage is pending, whatever its revision', async () => {
    const status = create(NodeStatusSchema, { nodeId: 'a', config: { lineage: 'other', revision: 99n } });
    admin.tables.setNodes([node('a', 0n, { status })]);
    const stream = watch({ revision: 1n });

    expect((await stream.next()).value).toMatchObject({ pending: 1, done: false });
    await stream.return(undefined);
  });

  test('ends with DEADLINE_EXCEEDED when the time is over', async () => {
    admin.tables.setNodes([node('a', 0n)]);

    const refusal = await refusalOf(drain(watch({ revision: 1n, timeout: { nanos: 30_000_000 } })));

    expect(refusal).toMatchObject({
      code: code.deadlineExceeded,
      reason: 'NOT_CONVERGED',
      message: '1 nodes are still pending at revision 1.',
    });
  });

  test('a revision that does not exist yet is refused', async () => {
    const refusal = await refusalOf(drain(watch({ revision: 9n })));

    expect(refusal).toMatchObject({ code: code.invalidArgument, fields: ['revision'] });
  });

  test('a caller who goes away leaves no watch behind', async () => {
    admin.tables.setNodes([node('a', 0n)]);
    const stream = watch({ revision: 1n });
    await stream.next();
    expect(admin.tables.watchers).toBe(1);

    await stream.return(undefined);

    await expect.poll(() => admin.tables.watchers).toBe(0);
  });
});
