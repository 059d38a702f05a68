import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { emptyBody } from '../body.js';
import type { Exchange, RequestHandler } from '../exchange.js';
import { eventually, Fixture } from './fixture.js';

let fixture: Fixture;
beforeEach(() => {
  fixture = new Fixture();
});
afterEach(() => fixture.close());

const ok: RequestHandler = {
  handle: (exchange) => {
    exchange.respond(200, [], emptyBody);
    return { aborted: () => {}, finished: () => {} };
  },
};
const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('slow and idle clients', () => {
  test('a head that does not end in time is answered 408', async () => {
    const { port } = await fixture.listen(ok, { headMs: 60 });
    const client = await fixture.client(port);

    client.write('GET / HTTP/1.1\r\nHost: a\r\n');
    const trickle = setInterval(() => client.write('A: b\r\n'), 10);
    await client.closed;
    clearInterval(trickle);

    expect(client.received).toMatch(/^HTTP\/1\.1 408 .*Connection: close\r\n.*"REQUEST_TIMEOUT"/s);
  });

  test('a connection that never sends anything is closed without a word', async () => {
    const { port } = await fixture.listen(ok, { headMs: 60 });

    expect(await fixture.ask(port, '')).toBe('');
  });

  test('a kept connection is closed when it stays idle', async () => {
    const { port } = await fixture.listen(ok, { keepAliveIdleMs: 60 });
    const client = await fixture.client(port);
    client.write(request);
    await client.until('\r\n\r\n');

    expect(await client.closed).toBe('ended');
    expect(client.received.match(/HTTP/g)).toHaveLength(1);
  });

  test('a body that stops coming is answered 408, and its upstream call ends', async () => {
    let upstreamClosed = false;
    const upstream = await fixture.rawServer((socket) =>
      socket
        .on('data', () => {})
        .on('close', () => (upstreamClosed = true))
        .on('end', () => socket.end()),
    );
    const { port } = await fixture.gateway(upstream, { limits: { bodyIdleMs: 60 } });

    expect(await fixture.ask(port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')).toMatch(
      /^HTTP\/1\.1 408 /,
    );
    await eventually(() => upstreamClosed);
  });

  test('a body in single bytes for ever is cut at the least rate', async () => {
    const upstream = await fixture.rawServer((socket) => socket.on('data', () => {}).on('end', () => socket.end()));
    const { port } = await fixture.gateway(upstream, { limits: { bodyIdleMs: 150, minBodyBytesPerSecond: 1_000 } });
    const client = await fixture.client(port);

    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
    const trickle = setInterval(() => client.write('x'), 20);
    await client.closed;
    clearInterval(trickle);

    expect(client.received).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('time that the endpoint makes the client wait does not count', async () => {
    const sent = 3_000_000;
    let received = 0;
    const upstream = await fixture.rawServer((socket) => {
      socket.pause();
      setTimeout(() => socket.resume(), 300);
      socket.on('data', (bytes: Buffer) => {
        received += bytes.length;
        if (received > sent) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });
    const { port } = await fixture.gateway(upstream, {
      limits: { bodyIdleMs: 100, minBodyBytesPerSecond: 100_000_000 },
    });
    const client = await fixture.client(port);

    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${sent}\r\n\r\n`);
    client.socket.write(Buffer.alloc(sent));

    expect(await client.until('ok')).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('a client that does not read is cut, and what is held for it is bounded', async () => {
    const { port: upstream } = await fixture.httpServer((_request, response) => {
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', more);
      more();
    });
    const { port, listener, forwarder } = await fixture.gateway(upstream, { limits: { writeStallMs: 150 } });
    const client = await fixture.client(port);
    client.socket.pause();
    client.write(request);

    await eventually(() => listener.connections === 0);
    // What the kernel's buffers took is beyond our sight; tens of megabytes would be ours.
    expect(forwarder.summaries[0]?.bytesSent).toBeLessThan(16_000_000);
    expect(forwarder.summaries[0]?.error?.kind).toBe('client_closed');
  });

  describe('a last answer that is more than a client takes at once', () => {
    /** Answers with as much as can be written, and a little more than that waits to be sent. */
    const flooding = (sent: { bytes: number }): RequestHandler => ({
      handle: (exchange) => {
        exchange.respond(200, [], {
          length: null,
          start: (sink) => {
            const chunk = Buffer.alloc(65_536);
            do sent.bytes += chunk.length;
            while (sink.write(chunk));
            sink.end(null);
          },
          resume: () => {},
          cancel: () => {},
        });
        return { aborted: () => {}, finished: () => {} };
      },
    });
    const closing = 'GET / HTTP/1.0\r\nHost: a\r\n\r\n';

    test('is sent whole, however long that takes', async () => {
      const sent = { bytes: 0 };
      const { port } = await fixture.listen(flooding(sent), { lingerMs: 50 });
      const client = await fixture.client(port);
      client.socket.pause();
      client.write(closing);
      await eventually(() => sent.bytes > 0);

      await new Promise((resolve) => setTimeout(resolve, 300));
      client.socket.resume();

      expect(await client.closed).toBe('ended');
      expect(client.received.split('\r\n\r\n')[1]).toHaveLength(sent.bytes);
    });

    test('is given up when nothing of it is taken', async () => {
      const sent = { bytes: 0 };
      const { port, listener } = await fixture.listen(flooding(sent), { lingerMs: 20, writeStallMs: 100 });
      const client = await fixture.client(port);
      client.socket.pause();
      client.write(closing);

      await eventually(() => sent.bytes > 0 && listener.connections === 0);
    });
  });

  test('answers that a client asks for and never reads do not pile up', async () => {
    let asked = 0;
    const body = { length: 60_000, bytes: Buffer.alloc(60_000) };
    const { port, listener } = await fixture.listen(
      {
        handle: (exchange) => {
          asked++;
          exchange.respond(200, [], {
            length: body.length,
            start: (sink) => (sink.write(body.bytes), sink.end(null)),
            resume: () => {},
            cancel: () => {},
          });
          return { aborted: () => {}, finished: () => {} };
        },
      },
      { writeStallMs: 200 },
    );
    const client = await fixture.client(port);
    client.socket.pause();
    const flood = setInterval(() => client.write(request.repeat(20)), 2);
    await eventually(() => asked > 0 && listener.connections === 0);
    clearInterval(flood);

    expect(asked).toBeLessThan(400);
  });
});

describe('a body that is still coming when its request has been answered', () => {
  const post = (size: number): string => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`;

  test.each([100_000, 1_000_000])('is dropped (%i bytes), and the next request answered', async (size) => {
    const { port } = await fixture.listen(ok);
    const client = await fixture.client(port);

    for (let i = 1; i <= 5; i++) {
      client.write(post(size));
      await eventually(() => client.received.split('HTTP/1.1 200').length > i);
      client.socket.write(Buffer.alloc(size));
    }

    expect(client.received).not.toContain('Connection: close');
  });

  test('is dropped to a bound, and the connection then closed', async () => {
    const { port, listener } = await fixture.listen(ok, { lingerMs: 50 });
    const client = await fixture.client(port);

    client.write(post(100_000_000));
    const flood = setInterval(() => client.socket.write(Buffer.alloc(65_536)), 1);
    await eventually(() => listener.connections === 0);
    clearInterval(flood);

    expect(client.received.match(/HTTP/g)).toHaveLength(1);
  });

  test.each([
    ['is not waited for longer than any other', `${post(100)}abc`],
    ['may be wrong', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nno size\r\n'],
  ])('%s, and the client gets no second answer', async (_name, request) => {
    const { port } = await fixture.listen(ok, { bodyIdleMs: 60, lingerMs: 50 });
    const client = await fixture.client(port);

    client.write(request);
    await client.closed;

    expect(client.received.match(/HTTP/g)).toHaveLength(1);
  });
});

describe('limits', () => {
  test('connections beyond the limit are closed at once', async () => {
    const { port, listener } = await fixture.listen(ok, { maxConnections: 2 });
    const first = await fixture.client(port);
    const second = await fixture.client(port);
    await eventually(() => listener.connections === 2);
    const third = await fixture.client(port);
    await third.closed;

    first.write(request);
    second.write(request);
    await Promise.all([first.until('200 OK'), second.until('200 OK')]);
  });

  test('the last answer of a connection says so', async () => {
    const { port } = await fixture.listen(ok, { maxRequestsPerConnection: 3 });

    const received = await fixture.ask(port, request.repeat(5));

    expect(received.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
    expect(received.match(/Connection: close/g)).toHaveLength(1);
  });

  test.each([
    [
      'a head too large',
      `GET / HTTP/1.1\r\nHost: a\r\n${`A: ${'b'.repeat(1_000)}\r\n`.repeat(70)}\r\n`,
      431,
      'HEADERS_TOO_LARGE',
    ],
    ['too many fields', `GET / HTTP/1.1\r\nHost: a\r\n${'A: b\r\n'.repeat(200)}\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['a target too long', `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, 'URI_TOO_LONG'],
    ['another version', 'GET / HTTP/3.0\r\nHost: a\r\n\r\n', 505, 'VERSION_NOT_SUPPORTED'],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 501, 'NOT_IMPLEMENTED'],
  ])('%s is refused with its own status', async (_name, input, status, reason) => {
    const { port } = await fixture.listen(ok);

    const received = await fixture.ask(port, input);

    expect(received).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(received).toContain(`"reason":"${reason}"`);
  });
});

describe('clients that leave', () => {
  test.each([
    ['resets', (exchange: { reset(): void; end(): void }) => exchange.reset()],
    ['ends its side and gets no answer for a while', (exchange: { reset(): void; end(): void }) => exchange.end()],
  ])('a client that %s has its upstream call cancelled', async (_name, leave) => {
    let upstreamClosed = false;
    const upstream = await fixture.rawServer((socket) =>
      socket
        .on('close', () => (upstreamClosed = true))
        .on('end', () => socket.end())
        .on('data', () => {}),
    );
    const { port, forwarder } = await fixture.gateway(upstream, { limits: { halfClosedMs: 100 } });
    const client = await fixture.client(port);
    client.write(request);
    await eventually(() => forwarder.exchanges.length === 1);
    leave({ reset: () => client.socket.resetAndDestroy(), end: () => client.end() });

    await eventually(() => upstreamClosed);
    expect(forwarder.aborted.map(({ kind }) => kind)).toEqual(['client_closed']);
    expect(forwarder.summaries.map(({ error }) => error?.kind)).toEqual(['client_closed']);
  });

  test('a client that ends its side right after the request still gets its answer', async () => {
    const { port: upstream } = await fixture.httpServer(
      (_request, response) => void setTimeout(() => response.end('late'), 30),
    );
    const { port } = await fixture.gateway(upstream);
    const client = await fixture.client(port);
    client.write(request);
    client.end();
    await client.closed;

    expect(client.received).toMatch(/late/);
  });

  test('a client that leaves within its body ends the upstream call', async () => {
    let upstreamClosed = false;
    const upstream = await fixture.rawServer((socket) =>
      socket
        .on('close', () => (upstreamClosed = true))
        .on('end', () => socket.end())
        .on('data', () => {}),
    );
    const { port, forwarder } = await fixture.gateway(upstream);
    const client = await fixture.client(port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
    await eventually(() => forwarder.exchanges.length === 1);
    client.end();

    await eventually(() => upstreamClosed);
    expect(forwarder.summaries.map(({ error }) => error?.kind)).toEqual(['client_closed']);
  });
});

describe('handlers that fail', () => {
  const observer = { aborted: () => {}, finished: () => {} };
  const broken: readonly [string, (exchange: Exchange) => void, RegExp][] = [
    [
      'throws',
      () => {
        throw new Error('bug');
      },
      /^HTTP\/1\.1 500 .*"INTERNAL"/s,
    ],
    [
      'announces more than it sends',
      (exchange) =>
        exchange.respond(200, [], {
          length: 5,
          start: (sink) => (sink.write(Buffer.from('abc')), sink.end(null)),
          resume: () => {},
          cancel: () => {},
        }),
      /^(?:HTTP\/1\.1 200 .*\r\n\r\nabc)?$/s,
    ],
    [
      'sends more than it announced',
      (exchange) =>
        exchange.respond(200, [], {
          length: 2,
          start: (sink) => (sink.write(Buffer.from('abc')), sink.end(null)),
          resume: () => {},
          cancel: () => {},
        }),
      /^(?:HTTP\/1\.1 200 .*\r\n\r\n)?$/s,
    ],
  ];
  test.each(broken)('a handler that %s leaves no answer that looks whole', async (_name, handle, expected) => {
    const { port } = await fixture.listen({ handle: (exchange) => (handle(exchange), observer) });
    const client = await fixture.client(port);
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await client.closed;

    expect(client.received).toMatch(expected);
  });
});
