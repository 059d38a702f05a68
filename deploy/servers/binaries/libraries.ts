import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from './run.js';

/** The folders under an extracted root which hold shared libraries, for LD_LIBRARY_PATH. */
export async function libraryDirs(root: string): Promise<readonly string[]> {
  const bases = [join(root, 'usr/lib'), join(root, 'lib')];
  const nested = await Promise.all(bases.map(subfolders));
  const held = await Promise.all(
    [...bases, ...nested.flat()].map(async (dir) => ((await holdsLibrary(dir)) ? [dir] : [])),
  );
  return held.flat();
}

/** The shared libraries which neither the machine nor the given folders have; empty for a static binary. */
export async function missingLibraries(
  path: string,
  dirs: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  const output = await run('ldd', [path], { env: { ...env, ...libraryEnv(dirs), LC_ALL: 'C' } }).catch(
    (error: Error) => {
      if (error.message.includes('not a dynamic executable')) return '';
      throw error;
    },
  );
  return [...output.matchAll(/^\s*(\S+) => not found$/gm)].flatMap((match) => match[1] ?? []);
}

/** The environment which lets the loader find the folders' libraries. */
export function libraryEnv(dirs: readonly string[]): NodeJS.ProcessEnv {
  return dirs.length === 0 ? {} : { LD_LIBRARY_PATH: dirs.join(':') };
}

async function subfolders(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(dir, entry.name));
}

async function holdsLibrary(dir: string): Promise<boolean> {
  const names = await readdir(dir).catch(() => []);
  return names.some((name) => /\.so(\.|$)/.test(name));
}
