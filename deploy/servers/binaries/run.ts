import { execFile } from 'node:child_process';

import type { ExecFileException } from 'node:child_process';

export type RunOptions = {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
};

// A package list of ten megabytes over a slow line.
const TIMEOUT_MS = 180_000;
const MAX_OUTPUT_BYTES = 16 << 20;

/** Runs a tool to its end and gives its standard output; a failure is an Error of one short line, fit for a sentence. */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { ...options, timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${command}: ${reasonOf(error, stderr)}`, { cause: error }));
      },
    );
  });
}

function reasonOf(error: ExecFileException, stderr: string): string {
  if (error.code === 'ENOENT') return 'not found';
  if (error.killed === true) return 'took too long';
  // apt says the cause first and what follows from it last; `W:` lines are noise.
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  return (
    lines
      .find((line) => line.startsWith('E:'))
      ?.slice(2)
      .trim() ??
    lines.at(-1) ??
    error.message
  );
}
