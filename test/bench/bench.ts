import { parseArgs } from 'node:util';
import { codecBench } from './codec/codec.js';
import { grpcBench } from './grpc/grpc.js';
import { UsageError, type Bench, type BenchOptions, type BenchResult } from './harness/harness.js';
import { jsonLine, table } from './harness/report.js';
import { proxyBench } from './proxy/proxy.js';
import { routeBench } from './route/route.js';
import { transcodeBench } from './transcode/transcode.js';

/** `npm run bench -- NAME`: docs/benchmarks.md says what each one measures and how to read it. */
const benches: Readonly<Record<string, Bench>> = {
  proxy: proxyBench,
  transcode: transcodeBench,
  grpc: grpcBench,
  route: routeBench,
  codec: codecBench,
};

const usage = `npm run bench -- ${Object.keys(benches).join('|')} [--json] [--rounds N] [--seconds N] [--case NAME,…] [--system NAME,…]`;

async function main(): Promise<number> {
  const { name, json, options } = readArguments();
  const bench = benches[name];
  if (bench === undefined) throw new UsageError(`there is no bench ${JSON.stringify(name)}`);
  const result = await bench(options);
  console.log(table(result));
  if (json) console.log(jsonLine(name, result));
  return verdict(result);
}

function readArguments(): { readonly name: string; readonly json: boolean; readonly options: BenchOptions } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string', default: '1' },
      case: { type: 'string' },
      system: { type: 'string' },
    },
  });
  const [name = ''] = positionals;
  const options = {
    rounds: values.rounds === undefined ? null : count('rounds', values.rounds),
    seconds: count('seconds', values.seconds),
    cases: values.case?.split(',') ?? null,
    systems: values.system?.split(',') ?? null,
    progress: (line: string) => process.stderr.write(`${line}\n`),
  };
  return { name, json: values.json, options };
}

function count(flag: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text))
    throw new UsageError(`--${flag} must be a whole number from 1 to 9999, not "${text}"`);
  return Number(text);
}

/** Figures of a system that fails some requests say nothing. */
function verdict({ rows }: BenchResult): number {
  const failed = rows.filter(({ errors }) => errors > 0);
  for (const row of failed) console.error(`bench: ${row.system} failed ${row.errors} requests of case ${row.case}`);
  return failed.length === 0 ? 0 : 1;
}

// With an exit the servers end and their folders go.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}${isUsage ? `\n${usage}` : ''}`);
  process.exitCode = isUsage ? 2 : 1;
}
