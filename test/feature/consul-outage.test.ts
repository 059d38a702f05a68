import { afterEach, describe, expect, it, vi } from 'vitest';

import { freePort, startConsul } from '../../deploy/servers/servers.js';
import { SourceState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { ConsulAgent, withTtlCheck } from './consul-agent.js';
import { consul, Watches } from './consul-watch.js';

import type { Registry } from '../../control-plane/registry/registry.js';
import type { RunningServer } from '../../deploy/servers/servers.js';

const watches = new Watches();
const started: RunningServer[] = [];
afterEach(async () => {
  await watches.close();
  await Promise.all(started.splice(0).map((server) => server.stop()));
});

async function start(options: Parameters<typeof startConsul>[0] = {}): Promise<RunningServer> {
  const server = await startConsul(options);
  started.push(server);
  return server;
}

/** Two instances of `web` and one of `api`. */
async function registerAll(url: string): Promise<void> {
  const agent = new ConsulAgent(url);
  await agent.register(withTtlCheck('web-1', 'web', 7001));
  await agent.register(withTtlCheck('web-2', 'web', 7002));
  await agent.register({ ID: 'api-1', Name: 'api', Port: 7003 });
}

async function stateIs(registry: Registry, state: SourceState): Promise<void> {
  await vi.waitFor(() => expect(SourceState[registry.status().state]).toBe(SourceState[state]), {
    timeout: 10_000,
    interval: 10,
  });
}

describe('when Consul is gone', () => {
  it('the sets stay, the state is STALE with its age, and a Consul that forgot everything empties nothing at once', async () => {
    const server = await start();
    await registerAll(server.url);
    const { heard, registry, events } = watches.start(server.url, [consul('web'), consul('api')]);
    await heard.until(() => heard.last('web')?.length === 2 && heard.last('api')?.length === 1);
    const before = heard.reports.length;

    await server.kill();
    await stateIs(registry, SourceState.STALE);
    const { staleMs } = registry.status();
    await vi.waitFor(() => expect(registry.status().staleMs).toBeGreaterThan(staleMs + 100));
    expect(heard.reports).toHaveLength(before);
    expect(events[0]).toMatchObject({ kind: 'failing', reason: expect.stringContaining('Consul cannot be read: ') });

    await server.restart();
    const isHeld = (service: string): boolean =>
      heard.standing(service)?.every((line) => line.endsWith('SUSPECT')) === true;
    await heard.until(() => isHeld('web') && isHeld('api'), 15_000);
    expect(heard.standing('web')).toHaveLength(2);
    expect(registry.status()).toEqual({ state: SourceState.UP, staleMs: 0 });

    await registerAll(server.url);
    const isBack = (service: string): boolean =>
      heard.standing(service)?.every((line) => line.endsWith('ACTIVE')) === true;
    await heard.until(() => isBack('web') && isBack('api'));
    expect(heard.standing('web')).toHaveLength(2);
    expect(heard.standing('api')).toHaveLength(1);
  });

  it('what does not come back is gone when the hold is over', async () => {
    const server = await start();
    await registerAll(server.url);
    const { heard } = watches.start(server.url, [consul('web')], { timing: { holdMs: 500 } });
    await heard.until(() => heard.last('web')?.length === 2);

    await server.restart();
    await heard.until(() => heard.standing('web')?.[0]?.endsWith('SUSPECT') === true, 15_000);
    await heard.until(() => heard.last('web')?.length === 0);

    expect(heard.last('web')).toEqual([]);
  });

  it('before the first answer the state is DOWN and nothing is reported, until it is there', async () => {
    const port = await freePort();
    const { heard, registry } = watches.start(`http://127.0.0.1:${port}`, [consul('web')]);
    await stateIs(registry, SourceState.DOWN);
    expect(heard.reports).toEqual([]);

    const server = await start({ port });
    await registerAll(server.url);
    await heard.until(() => heard.last('web')?.length === 2, 15_000);

    expect(heard.states).toEqual([SourceState.DOWN, SourceState.UP]);
  });

  it('a frozen one is noticed by the missing answer, and nothing is reported twice when it goes on', async () => {
    const server = await start();
    await registerAll(server.url);
    const timing = { waitMs: 400, graceMs: 200, readTimeoutMs: 400 };
    const { heard, registry, events } = watches.start(server.url, [consul('web')], { timing });
    await heard.until(() => heard.last('web')?.length === 2);
    const before = heard.reports.length;

    await server.pause();
    await stateIs(registry, SourceState.STALE);
    expect(events[0]).toMatchObject({ reason: expect.stringMatching(/^Consul did not answer within \d+ ms$/) });
    await server.resume();
    await stateIs(registry, SourceState.UP);

    expect(heard.reports).toHaveLength(before);
  });
});

describe('a Consul with access control', () => {
  const master = 'b6e29626-2c27-4d4a-9f38-3d1c2a2a2a11';
  // What no rule names is allowed, as the readiness probe of the agent has no token.
  const acl = `acl { enabled = true default_policy = "allow" tokens { master = "${master}" agent = "${master}" } }`;

  it('refuses a wrong token with a reason, and answers a right one', async () => {
    const server = await start({ args: ['-hcl', acl] });
    const admin = new ConsulAgent(server.url, master);
    await admin.register({ ID: 'web-1', Name: 'web', Port: 7001 });

    const wrong = watches.start(server.url, [consul('web')], { token: 'a7d2e0c1-0000-4d4a-9f38-000000000000' });
    const right = watches.start(server.url, [consul('web')], { token: master });
    await vi.waitFor(() => expect(wrong.events).toHaveLength(1));
    await right.heard.until(() => right.heard.last('web')?.length === 1);

    expect(wrong.events[0]).toMatchObject({ kind: 'failing', reason: 'Consul answered 403: ACL not found' });
    expect(wrong.registry.status().state).toBe(SourceState.DOWN);
    expect(wrong.heard.reports).toEqual([]);
  });

  it('whose token loses its rights answers empty lists, and that empties nothing at once', async () => {
    const server = await start({ args: ['-hcl', acl] });
    const admin = new ConsulAgent(server.url, master);
    await admin.register({ ID: 'web-1', Name: 'web', Port: 7001 });
    await admin.register({ ID: 'web-2', Name: 'web', Port: 7002 });
    const policy = (await admin.put('/acl/policy', {
      Name: 'reader',
      Rules: 'service "other" { policy = "deny" }',
    })) as { readonly ID: string };
    const token = (await admin.put('/acl/token', { Policies: [{ ID: policy.ID }] })) as { readonly SecretID: string };
    const timing = { waitMs: 300 };
    const { heard, events } = watches.start(server.url, [consul('web')], { token: token.SecretID, timing });
    await heard.until(() => heard.last('web')?.length === 2);

    await admin.put(`/acl/policy/${policy.ID}`, {
      ID: policy.ID,
      Name: 'reader',
      Rules: 'service "web" { policy = "deny" }',
    });
    await heard.until(() => heard.standing('web')?.every((line) => line.endsWith('SUSPECT')) === true);

    expect(heard.last('web')).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({ kind: 'held', count: 2, reason: 'the index did not move' });
  });
});
