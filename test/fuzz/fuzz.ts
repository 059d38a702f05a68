import { parseArgs } from 'node:util';
import type { Fuzzer } from './fuzzer.js';
import { fuzzCodec } from './codec/codec.js';
import { fuzzHttp1 } from './http1/http1.js';

/** `npm run fuzz -- NAME`: docs/fuzzing.md says what each one holds against what. */
const fuzzers: Readonly<Record<string, Fuzzer>> = { http1: fuzzHttp1, codec: fuzzCodec };

const usage = `npm run fuzz -- ${Object.keys(fuzzers).join('|')} [--cases N] [--seed N]`;

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      cases: { type: 'string', default: '100000' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    },
  });
  const [name = ''] = positionals;
  const fuzzer = fuzzers[name];
  if (fuzzer === undefined) throw new UsageError(`there is no fuzzer ${JSON.stringify(name)}`);
  const [cases, seed] = [count('cases', values.cases), count('seed', values.seed)];
  console.log(`fuzz ${name}: ${cases} cases of seed ${seed}`);
  const { summary, findings } = await fuzzer({
    cases,
    seed,
    requirePeers: false,
    brief: false,
    log: (line) => console.error(line),
  });
  for (const finding of findings) console.log(`\n${finding}`);
  console.log(`\n${summary}; ${findings.length === 0 ? 'nothing found' : `${findings.length} found`}`);
  return findings.length === 0 ? 0 : 1;
}

function count(flag: string, text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new UsageError(`--${flag} must be a whole number, not "${text}"`);
  return Number(text);
}

// With an exit the servers end and their folders go.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  console.error(`fuzz: ${error instanceof Error ? error.message : String(error)}${isUsage ? `\n${usage}` : ''}`);
  process.exitCode = isUsage ? 2 : 1;
}
