import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventually, Fixture } from './fixture.js';

let fixture: Fixture;
beforeEach(() => {
  fixture = new Fixture();
});
afterEach(() => fixture.close());

const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a listener that drains', () => {
  test('a hundred bodies in flight arrive whole', async () => {
    const { port: upstream } = await fixture.httpServer((_request, response) => {
      response.write('x'.repeat(10_000));
      setTimeout(() => response.end('y'.repeat(10_000)), 50);
    });
    const { port, listener, forwarder } = await fixture.gateway(upstream);
    const clients = await Promise.all(Array.from({ length: 100 }, () => fixture.client(port)));
    for (const client of clients) client.write(request);
    await eventually(() => forwarder.exchanges.length === 100);

    const closing = listener.close(5_000);
    expect(listener.state).toBe('draining');
    await closing;
    await Promise.all(clients.map(({ closed }) => closed));

    expect(listener.state).toBe('closed');
    for (const client of clients) {
      expect(client.received).toMatch(/^HTTP\/1\.1 200 /);
      expect(client.received).toMatch(/x{10000}\r\n2710\r\ny{10000}\r\n0\r\n\r\n$/);
    }
    expect(forwarder.summaries.every(({ error }) => error === null)).toBe(true);
  });

  test('no new connection is accepted, a late request on a kept one gets 503 and a close', async () => {
    const { port: upstream } = await fixture.httpServer((_request, response) => response.end('ok'));
    const { port, listener } = await fixture.gateway(upstream);
    const kept = await fixture.client(port);
    kept.write(request);
    await kept.until('ok');
    const idle = await fixture.client(port);
    idle.write(request);
    await idle.until('ok');

    const closing = listener.close(3_000);
    await expect(fixture.client(port).then((client) => client.closed)).rejects.toBeDefined();
    kept.write(request);
    await Promise.all([kept.closed, idle.closed, closing]);

    expect(kept.received).toMatch(/503 Service Unavailable\r\n.*X-Sluice-Error: draining\r\n.*Connection: close\r\n/s);
    expect(idle.received.match(/HTTP/g)).toHaveLength(1);
  });

  test('what is not finished at the deadline is reset', async () => {
    const { port: upstream } = await fixture.scripted(() => null);
    const { port, listener, forwarder } = await fixture.gateway(upstream);
    const client = await fixture.client(port);
    client.write(request);
    await eventually(() => forwarder.exchanges.length === 1);

    await listener.close(100);

    expect(await client.closed).toBe('reset');
    expect(listener.connections).toBe(0);
    expect(forwarder.summaries.map(({ error }) => error?.kind)).toEqual(['client_closed']);
  });

  test('a retiring listener still serves everybody, and asks each to go elsewhere', async () => {
    const { port: upstream } = await fixture.httpServer((_request, response) => response.end('ok'));
    const { port, listener } = await fixture.gateway(upstream);
    const kept = await fixture.client(port);
    kept.write(request);
    await kept.until('ok');

    listener.retire();
    kept.write(request);
    const fresh = await fixture.ask(port, request);
    await kept.closed;

    expect(kept.received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(fresh).toMatch(/HTTP\/1\.1 200 OK\r\n.*Connection: close\r\n/s);
  });

  test('a port that is taken is an error of listen', async () => {
    const { port } = await fixture.listen({ handle: () => ({ aborted: () => {}, finished: () => {} }) });
    const { createListener } = await import('./listener.js');
    const second = createListener(
      { host: '127.0.0.1', port, wheel: fixture.wheel },
      { handle: () => ({ aborted: () => {}, finished: () => {} }) },
    );

    await expect(second.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(second.state).toBe('failed');
  });
});
