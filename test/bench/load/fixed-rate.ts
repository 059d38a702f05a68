import { fileURLToPath } from 'node:url';
import { run } from '../../../deploy/servers/binaries/binaries.js';
import type { FixedRate } from './fixed-rate-client.js';
import type { LoadOptions, LoadResult } from './contract.js';

/** The generator is a process of its own, on its own core: here it would wait for whatever else runs. */
export async function runAtRate(options: LoadOptions, requestsPerSecond: number): Promise<LoadResult> {
  const { port, request, connections, seconds, core } = options;
  const { method, path, headers, body } = request;
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  const text = `${method} ${path} HTTP/1.1\r\n${fields.join('')}${length}\r\n${body}`;
  const work: FixedRate = { port, text, connections, seconds, requestsPerSecond };
  const script = fileURLToPath(new URL('fixed-rate-client.js', import.meta.url));
  const output = await run('taskset', ['-c', String(core), process.execPath, script, JSON.stringify(work)], {
    env: process.env,
  });
  return JSON.parse(output) as LoadResult;
}
