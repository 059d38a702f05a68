import { isDeepStrictEqual } from 'node:util';
import { chosen, type Bench, type BenchOptions, type Row } from '../harness/harness.js';
import { median } from '../harness/stats.js';
import { payloads } from './payloads.js';
import { codecSystems } from './systems.js';

/**
 * The codecs alone, in this process: one message per "request", JSON to wire and wire to JSON, beside protobuf-es and
 * protobufjs. All three see every payload before any is measured, as a gateway serves many types at once.
 */
export const codecBench: Bench = (options) => {
  const systems = chosen(codecSystems(), options.systems, 'system');
  const cases = chosen(casesOf(systems), options.cases, 'case');
  for (const { name, runs } of cases) {
    options.progress(`${name}: warming up`);
    for (const run of runs) warmUp(run);
  }
  return Promise.resolve({ rows: cases.flatMap((each) => measure(each, options)), skipped: [], reference });
};

const reference = 'protobuf-es';
const defaultRounds = 9;
const warmUpMillis = 150;
/** A conversion is too short for the clock. */
const batchMicros = 500;

type Run = () => Uint8Array;

interface CodecCase {
  readonly name: string;
  readonly systems: readonly string[];
  readonly runs: readonly Run[];
}

function casesOf(systems: ReturnType<typeof codecSystems>): CodecCase[] {
  const names = systems.map(({ name }) => name);
  return payloads.flatMap((payload) => {
    const json = Buffer.from(payload.json);
    const codecs = systems.map((system) => system.codec(payload));
    const wire = sameWire(payload.name, codecs, json);
    for (const [i, codec] of codecs.entries()) checkJson(`${payload.name}, ${names[i]}`, codec.toJson(wire), json);

    return [
      { name: `${payload.name}/to-wire`, systems: names, runs: codecs.map((codec) => () => codec.toWire(json)) },
      { name: `${payload.name}/to-json`, systems: names, runs: codecs.map((codec) => () => codec.toJson(wire)) },
    ];
  });
}

/** A fast wrong answer is no answer: all must write the same bytes. */
function sameWire(name: string, codecs: readonly { toWire(json: Buffer): Uint8Array }[], json: Buffer): Uint8Array {
  const [first, ...others] = codecs.map((codec) => Buffer.from(codec.toWire(json)));
  if (first === undefined) throw new Error('there is nothing to measure');
  if (others.some((other) => !other.equals(first))) throw new Error(`${name}: the systems write different bytes`);
  return first;
}

function checkJson(name: string, printed: Uint8Array, json: Buffer): void {
  const text = Buffer.from(printed).toString('utf8');
  if (!isDeepStrictEqual(JSON.parse(text), JSON.parse(json.toString('utf8'))))
    throw new Error(`${name}: prints ${text}`);
}

function warmUp(run: Run): void {
  const end = performance.now() + warmUpMillis;
  while (performance.now() < end) repeat(run, 16);
}

/** The systems take turns, so that whatever slows the machine for a while slows all of them. */
function measure({ name, systems, runs }: CodecCase, { seconds, rounds, progress }: BenchOptions): Row[] {
  progress(name);
  const count = rounds ?? defaultRounds;
  const sizes = runs.map(batchSize);
  const samples = runs.map((): Sample[] => []);
  for (let round = 0; round < count; round++) {
    for (const [i, run] of runs.entries()) {
      samples[i]?.push(sample(run, sizes[i] as number, (seconds * 1e6) / (count * runs.length)));
    }
  }
  return systems.map((system, i) => toRow(name, system, samples[i] as Sample[]));
}

interface Sample {
  readonly cpuMicros: number;
  readonly p50Micros: number;
  readonly p99Micros: number;
}

function batchSize(run: Run): number {
  const start = performance.now();
  repeat(run, 64);
  return Math.max(1, Math.ceil((batchMicros * 64) / ((performance.now() - start) * 1_000)));
}

/** CPU time of the process is that of the collector's threads as well. */
function sample(run: Run, size: number, micros: number): Sample {
  const batches: number[] = [];
  const before = process.cpuUsage();
  const start = performance.now();
  let last = start;
  while ((last - start) * 1_000 < micros) {
    repeat(run, size);
    const now = performance.now();
    batches.push(((now - last) * 1_000) / size);
    last = now;
  }
  const used = process.cpuUsage(before);
  const sorted = batches.toSorted((a, b) => a - b);
  return {
    cpuMicros: (used.user + used.system) / (batches.length * size),
    p50Micros: median(sorted),
    p99Micros: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
  };
}

function repeat(run: Run, times: number): void {
  for (let i = 0; i < times; i++) run();
}

function toRow(name: string, system: string, samples: readonly Sample[]): Row {
  const middle = (figure: (sample: Sample) => number): number => median(samples.map(figure));
  const p50Micros = middle((each) => each.p50Micros);
  return {
    case: name,
    system,
    rps: 1e6 / p50Micros,
    cpuMicrosPerRequest: middle((each) => each.cpuMicros),
    p50Ms: p50Micros / 1_000,
    p99Ms: middle((each) => each.p99Micros) / 1_000,
    errors: 0,
  };
}
