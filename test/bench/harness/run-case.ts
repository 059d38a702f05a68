import {
  callOnce,
  loadAtRate,
  saturate,
  saturateCalls,
  saturateWebSocket,
  sendOnce,
  type LoadOptions,
  type LoadResult,
} from '../load/load.js';
import { cpuMicros, loadCore } from './cpu.js';
import { portFor, type Entrant } from './entrant.js';
import type { BenchOptions, Case, Row } from './harness.js';
import { median } from './stats.js';

interface Measurement extends LoadResult {
  readonly cpuMicros: number;
}

interface Kept {
  readonly entrant: Entrant;
  readonly measurements: Measurement[];
}

type LoadRunner = (options: LoadOptions) => Promise<LoadResult>;

/** Measures one case, system by system, round by round. */
export async function runCase(each: Case, entrants: readonly Entrant[], options: BenchOptions): Promise<Row[]> {
  for (const entrant of entrants) await checkAnswer(each, entrant);
  const kept = entrants.map((entrant): Kept => ({ entrant, measurements: [] }));
  options.progress(`${each.name}: warming up`);
  const full = saturating(each);
  await runRound(each, kept, options, full);
  const load = each.load === 'half' ? atRate((await gatewayRate(each, entrants, options)) / 2) : full;
  const rounds = options.rounds ?? each.rounds;
  for (let round = 1; round <= rounds; round++) {
    options.progress(`${each.name}: round ${round} of ${rounds}`);
    await runRound(each, kept, options, load);
  }
  return kept.map(({ entrant, measurements }) => toRow(each.name, entrant.name, measurements));
}

function saturating({ load, answerBytes = 0 }: Case): LoadRunner {
  if (load === 'calls') return (options) => saturateCalls(options, answerBytes);
  return load === 'websocket' ? saturateWebSocket : saturate;
}

/** Clients of WebSockets look at each message themselves. */
async function checkAnswer(each: Case, { name, running }: Entrant): Promise<void> {
  if (each.load === 'websocket') return;
  const port = portFor(each, running);
  const answer = each.load === 'calls' ? callOnce(port, each.request) : sendOnce(port, each.tls, each.request);
  const body = await answer.catch((error: unknown) => {
    throw new Error(`${name}, case ${each.name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  });
  if (each.isAnswer(body, name)) return;
  throw new Error(`${name}, case ${each.name}: answers ${body.toString('latin1').slice(0, 200)}`);
}

function atRate(requestsPerSecond: number): LoadRunner {
  return (options) => loadAtRate(options, requestsPerSecond);
}

/** What the gateway takes when it is warm; without the gateway, what the slowest system takes. */
async function gatewayRate(each: Case, entrants: readonly Entrant[], options: BenchOptions): Promise<number> {
  const gateway = entrants.filter(({ isGateway }) => isGateway);
  const rates: number[] = [];
  for (const entrant of gateway.length > 0 ? gateway : entrants) {
    rates.push(rateOf(await measure(each, entrant, options, saturate)));
  }
  return Math.min(...rates);
}

async function runRound(each: Case, kept: readonly Kept[], options: BenchOptions, load: LoadRunner): Promise<void> {
  for (const { entrant, measurements } of kept) measurements.push(await measure(each, entrant, options, load));
}

async function measure(
  each: Case,
  { name, running }: Entrant,
  { seconds, progress }: BenchOptions,
  load: LoadRunner,
): Promise<Measurement> {
  const { request, connections, tls, times = 1 } = each;
  const before = await cpuMicros(running.pid);
  const result = await load({
    port: portFor(each, running),
    tls,
    request,
    connections,
    seconds: seconds * times,
    core: loadCore,
  });
  const { lateMicros = 0 } = result;
  if (lateMicros > maxLateMicros) progress(`${each.name}: the load generator was ${lateMicros} µs late before ${name}`);
  if (result.requests === 0) throw new Error(`${name}, case ${each.name}: not one answer in ${seconds} s`);
  return { ...result, cpuMicros: (await cpuMicros(running.pid)) - before };
}

/** Beyond it latencies are not the system's alone: something else wanted the load's core. */
const maxLateMicros = 500;

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
