import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { code } from '../../control-plane/errors.js';
import { openPglite } from '../../control-plane/store/pglite.js';
import { put } from './store.contract.js';

/** What only the embedded database has: a folder, which one process at a time may use. */

let parent = '';
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'pglite-'));
});
afterAll(() => rm(parent, { recursive: true, force: true }));

it('a folder that is open already is refused with a clear error, and stays usable by who has it', async () => {
  const dataDir = join(parent, 'deep', 'data');
  const store = await openPglite({ dataDir, lineage: randomUUID() });

  await expect(openPglite({ dataDir, lineage: randomUUID() })).rejects.toMatchObject({
    code: code.failedPrecondition,
    reason: 'STORE_IN_USE',
    message: expect.stringContaining(dataDir) as string,
  });

  expect((await put(store, 'a')).version.revision).toBe(1n);
  await store.close();
  expect(await readdir(join(parent, 'deep'))).toEqual(['data']);
});

it('a folder that holds something else is refused with a clear error and is not locked after', async () => {
  const dataDir = join(parent, 'other');
  await mkdir(dataDir);
  await writeFile(join(dataDir, 'PG_VERSION'), '9.6\n');

  await expect(openPglite({ dataDir, lineage: randomUUID() })).rejects.toMatchObject({
    code: code.unavailable,
    reason: 'STORE_UNAVAILABLE',
    message: expect.stringContaining(dataDir) as string,
  });

  expect(await readdir(parent)).not.toContain('other.lock');
});
