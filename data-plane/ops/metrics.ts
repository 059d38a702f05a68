import type { ExchangeSummary } from '../exchange.js';
import { grpcCodeNames } from '../grpc/grpc.js';

/**
 * Counters of the request path in the Prometheus text format. A series is a route or a service, never a path or an endpoint,
 * so their number is bounded by the config. Recording is a few array writes: no label objects, no string keys per request.
 */
const bucketBoundsMs = [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/** Plain data, so that it can cross to another process. */
export interface RouteCounts {
  readonly byStatusClass: Float64Array;
  readonly durationBuckets: Float64Array;
  readonly durationSumMs: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly retries: number;
  /** Of gRPC calls, by code; the last place is for codes that nobody knows. */
  readonly byGrpcCode: Float64Array;
}

/** What was counted since the last `take`. */
export interface Counted {
  /** Only routes that have something to tell. */
  readonly routes: ReadonlyMap<string, RouteCounts>;
  readonly errors: ReadonlyMap<string, number>;
  readonly http2Floods: ReadonlyMap<string, number>;
  readonly tlsHandshakes: ReadonlyMap<string, number>;
}

/** A gauge, or a counter where the name ends in `_total`, that another owns. The label, if any, as `name="shop"`. */
export type Value = readonly [name: string, help: string, value: number, label?: string];

/** What is counted of one route; the compiled route keeps it, so that a request finds it without a look-up. */
export class RouteMetrics implements RouteCounts {
  /** By first digit of the status, 0 for requests that were given up without one. */
  readonly byStatusClass = new Float64Array(6);
  readonly durationBuckets = new Float64Array(bucketBoundsMs.length + 1);
  durationSumMs = 0;
  bytesReceived = 0;
  bytesSent = 0;
  retries = 0;
  readonly byGrpcCode = new Float64Array(grpcCodeNames.length + 1);

  recordCall(code: number): void {
    increment(this.byGrpcCode, Math.min(code, grpcCodeNames.length));
  }

  record({ status, durationMs, bytesReceived, bytesSent }: ExchangeSummary): void {
    this.bytesReceived += bytesReceived;
    this.bytesSent += bytesSent;
    const statusClass = (status / 100) | 0;
    increment(this.byStatusClass, statusClass < 6 ? statusClass : 0);
    let bucket = 0;
    while (bucket < bucketBoundsMs.length && durationMs > (bucketBoundsMs[bucket] as number)) bucket++;
    increment(this.durationBuckets, bucket);
    this.durationSumMs += durationMs;
  }

  add(counts: RouteCounts): void {
    addEach(this.byStatusClass, counts.byStatusClass);
    addEach(this.durationBuckets, counts.durationBuckets);
    this.durationSumMs += counts.durationSumMs;
    this.bytesReceived += counts.bytesReceived;
    this.bytesSent += counts.bytesSent;
    this.retries += counts.retries;
    addEach(this.byGrpcCode, counts.byGrpcCode);
  }

  /** What was counted, and begins anew at zero; null when that is nothing. */
  take(): RouteCounts | null {
    if (this.retries === 0 && this.byStatusClass.every((count) => count === 0)) return null;
    const taken = {
      ...this,
      byStatusClass: this.byStatusClass.slice(),
      durationBuckets: this.durationBuckets.slice(),
      byGrpcCode: this.byGrpcCode.slice(),
    };
    for (const counts of [this.byStatusClass, this.durationBuckets, this.byGrpcCode]) counts.fill(0);
    this.durationSumMs = this.bytesReceived = this.bytesSent = this.retries = 0;
    return taken;
  }
}

/** All counters of a node; they outlive config changes, and go when the config no longer names the route. */
export class Metrics {
  readonly #routes = new Map<string, RouteMetrics>();
  readonly #errors = new Map<string, number>();
  readonly #http2Floods = new Map<string, number>();
  readonly #tlsHandshakes = new Map<string, number>();

  route(name: string): RouteMetrics {
    const known = this.#routes.get(name);
    if (known !== undefined) return known;
    const made = new RouteMetrics();
    this.#routes.set(name, made);
    return made;
  }

  /** Forgets the routes that are not in `names`. */
  retain(names: ReadonlySet<string>): void {
    for (const name of this.#routes.keys()) if (!names.has(name)) this.#routes.delete(name);
  }

  error(kind: string): void {
    countUp(this.#errors, kind, 1);
  }

  /** A client's HTTP/2 stream or connection was given up to protect the node. */
  http2Flood(kind: string): void {
    countUp(this.#http2Floods, kind, 1);
  }

  tlsHandshake(result: string): void {
    countUp(this.#tlsHandshakes, result, 1);
  }

  /** What was counted since the last time, which is zero from here on: for a process whose counts another one shows. */
  take(): Counted {
    const routes = new Map<string, RouteCounts>();
    for (const [name, metrics] of this.#routes) {
      const counts = metrics.take();
      if (counts !== null) routes.set(name, counts);
    }
    return {
      routes,
      errors: takeAll(this.#errors),
      http2Floods: takeAll(this.#http2Floods),
      tlsHandshakes: takeAll(this.#tlsHandshakes),
    };
  }

  add({ routes, errors, http2Floods, tlsHandshakes }: Counted): void {
    for (const [name, counts] of routes) this.route(name).add(counts);
    for (const [kind, times] of errors) countUp(this.#errors, kind, times);
    for (const [kind, times] of http2Floods) countUp(this.#http2Floods, kind, times);
    for (const [result, times] of tlsHandshakes) countUp(this.#tlsHandshakes, result, times);
  }

  /** `values` of one name stand together. */
  render(values: readonly Value[]): string {
    const lines = [...requestLines(this.#routes), ...durationLines(this.#routes), ...byteLines(this.#routes)];
    lines.push(...callLines(this.#routes));
    const errors = 'Answers that the gateway made itself, by kind.';
    const floods = 'HTTP/2 streams and connections of clients that were given up to protect the node, by kind.';
    const handshakes = 'TLS handshakes of clients by how they ended.';
    lines.push(...countLines('sluice_errors_total', errors, 'kind', this.#errors));
    lines.push(...countLines('sluice_http2_floods_total', floods, 'kind', this.#http2Floods));
    lines.push(...countLines('sluice_tls_handshakes_total', handshakes, 'result', this.#tlsHandshakes));
    let last = '';
    for (const [name, help, value, label] of values) {
      const type = name.endsWith('_total') ? 'counter' : 'gauge';
      if (name !== last) lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      lines.push(`${name}${label === undefined ? '' : `{${label}}`} ${value}`);
      last = name;
    }
    return `${lines.join('\n')}\n`;
  }
}

type Routes = ReadonlyMap<string, RouteMetrics>;

function requestLines(routes: Routes): string[] {
  const lines = [
    '# HELP sluice_requests_total Requests by route and class of status.',
    '# TYPE sluice_requests_total counter',
  ];
  for (const [name, { byStatusClass }] of routes) {
    byStatusClass.forEach((count, statusClass) => {
      const label = statusClass === 0 ? 'none' : `${statusClass}xx`;
      if (count > 0) lines.push(`sluice_requests_total{route="${name}",status="${label}"} ${count}`);
    });
  }
  return lines;
}

function durationLines(routes: Routes): string[] {
  const lines = [
    '# HELP sluice_request_duration_seconds From the request head until the answer was written.',
    '# TYPE sluice_request_duration_seconds histogram',
  ];
  for (const [name, { durationBuckets, durationSumMs }] of routes) {
    let total = 0;
    durationBuckets.forEach((count, i) => {
      total += count;
      const bound = i < bucketBoundsMs.length ? String((bucketBoundsMs[i] as number) / 1_000) : '+Inf';
      lines.push(`sluice_request_duration_seconds_bucket{route="${name}",le="${bound}"} ${total}`);
    });
    lines.push(`sluice_request_duration_seconds_sum{route="${name}"} ${durationSumMs / 1_000}`);
    lines.push(`sluice_request_duration_seconds_count{route="${name}"} ${total}`);
  }
  return lines;
}

function byteLines(routes: Routes): string[] {
  const lines: string[] = [];
  const counters = [
    ['sluice_received_bytes_total', 'Request body bytes by route.', 'bytesReceived'],
    ['sluice_sent_bytes_total', 'Response body bytes by route.', 'bytesSent'],
    ['sluice_retries_total', 'Attempts after the first by route.', 'retries'],
  ] as const;
  for (const [metric, help, field] of counters) {
    lines.push(`# HELP ${metric} ${help}`, `# TYPE ${metric} counter`);
    for (const [name, counts] of routes) lines.push(`${metric}{route="${name}"} ${counts[field]}`);
  }
  return lines;
}

function countLines(metric: string, help: string, label: string, counts: ReadonlyMap<string, number>): string[] {
  const lines = [`# HELP ${metric} ${help}`, `# TYPE ${metric} counter`];
  for (const [word, times] of counts) lines.push(`${metric}{${label}="${word}"} ${times}`);
  return lines;
}

function countUp(counts: Map<string, number>, kind: string, times: number): void {
  counts.set(kind, (counts.get(kind) ?? 0) + times);
}

function takeAll(counts: Map<string, number>): ReadonlyMap<string, number> {
  const taken = new Map(counts);
  counts.clear();
  return taken;
}

function callLines(routes: Routes): string[] {
  const lines = [
    '# HELP sluice_grpc_calls_total gRPC calls by route and status.',
    '# TYPE sluice_grpc_calls_total counter',
  ];
  for (const [name, { byGrpcCode }] of routes) {
    byGrpcCode.forEach((count, code) => {
      const label = grpcCodeNames[code] ?? 'other';
      if (count > 0) lines.push(`sluice_grpc_calls_total{route="${name}",grpc_status="${label}"} ${count}`);
    });
  }
  return lines;
}

function increment(counts: Float64Array, at: number): void {
  counts[at] = (counts[at] as number) + 1;
}

function addEach(counts: Float64Array, more: Float64Array): void {
  more.forEach((count, at) => (counts[at] = (counts[at] as number) + count));
}
