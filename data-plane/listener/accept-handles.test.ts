import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../../deploy/servers/servers.js';
import { AcceptHandles } from './accept-handles.js';
import { Fixture } from './fixture.js';
import type { Listener } from './listener.js';

const clients: Socket[] = [];
let fixture: Fixture;

beforeEach(() => {
  fixture = new Fixture();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await fixture.close();
});

async function listen(acceptsPerTurn?: number): Promise<{ port: number; listener: Listener }> {
  const handler = { handle: () => ({ aborted: () => {}, finished: () => {} }) };
  return fixture.listen(handler, {}, acceptsPerTurn === undefined ? {} : { acceptsPerTurn });
}

/** How many turns it takes until so many clients, who come at once, are accepted. */
async function turnsFor(count: number, { port, listener }: { port: number; listener: Listener }): Promise<number> {
  const before = listener.connections;
  for (let i = 0; i < count; i++) clients.push(connect(port, '127.0.0.1'));
  let turns = 0;
  for (; listener.connections < before + count; turns++) await turn();
  return turns;
}

describe('a listener', () => {
  test('lets many in per turn once it has its handles', async () => {
    const started = await listen(8);

    await expect.poll(() => turnsFor(64, started), { timeout: 15_000, interval: 100 }).toBeLessThan(24);
  });

  test('that is closed leaves the port free, also when its handles come later', async () => {
    const { port, listener } = await listen(8);
    await listener.close(0);
    await sleep(500);

    const next = createServer().listen(port, '127.0.0.1');
    await once(next, 'listening');
    next.close();
  });

  test('that is closed after its handles have come leaves the port free', async () => {
    const started = await listen(8);
    await expect.poll(() => turnsFor(64, started), { timeout: 15_000, interval: 100 }).toBeLessThan(24);
    for (const client of clients.splice(0)) client.destroy();
    await started.listener.close(0);

    const next = createServer().listen(started.port, '127.0.0.1');
    await once(next, 'listening');
    next.close();
  });
});

test('handles that come after the end are closed', async () => {
  const server = createServer().listen(await freePort(), '127.0.0.1');
  await once(server, 'listening');
  let taken = 0;
  const handles = new AcceptHandles(server, 3, () => taken++);
  await sleep(1);
  handles.close();
  await sleep(300);

  expect(taken).toBe(0);
  server.close();
});
