import { expect, it } from 'vitest';
import { jsonLine, table } from './report.js';
import { median } from './stats.js';
import type { BenchResult, Row } from './harness.js';

const result: BenchResult = {
  rows: [
    {
      case: 'small',
      system: 'sluice',
      rps: 30_000.4,
      cpuMicrosPerRequest: 30.00049,
      p50Ms: 1.5,
      p99Ms: 3,
      errors: 2,
    },
    {
      case: 'small',
      system: 'nginx',
      rps: 40_000,
      cpuMicrosPerRequest: 20,
      p50Ms: 1,
      p99Ms: 2,
      errors: 0,
    },
  ],
  skipped: [{ name: 'haproxy', reason: 'not here' }],
  reference: 'nginx',
};

it('the line for scripts has the agreed names, and nothing of what was skipped', () => {
  expect(JSON.parse(jsonLine('proxy', result))).toEqual({
    bench: 'proxy',
    rows: [
      { case: 'small', system: 'sluice', rps: 30_000, cpu_us_per_request: 30, p50_ms: 1.5, p99_ms: 3, errors: 2 },
      { case: 'small', system: 'nginx', rps: 40_000, cpu_us_per_request: 20, p50_ms: 1, p99_ms: 2, errors: 0 },
    ],
  });
});

it('the table compares CPU time with the reference, and names what was skipped', () => {
  const lines = table(result).split('\n');

  expect(lines[0]).toContain('× nginx');
  expect(lines[1]).toMatch(/^small +sluice +30\.0 +1\.50 /);
  expect(lines[3]).toBe('skipped: haproxy (not here)');
});

it.each([
  [[3], 3],
  [[9, 1, 2], 2],
  [[1, 10, 2, 4], 3],
])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected);
});

it('a case about memory says what a connection takes, and nothing of requests', () => {
  const none = { rps: 0, cpuMicrosPerRequest: 0, p50Ms: 0, p99Ms: 0, errors: 0 };
  const idle = { ...result, rows: [{ ...none, case: 'idle-10000', system: 'sluice', bytesPerConnection: 2_048 }] };

  expect(JSON.parse(jsonLine('proxy', idle))).toMatchObject({ rows: [{ bytes_per_connection: 2_048 }] });
  expect(table(idle).split('\n')[1]).toMatch(/^idle-10000 +sluice +0 +2\.0$/);
});

it('a case about clients that disturb others has the p99 without them beside the one with them', () => {
  const [row] = result.rows;
  const slow = { ...result, rows: [{ ...(row as Row), case: 'slow-heads', quietP99Ms: 2, bytesPerConnection: 1_024 }] };

  expect(JSON.parse(jsonLine('proxy', slow))).toMatchObject({
    rows: [{ p99_ms: 3, quiet_p99_ms: 2, bytes_per_connection: 1_024 }],
  });
  expect(table(slow).split('\n')[1]).toMatch(/^slow-heads +sluice +30\.0 +30000 +1\.50 +3\.00 +2\.00 +2 +1\.0$/);
});
