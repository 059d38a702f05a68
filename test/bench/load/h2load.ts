import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findBinary, makeWorkDir } from '../../../deploy/servers/servers.js';
import type { LoadOptions, LoadResult } from './contract.js';
import { runPinned } from './pinned.js';

/** Connections that calls are spread over; each has an equal share of the calls in flight. */
const callConnections = 8;

/**
 * One thread of h2load that sends gRPC calls over HTTP/2, as many at a time as `connections` says. The number of calls is what
 * a first few tell the system can take in `seconds`: a load that ends in the middle of calls would leave systems with broken
 * connections. A call whose reply is not as long as it should be counts as failed: its status, which stands in the trailers, is
 * not looked at.
 */
export async function runH2load(options: LoadOptions, replyBytes: number): Promise<LoadResult> {
  const workDir = await makeWorkDir('bench-h2load', undefined);
  try {
    await writeFile(join(workDir, 'data'), options.request.body, 'latin1');
    const first = await sendCalls(options, 10 * options.connections, replyBytes, workDir);
    const count = Math.ceil((options.seconds * 1e6 * first.requests) / first.micros);
    const rest = await sendCalls(options, Math.max(count, options.connections), replyBytes, workDir);
    return {
      ...rest,
      requests: first.requests + rest.requests,
      micros: first.micros + rest.micros,
      errors: first.errors + rest.errors,
    };
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function sendCalls(
  { port, tls, request, connections, core }: LoadOptions,
  count: number,
  replyBytes: number,
  workDir: string,
): Promise<LoadResult> {
  const [data, log] = [join(workDir, 'data'), join(workDir, 'log')];
  const streams = Math.max(1, Math.round(connections / callConnections));
  const size = ['-t1', `-c${callConnections}`, `-m${streams}`, `-n${count}`, `--data=${data}`, `--log-file=${log}`];
  const fields = Object.entries(request.headers).map(([name, value]) => `--header=${name}: ${value}`);
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}${request.path}`;
  const output = await runPinned(core, await findBinary('h2load'), [...size, ...fields, url]);
  return resultOf(output, await readFile(log, 'utf8'), count, replyBytes);
}

const unitMicros: Readonly<Record<string, number>> = { s: 1e6, ms: 1e3, us: 1 };

function resultOf(output: string, log: string, count: number, replyBytes: number): LoadResult {
  const time = /^finished in ([\d.]+)(s|ms|us),/m.exec(output);
  const succeeded = /requests: .* (\d+) succeeded,/.exec(output);
  const data = /\((\d+)\) data/.exec(output);
  if (time === null || succeeded === null || data === null) throw new Error(`h2load gives no result: ${output}`);
  const short = Math.ceil(Math.max(0, count * replyBytes - Number(data[1])) / replyBytes);
  const micros = Float64Array.from(log.split('\n').filter(Boolean), (line) => Number(line.split('\t')[2])).toSorted();
  return {
    requests: Number(succeeded[1]),
    micros: Number(time[1]) * (unitMicros[time[2] ?? ''] ?? 1),
    errors: Math.max(count - Number(succeeded[1]), short),
    p50Micros: micros[Math.floor(micros.length * 0.5)] ?? 0,
    p99Micros: micros[Math.floor(micros.length * 0.99)] ?? 0,
  };
}
