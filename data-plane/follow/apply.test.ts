import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';

import { ConfigVersionSchema, Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { StateDigest } from '../../proto/snapshot/snapshot.js';
import { Applier } from './apply.js';

import type { KnownConfig } from './config-track.js';

function config(revision: bigint): KnownConfig {
  const version = create(ConfigVersionSchema, { lineage: 'l', revision });
  return { version, resources: [], digest: StateDigest.empty, commitTimeMs: 0 };
}

interface Started {
  readonly applier: Applier;
  readonly log: string[];
  /** Makes `revision` the newest, and waits until nothing runs any more. */
  know(revision: bigint): void;
}

function started(applyConfig: () => void | Promise<void>, ready: () => Promise<void> = async () => undefined): Started {
  const log: string[] = [];
  let newest: KnownConfig | null = null;
  const applier = new Applier(
    { applyConfig, applyEndpoints: () => undefined },
    {
      newest: () => newest,
      ready,
      applied: ({ version }) => void log.push(`applied ${version.revision}`),
      refused: ({ revision, kind, name, field, reason }) =>
        void log.push(`refused ${revision}: ${Kind[kind]} ${name} ${field} ${reason}`),
    },
  );
  const know = (revision: bigint): void => {
    newest = config(revision);
    applier.poke();
  };
  return { applier, log, know };
}

test('of what becomes known while one is compiled, only the newest is compiled next', async () => {
  const gates: (() => void)[] = [];
  const { log, know } = started(() => new Promise((resolve) => gates.push(resolve)));

  know(1n);
  await expect.poll(() => gates.length).toBe(1);
  know(2n);
  know(3n);
  gates[0]?.();
  await expect.poll(() => gates.length).toBe(2);
  gates[1]?.();

  await expect.poll(() => log).toEqual(['applied 1', 'applied 3']);
});

test('what became known while the endpoints were awaited is taken instead', async () => {
  let go = (): void => undefined;
  const { log, know } = started(
    () => undefined,
    () => new Promise((resolve) => (go = resolve)),
  );

  know(1n);
  know(2n);
  go();

  await expect.poll(() => log).toEqual(['applied 2']);
});

test('a refusal says which resource and why, and is not tried again', async () => {
  let tries = 0;
  const { applier, log, know } = started(() => {
    tries++;
    const problem = { kind: Kind.ROUTE, name: 'r', field: 'paths[0]', reason: 'is not a path' };
    throw Object.assign(new Error('refused'), { problem });
  });

  know(1n);
  await expect.poll(() => log).toEqual(['refused 1: ROUTE r paths[0] is not a path']);
  applier.poke();
  await applier.close();

  expect(tries).toBe(1);
});

test('any other error of the runtime is a refusal too', async () => {
  const { log, know } = started(() => Promise.reject(new Error('out of luck')));

  know(1n);

  await expect.poll(() => log).toEqual(['refused 1: UNSPECIFIED   the node failed to apply it: out of luck']);
});

test('nothing is applied after closing', async () => {
  let go = (): void => undefined;
  const { applier, log, know } = started(
    () => undefined,
    () => new Promise((resolve) => (go = resolve)),
  );

  know(1n);
  const closed = applier.close();
  go();
  await closed;
  know(2n);
  await applier.close();

  expect(log).toEqual([]);
});
