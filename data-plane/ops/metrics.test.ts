import { describe, expect, it } from 'vitest';
import { Metrics } from './ops.js';

const answered = (status: number) => ({ status, durationMs: 3, bytesReceived: 10, bytesSent: 100, error: null });

function lines(metrics: Metrics): string[] {
  return metrics
    .render([['sluice_things_total', 'Things.', 7]])
    .split('\n')
    .filter((line) => !line.startsWith('#'));
}

describe('counters that another process shows', () => {
  it('are the same when they are taken in parts and added as when they are counted in one place', () => {
    const [whole, part, shown] = [new Metrics(), new Metrics(), new Metrics()];
    for (const status of [200, 200, 503, 404]) {
      for (const metrics of [whole, part]) {
        metrics.route('orders').record(answered(status));
        if (status === 503) metrics.error('no_endpoint');
        if (status === 404) metrics.http2Flood('ping');
      }
      shown.add(structuredClone(part.take()));
    }

    expect(lines(shown)).toEqual(lines(whole));
    expect(lines(shown)).toContain('sluice_requests_total{route="orders",status="2xx"} 2');
    expect(lines(shown)).toContain('sluice_errors_total{kind="no_endpoint"} 1');
    expect(lines(shown)).toContain('sluice_http2_floods_total{kind="ping"} 1');
    expect(lines(shown)).toContain('sluice_things_total 7');
  });

  it('go on in the objects that routes hold after they were taken', () => {
    const metrics = new Metrics();
    const held = metrics.route('orders');
    held.record(answered(200));
    metrics.take();
    held.record(answered(200));
    held.retries++;

    const { routes } = metrics.take();

    expect(routes.get('orders')).toMatchObject({ bytesSent: 100, retries: 1 });
    expect(metrics.take().routes.size).toBe(0);
  });
});
