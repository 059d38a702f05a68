import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { httpService, prefixRoute } from '../support/admin-config.js';
import { startAdmin } from '../support/admin.js';
import { TestFolder } from '../support/cli.js';

import type { AdminFixture } from '../support/admin.js';
import type { CliResult } from '../support/cli.js';

const program = fileURLToPath(new URL('../../dist/deploy/sluice.js', import.meta.url));

let admin: AdminFixture;
let folder: TestFolder;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.close());

beforeEach(async () => {
  folder = new TestFolder();
  await admin.client.call('apply', { services: [httpService()], routes: [prefixRoute()], prune: true });
  return () => folder.close();
});

/** Runs the command as people do, from a folder of its own. */
function sluice(args: readonly string[], { stdin = '', address = admin.address } = {}): Promise<CliResult> {
  return new Promise((resolve) => {
    const options = { cwd: folder.path, env: { ...process.env, SLUICE_ADMIN: address }, timeout: 30_000 };
    const child = execFile(process.execPath, [program, ...args], options, (error, out, err) =>
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err }),
    );
    child.stdin?.end(stdin);
  });
}

test('the command reads files by their path and ends with 0 when all is done', async () => {
  folder.file('conf/gw.yaml', 'routes: [{ name: a, paths: [/a], service: orders }]\n');

  const result = await sluice(['apply', '-f', 'conf']);

  expect(result).toEqual({ code: 0, out: `+ route a\n1 changed in revision ${await admin.revision()}\n`, err: '' });
});

test('what it dumps it takes on standard input, without a change', async () => {
  const { out: text } = await sluice(['dump']);

  const applied = await sluice(['apply', '--prune', '-f', '-'], { stdin: text });

  expect(text).toContain('name: orders-read');
  expect(applied).toMatchObject({ code: 0, out: `nothing to change at revision ${await admin.revision()}\n` });
});

test('it ends with 1 and the reason on standard error when the file is refused', async () => {
  const text = 'routes:\n  - { name: a, paths: [/a], service: nowhere }\n';

  const result = await sluice(['apply', '-f', '-'], { stdin: text });

  expect(result).toEqual({
    code: 1,
    out: '',
    err: '(standard input):2: route "a" service: there is no service "nowhere"\n',
  });
});

test('it ends with 2 on wrong usage', async () => {
  const flag = await sluice(['nodes', '--frobnicate']);
  const file = await sluice(['apply', '-f', 'nowhere.yaml']);

  expect(flag).toMatchObject({ code: 2, out: '', err: expect.stringContaining("unknown option '--frobnicate'") });
  expect(file).toEqual({ code: 2, out: '', err: 'nowhere.yaml: there is no such file\n' });
});

test('it ends with 3 when no control plane answers', async () => {
  const result = await sluice(['nodes'], { address: '127.0.0.1:1' });

  expect(result).toMatchObject({ code: 3, out: '' });
  expect(result.err).toContain('no control plane answers at 127.0.0.1:1');
});

test('help ends with 0', async () => {
  const { code, out } = await sluice(['apply', '--help']);

  expect(code).toBe(0);
  expect(out).toContain('--expected-revision');
});
