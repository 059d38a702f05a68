import { packageFile } from '../../../deploy/package-file.js';
import { libraryEnv, run } from '../../../deploy/servers/binaries/binaries.js';
import { findBinary } from '../../../deploy/servers/servers.js';
import type { LoadOptions, LoadResult } from './contract.js';

/** One thread of wrk, which gives its result by a script. */
export async function runWrk({ port, request, connections, seconds, core }: LoadOptions): Promise<LoadResult> {
  const wrk = await findBinary('wrk');
  const headers = Object.entries(request.headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const size = ['-t1', `-c${connections}`, `-d${seconds}s`];
  const script = ['-s', packageFile('test/bench/load/wrk.lua')];
  const url = `http://127.0.0.1:${port}${request.path}`;
  const args = ['-c', String(core), wrk.path, ...size, ...headers, ...script, url, '--', request.method, request.body];
  const output = await run('taskset', args, { env: { ...process.env, ...libraryEnv(wrk.libraryDirs) } });
  const line = /^result (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk gives no result for ${url}: ${output}`);
  return JSON.parse(line) as LoadResult;
}
