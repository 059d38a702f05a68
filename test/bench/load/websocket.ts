import { fileURLToPath } from 'node:url';
import type { LoadOptions, LoadResult } from './contract.js';
import { runPinned } from './pinned.js';
import { requestText } from './request.js';
import type { WebSocketLoad } from './websocket-client.js';

/** Messages instead of requests, on connections that the request upgrades. */
export async function runWebSocket({ port, request, connections, seconds, core }: LoadOptions): Promise<LoadResult> {
  const load: WebSocketLoad = { port, handshake: requestText(request), connections, seconds };
  const script = fileURLToPath(new URL('websocket-client.js', import.meta.url));
  const node = { path: process.execPath, libraryDirs: [] };
  return JSON.parse(await runPinned(core, node, [script, JSON.stringify(load)])) as LoadResult;
}
