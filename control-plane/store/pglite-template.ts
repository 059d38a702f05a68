import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { PGlite } from '@electric-sql/pglite';

/**
 * An empty database as PGlite makes it, kept as an archive: unpacking it takes a fifth of the time that making one anew takes
 * (`PGlite.create` with and without it, in one run). It holds nothing of ours, so migrations run on it as on any other; it is
 * named after the version that made it, and one of another version is never read.
 */
export async function readTemplate(): Promise<Blob | undefined> {
  try {
    return new Blob([await readFile(await templateFile())]);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Makes the archive; done once, when the package is installed. */
export async function writeTemplate(): Promise<void> {
  const file = await templateFile();
  const pglite = await PGlite.create();
  const archive = await pglite.dumpDataDir('gzip');
  await pglite.close();
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.tmp`, Buffer.from(await archive.arrayBuffer()));
  await rename(`${file}.tmp`, file);
}

async function templateFile(): Promise<string> {
  const root = await packageRoot(import.meta.dirname);
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  return join(root, 'dist', `pglite-${manifest.dependencies['@electric-sql/pglite']}.tar.gz`);
}

async function packageRoot(folder: string): Promise<string> {
  const found = await readFile(join(folder, 'package.json')).then(
    () => true,
    () => false,
  );
  return found || folder === dirname(folder) ? folder : packageRoot(dirname(folder));
}
