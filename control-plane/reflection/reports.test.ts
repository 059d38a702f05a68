import { create } from '@bufbuild/protobuf';
import { afterEach, expect, test } from 'vitest';

import { subjectsOf } from '../../proto/bus/bus.js';
import { MemoryBroker } from '../../proto/bus/memory.js';
import { ReflectionStatusSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { Reports } from './reports.js';

const log = { info: () => undefined, warn: () => undefined };
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const everyMs = 10;
const statusOf = (lastError: string, schema = 's') =>
  create(ReflectionStatusSchema, { schema, service: 'x', lastError, lastAttempt: { seconds: 1n } });

function replicas() {
  const broker = new MemoryBroker(log);
  const subjects = subjectsOf('test');
  const [leader, other, next] = ['leader', 'other', 'next'].map(() => new Reports(broker.connect(), subjects, everyMs));
  if (leader === undefined || other === undefined || next === undefined) throw new Error('three are made');
  for (const reports of [leader, other, next]) closing.push(() => reports.close());
  return { leader, other, next };
}

async function until(fits: () => boolean): Promise<void> {
  const end = performance.now() + 2_000;
  while (!fits() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(fits()).toBe(true);
}

const silent = { epoch: null, statuses: [] };

test('what the leader says is heard by the others, and said again to those that come later', async () => {
  const { leader, other, next } = replicas();
  other.start(() => silent);
  leader.start(() => ({ epoch: 2n, statuses: [statusOf('a')] }));
  leader.send(2n, statusOf('a'));
  await until(() => other.heard('s')?.lastError === 'a');

  next.start(() => silent);

  await until(() => next.heard('s')?.lastError === 'a');
});

test('the word of a leader of before does not count any more', async () => {
  const { leader, other, next } = replicas();
  other.start(() => silent);

  leader.send(3n, statusOf('newer'));
  next.send(2n, statusOf('older'));
  next.send(2n, statusOf('', 'last'));
  await until(() => other.heard('last') !== null);

  expect(other.heard('s')?.lastError).toBe('newer');
});

test('a replica that does not lead says nothing, and what nobody speaks of is forgotten', async () => {
  const { leader, other } = replicas();
  other.start(() => silent);
  leader.send(null, statusOf('unsaid'));
  leader.send(1n, statusOf('said'));
  await until(() => other.heard('s')?.lastError === 'said');

  await until(() => other.heard('s') === null);
});
