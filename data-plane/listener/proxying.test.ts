import { createHash, randomBytes } from 'node:crypto';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { emptyBody } from '../body.js';
import { ProxyError } from '../errors.js';
import { eventually, Fixture } from './fixture.js';

let fixture: Fixture;
beforeEach(() => {
  fixture = new Fixture();
});
afterEach(() => fixture.close());

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A backend that says back what it understood. */
async function echoServer(): Promise<number> {
  const { port } = await fixture.httpServer((request, response) => {
    void bodyOf(request).then((body) => {
      const { method, url, rawHeaders, trailers } = request;
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ method, url, rawHeaders, trailers, bytes: body.length, digest: digest(body) }));
    });
  });
  return port;
}

function ask(port: number, options: object, body: Buffer | null = null, agent = new Agent()): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', agent, ...options }, resolve);
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

describe('requests through listener and transport', () => {
  test('method, target, fields and body arrive as they were sent', async () => {
    const { port } = await fixture.gateway(await echoServer());

    const answer = await ask(
      port,
      {
        method: 'PATCH',
        path: '/a%2Fb/?q=%20&r',
        headers: ['Host', 'shop.example', 'X-Mixed-CASE', 'a  b', 'Content-Length', '5'],
      },
      Buffer.from('hello'),
    );

    const echo = JSON.parse((await bodyOf(answer)).toString());
    expect(echo).toMatchObject({
      method: 'PATCH',
      url: '/a%2Fb/?q=%20&r',
      bytes: 5,
      digest: digest(Buffer.from('hello')),
    });
    expect(echo.rawHeaders).toEqual(['Host', 'shop.example', 'X-Mixed-CASE', 'a  b', 'Content-Length', '5']);
  });

  test.each([
    ['1 byte', 1],
    ['just inline', 4_096],
    ['just not inline', 4_097],
    ['one read', 65_536],
    ['many reads', 3_000_000],
  ])('a body of %s arrives whole both ways, with a length and chunked', async (_name, size) => {
    const sent = Buffer.alloc(size, 'The quick brown fox. ');
    const { port: upstream } = await fixture.httpServer((request, response) => {
      if (request.headers['x-length'] !== undefined) response.setHeader('Content-Length', request.headers['x-length']);
      request.pipe(response);
    });
    const { port, forwarder } = await fixture.gateway(upstream);

    const chunked = await ask(port, { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } }, sent);
    const sized = await ask(port, { method: 'POST', headers: { 'Content-Length': size, 'X-Length': size } }, sent);

    expect(digest(await bodyOf(chunked))).toBe(digest(sent));
    expect(digest(await bodyOf(sized))).toBe(digest(sent));
    expect(sized.headers['content-length']).toBe(String(size));
    await eventually(() => forwarder.summaries.length === 2);
    expect(
      forwarder.summaries.map(({ status, error, bytesReceived, bytesSent }) => [
        status,
        error,
        bytesReceived,
        bytesSent,
      ]),
    ).toEqual([
      [200, null, size, size],
      [200, null, size, size],
    ]);
  });

  test('one client connection and one upstream connection serve many requests', async () => {
    let connections = 0;
    const { port: upstream, server } = await fixture.httpServer((_request, response) => response.end('ok'));
    server.on('connection', () => connections++);
    const { port, listener } = await fixture.gateway(upstream);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    fixture.onClose(() => agent.destroy());

    for (let i = 0; i < 20; i++) await bodyOf(await ask(port, { path: `/${i}` }, null, agent));

    expect(connections).toBe(1);
    expect(listener.connections).toBe(1);
  });

  test('trailers pass both ways', async () => {
    const { port: upstream, requests } = await fixture.scripted(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n',
    );
    const { port } = await fixture.gateway(upstream);
    const client = await fixture.client(port);

    client.write(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-In: 1\r\nHost: b\r\nx-forwarded-FOR: 6.6.6.6\r\nCookie: a=b\r\n\r\n',
    );
    const received = await client.until('\r\n\r\n', 2);

    expect(received).toContain('Trailer: X-Sum\r\n');
    expect(received).toMatch(/2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n$/);
    expect(requests.join('')).toMatch(/1\r\na\r\n0\r\nX-In: 1\r\n\r\n$/);
  });

  test('pipelined requests are answered in order, one at a time', async () => {
    let inFlight = 0;
    let most = 0;
    const { port: upstream } = await fixture.httpServer((request, response) => {
      most = Math.max(most, ++inFlight);
      setTimeout(
        () => {
          inFlight--;
          response.end(`answer ${request.url}`);
        },
        request.url === '/0' ? 30 : 1,
      );
    });
    const { port } = await fixture.gateway(upstream);
    const client = await fixture.client(port);

    client.write(Array.from({ length: 30 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    await client.until('answer /29');

    expect([...client.received.matchAll(/answer \/(\d+)/g)].map((match) => Number(match[1]))).toEqual(
      Array.from({ length: 30 }, (_, i) => i),
    );
    expect(most).toBe(1);
  });

  test('a request in single bytes is read as one in one piece', async () => {
    const { port } = await fixture.gateway(await echoServer());
    const client = await fixture.client(port);

    for (const byte of 'POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc') {
      client.write(byte);
      await new Promise(setImmediate);
    }

    expect(await client.until('"bytes":3')).toContain('"url":"/slow"');
  });

  test('an answer in single bytes is read as one in one piece', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
    const upstream = await fixture.rawServer((socket) => {
      socket.once('data', () => {
        void (async () => {
          for (const byte of answer) {
            socket.write(byte);
            await new Promise(setImmediate);
          }
        })();
      });
    });
    const { port } = await fixture.gateway(upstream);
    const client = await fixture.client(port);

    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');

    expect(await client.until('0\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 200 OK\r\nX-A: b\r\nDate: .*\r\nTransfer-Encoding: chunked\r\n\r\n/,
    );
  });

  test('HEAD is answered with the length and no body, and the connection stays in step', async () => {
    const { port: upstream } = await fixture.httpServer((request, response) => {
      response.setHeader('Content-Length', 5);
      response.end(request.method === 'HEAD' ? undefined : 'hello');
    });
    const { port } = await fixture.gateway(upstream);
    const client = await fixture.client(port);

    client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const received = await client.until('hello');

    expect(received.match(/Content-Length: 5\r\n/gi)).toHaveLength(2);
    expect(received.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(received.match(/hello/g)).toHaveLength(1);
  });

  test.each([
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', /^HTTP\/1\.1 204 No Content\r\nDate: [^\r]+\r\n\r\n$/],
    [
      '304 with its length',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n',
      /304 Not Modified\r\nDate: [^\r]+\r\nContent-Length: 7\r\n\r\n$/,
    ],
  ])('%s has no body and keeps the connection', async (_name, answer, expected) => {
    const { port: upstream } = await fixture.scripted(answer);
    const { port } = await fixture.gateway(upstream);
    const client = await fixture.client(port);

    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.until('\r\n\r\n')).toMatch(expected);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until('\r\n\r\n', 2);
  });

  test('an answer delimited by the end of the connection becomes chunked, for HTTP/1.0 clients a close', async () => {
    const upstream = await fixture.rawServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'));
    });
    const { port } = await fixture.gateway(upstream);

    const client = await fixture.client(port);
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await client.until('0\r\n\r\n')).toMatch(/Transfer-Encoding: chunked\r\n\r\n9\r\nall of it\r\n0\r\n\r\n$/);

    expect(await fixture.ask(port, 'GET / HTTP/1.0\r\n\r\n')).toMatch(/Connection: close\r\n\r\nall of it$/);
  });

  test('HTTP/1.0 is kept alive when it asks for that, else closed', async () => {
    const { port: upstream } = await fixture.scripted('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    const { port } = await fixture.gateway(upstream);
    const client = await fixture.client(port);

    client.write('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n');
    expect(await client.until('ok')).toContain('Connection: keep-alive\r\n');
    client.write('GET / HTTP/1.0\r\n\r\n');

    expect(await client.closed).toBe('ended');
    expect(client.received).toMatch(/Connection: close\r\n\r\nok$/);
  });

  test('Connection: close is honoured on either side', async () => {
    let connections = 0;
    const upstream = await fixture.rawServer((socket) => {
      connections++;
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'));
    });
    const { port } = await fixture.gateway(upstream);
    const client = await fixture.client(port);

    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until('ok');
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');

    expect(await client.closed).toBe('ended');
    expect(client.received.match(/Connection: close/g)).toHaveLength(1);
    expect(connections).toBe(2);
  });

  test('interim answers pass, save 100, and not to HTTP/1.0', async () => {
    const { port: upstream } = await fixture.scripted(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    );
    const { port } = await fixture.gateway(upstream);

    const modern = await fixture.ask(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const old = await fixture.ask(port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n');

    expect(modern).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    expect(old).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test('100 Continue is sent when the body is wanted, and the body then arrives', async () => {
    const { port } = await fixture.gateway(await echoServer());
    const client = await fixture.client(port);

    client.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    await client.until('HTTP/1.1 100 Continue\r\n\r\n');
    client.write('hello');

    const received = await client.until('"bytes":5');
    expect(received.toLowerCase()).not.toContain('"expect"');
  });

  test('an answer that comes before the expected body is final, and the connection closes', async () => {
    const { port: refusing } = await fixture.listen({
      handle: (exchange) => {
        exchange.respond(403, [], emptyBody);
        return { aborted: () => {}, finished: () => {} };
      },
    });

    const received = await fixture.ask(
      refusing,
      'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
    );

    expect(received).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(received).toContain('Connection: close\r\n');
    expect(received).not.toContain('100 Continue');
  });

  test('an unknown expectation is refused with 417', async () => {
    const { port } = await fixture.gateway(1);

    const client = await fixture.client(port);
    client.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n');

    expect(await client.until('}]}')).toMatch(/^HTTP\/1\.1 417 .*"EXPECTATION_FAILED"/s);
  });

  test('an answer that asks for another protocol says so', async () => {
    const { port } = await fixture.listen({
      handle: (exchange) => {
        exchange.fail(
          new ProxyError('https_required', undefined, {
            headers: ['Connection', 'Upgrade', 'Upgrade', 'TLS/1.2, HTTP/1.1'],
          }),
        );
        return { aborted: () => {}, finished: () => {} };
      },
    });

    const kept = await fixture.client(port);
    kept.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await kept.until('}]}')).toMatch(
      /^HTTP\/1\.1 426 Upgrade Required\r\n.*Upgrade: TLS\/1\.2, HTTP\/1\.1\r\n.*Connection: Upgrade\r\n/s,
    );
    expect(await fixture.ask(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toContain(
      'Connection: Upgrade, close\r\n',
    );
  });

  test.each([
    ['with a length', { 'Content-Length': 6_000_000 }],
    ['chunked', {}],
  ])('a slow reader gets every byte as it was sent, %s', async (_name, headers) => {
    const sent = randomBytes(6_000_000);
    const { port: upstream } = await fixture.httpServer((_request, response) =>
      response.writeHead(200, headers).end(sent),
    );
    const { port } = await fixture.gateway(upstream);
    const answers = await Promise.all([1, 2, 3].map(() => ask(port, {})));
    const received = await Promise.all(
      answers.map(async (answer) => {
        const hash = createHash('sha256');
        let pieces = 0;
        for await (const chunk of answer) {
          hash.update(chunk as Buffer);
          if (++pieces % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
        }
        return hash.digest('hex');
      }),
    );

    expect(received).toEqual([1, 2, 3].map(() => digest(sent)));
  });

  test('a slow endpoint gets every byte as it was sent', async () => {
    const sent = randomBytes(6_000_000);
    const { port: upstream } = await fixture.httpServer((request, response) => {
      void (async () => {
        const hash = createHash('sha256');
        let pieces = 0;
        for await (const chunk of request) {
          hash.update(chunk as Buffer);
          if (++pieces % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
        }
        response.end(hash.digest('hex'));
      })();
    });
    const { port } = await fixture.gateway(upstream);
    const answers = await Promise.all([
      ask(port, { method: 'POST', headers: { 'Content-Length': sent.length } }, sent),
      ask(port, { method: 'PUT', headers: { 'Transfer-Encoding': 'chunked' } }, sent),
    ]);

    for (const answer of answers) expect((await bodyOf(answer)).toString()).toBe(digest(sent));
  });
});
