import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { LoadOptions } from './contract.js';
import type { IdleLoad } from './idle-client.js';
import { requestText } from './request.js';

export interface IdleConnections {
  /** Ends them and gives how many had been closed by the other side before. */
  release(): Promise<number>;
}

/** Opens connections which have had one answer each and stay open. Their client is a process of its own. */
export async function openIdle(options: Omit<LoadOptions, 'seconds'>): Promise<IdleConnections> {
  const { port, request, connections, core } = options;
  const load: IdleLoad = { port, text: requestText(request), connections };
  const script = fileURLToPath(new URL('idle-client.js', import.meta.url));
  const args = ['-c', String(core), process.execPath, script, JSON.stringify(load)];
  // Its input ends with this process, and it with its input.
  const child = spawn('taskset', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const failure = text(child.stderr);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { done, value } = await lines.next();
    if (done === true) throw new Error(`cannot open ${connections} connections: ${(await failure).trim()}`);
    return value;
  };
  await next();
  return {
    release: async () => {
      child.stdin.end();
      const closed = Number((await next()).replace('closed ', ''));
      if (child.exitCode === null) await once(child, 'exit');
      return closed;
    },
  };
}
