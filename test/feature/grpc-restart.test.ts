import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import type { TestGateway } from '../support/gateway.js';
import { InteropClient, payload, startInteropServer, type InteropServer } from '../support/interop/interop.js';
import { interopConfig, useGrpcRig } from '../support/interop/rig.js';

/** Servers that stop and come back while unary calls go on. */

const { gatewayTo, closing } = useGrpcRig();

/** Keeps calling from several sides until it is stopped. */
class Load {
  calls = 0;
  readonly failures: string[] = [];
  readonly #client: InteropClient;
  #stopped = false;
  readonly #done: Promise<unknown>;

  constructor({ port }: TestGateway, concurrency: number) {
    this.#client = new InteropClient(port);
    this.#done = Promise.all(Array.from({ length: concurrency }, () => this.#callOn()));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
    this.#client.close();
  }

  async #callOn(): Promise<void> {
    while (!this.#stopped) {
      const { status: ended } = await this.#client.unary('UnaryCall', { responseSize: 10, ...payload(100) });
      this.calls++;
      if (ended.code !== status.OK) this.failures.push(`${ended.code} ${ended.details}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

async function startAll(count: number): Promise<{ servers: InteropServer[]; gateway: TestGateway }> {
  const servers = await Promise.all(Array.from({ length: count }, () => startInteropServer()));
  closing.push(() => servers.forEach((server) => server.close()));
  return { servers, gateway: await gatewayTo(portsOf(servers)) };
}

function portsOf(servers: readonly InteropServer[]): number[] {
  return servers.map(({ port }) => port);
}

/** As a deployment does it: one server after the other, and the next one only when the last one is at work again. */
async function restartEach(
  servers: InteropServer[],
  stop: (server: InteropServer) => Promise<void> | void,
): Promise<void> {
  for (const [i, server] of servers.entries()) {
    await stop(server);
    const next = (servers[i] = await startInteropServer({ port: server.port }));
    await expect.poll(() => next.metadata.length, { timeout: 10_000, interval: 20 }).toBeGreaterThan(3);
  }
}

test('no call fails while each server is shut down and started again', async () => {
  const { servers, gateway } = await startAll(3);
  const load = new Load(gateway, 8);

  await restartEach(servers, (server) => server.drain());
  await load.stop();

  expect(load.failures).toEqual([]);
}, 30_000);

test('no call fails while servers leave and others take their place', async () => {
  const { servers, gateway } = await startAll(2);
  const load = new Load(gateway, 8);

  for (let round = 0; round < 4; round++) {
    const [leaving] = servers.splice(0, 1) as [InteropServer];
    servers.push(await startInteropServer());
    gateway.apply(interopConfig(portsOf(servers)));
    await leaving.drain();
    const before = load.calls;
    await expect.poll(() => load.calls - before, { timeout: 10_000, interval: 10 }).toBeGreaterThan(10);
  }
  await load.stop();

  expect(load.failures).toEqual([]);
}, 30_000);

test('a server that is cut off costs no more than the calls that it was carrying out', async () => {
  const { servers, gateway } = await startAll(3);
  const load = new Load(gateway, 8);

  await restartEach(servers, (server) => server.close());
  await load.stop();

  expect(load.failures.filter((failure) => !failure.startsWith(`${status.UNAVAILABLE} `))).toEqual([]);
  // Three servers, each with no more than all of the calls at a time.
  expect(load.failures.length).toBeLessThanOrEqual(3 * 8);
}, 30_000);
