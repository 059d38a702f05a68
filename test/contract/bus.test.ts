import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startNats } from '../../deploy/servers/servers.js';
import { MemoryBroker } from '../../proto/bus/memory.js';
import { natsBus } from '../../proto/bus/nats.js';
import { busContract, connected } from './bus.contract.js';

import type { RunningServer } from '../../deploy/servers/servers.js';
import type { Bus } from '../../proto/bus/bus.js';

const log = { info: () => undefined, warn: () => undefined };
let nats: RunningServer;
let broker: MemoryBroker;

beforeAll(async () => {
  broker = new MemoryBroker(log);
  nats = await startNats();
});
afterAll(() => nats.stop());

const connect = (url: string): Bus => natsBus({ servers: [url], name: 'test', log, reconnectWaitMs: 20 });

busContract('memory', () => ({ connect: () => broker.connect() }));
busContract('nats', () => ({ connect: () => connect(nats.url) }));

describe('a NATS bus and its server', () => {
  test('a bus made before its server is up connects when it comes, with what was subscribed meanwhile', async () => {
    const server = await startNats();
    await server.kill();
    const here = connect(server.url);
    const there = connect(server.url);
    const heard: string[] = [];
    there.subscribe('early', (message) => heard.push(new TextDecoder().decode(message)));
    expect(here.state).toBe('disconnected');
    here.publish('early', new TextEncoder().encode('lost'));
    await expect(here.request('early', new Uint8Array(), { timeoutMs: 50 })).rejects.toMatchObject({
      kind: 'disconnected',
    });

    await server.restart();
    await Promise.all([connected(here), connected(there)]);
    await there.flush();
    here.publish('early', new TextEncoder().encode('heard'));

    await expect.poll(() => heard).toEqual(['heard']);
    await Promise.all([here.close(), there.close()]);
    await server.stop();
  });

  test('a bus outlives a kill of the server: requests in flight fail, subscriptions work again', async () => {
    const server = await startNats();
    const here = connect(server.url);
    const there = connect(server.url);
    await Promise.all([connected(here), connected(there)]);
    const heard: string[] = [];
    there.subscribe('a', (message) => heard.push(new TextDecoder().decode(message)));
    there.serve('never', 'q', () => new Promise(() => undefined));
    await there.flush();

    const failure = here.request('never', new Uint8Array(), { timeoutMs: 30_000 }).catch((error: unknown) => error);
    await server.kill();
    expect(await failure).toMatchObject({ kind: 'disconnected' });
    await expect.poll(() => [here.state, there.state]).toEqual(['disconnected', 'disconnected']);
    here.publish('a', new TextEncoder().encode('lost'));
    await server.restart();
    await Promise.all([connected(here), connected(there)]);
    await there.flush();
    here.publish('a', new TextEncoder().encode('heard'));

    await expect.poll(() => heard).toEqual(['heard']);
    await Promise.all([here.close(), there.close()]);
    await server.stop();
  });

  test('a bus that never connects closes at once', async () => {
    const gone = await startNats();
    await gone.stop();
    const bus = connect(gone.url);

    await bus.close();

    expect(bus.state).toBe('closed');
  });
});
