import { readFile } from 'node:fs/promises';
import { processTree } from '../../../deploy/servers/servers.js';

/** What the process and its children hold of the machine's memory. */
export async function residentBytes(pid: number): Promise<number> {
  const sizes = await Promise.all((await processTree(pid)).map(residentOf));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

async function residentOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return 1_024 * Number(/^VmRSS:\s*(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN);
}
