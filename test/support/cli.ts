import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { Command, CommanderError } from 'commander';

import { addAdminCommands } from '../../control-plane/cli/cli.js';

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs an admin command in this process, as deploy/sluice.ts does in its own; every folder name in the output becomes `DIR`. */
export async function runCli(address: string, args: readonly string[], folder?: TestFolder): Promise<CliResult> {
  const out: string[] = [];
  const err: string[] = [];
  let code = -1;
  const program = new Command('sluice')
    .option('--address <host:port>')
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.push(text), writeErr: (text) => err.push(text) });
  addAdminCommands(program, {
    output: { line: (text) => out.push(`${text}\n`), error: (text) => err.push(`${text}\n`) },
    defaultAddress: address,
    exit: (given) => (code = given),
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    code = error.exitCode === 0 ? 0 : 2;
  }
  const clean = (lines: readonly string[]): string => lines.join('').replaceAll(folder?.path ?? '\0', 'DIR');
  return { code, out: clean(out), err: clean(err) };
}

/** A folder for config files, removed in the end. */
export class TestFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'sluice-cli-'));

  /** Writes a file, and gives its path. */
  file(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  close(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
