import { readFile } from 'node:fs/promises';
import { run } from '../../../deploy/servers/binaries/binaries.js';
import { processTree } from '../../../deploy/servers/servers.js';

/** The system under test has one core, everything else the other: then a ratio of CPU times is one of work done. */
export const systemCore = 0;
export const loadCore = 1;

/** Linux tells user space ticks of 10 ms, whatever the kernel's own. */
const microsPerTick = 10_000;

/** User and system time, all threads, that the process and its children have used. */
export async function cpuMicros(pid: number): Promise<number> {
  const times = await Promise.all((await processTree(pid)).map(ticksOf));
  return microsPerTick * times.reduce((sum, ticks) => sum + ticks, 0);
}

/** Keeps a process, its threads and its children on one core; what they start later stays there too. */
export async function pin(pid: number, core: number): Promise<void> {
  for (const each of await processTree(pid)) {
    await run('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(each)], { env: process.env });
  }
}

async function ticksOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The command, in brackets, may hold blanks itself. utime and stime are fields 14 and 15 of the line.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Time of this machine's cores that went to other guests of its host, while something here wanted to run (proc(5): steal). */
export async function stolenMicros(): Promise<number> {
  const [all = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  return microsPerTick * Number(all.split(/ +/)[8]);
}
