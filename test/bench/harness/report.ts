import type { BenchResult, Row } from './harness.js';

/** The result for scripts, as one line; the field names are a contract (docs/benchmarks.md). */
export function jsonLine(bench: string, { rows }: BenchResult): string {
  return JSON.stringify({
    bench,
    rows: rows.map((row) => ({
      case: row.case,
      system: row.system,
      rps: Math.round(row.rps),
      cpu_us_per_request: round(row.cpuMicrosPerRequest, 3),
      p50_ms: round(row.p50Ms, 6),
      p99_ms: round(row.p99Ms, 6),
      ...(row.quietP99Ms === undefined ? {} : { quiet_p99_ms: round(row.quietP99Ms, 6) }),
      errors: row.errors,
      ...(row.bytesPerConnection === undefined ? {} : { bytes_per_connection: Math.round(row.bytesPerConnection) }),
    })),
  });
}

/** The result for people. The ratio is of CPU time, to the reference system in the same case. */
export function table({ rows, skipped, reference }: BenchResult): string {
  const head = [
    'case',
    'system',
    'CPU µs/request',
    reference === null ? '' : `× ${reference}`,
    'requests/s',
    'p50 ms',
    'p99 ms',
    rows.some(({ quietP99Ms }) => quietP99Ms !== undefined) ? 'quiet p99 ms' : '',
    'errors',
    rows.some(({ bytesPerConnection }) => bytesPerConnection !== undefined) ? 'KiB/connection' : '',
  ];
  const lines = rows.map((row) => [
    row.case,
    row.system,
    ...(row.rps === 0 ? ['', '', '', '', ''] : ofRequests(row, rows, reference)),
    row.quietP99Ms?.toPrecision(3) ?? '',
    String(row.errors),
    row.bytesPerConnection === undefined ? '' : (row.bytesPerConnection / 1_024).toFixed(1),
  ]);
  const notes = skipped.map(({ name, reason }) => `skipped: ${name} (${reason})`);
  return [...columns([head, ...lines]), ...notes].join('\n');
}

function ofRequests(row: Row, rows: readonly Row[], reference: string | null): string[] {
  return [
    row.cpuMicrosPerRequest.toPrecision(3),
    ratio(row, rows, reference),
    row.rps.toFixed(0),
    row.p50Ms.toPrecision(3),
    row.p99Ms.toPrecision(3),
  ];
}

function ratio(row: Row, rows: readonly Row[], reference: string | null): string {
  const other = rows.find((each) => each.case === row.case && each.system === reference);
  return other === undefined ? '' : (row.cpuMicrosPerRequest / other.cpuMicrosPerRequest).toFixed(2);
}

/** Words to the left, figures to the right. */
function columns(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const cell = (text: string, column: number): string => {
    const width = widths[column] ?? 0;
    return column < 2 ? text.padEnd(width) : text.padStart(width);
  };
  return lines.map((line) => line.map(cell).join('  ').trimEnd());
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
