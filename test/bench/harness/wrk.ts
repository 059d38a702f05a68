import { packageFile } from '../../../deploy/package-file.js';
import { libraryEnv, run } from '../../../deploy/servers/binaries/binaries.js';
import { findBinary } from '../../../deploy/servers/servers.js';
import type { HttpRequest } from './request.js';

export interface LoadOptions {
  readonly port: number;
  readonly request: HttpRequest;
  readonly connections: number;
  readonly seconds: number;
  /** The core it runs on. */
  readonly core: number;
}

/** What the load generator saw. Latencies are those of a saturated system: each connection sends as soon as it has its answer. */
export interface LoadResult {
  readonly requests: number;
  readonly micros: number;
  /** Failed connections, broken answers, timeouts, and statuses that are not 2xx or 3xx. */
  readonly errors: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

/** Loads a port of 127.0.0.1 with one thread of wrk. */
export async function runWrk({ port, request, connections, seconds, core }: LoadOptions): Promise<LoadResult> {
  const wrk = await findBinary('wrk');
  const headers = Object.entries(request.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const size = ['-t1', `-c${connections}`, `-d${seconds}s`];
  const script = ['-s', packageFile('test/bench/harness/wrk.lua')];
  const url = `http://127.0.0.1:${port}${request.path}`;
  const args = ['-c', String(core), wrk.path, ...size, ...headers, ...script, url, '--', request.method, request.body];
  const output = await run('taskset', args, { env: { ...process.env, ...libraryEnv(wrk.libraryDirs) } });
  const line = /^result (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk gives no result for ${url}: ${output}`);
  return JSON.parse(line) as LoadResult;
}
