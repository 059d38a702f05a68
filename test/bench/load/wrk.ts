import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageFile } from '../../../deploy/package-file.js';
import { findBinary, makeWorkDir } from '../../../deploy/servers/servers.js';
import type { LoadOptions, LoadResult } from './contract.js';
import { runPinned } from './pinned.js';
import { requestText } from './request.js';

/** One thread of wrk, which gives its result by a script. */
export async function runWrk({ port, tls, request, connections, seconds, core }: LoadOptions): Promise<LoadResult> {
  const wrk = await findBinary('wrk');
  const workDir = await makeWorkDir('bench-wrk', undefined);
  try {
    const file = join(workDir, 'request');
    await writeFile(file, requestText(request), 'latin1');
    const size = ['-t1', `-c${connections}`, `-d${seconds}s`];
    const script = ['-s', packageFile('test/bench/load/wrk.lua')];
    const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}${request.path}`;
    const output = await runPinned(core, wrk, [...size, ...script, url, '--', file]);
    const line = /^result (\{.*\})$/m.exec(output)?.[1];
    if (line === undefined) throw new Error(`wrk gives no result for ${url}: ${output}`);
    return JSON.parse(line) as LoadResult;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
