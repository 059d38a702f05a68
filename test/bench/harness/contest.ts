import { availableParallelism } from 'node:os';
import { cpuMicros, pin } from './cpu.js';
import {
  chosen,
  type BenchOptions,
  type BenchResult,
  type Case,
  type Row,
  type Running,
  type System,
} from './harness.js';
import { loadAtRate, saturate, sendOnce, type LoadResult } from '../load/load.js';
import { median } from './stats.js';

/** Systems that do the same work in front of the same upstreams. */
export interface Contest {
  readonly reference: string;
  readonly systems: readonly System[];
  readonly cases: readonly Case[];
  startUpstream(): Promise<Upstream>;
}

export interface Upstream {
  readonly ports: readonly number[];
  readonly pid: number;
  stop(): Promise<void>;
}

interface Entrant {
  readonly name: string;
  readonly running: Running;
}

interface Measurement extends LoadResult {
  readonly cpuMicros: number;
}

/** The system under test has one core, everything else the other: then a ratio of CPU times is one of work done. */
const systemCore = 0;
const loadCore = 1;

/**
 * Starts upstream and systems once, then measures the systems of a case one after the other, round by round, so that whatever
 * slows the machine for a while slows all of them. Ends all it started, also when it fails.
 */
export async function runContest(contest: Contest, options: BenchOptions): Promise<BenchResult> {
  if (availableParallelism() < 2) throw new Error('needs two cores: one for the system, one for the load');
  const cases = chosen(contest.cases, options.cases, 'case').filter(
    ({ onRequest }) => !onRequest || options.cases !== null,
  );
  const systems = chosen(contest.systems, options.systems, 'system');
  const opened: { stop(): Promise<void> }[] = [];
  const skipped: { system: string; reason: string }[] = [];
  try {
    const upstream = await contest.startUpstream();
    opened.push(upstream);
    await pin(upstream.pid, loadCore);
    const entrants: Entrant[] = [];
    for (const system of systems) {
      try {
        const running = await system.start(upstream.ports);
        opened.push(running);
        await place(running);
        entrants.push({ name: system.name, running });
      } catch (error) {
        if (system.required) throw error;
        skipped.push({ system: system.name, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    const rows: Row[] = [];
    for (const each of cases) rows.push(...(await runCase(each, entrants, options)));
    return { rows, skipped, reference: contest.reference };
  } finally {
    for (const each of opened.toReversed()) await each.stop();
  }
}

async function place({ pid, helpers }: Running): Promise<void> {
  await pin(pid, systemCore);
  for (const helper of helpers) await pin(helper, loadCore);
}

async function runCase(each: Case, all: readonly Entrant[], options: BenchOptions): Promise<Row[]> {
  const entrants = all.filter(({ name }) => !each.without.includes(name));
  for (const entrant of entrants) await checkAnswer(each, entrant);
  const kept = entrants.map(({ name }) => ({ name, measurements: [] as Measurement[] }));
  const rounds = options.rounds ?? each.rounds;
  let rate: number | null = null;
  for (let round = 0; round <= rounds; round++) {
    options.progress(`${each.name}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`);
    for (const [i, entrant] of entrants.entries()) {
      kept[i]?.measurements.push(await measure(each, entrant, options.seconds, rate));
    }
    if (each.load === 'half') rate ??= Math.min(...kept.flatMap(({ measurements }) => measurements.map(rateOf))) / 2;
  }
  return kept.map(({ name, measurements }) => toRow(each.name, name, measurements));
}

async function checkAnswer({ name, request, isAnswer }: Case, entrant: Entrant): Promise<void> {
  const body = await sendOnce(entrant.running.port, request).catch((error: unknown) => {
    throw new Error(`${entrant.name}, case ${name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  });
  if (isAnswer(body, entrant.name)) return;
  throw new Error(`${entrant.name}, case ${name}: answers ${body.toString('latin1').slice(0, 200)}`);
}

/** At so many requests per second, or as many as it takes. */
async function measure(
  each: Case,
  { name, running }: Entrant,
  seconds: number,
  rate: number | null,
): Promise<Measurement> {
  const { request, connections } = each;
  const work = { port: running.port, request, connections, seconds, core: loadCore };
  const before = await cpuMicros(running.pid);
  const result = rate === null ? await saturate(work) : await loadAtRate(work, rate);
  if (result.requests === 0) throw new Error(`${name}, case ${each.name}: not one answer in ${seconds} s`);
  return { ...result, cpuMicros: (await cpuMicros(running.pid)) - before };
}

function rateOf({ requests, micros }: LoadResult): number {
  return (requests * 1e6) / micros;
}

/** The first measurement was for compilers, caches and connection pools; only its errors count. */
function toRow(name: string, system: string, measurements: readonly Measurement[]): Row {
  const middle = (figure: (measurement: Measurement) => number): number => median(measurements.slice(1).map(figure));
  return {
    case: name,
    system,
    rps: middle(rateOf),
    cpuMicrosPerRequest: middle((each) => each.cpuMicros / each.requests),
    p50Ms: middle(({ p50Micros }) => p50Micros / 1_000),
    p99Ms: middle(({ p99Micros }) => p99Micros / 1_000),
    errors: measurements.reduce((sum, { errors }) => sum + errors, 0),
  };
}
