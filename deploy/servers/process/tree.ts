import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

type Entry = { readonly pid: number; readonly parent: number; readonly state: string };

/** A process and all its descendants, parents first. Where there is no /proc, the process only. */
export async function processTree(pid: number): Promise<readonly number[]> {
  const entries = await readEntries();
  const tree = [pid];
  for (const parent of tree) tree.push(...entries.filter((e) => e.parent === parent).map((e) => e.pid));
  return tree;
}

/** Sends a signal to each process that is still there. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Resolves when all are gone (a zombie is gone: it holds no port, file or memory), or at the deadline. */
export async function waitUntilGone(pids: readonly number[], timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while ((await someAlive(pids)) && Date.now() < deadline) await sleep(10);
}

async function someAlive(pids: readonly number[]): Promise<boolean> {
  const entries = await Promise.all(pids.map(readEntry));
  return entries.some((entry) => entry !== undefined && entry.state !== 'Z');
}

async function readEntries(): Promise<readonly Entry[]> {
  const names = await readdir('/proc').catch(() => []);
  const entries = await Promise.all(names.filter((name) => /^\d+$/.test(name)).map((name) => readEntry(Number(name))));
  return entries.filter((entry) => entry !== undefined);
}

async function readEntry(pid: number): Promise<Entry | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The second field is the command in brackets and may hold blanks and brackets itself.
  const [state = '', parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return parent === undefined ? undefined : { pid, parent: Number(parent), state };
}
