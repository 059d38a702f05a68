import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { startConsul } from '../../deploy/servers/servers.js';
import { SourceState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { ConsulAgent, withTtlCheck } from './consul-agent.js';
import { ConsulDouble, answer, entry } from './consul-double.js';
import { consul, Watches } from './consul-watch.js';

import type { RunningServer } from '../../deploy/servers/servers.js';
import type { Asked, Scripted } from './consul-double.js';

const MAX_CONNECTIONS = 40;
const SERVICES = 200;

let server: RunningServer;
let agent: ConsulAgent;
let node = '';
const watches = new Watches();

beforeAll(async () => {
  server = await startConsul({ args: ['-hcl', `limits { http_max_conns_per_client = ${MAX_CONNECTIONS} }`] });
  agent = new ConsulAgent(server.url);
  node = await agent.nodeName();
});
afterEach(() => watches.close());
afterAll(() => server.stop());

describe('more services than blocking queries', () => {
  it('are all answered by an agent that takes few connections, and each change is heard at once', async () => {
    const names = Array.from({ length: SERVICES }, (_, i) => `many-${i}`);
    // An agent takes registrations one after the other.
    for (const [i, name] of names.entries()) await agent.register(withTtlCheck(`${name}-a`, name, 7001 + i));
    await agent.register(withTtlCheck('many-7-b', 'many-7', 9001));
    const { heard, registry, events } = watches.start(
      server.url,
      names.map((name) => consul(name)),
      { maxBlocking: 30 },
    );
    await heard.until(() => names.every((name) => heard.count(name) > 0));
    const before = heard.reports.length;

    await agent.check('many-7-b', 'fail');
    await heard.until(() => heard.standing('many-7')?.[1] === `${node}/many-7-b OUT`);
    await agent.deregister('many-7-b');
    await heard.until(() => heard.last('many-7')?.length === 1);
    await agent.maintain('many-8-a', true);
    await heard.until(() => heard.standing('many-8')?.[0] === `${node}/many-8-a OUT`);

    expect(heard.reports.slice(before).map(({ service }) => service)).toEqual(['many-7', 'many-7', 'many-8']);
    expect(events).toEqual([]);
    expect(registry.status()).toEqual({ state: SourceState.UP, staleMs: 0 });
  });

  it('without checks of their own are heard of at once, too', async () => {
    await agent.register({ ID: 'bare-1', Name: 'bare', Port: 7001 });
    await agent.register({ ID: 'bare-2', Name: 'bare', Port: 7002 });
    const { heard } = watches.start(server.url, [consul('bare'), consul('later')], { maxBlocking: 1 });
    await heard.until(() => heard.last('bare')?.length === 2 && heard.last('later')?.length === 0);

    await agent.deregister('bare-1');
    await heard.until(() => heard.last('bare')?.length === 1);
    await agent.register({ ID: 'later-1', Name: 'later', Port: 7003 });
    await heard.until(() => heard.last('later')?.length === 1);

    expect(heard.standing('bare')).toEqual([`${node}/bare-2 ACTIVE`]);
  });

  it('are out together while their node is in maintenance', async () => {
    const names = ['north', 'south'];
    for (const name of names) await agent.register(withTtlCheck(name, name, 7001));
    const wanted = names.map((name) => consul(name));
    const { heard } = watches.start(server.url, wanted, { maxBlocking: 0 });
    const areAll = (state: string): boolean =>
      names.every((name) => heard.standing(name)?.[0] === `${node}/${name} ${state}`);
    await heard.until(() => areAll('ACTIVE'));

    await agent.maintainNode(true);
    await heard.until(() => areAll('OUT'));
    await agent.maintainNode(false);
    await heard.until(() => areAll('ACTIVE'));

    expect(heard.reports).toHaveLength(6);
  });

  it('become few and many again without a report', async () => {
    await agent.register(withTtlCheck('back-1', 'back', 7001));
    await agent.register(withTtlCheck('back-2', 'back', 7002));
    const other = ['x', 'y', 'z'].map((name) => consul(name));
    const { heard, registry } = watches.start(server.url, [consul('back')], { maxBlocking: 2 });
    await heard.until(() => heard.last('back')?.length === 2);

    registry.want([consul('back'), ...other]);
    await heard.until(() => other.every(({ service }) => heard.count(service) > 0));
    registry.want([consul('back')]);
    await agent.check('back-1', 'fail');
    await heard.until(() => heard.standing('back')?.[0] === `${node}/back-1 OUT`);

    expect(heard.count('back')).toBe(2);
  });
});

describe('a crowd of services of which a test writes the answers', () => {
  let double: ConsulDouble;
  beforeEach(async () => {
    double = await ConsulDouble.start();
  });
  afterEach(async () => {
    await watches.close();
    await double.close();
  });

  it('is read again within one and a half waits, for what no signal tells', async () => {
    let weight = 2;
    double.script = ({ path }) => {
      if (path.endsWith('/services')) return answer(100, { a: [] });
      if (path.endsWith('/any')) return answer(100, []);
      const { Service, ...rest } = entry('1', 7001);
      return answer(100 + weight, [{ ...rest, Service: { ...(Service as object), Weights: { Passing: weight } } }]);
    };
    const { heard } = watches.start(double.url, [consul('a')], { maxBlocking: 0, timing: { waitMs: 400 } });
    await heard.until(() => heard.last('a')?.[0]?.weight === 2);
    // Until both signals have spoken, which reads everything once more.
    await vi.waitFor(() => expect(double.asked.length).toBeGreaterThan(8));

    weight = 5;
    const changedMs = performance.now();
    const heardMs = await heard.until(() => heard.last('a')?.[0]?.weight === 5);

    expect(heardMs - changedMs).toBeLessThan(1_000);
  });

  it('stays as it is when Consul fails, is STALE, and comes back without a report', async () => {
    const names = ['a', 'b', 'c'];
    const healthy = ({ path }: Asked): Scripted => {
      if (path.endsWith('/services')) return answer(100, { a: [], b: [], c: [] });
      return answer(100, path.endsWith('/any') ? [] : [entry('1', 7001)]);
    };
    double.script = healthy;
    const timing = { minBackoffMs: 20, maxBackoffMs: 50, waitMs: 200 };
    const { heard, registry, events } = watches.start(
      double.url,
      names.map((name) => consul(name)),
      { maxBlocking: 0, timing },
    );
    await heard.until(() => heard.reports.length === 3);

    double.script = () => ({ status: 500, body: '' });
    await vi.waitFor(() => expect(registry.status().state).toBe(SourceState.STALE));
    await vi.waitFor(() => expect(events).toHaveLength(3));
    double.script = healthy;
    await vi.waitFor(() => expect(registry.status().state).toBe(SourceState.UP), { timeout: 3_000 });

    expect(heard.reports).toHaveLength(3);
    expect(events.map(({ kind }) => kind).toSorted()).toEqual([
      'failing',
      'failing',
      'failing',
      'recovered',
      'recovered',
      'recovered',
    ]);
  });

  it('is not emptied by a list of services or checks that is none', async () => {
    double.script = ({ path }) => answer(100, path.includes('/health/service/') ? [entry('1', 7001)] : 'nonsense');
    const timing = { minBackoffMs: 20, maxBackoffMs: 50, waitMs: 200 };
    const { heard } = watches.start(double.url, [consul('a')], { maxBlocking: 0, timing });
    await heard.until(() => heard.reports.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 500));

    expect(heard.reports).toHaveLength(1);
    expect(heard.standing('a')).toEqual(['n/1 ACTIVE']);
  });
});
