import { describe, expect, it } from 'vitest';
import { Endpoint } from '../balancer/balancer.js';
import { ProxyError, type ErrorKind } from '../errors.js';
import type { Transport } from '../upstream/transport.js';
import { judgeFailure, reportConnectFailure, reportServerError, reportSuccess } from './health.js';

const make = (n: number): Endpoint[] =>
  Array.from(
    { length: n },
    (_, i) =>
      new Endpoint({ id: `e${i}`, address: '127.0.0.1', port: i, weight: 1, suspect: false }, '', {} as Transport),
  );
const first = (endpoints: Endpoint[]): Endpoint => endpoints[0] as Endpoint;

describe('passive health', () => {
  it('ejects an endpoint at the second refused connection in a row, for a time that doubles', () => {
    const endpoints = make(3);

    expect(reportConnectFailure(first(endpoints), endpoints, 0)).toBe(false);
    expect(reportConnectFailure(first(endpoints), endpoints, 0)).toBe(true);
    expect(first(endpoints).health.ejectedUntilMs).toBe(1_000);
    expect(reportConnectFailure(first(endpoints), endpoints, 1_000)).toBe(true);
    expect(first(endpoints).health.ejectedUntilMs).toBe(3_000);
  });

  it('does not hold it against an endpoint that a connection ends before calls are looked at', () => {
    const endpoints = make(3);
    const failTwice = (kind: ErrorKind): number => {
      for (let i = 0; i < 2; i++) judgeFailure(first(endpoints), endpoints, new ProxyError(kind), 0);
      return first(endpoints).health.ejectedUntilMs;
    };

    expect(failTwice('upstream_unsent')).toBe(0);
    expect(failTwice('connect_failed')).toBe(1_000);
  });

  it('forgets failures at the next success', () => {
    const endpoints = make(2);
    reportConnectFailure(first(endpoints), endpoints, 0);

    reportSuccess(first(endpoints));

    expect(reportConnectFailure(first(endpoints), endpoints, 0)).toBe(false);
  });

  it('ejects at the fifth server error in a row', () => {
    const endpoints = make(3);
    const ejected = Array.from({ length: 5 }, () => reportServerError(first(endpoints), endpoints, 0));

    expect(ejected).toEqual([false, false, false, false, true]);
  });

  it.each([
    { endpoints: 1, out: 0 },
    { endpoints: 2, out: 1 },
    { endpoints: 3, out: 1 },
    { endpoints: 10, out: 3 },
  ])('has at most $out of $endpoints endpoints out at a time', ({ endpoints: n, out }) => {
    const endpoints = make(n);
    for (const endpoint of endpoints) {
      reportConnectFailure(endpoint, endpoints, 0);
      reportConnectFailure(endpoint, endpoints, 0);
    }

    expect(endpoints.filter((endpoint) => endpoint.health.ejectedUntilMs > 0)).toHaveLength(out);
  });
});
