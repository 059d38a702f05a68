import { compileRouter, type Router } from '../../../data-plane/router/router.js';
import { chosen, type Bench, type BenchOptions, type Row } from '../harness/harness.js';
import { median } from '../harness/stats.js';
import { kinds, type Kind } from './kinds.js';

/**
 * The router alone, in this process: one match per "request", over tables of 10 to 100,000 routes. `small` is the mixed table
 * of a thousand. Every route of a table is asked for in turn, or a thousand of them spread evenly over it.
 */
export const routeBench: Bench = async (options) => {
  return {
    rows: chosen(cases, options.cases, 'case').map((each) => measure(each, options)),
    skipped: [],
    reference: null,
  };
};

interface RouteCase {
  readonly name: string;
  readonly kind: Kind;
  readonly routes: number;
}

interface Request {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: readonly string[];
}

const cases: readonly RouteCase[] = [
  { name: 'small', kind: kinds.mixed, routes: 1_000 },
  ...Object.entries(kinds).flatMap(([kind, of]) =>
    [10, 1_000, 10_000, 100_000]
      .filter((routes) => routes <= of.maxRoutes && !(kind === 'mixed' && routes === 1_000))
      .map((routes) => ({ name: `${kind}-${routes}`, kind: of, routes })),
  ),
];

const batchSize = 1_000;
/** A prime, or the requests would all be of the same kind in a mix that repeats every ten routes. */
const stride = 7_919;
const warmUpBatches = 300;

function measure({ name, kind, routes }: RouteCase, { seconds, progress }: BenchOptions): Row {
  const started = performance.now();
  const { router, problems } = compileRouter(Array.from({ length: routes }, (_, i) => kind.route(i)));
  if (problems[0] !== undefined)
    throw new Error(`case ${name}: ${problems[0].name} ${problems[0].field} ${problems[0].reason}`);
  progress(`${name}: compiled in ${(performance.now() - started).toFixed(0)} ms`);
  const requests = Array.from({ length: batchSize }, (_, i) => kind.request((i * stride) % routes));
  for (let i = 0; i < warmUpBatches; i++) matchAll(router, fresh(requests));
  const batches: number[] = [];
  const deadline = performance.now() + seconds * 1_000;
  while (performance.now() < deadline) batches.push(timeBatch(router, requests));
  const nanos = median(batches);
  const slow = batches.toSorted((a, b) => a - b)[Math.floor(batches.length * 0.99)] ?? nanos;
  return {
    case: name,
    system: 'sluice',
    rps: 1e9 / nanos,
    cpuMicrosPerRequest: nanos / 1e3,
    p50Ms: nanos / 1e6,
    p99Ms: slow / 1e6,
    errors: 0,
  };
}

/** Nanoseconds per match, over one batch: a single match is too short for the clock. */
function timeBatch(router: Router<number>, requests: readonly Request[]): number {
  const batch = fresh(requests);
  const before = process.hrtime.bigint();
  matchAll(router, batch);
  return Number(process.hrtime.bigint() - before) / batch.length;
}

/** Strings as a parser makes them: the second look-up of the same string object has its hash already. */
function fresh(requests: readonly Request[]): readonly Request[] {
  const copy = (text: string): string => Buffer.from(text).toString('latin1');
  return requests.map((request) => ({ ...request, host: copy(request.host), path: copy(request.path) }));
}

function matchAll(router: Router<number>, requests: readonly Request[]): void {
  for (const request of requests) {
    const found = router.match(request);
    if (found.kind !== 'match') throw new Error(`${request.method} ${request.host}${request.path}: ${found.kind}`);
  }
}
