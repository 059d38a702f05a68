import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entryPoint } from '../../deploy/cluster/member.js';
import { packageFile } from '../../deploy/package-file.js';
import { eventually, TestClient } from '../support/load.js';

const run = promisify(execFile);
const root = packageFile('.');

interface Standalone {
  readonly child: ChildProcess;
  output(): string;
  stop(signal: NodeJS.Signals): Promise<number | null>;
}

function startStandalone(dataDir: string): Standalone {
  const args = [
    entryPoint,
    'standalone',
    '--demo',
    '--data-dir',
    dataDir,
    '--state-dir',
    join(dataDir, 'node'),
    '--log-level',
    'warn',
  ];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    child,
    output: () => output,
    stop: async (signal) => {
      const exited = once(child, 'exit');
      child.kill(signal);
      return ((await exited) as [number | null])[0];
    },
  };
}

describe('`npm start`', () => {
  const client = new TestClient();
  let dataDir: string;
  let standalone: Standalone;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'sluice-standalone-'));
  });

  afterAll(async () => {
    client.close();
    if (standalone.child.exitCode === null) await standalone.stop('SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
  });

  it('answers within 10 s of its start', async () => {
    const startedMs = performance.now();
    standalone = startStandalone(dataDir);
    await eventually(`an answer; the output is ${standalone.output()}`, 15_000, async () => {
      const answer = await client.send('http://127.0.0.1:8080/orders').catch(() => null);
      return answer?.status === 200;
    });

    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  it('prints commands that work as printed', async () => {
    await eventually('the commands are printed', 10_000, () => standalone.output().includes('sluice -- nodes'));
    const commands = standalone
      .output()
      .split('\n')
      .filter((line) => /^ {2}(curl|npm run) /.test(line));

    expect(commands.length).toBeGreaterThan(5);
    for (const command of commands) {
      const { stdout } = await run('bash', ['-c', `set -o pipefail; ${command.trim()}`], { cwd: root });
      expect(stdout, command).toMatch(/orders|shel|title|NAME|NODE|nothing|HTTP/);
      expect(stdout, command).not.toMatch(/x-sluice-error/i);
    }
  });

  it('spreads requests over the instances of a service', async () => {
    const instances = await Promise.all(
      Array.from({ length: 40 }, async () =>
        String((await client.send('http://127.0.0.1:8080/orders')).headers['x-instance']),
      ),
    );

    expect(instances.filter((instance) => instance === 'orders-1')).toHaveLength(30);
    expect(instances.filter((instance) => instance === 'orders-2')).toHaveLength(10);
  });

  it('describes its API, and says what it would do with a call', async () => {
    const document = await client.send('http://127.0.0.1:9902/openapi.json');
    const tried = await run(process.execPath, [entryPoint, 'transcode', 'try', 'GET', '/v1/shelves/1'], { cwd: root });

    expect(JSON.parse(document.body)).toMatchObject({
      openapi: '3.1.0',
      paths: { '/v1/shelves/{shelf}': { get: { operationId: 'Bookstore_GetShelf' } } },
    });
    expect(tried.stdout).toContain('calls bookstore.v1.Bookstore/GetShelf');
  });

  it('ends on Ctrl-C with everything it started, and keeps what the admin API changed', async () => {
    await run(process.execPath, [entryPoint, 'delete', 'route', 'orders'], { cwd: root });
    const code = await standalone.stop('SIGINT');
    await expect(client.send('http://127.0.0.1:8080/v1/shelves')).rejects.toThrow();
    standalone = startStandalone(dataDir);
    await eventually('it answers again', 15_000, async () => {
      const answer = await client.send('http://127.0.0.1:8080/v1/shelves').catch(() => null);
      return answer?.status === 200;
    });

    expect(code).toBe(0);
    expect((await client.send('http://127.0.0.1:8080/orders')).status).toBe(404);
    expect(await standalone.stop('SIGTERM')).toBe(0);
  }, 40_000);
});
