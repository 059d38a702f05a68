import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';

import { NodePhase, NodeStatusSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { NodeTable } from './node-table.js';

import type { NodeStatus } from '../../proto/gen/sluice/v1/snapshot_pb.js';

const status = (nodeId: string, phase = NodePhase.LIVE): NodeStatus => create(NodeStatusSchema, { nodeId, phase });

function started(): { readonly table: NodeTable; readonly pass: (ms: number) => void } {
  let nowMs = 1_000_000;
  const table = new NodeTable({ silentMs: 30_000, forgetMs: 600_000 }, () => nowMs);
  return { table, pass: (ms) => ((nowMs += ms), table.sweep()) };
}

test('a node is silent after three heartbeats, back with its next word, and forgotten much later', () => {
  const { table, pass } = started();
  table.hear(status('n1'));

  pass(30_000);
  expect(table.nodes()).toMatchObject([{ silent: false, lastSeenMs: 1_000_000 }]);
  pass(1);
  expect(table.nodes()).toMatchObject([{ silent: true }]);
  expect(table.fleetSize).toBe(0);
  table.hear(status('n1'));
  expect(table.nodes()).toMatchObject([{ silent: false }]);
  pass(600_001);

  expect(table.nodes()).toEqual([]);
});

test('a node that drained is forgotten when it falls silent', () => {
  const { table, pass } = started();
  table.hear(status('n1', NodePhase.DRAINING));

  pass(30_001);

  expect(table.nodes()).toEqual([]);
});

test('a watcher hears of words and of silence, once for what comes together, and not after it has ended', async () => {
  const { table, pass } = started();
  let calls = 0;
  const end = table.watch(() => calls++);

  table.hear(status('n1'));
  table.hear(status('n2'));
  await expect.poll(() => calls).toBe(1);
  pass(30_001);
  await expect.poll(() => calls).toBe(2);
  end();
  table.hear(status('n1'));
  await new Promise((resolve) => setImmediate(resolve));

  expect(calls).toBe(2);
});
