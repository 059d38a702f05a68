import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { startConsul } from '../../deploy/servers/servers.js';
import { SourceState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { ConsulAgent, withTtlCheck } from './consul-agent.js';
import { consul, Watches } from './consul-watch.js';

import type { ConsulOptions } from '../../control-plane/registry/consul/consul.js';
import type { WantedService } from '../../control-plane/registry/registry.js';
import type { RunningServer } from '../../deploy/servers/servers.js';
import type { Watch } from './consul-watch.js';

let server: RunningServer;
let agent: ConsulAgent;
let node = '';
const watches = new Watches();

beforeAll(async () => {
  server = await startConsul();
  console.log(`${server.name} ${server.version}`);
  agent = new ConsulAgent(server.url);
  node = await agent.nodeName();
});
afterEach(() => watches.close());
afterAll(() => server.stop());

function watch(services: readonly WantedService[], options: Partial<ConsulOptions> = {}): Watch {
  return watches.start(server.url, services, options);
}

function tagged(id: string, tags: readonly string[]): Readonly<Record<string, unknown>> {
  return { Name: 'tagged', ID: id, Port: 7001, Tags: tags };
}

async function registerThree(service: string): Promise<readonly string[]> {
  const ids = [1, 2, 3].map((i) => `${service}-${i}`);
  for (const [i, id] of ids.entries()) await agent.register(withTtlCheck(id, service, 7001 + i));
  return ids;
}

describe('the instances of a Consul service', () => {
  it('have their own address or else that of their node, their weights and tags', async () => {
    await agent.register({
      Name: 'shapes',
      ID: 's1',
      Address: '10.0.0.7',
      Port: 7001,
      Tags: ['v1', 'blue'],
      Weights: { Passing: 3, Warning: 1 },
    });
    await agent.register({ Name: 'shapes', ID: 's2', Port: 7002 });
    await agent.register({
      Name: 'shapes',
      ID: 's3',
      Port: 7003,
      Weights: { Passing: 2, Warning: 0 },
      Check: { TTL: '10m', Status: 'warning' },
    });

    const { heard } = watch([consul('shapes')]);
    await heard.until(() => heard.count('shapes') > 0);

    expect(heard.lines('shapes')).toEqual([
      `${node}/s1 10.0.0.7:7001 3 ACTIVE`,
      `${node}/s2 127.0.0.1:7002 1 ACTIVE`,
      `${node}/s3 127.0.0.1:7003 0 OUT (weight 0 while warning)`,
    ]);
    expect(heard.last('shapes')?.[0]?.tags).toEqual(['v1', 'blue']);
  });

  it('count only with every tag that is asked for, and go when they lose one', async () => {
    await agent.register(tagged('t1', ['v1', 'blue']));
    await agent.register(tagged('t2', ['v1']));
    await agent.register(tagged('t3', ['blue', 'V1', 'x']));

    const { heard } = watch([consul('tagged', { tags: ['v1', 'blue'] })]);
    await heard.until(() => heard.last('tagged')?.length === 2);
    expect(heard.standing('tagged')).toEqual([`${node}/t1 ACTIVE`, `${node}/t3 ACTIVE`]);

    await agent.register(tagged('t1', ['v1']));
    await heard.until(() => heard.last('tagged')?.length === 1);

    expect(heard.standing('tagged')).toEqual([`${node}/t3 ACTIVE`]);
  });

  it('change weight while warning, are out while critical and come back', async () => {
    await registerThree('checked');
    await agent.register({ ...withTtlCheck('checked-1', 'checked', 7001), Weights: { Passing: 10, Warning: 2 } });
    const { heard } = watch([consul('checked')]);
    const firstLine = (): string | undefined => heard.lines('checked')?.[0];
    await heard.until(() => firstLine() !== undefined);

    const seen = [firstLine()];
    for (const result of ['warn', 'fail', 'pass'] as const) {
      await agent.check('checked-1', result);
      await heard.until(() => firstLine() !== seen.at(-1));
      seen.push(firstLine());
    }

    expect(seen).toEqual([
      `${node}/checked-1 127.0.0.1:7001 10 ACTIVE`,
      `${node}/checked-1 127.0.0.1:7001 2 ACTIVE`,
      `${node}/checked-1 127.0.0.1:7001 10 OUT (critical: Service 'checked' check)`,
      `${node}/checked-1 127.0.0.1:7001 10 ACTIVE`,
    ]);
  });

  it('are out during maintenance, of one or of the whole node, and never held', async () => {
    const ids = await registerThree('maintained');
    const { heard, events } = watch([consul('maintained')]);
    const out = (expected: readonly boolean[]): Promise<number> =>
      heard.until(
        () =>
          heard
            .lines('maintained')
            ?.map((line) => line.includes('OUT (maintenance'))
            .join() === expected.join(),
      );
    await out([false, false, false]);

    await agent.maintain(ids[1] ?? '', true, 'new disk');
    await out([false, true, false]);
    expect(heard.lines('maintained')?.[1]).toContain('OUT (maintenance: new disk)');
    await agent.maintain(ids[1] ?? '', false);
    await out([false, false, false]);
    await agent.maintainNode(true);
    await out([true, true, true]);
    await agent.maintainNode(false);
    await out([false, false, false]);

    expect(events).toEqual([]);
  });

  it('are gone within 50 ms of a deregistration, to the last one, and never held', async () => {
    const ids = Array.from({ length: 11 }, (_, i) => `leaving-${i}`);
    for (const [i, id] of ids.entries()) await agent.register(withTtlCheck(id, 'leaving', 7001 + i));
    const { heard, events } = watch([consul('leaving')]);
    await heard.until(() => heard.last('leaving')?.length === ids.length);

    const delays: number[] = [];
    for (const [i, id] of ids.entries()) {
      // So that a quiet service is measured, not the limit on the rate of queries.
      await new Promise((resolve) => setTimeout(resolve, 120));
      const askedMs = performance.now();
      await Promise.all([
        agent.deregister(id),
        heard.until(() => heard.last('leaving')?.length === ids.length - 1 - i),
      ]);
      delays.push((heard.reports.at(-1)?.atMs ?? Infinity) - askedMs);
    }

    expect(delays.toSorted((a, b) => a - b)[5]).toBeLessThan(50);
    expect(events).toEqual([]);
  });
});

describe('the hold on mass loss', () => {
  it('keeps a service that goes critical as a whole as suspect, and each instance comes back on its own', async () => {
    const ids = await registerThree('mass');
    const { heard, events } = watch([consul('mass')]);
    await heard.until(() => heard.last('mass')?.length === 3);

    await Promise.all(ids.map((id) => agent.check(id, 'fail')));
    await heard.until(() => heard.standing('mass')?.every((line) => line.endsWith('SUSPECT')) === true);
    await agent.check('mass-2', 'pass');
    await heard.until(() => heard.standing('mass')?.[1]?.endsWith('ACTIVE') === true);

    expect(heard.lines('mass')).toEqual([
      `${node}/mass-1 127.0.0.1:7001 1 SUSPECT (held: critical: Service 'mass' check)`,
      `${node}/mass-2 127.0.0.1:7002 1 ACTIVE`,
      `${node}/mass-3 127.0.0.1:7003 1 SUSPECT (held: critical: Service 'mass' check)`,
    ]);
    expect(events.at(-1)).toMatchObject({ kind: 'held', service: 'mass', count: 2 });
  });

  it('ends after its time', async () => {
    const ids = await registerThree('ending');
    const { heard, events } = watch([consul('ending')], { timing: { holdMs: 300 } });
    await heard.until(() => heard.last('ending')?.length === 3);

    await Promise.all(ids.map((id) => agent.check(id, 'fail')));
    await heard.until(() => heard.standing('ending')?.every((line) => line.endsWith('SUSPECT')) === true);
    await heard.until(() => heard.standing('ending')?.every((line) => line.endsWith('OUT')) === true);

    expect(events.at(-1)).toMatchObject({ kind: 'held', service: 'ending', count: 0 });
  });

  it('does not delay the deregistration or maintenance of what is held', async () => {
    const ids = await registerThree('acted');
    const { heard } = watch([consul('acted')]);
    await heard.until(() => heard.last('acted')?.length === 3);
    await Promise.all(ids.map((id) => agent.check(id, 'fail')));
    await heard.until(() => heard.standing('acted')?.every((line) => line.endsWith('SUSPECT')) === true);

    await agent.deregister('acted-1');
    await agent.maintain('acted-2', true);
    await heard.until(() => heard.standing('acted')?.[0] === `${node}/acted-2 OUT`);

    expect(heard.standing('acted')).toEqual([`${node}/acted-2 OUT`, `${node}/acted-3 SUSPECT`]);
  });
});

describe('one service that Consul cannot answer for', () => {
  it('does not disturb the others, and is named with the reason', async () => {
    await agent.register({ Name: 'fine', ID: 'fine', Port: 7001 });
    const { heard, events, registry } = watch([consul('fine'), consul('far', { datacenter: 'nowhere' })]);

    await heard.until(() => heard.count('fine') > 0);
    await vi.waitFor(() => expect(events).toHaveLength(1));

    expect(events[0]).toEqual({
      kind: 'failing',
      consulService: 'far',
      datacenter: 'nowhere',
      reason: 'Consul answered 500: No path to datacenter',
    });
    expect(heard.count('far')).toBe(0);
    expect(registry.status()).toEqual({ state: SourceState.UP, staleMs: 0 });
  });
});
