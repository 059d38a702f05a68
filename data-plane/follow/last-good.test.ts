import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { LastGoodSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { lastGoodFolder } from './last-good.js';

import type { LastGood } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { LastGoodStore } from './last-good.js';

let parent: string;
let folder: string;
let warned: Record<string, unknown>[];
let store: LastGoodStore;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'sluice-last-good-'));
  folder = join(parent, 'state');
  warned = [];
  store = lastGoodFolder(folder, { warn: (_text, fields) => void warned.push(fields ?? {}) });
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const state = (revision: bigint): LastGood => create(LastGoodSchema, { config: { version: { revision } } });

async function revisions(): Promise<unknown[]> {
  const read: unknown[] = [];
  for await (const { config } of store.newestFirst()) read.push(config?.version?.revision);
  return read;
}

test('the last three are kept, and read newest first', async () => {
  for (const revision of [1n, 2n, 3n, 4n, 3n]) await store.save(state(revision));

  expect(await revisions()).toEqual([3n, 4n, 3n]);
  expect((await readdir(folder)).length).toBe(3);
});

test('only the owner may read them', async () => {
  await store.save(state(1n));

  const [name = ''] = await readdir(folder);
  expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

test('a folder that is not there holds nothing', async () => {
  expect(await revisions()).toEqual([]);
});

test('what a process killed while writing left behind is neither read nor kept', async () => {
  await store.save(state(1n));
  await writeFile(join(folder, 'new.tmp'), 'half');

  expect(await revisions()).toEqual([1n]);
  await store.save(state(2n));
  expect((await readdir(folder)).toSorted()).toEqual(['000000000001-r1.lastgood', '000000000002-r2.lastgood']);
});

describe('a damaged file is passed over with its fault', () => {
  test.each<readonly [string, (file: string) => Promise<void>, string]>([
    ['cut off', (file) => truncate(file, 45), 'its checksum does not fit'],
    ['empty', (file) => truncate(file, 0), 'it does not begin as one'],
    ['with one bit flipped', flipLastBit, 'its checksum does not fit'],
    ['of another kind', (file) => writeFile(file, 'something else entirely'), 'it does not begin as one'],
  ])('%s', async (_name, damage, fault) => {
    await store.save(state(1n));
    await store.save(state(2n));

    await damage(join(folder, '000000000002-r2.lastgood'));

    expect(await revisions()).toEqual([1n]);
    expect(warned).toEqual([{ file: '000000000002-r2.lastgood', fault }]);
  });
});

test('a state that cannot be written leaves those before it', async () => {
  await store.save(state(1n));
  const blocked = lastGoodFolder(join(folder, '000000000001-r1.lastgood', 'below'), { warn: () => undefined });

  await expect(blocked.save(state(2n))).rejects.toThrow('ENOTDIR');

  expect(await revisions()).toEqual([1n]);
});

async function flipLastBit(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  await writeFile(file, bytes);
}
