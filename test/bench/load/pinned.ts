import { libraryEnv, run } from '../../../deploy/servers/binaries/binaries.js';
import type { Binary } from '../../../deploy/servers/servers.js';

/** Runs a load generator to its end, on this core only; what it prints. */
export function runPinned(core: number, { path, libraryDirs }: Binary, args: readonly string[]): Promise<string> {
  return run('taskset', ['-c', String(core), path, ...args], { env: { ...process.env, ...libraryEnv(libraryDirs) } });
}
