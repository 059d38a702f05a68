import { setTimeout as sleep } from 'node:timers/promises';
import { loadAtRate, startSlowClients, type LoadResult } from '../load/load.js';
import { cpuMicros, loadCore, stolenMicros } from './cpu.js';
import { portFor, type Entrant } from './entrant.js';
import type { BenchOptions, Case, Row } from './harness.js';
import { residentBytes } from './memory.js';
import { median } from './stats.js';

const requestsPerSecond = 500;
const connections = 16;
/** For what slow clients that went leave to do. */
const settleMs = 2_000;
/** Some may be late; without most of them the figures would be of something else. */
const least = 0.9;
const mostStolen = 0.005;
/** A host that is busy all the time is measured as it is. */
const attempts = 5;

interface Round {
  readonly quiet: LoadResult;
  /** While slow clients come and stay. */
  readonly disturbed: LoadResult;
  readonly cpuMicros: number;
  readonly bytesPerSlowClient: number;
}

/**
 * What clients that behave notice of slow ones: a fixed rate of requests without them and with them, in turn, system by system,
 * round by round.
 */
export async function runSlowCase(each: Case, entrants: readonly Entrant[], options: BenchOptions): Promise<Row[]> {
  const rounds = options.rounds ?? each.rounds;
  const kept = entrants.map((entrant) => ({ entrant, rounds: [] as Round[] }));
  for (let round = 0; round <= rounds; round++) {
    options.progress(`${each.name}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`);
    for (const { entrant, rounds: measured } of kept) measured.push(await runRound(each, entrant, options));
  }
  return kept.map(({ entrant, rounds: measured }) => toRow(each, entrant.name, measured));
}

async function runRound(each: Case, { name, running }: Entrant, { seconds, progress }: BenchOptions): Promise<Round> {
  const { slowClients, request, tls, times = 1 } = each;
  if (slowClients === undefined) throw new Error(`case ${each.name} has no slow clients`);
  const port = portFor(each, running);
  const load = { port, tls, request, connections, seconds: seconds * times, core: loadCore };
  const quiet = await undisturbed(load.seconds, progress, () => loadAtRate(load, requestsPerSecond));
  const beside = await undisturbed(load.seconds, progress, async () => {
    const [bytes, micros] = await Promise.all([residentBytes(running.pid), cpuMicros(running.pid)]);
    const slow = await startSlowClients(slowClients, port, loadCore);
    try {
      const disturbed = await loadAtRate(load, requestsPerSecond);
      const count = await slow.count();
      const cpu = (await cpuMicros(running.pid)) - micros;
      return { disturbed, count, cpuMicros: cpu, bytes: (await residentBytes(running.pid)) - bytes };
    } finally {
      await slow.end();
      await sleep(settleMs);
    }
  });
  if (beside.count < least * slowClients.connections)
    throw new Error(`${name}, case ${each.name}: only ${beside.count} slow clients are there`);
  return { quiet, ...beside, bytesPerSlowClient: beside.bytes / slowClients.connections };
}

/** Measures again when other guests of the host took so much of the time that a p99 is theirs. */
async function undisturbed<T>(
  seconds: number,
  progress: (line: string) => void,
  measure: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const before = await stolenMicros();
    const measured = await measure();
    const stolen = (await stolenMicros()) - before;
    if (stolen <= mostStolen * seconds * 1e6 || attempt === attempts) return measured;
    progress(`the host took ${stolen / 1_000} ms of ${seconds} s: once more`);
  }
}

/** The first round was to warm up: of it count the errors, and what slow clients take, since later ones find that already there. */
function toRow({ name }: Case, system: string, rounds: readonly Round[]): Row {
  const middle = (figure: (round: Round) => number): number => median(rounds.slice(1).map(figure));
  return {
    case: name,
    system,
    rps: middle(({ disturbed }) => (disturbed.requests * 1e6) / disturbed.micros),
    cpuMicrosPerRequest: middle(({ disturbed, cpuMicros: micros }) => micros / disturbed.requests),
    p50Ms: middle(({ disturbed }) => disturbed.p50Micros / 1_000),
    p99Ms: middle(({ disturbed }) => disturbed.p99Micros / 1_000),
    quietP99Ms: middle(({ quiet }) => quiet.p99Micros / 1_000),
    errors: rounds.reduce((sum, { quiet, disturbed }) => sum + quiet.errors + disturbed.errors, 0),
    bytesPerConnection: rounds[0]?.bytesPerSlowClient ?? 0,
  };
}
