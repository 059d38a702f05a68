import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCluster, type Cluster } from '../../deploy/cluster/cluster.js';
import { entryPoint } from '../../deploy/cluster/member.js';
import { deregisterInstance, registerInstances } from '../../deploy/demo/consul-registration.js';
import { packageFile } from '../../deploy/package-file.js';
import { eventually, startLoad, TestClient } from '../support/load.js';

const run = promisify(execFile);
const configFile = packageFile('deploy/cluster/cluster.yaml');

describe('a cluster of two control planes and three nodes on the real Postgres, NATS and Consul', () => {
  let cluster: Cluster;
  let folder: string;
  const client = new TestClient();

  const sluice = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> => {
    const addressed = [entryPoint, '--address', `127.0.0.1:${cluster.controlPlanes[0]?.port}`, ...args];
    return run(process.execPath, addressed).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  };
  const applyText = async (text: string): Promise<{ code: number; stdout: string; stderr: string }> => {
    const file = join(folder, 'change.yaml');
    await writeFile(file, text);
    return sluice('apply', '-f', file, '--wait');
  };
  const everyNode = (path: string): string[] => cluster.nodes.map(({ url }) => url + path);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
    cluster = await startCluster({ controlPlanes: 2, nodes: 3 });
    const { name, version } = cluster.postgres;
    console.log(
      `${name} ${version}, nats ${cluster.nats.version}, consul ${cluster.consul.version}, haproxy ${cluster.loadBalancer.version}`,
    );
    const applied = await sluice('apply', '-f', configFile, '--wait');
    expect(applied).toMatchObject({ code: 0 });
  }, 120_000);

  afterAll(async () => {
    client.close();
    await cluster?.close();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  it('spreads 5,000 requests over three instances by their Consul weights 3:1:1', async () => {
    const urls = everyNode('/orders');
    await Promise.all(
      urls.map((url) => eventually(`${url} answers`, 5_000, async () => (await client.send(url)).status === 200)),
    );
    const seen = new Map<string, number>();
    const send = async (i: number): Promise<void> => {
      const instance = String((await client.send(urls[i % urls.length] ?? '')).headers['x-instance']);
      seen.set(instance, (seen.get(instance) ?? 0) + 1);
    };

    for (let sent = 0; sent < 5_000; sent += 50)
      await Promise.all(Array.from({ length: 50 }, (_, i) => send(sent + i)));

    const share = (instance: string): number => ((seen.get(instance) ?? 0) / 5_000) * 100;
    expect(Math.abs(share('orders-1') - 60)).toBeLessThanOrEqual(2);
    expect(Math.abs(share('orders-2') - 20)).toBeLessThanOrEqual(2);
    expect(Math.abs(share('orders-3') - 20)).toBeLessThanOrEqual(2);
  });

  it('sends nothing to an instance 500 ms after Consul has answered its deregistration', async () => {
    const load = startLoad([...everyNode('/orders'), `${cluster.loadBalancer.url}/orders`], 8);
    await sleep(300);
    await deregisterInstance(cluster.consul.url, 'orders-3');
    await sleep(500);
    const late = startLoad(everyNode('/orders'), 8);
    await sleep(1_000);
    const [first, second] = await Promise.all([load.stop(), late.stop()]);

    expect([...first.failures]).toEqual([]);
    expect(first.instances.get('orders-3')).toBeGreaterThan(0);
    expect(second.instances.get('orders-3') ?? 0).toBe(0);
    await registerInstances(cluster.consul.url, 'orders', [
      { id: 'orders-3', address: '127.0.0.1', port: cluster.demo.ordersPorts[2] ?? 0, weight: 1 },
    ]);
  });

  it('has a changed route live on every node when `apply --wait` returns', async () => {
    for (const status of ['one', 'two', 'three']) {
      const applied = await applyText(`routes: [{ name: changing, paths: [/changing-${status}], service: orders }]`);

      expect(applied).toMatchObject({ code: 0 });
      for (const url of everyNode(`/changing-${status}`)) expect((await client.send(url)).status).toBe(200);
    }
    for (const url of everyNode('/changing-one')) expect((await client.send(url)).status).toBe(404);
  });

  it('answers REST for a gRPC service found through Consul', async () => {
    const answer = await client.send(`${cluster.loadBalancer.url}/v1/shelves/1`);

    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({ id: '1', theme: 'History' });
  });

  it('brings a change made while NATS was down to every node once it is back', async () => {
    await cluster.nats.kill();
    const load = startLoad(everyNode('/orders'), 4);
    const file = join(folder, 'meanwhile.yaml');
    await writeFile(file, 'routes: [{ name: meanwhile, paths: [/meanwhile], service: orders }]');
    const applied = await sluice('apply', '-f', file);
    await sleep(500);
    await cluster.nats.restart();

    expect(applied).toMatchObject({ code: 0 });
    for (const url of everyNode('/meanwhile')) {
      await eventually(`${url} is live`, 5_000, async () => (await client.send(url)).status === 200);
    }
    expect([...(await load.stop()).failures]).toEqual([]);
  });

  it('serves on and follows Consul while Postgres is stopped, and refuses writes with a clear error', async () => {
    await cluster.postgres.kill();
    const load = startLoad(everyNode('/orders'), 4);
    await deregisterInstance(cluster.consul.url, 'orders-2');
    await sleep(500);
    const late = startLoad(everyNode('/orders'), 4);
    const refused = await sluice('apply', '-f', configFile, '--prune');
    const [during, after] = await Promise.all([load.stop(), late.stop()]);
    await cluster.postgres.restart();

    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/database|store/i);
    expect([...during.failures]).toEqual([]);
    expect(after.instances.get('orders-2') ?? 0).toBe(0);
    expect(after.answers).toBeGreaterThan(0);
    await registerInstances(cluster.consul.url, 'orders', [
      { id: 'orders-2', address: '127.0.0.1', port: cluster.demo.ordersPorts[1] ?? 0, weight: 1 },
    ]);
    await eventually('writes work again', 10_000, async () => (await sluice('apply', '-f', configFile)).code === 0);
  }, 60_000);

  it('serves 10 s of load without a failure with both control planes killed, and starts a node from its last good snapshot', async () => {
    await sleep(1_500);
    await Promise.all(cluster.controlPlanes.map((plane) => plane.kill()));
    const load = startLoad([...everyNode('/orders'), ...everyNode('/v1/shelves/1')], 4);
    const restarted = await cluster.addNode('node-4', await copyOfStateDir());
    const fromLastGood = await Promise.all(
      ['/orders', '/v1/shelves/1'].map((path) => client.send(restarted.url + path)),
    );
    await sleep(10_000);
    const { answers, failures } = await load.stop();

    expect(fromLastGood.map(({ status }) => status)).toEqual([200, 200]);
    expect([...failures]).toEqual([]);
    expect(answers).toBeGreaterThan(1_000);
  }, 60_000);

  const copyOfStateDir = async (): Promise<string> => {
    const copy = join(folder, 'copied-state');
    await cp(cluster.stateDirOf('node-1'), copy, { recursive: true });
    return copy;
  };
});
