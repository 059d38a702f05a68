import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { openApt } from './apt.js';
import { libraryDirs, missingLibraries } from './libraries.js';
import { withLock } from './lock.js';
import { run } from './run.js';

import type { Apt } from './apt.js';

export type UnpackOptions = {
  /** The folder the packages are unpacked to: there as a whole, or not there. */
  readonly target: string;
  readonly cacheDir: string;
  readonly suite: string | undefined;
  readonly aptGet: string;
  readonly env: NodeJS.ProcessEnv;
};

export type DownloadOptions = UnpackOptions & {
  readonly packageName: string;
  /** Finds the wanted executable below an unpacked root. */
  readonly locate: (root: string) => Promise<string | undefined>;
};

/**
 * Unpacks a Debian package, and the shared libraries this machine lacks for it, into `target`. Installs nothing.
 * Safe to be called by several processes at once: one downloads, the others wait and find its result.
 */
export async function downloadPackage(options: DownloadOptions): Promise<void> {
  await intoTarget(options, (temp) => unpack(temp, options));
}

/** Unpacks exactly these Debian packages into `target`, on the same terms. */
export async function downloadPackages(packages: readonly string[], options: UnpackOptions): Promise<void> {
  await intoTarget(options, async (temp) => {
    const apt = await openApt({ ...options, dir: join(temp, 'apt') });
    await unpackInto(join(temp, 'root'), apt, packages, options.env);
  });
}

async function intoTarget({ target, cacheDir }: UnpackOptions, work: (temp: string) => Promise<void>): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  // The cache keeps itself out of git wherever it is put.
  await writeFile(join(cacheDir, '.gitignore'), '*\n');
  await withLock(target, async () => {
    if (await exists(target)) return;
    const temp = await mkdtemp(join(cacheDir, 'download-'));
    try {
      await work(temp);
      await rename(join(temp, 'root'), target);
    } finally {
      await rm(temp, { recursive: true, force: true });
    }
  });
}

/** Library packages, and the one that a package without content of its own (`postgresql`) stands for. */
const FOLLOWED = /^(lib.+|postgresql-\d+)$/;
const MAX_ROUNDS = 5;

async function unpack(temp: string, options: DownloadOptions): Promise<void> {
  const { packageName, suite, aptGet, env } = options;
  const root = join(temp, 'root');
  const apt = await openApt({ dir: join(temp, 'apt'), suite, aptGet, env });
  let wanted: readonly string[] = [packageName];
  let lacking: readonly string[] = [];
  for (let round = 0; round < MAX_ROUNDS && wanted.length > 0; round++) {
    const debs = await unpackInto(root, apt, wanted, env);
    lacking = await whatIsMissing(root, options);
    if (lacking.length === 0) return;
    wanted = await dependencies(debs, env);
  }
  throw new Error(`the package ${packageName} lacks ${lacking.join(', ')}`);
}

async function unpackInto(
  root: string,
  apt: Apt,
  packages: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  const debs = await apt.download(packages);
  for (const deb of debs) await run('dpkg', ['-x', deb, root], { env });
  return debs;
}

async function whatIsMissing(root: string, { locate, env }: DownloadOptions): Promise<readonly string[]> {
  const path = await locate(root);
  return path === undefined ? ['its executable'] : missingLibraries(path, await libraryDirs(root), env);
}

async function dependencies(debs: readonly string[], env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const fields = await Promise.all(debs.map((deb) => run('dpkg-deb', ['-f', deb, 'Depends'], { env })));
  const names = fields
    .flatMap((field) => field.split(','))
    .map((dependency) => dependency.trim().split(/[\s:(|]/)[0] ?? '')
    .filter((name) => FOLLOWED.test(name));
  const libraries = await installedLibraries(env);
  return [...new Set(names)].filter((name) => !libraries.has(name));
}

/** What is installed is found by the loader already; a second copy (of libc above all) could only do harm. */
async function installedLibraries(env: NodeJS.ProcessEnv): Promise<ReadonlySet<string>> {
  const output = await run('dpkg-query', ['-W', '-f', '${db:Status-Abbrev}${Package}\n', 'lib*'], { env });
  return new Set([...output.matchAll(/^ii +(\S+)$/gm)].flatMap((match) => match[1] ?? []));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
