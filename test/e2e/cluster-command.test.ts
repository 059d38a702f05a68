import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { packageFile } from '../../deploy/package-file.js';
import { eventually, TestClient } from '../support/load.js';

interface Addresses {
  readonly loadBalancer: { readonly url: string; readonly tlsPort: number; readonly pid: number };
  readonly nodes: readonly { readonly id: string; readonly url: string; readonly pid: number }[];
  readonly controlPlanes: readonly { readonly admin: string; readonly pid: number }[];
  readonly postgres: { readonly pid: number };
  readonly nats: { readonly pid: number };
  readonly consul: { readonly pid: number };
  readonly demo: { readonly pid: number };
}

it('`npm run cluster -- --json` is ready within 30 s, serves through its load balancer, and ends whole on Ctrl-C', async () => {
  const client = new TestClient();
  const startedMs = performance.now();
  const child = spawn(process.execPath, [packageFile('dist/deploy/cluster/run.js'), '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const addresses = JSON.parse(line) as Addresses;
  const readyMs = performance.now() - startedMs;
  const answers = await Promise.all(
    ['/orders', '/v1/shelves'].map((path) => client.send(addresses.loadBalancer.url + path)),
  );
  const secure = await getOverTls(`https://127.0.0.1:${addresses.loadBalancer.tlsPort}/orders`);
  client.close();
  const exited = once(child, 'exit');
  child.kill('SIGINT');
  const [code] = (await exited) as [number | null];

  expect(readyMs).toBeLessThan(30_000);
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(secure).toBe(200);
  expect(addresses.nodes).toHaveLength(3);
  expect(addresses.controlPlanes).toHaveLength(2);
  expect(code).toBe(0);
  const { loadBalancer, postgres, nats, consul, demo } = addresses;
  for (const { pid } of [...addresses.nodes, ...addresses.controlPlanes, loadBalancer, postgres, nats, consul, demo]) {
    await eventually(`process ${pid} is gone`, 5_000, () => !isAlive(pid));
  }
}, 90_000);

/** Trusts whoever answers. */
async function getOverTls(url: string): Promise<number | undefined> {
  const [response] = (await once(get(url, { agent: false, rejectUnauthorized: false }), 'response')) as [
    IncomingMessage,
  ];
  response.resume();
  return response.statusCode;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
