import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';

import { AdminError, code } from '../errors.js';

export interface FolderLock {
  release(): Promise<void>;
}

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as the system counts; '' where it does not say. Tells a reused pid from the one that locked. */
  readonly began: string;
}

const BEAT_MS = 2000;
const DEAD_AFTER_MS = 10_000;
const ATTEMPTS = 3;

/**
 * Locks `folder` for this process until release() or the end of the process, by a file beside it: node has no flock.
 * A lock left by a process that is gone is taken over; one of another machine or container, when it has not been renewed
 * for 10 s. Throws AdminError FAILED_PRECONDITION, reason STORE_IN_USE, naming the owner.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const file = `${folder.replace(/\/+$/, '')}.lock`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await tryCreate(file)) return keep(file);
    const owner = await readOwner(file);
    if (owner !== undefined && (await isAlive(owner, file))) throw inUse(folder, file, owner);
    await removeStale(file);
  }
  throw new AdminError(
    code.failedPrecondition,
    'STORE_IN_USE',
    `${folder} is being opened by another process (${file})`,
  );
}

async function tryCreate(file: string): Promise<boolean> {
  const owner: Owner = { pid: process.pid, host: hostname(), began: await processStart(process.pid) };
  try {
    await writeFile(file, JSON.stringify(owner), { flag: 'wx' });
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

function keep(file: string): FolderLock {
  const beat = setInterval(() => {
    const now = new Date();
    void utimes(file, now, now).catch(() => undefined);
  }, BEAT_MS);
  beat.unref();
  return {
    async release() {
      clearInterval(beat);
      await rm(file, { force: true });
    },
  };
}

/** Two who find the same dead lock must not both remove it: the second would remove the lock that the first has just made. */
async function removeStale(file: string): Promise<void> {
  const removing = `${file}.removing`;
  try {
    await writeFile(removing, '', { flag: 'wx' });
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    // Whoever is at it takes milliseconds, unless it died there.
    if ((await ageMs(removing)) > DEAD_AFTER_MS) await rm(removing, { force: true });
    return;
  }
  try {
    const owner = await readOwner(file);
    if (owner === undefined || !(await isAlive(owner, file))) await rm(file, { force: true });
  } finally {
    await rm(removing, { force: true });
  }
}

async function isAlive(owner: Owner, file: string): Promise<boolean> {
  if (owner.host !== hostname()) return (await ageMs(file)) < DEAD_AFTER_MS;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (!hasCode(error, 'EPERM')) return false;
  }
  return owner.began === (await processStart(owner.pid));
}

/** Field 22 of /proc/PID/stat, counted after the name, which may hold spaces and parentheses; '' where there is no /proc. */
async function processStart(pid: number): Promise<string> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

/** Undefined when the file is gone, or was not written to its end by one who died. */
async function readOwner(file: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Owner;
  } catch {
    return (await ageMs(file)) < BEAT_MS ? { pid: process.pid, host: '', began: '' } : undefined;
  }
}

async function ageMs(file: string): Promise<number> {
  const found = await stat(file).catch(() => undefined);
  return found === undefined ? Infinity : Date.now() - found.mtimeMs;
}

function inUse(folder: string, file: string, owner: Owner): AdminError {
  const who = owner.pid === process.pid ? 'this process already' : `process ${owner.pid} on ${owner.host}`;
  return new AdminError(code.failedPrecondition, 'STORE_IN_USE', `${folder} is in use by ${who} (${file})`);
}

function hasCode(error: unknown, wanted: string): boolean {
  return error instanceof Error && 'code' in error && error.code === wanted;
}
