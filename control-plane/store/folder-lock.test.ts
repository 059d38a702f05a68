import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { lockFolder } from './folder-lock.js';

let parent: string;
let folder: string;
const file = (): string => `${folder}.lock`;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'lock-'));
  folder = join(parent, 'data');
});
afterEach(() => rm(parent, { recursive: true, force: true }));

it('a locked folder is refused, by name of its owner, until it is released', async () => {
  const lock = await lockFolder(folder);

  await expect(lockFolder(`${folder}/`)).rejects.toMatchObject({
    reason: 'STORE_IN_USE',
    message: expect.stringContaining('this process already') as string,
  });

  await lock.release();
  await (await lockFolder(folder)).release();
  expect(await readdir(parent)).toEqual([]);
});

it('of many who open a folder at once, also one with the lock of a dead process, exactly one gets it', async () => {
  await writeFile(file(), JSON.stringify({ pid: await deadPid(), host: hostname(), began: '1' }));

  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => lockFolder(folder)));

  const locks = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  expect(locks).toHaveLength(1);
  await locks[0]?.release();
});

it('the lock of another living process is respected', async () => {
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(other, 'spawn');
  const lock = await lockFolder(folder);
  const owner = JSON.parse(await readFile(file(), 'utf8')) as { began: string };
  await lock.release();
  const began = await startOf(other.pid ?? 0);
  await writeFile(file(), JSON.stringify({ ...owner, pid: other.pid, began }));

  await expect(lockFolder(folder)).rejects.toThrow(`process ${other.pid} on ${hostname()}`);

  other.kill();
  await once(other, 'exit');
  await (await lockFolder(folder)).release();
});

it('a pid that was given to another process since does not keep the lock', async () => {
  await writeFile(file(), JSON.stringify({ pid: process.ppid, host: hostname(), began: 'another time' }));

  const lock = await lockFolder(folder);

  expect(JSON.parse(await readFile(file(), 'utf8'))).toMatchObject({ pid: process.pid });
  await lock.release();
});

it('the lock of another machine is respected while it is renewed, and taken over after', async () => {
  await writeFile(file(), JSON.stringify({ pid: 1, host: 'elsewhere', began: '1' }));
  await expect(lockFolder(folder)).rejects.toThrow('process 1 on elsewhere');

  const longAgo = new Date(Date.now() - 60_000);
  await utimes(file(), longAgo, longAgo);

  await (await lockFolder(folder)).release();
});

it('a lock file that was never finished is taken over once it is old', async () => {
  await writeFile(file(), '{"pid":');
  await expect(lockFolder(folder)).rejects.toMatchObject({ reason: 'STORE_IN_USE' });

  const longAgo = new Date(Date.now() - 60_000);
  await utimes(file(), longAgo, longAgo);

  await (await lockFolder(folder)).release();
});

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

async function startOf(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
