import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

import { libraryEnv } from '../binaries/binaries.js';

import type { ChildProcess } from 'node:child_process';
import type { Binary } from '../binaries/binaries.js';
import type { User } from '../user.js';

export type SpawnOptions = {
  readonly binary: Binary;
  readonly args: readonly string[];
  readonly user: User | undefined;
  readonly workDir: string;
  /** What the kernel sends the server when our process dies without a word. */
  readonly orphanSignal: 'QUIT' | 'KILL';
};

const SETPRIV = '/usr/bin/setpriv';

/**
 * Starts a server in its own folder with next to no environment, so that nothing of the caller's can change it.
 * On Linux it dies with the thread that started it: setpriv replaces itself by the server (the pid stays the same)
 * and has the kernel send it the signal, even if we are killed by SIGKILL.
 */
export function spawnServer({ binary, args, user, workDir, orphanSignal }: SpawnOptions): ChildProcess {
  const guarded = process.platform === 'linux' && existsSync(SETPRIV);
  const command = guarded ? SETPRIV : binary.path;
  const guard = guarded ? ['--pdeathsig', orphanSignal, '--', binary.path] : [];
  return spawn(command, [...guard, ...args], {
    cwd: workDir,
    env: { LC_ALL: 'C', PATH: '/usr/bin:/bin', ...libraryEnv(binary.libraryDirs) },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  });
}
