import { fileURLToPath } from 'node:url';
import { run } from '../../../deploy/servers/binaries/binaries.js';
import type { FixedRate } from './fixed-rate-client.js';
import type { LoadOptions, LoadResult } from './contract.js';
import { requestText } from './request.js';

/**
 * The generator is a process of its own, on its own core: here it would wait for whatever else runs. It never sleeps, to be on
 * time, so it makes way for the upstream that shares its core.
 */
export async function runAtRate(options: LoadOptions, requestsPerSecond: number): Promise<LoadResult> {
  const { port, request, connections, seconds, core } = options;
  const work: FixedRate = { port, text: requestText(request), connections, seconds, requestsPerSecond };
  const script = fileURLToPath(new URL('fixed-rate-client.js', import.meta.url));
  const command = ['-n', '19', 'taskset', '-c', String(core), process.execPath, script, JSON.stringify(work)];
  return JSON.parse(await run('nice', command, { env: process.env })) as LoadResult;
}
