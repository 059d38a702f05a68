import { fileURLToPath } from 'node:url';
import { run } from '../../../deploy/servers/binaries/binaries.js';
import type { LoadOptions, LoadResult } from './contract.js';
import { requestText } from './request.js';
import type { WebSocketLoad } from './websocket-client.js';

/** Messages instead of requests, on connections that the request upgrades. */
export async function runWebSocket({ port, request, connections, seconds, core }: LoadOptions): Promise<LoadResult> {
  const load: WebSocketLoad = { port, handshake: requestText(request), connections, seconds };
  const script = fileURLToPath(new URL('websocket-client.js', import.meta.url));
  const output = await run('taskset', ['-c', String(core), process.execPath, script, JSON.stringify(load)], {
    env: process.env,
  });
  return JSON.parse(output) as LoadResult;
}
