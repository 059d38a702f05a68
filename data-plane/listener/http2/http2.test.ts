import { Client, credentials, Metadata, status as grpcStatus } from '@grpc/grpc-js';
import { execFile } from 'node:child_process';
import { connect as connectHttp2, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BufferedBody, emptyBody, type BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import type { Exchange } from '../../exchange.js';
import { headerValue } from '../../headers.js';
import { settled } from '../../upstream/http2/support.fixture.js';
import { block, frame, framesOf } from '../../wire/http2/connection.fixture.js';
import { RawHttp2Client, TestListener, type Handle } from './http2.fixture.js';
import { beginsHttp2, defaultHttp2ListenerLimits, type Http2ListenerLimits } from './http2.js';

interface Answer {
  readonly headers: IncomingHttpHeaders & { ':status'?: number };
  readonly trailers: IncomingHttpHeaders | null;
  readonly body: string;
  readonly rstCode: number;
}

let listener: TestListener;
const sessions: ClientHttp2Session[] = [];
const sockets: Socket[] = [];

beforeEach(async () => {
  listener = await new TestListener().listen();
});

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  for (const socket of sockets.splice(0)) socket.destroy();
  await listener.close();
});

async function use(limits: Partial<Http2ListenerLimits>): Promise<void> {
  await listener.close();
  listener = await new TestListener(limits).listen();
}

function session(): ClientHttp2Session {
  const opened = connectHttp2(`http://127.0.0.1:${listener.port}`);
  opened.on('error', () => {}).setMaxListeners(0);
  sessions.push(opened);
  return opened;
}

function request(client: ClientHttp2Session, headers: Record<string, string>, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.request(headers, { endStream: body === undefined });
    const chunks: Buffer[] = [];
    let head: Answer['headers'] = {};
    let trailers: IncomingHttpHeaders | null = null;
    stream.on('response', (fields) => (head = fields as Answer['headers']));
    stream.on('trailers', (fields) => (trailers = fields));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => {});
    stream.on('close', () =>
      resolve({ headers: head, trailers, body: Buffer.concat(chunks).toString('latin1'), rstCode: stream.rstCode }),
    );
    client.on('error', reject);
    if (body !== undefined) stream.end(body);
  });
}

function raw(...bytes: Buffer[]): RawHttp2Client {
  const client = new RawHttp2Client(listener.port, ...bytes);
  sockets.push(client.socket);
  return client;
}

const echo: Handle = (exchange) => exchange.respond(200, [], exchange.body);

describe('an exchange over HTTP/2', () => {
  it('has the head of its request, and answers with head, date and length', async () => {
    let seen: Exchange | null = null;
    listener.handle = (exchange) => {
      seen = exchange;
      exchange.respond(201, ['X-Answer', 'caf\xe9', 'Connection', 'close'], new BufferedBody(Buffer.from('hello')));
    };

    const answer = await request(session(), {
      ':path': '/a?b=c',
      ':method': 'GET',
      ':authority': 'shop.example',
      'x-one': '1',
    });

    expect(seen).toMatchObject({
      id: 'id-1',
      head: { method: 'GET', target: '/a?b=c', authority: 'shop.example', version: '2' },
    });
    expect(headerValue((seen as unknown as Exchange).head.headers, 'x-one')).toBe('1');
    expect((seen as unknown as Exchange).peer).toMatchObject({ address: '127.0.0.1', tlsServerName: null });
    expect(answer.headers).toMatchObject({ ':status': 201, 'x-answer': 'caf\xe9', 'content-length': '5' });
    expect(answer.headers.date).toMatch(/GMT$/);
    expect(answer.headers).not.toHaveProperty('connection');
    expect(answer.body).toBe('hello');
    expect(listener.summaries).toMatchObject([{ status: 201, error: null, bytesSent: 5 }]);
  });

  it('carries large bodies both ways, many at a time on one connection', async () => {
    listener.handle = echo;
    const client = session();
    const bodies = Array.from({ length: 10 }, (_, i) => Buffer.alloc(300_000 + i, 65 + i));

    const answers = await Promise.all(bodies.map((body) => request(client, { ':path': '/', ':method': 'POST' }, body)));

    expect(answers.map(({ body }) => body.length)).toEqual(bodies.map(({ length }) => length));
    expect(listener.connections.size).toBe(1);
    expect(
      listener.summaries.every(({ bytesReceived, bytesSent }) => bytesReceived > 299_999 && bytesSent > 299_999),
    ).toBe(true);
  });

  it('passes interim heads and trailers', async () => {
    listener.handle = (exchange) => {
      exchange.inform(103, ['link', '</a>']);
      exchange.respond(
        200,
        ['content-type', 'application/grpc'],
        new BufferedBody(Buffer.from('m'), ['grpc-status', '0']),
      );
    };
    const client = session();
    const stream = client.request({ ':path': '/' });
    const informs: unknown[] = [];
    stream.on('headers', (fields) => informs.push(fields[':status']));
    const trailers = await new Promise<IncomingHttpHeaders>((resolve) => stream.on('trailers', resolve).resume());

    expect(informs).toEqual([103]);
    expect(trailers['grpc-status']).toBe('0');
  });

  it('answers HEAD, 204 and 304 without a body', async () => {
    const client = session();
    const head = await request(client, { ':path': '/', ':method': 'HEAD' });
    listener.handle = (exchange) => exchange.respond(304, ['etag', '"x"'], new BufferedBody(Buffer.alloc(0)));
    const unchanged = await request(client, { ':path': '/' });

    expect([head.headers[':status'], head.headers['content-length'], head.body]).toEqual([200, '5', '']);
    expect([unchanged.headers[':status'], unchanged.headers['content-length']]).toEqual([304, undefined]);
  });

  it('tells the length that a service announces where it sends no body', async () => {
    const lengthOf = async (method: string, status: number): Promise<string | undefined> => {
      listener.handle = (exchange) => exchange.respond(status, ['Content-Length', '12345'], emptyBody);
      const { headers } = await request(session(), { ':path': '/', ':method': method });
      return headers['content-length'];
    };

    expect(await lengthOf('HEAD', 200)).toBe('12345');
    expect(await lengthOf('GET', 304)).toBe('12345');
    expect(await lengthOf('GET', 204)).toBeUndefined();
  });

  it('tells a client that expects it to go on, once the body is wanted', async () => {
    listener.handle = (exchange) =>
      exchange.body.start({
        write: () => true,
        end: () => exchange.respond(200, [], new BufferedBody('thanks')),
        fail: () => undefined,
      });
    const client = session();
    const stream = client.request({ ':path': '/', ':method': 'POST', expect: '100-continue' });
    await new Promise((resolve) => stream.on('continue', resolve));
    stream.end('hello');
    const body = await new Promise((resolve) => stream.on('data', (chunk: Buffer) => resolve(chunk.toString())));
    expect(body).toBe('thanks');

    listener.handle = (exchange) => exchange.fail(new ProxyError('no_route'));
    const refused = client.request({ ':path': '/', ':method': 'POST', expect: '100-continue' });
    const told = await new Promise((resolve) =>
      refused.on('continue', () => resolve(100)).on('response', (head) => resolve(head[':status'])),
    );
    expect(told).toBe(404);
  });

  it('answers an error of the gateway as HTTP/1 does, and to gRPC callers as a gRPC status', async () => {
    listener.handle = (exchange) => exchange.fail(new ProxyError('no_route'));
    const client = session();

    const json = await request(client, { ':path': '/' });
    const grpc = await request(
      client,
      { ':path': '/', ':method': 'POST', 'content-type': 'application/grpc' },
      Buffer.alloc(5),
    );

    expect(json.headers).toMatchObject({ ':status': 404, 'x-sluice-error': 'no_route' });
    expect(grpc.headers).toMatchObject({ ':status': 200, 'grpc-status': '12' });
  });

  it('is answered with 500 when its handler throws, and others on its connection are served', async () => {
    listener.handle = (exchange) => {
      if (exchange.head.target === '/throws') throw new Error('a fault');
      exchange.respond(200, [], new BufferedBody(Buffer.from('served')));
    };
    const client = session();

    const answers = await Promise.all([request(client, { ':path': '/throws' }), request(client, { ':path': '/' })]);

    expect(answers.map(({ headers }) => headers[':status'])).toEqual([500, 200]);
    expect(listener.connections.size).toBe(1);
  });

  it('is reset when its answer breaks off', async () => {
    listener.handle = (exchange) => {
      exchange.respond(200, [], {
        length: null,
        start: (sink) => (
          sink.write(Buffer.from('part')),
          setImmediate(() => sink.fail(new ProxyError('upstream_reset')))
        ),
        resume: () => {},
        cancel: () => {},
      });
    };

    const answer = await request(session(), { ':path': '/' });

    expect(answer.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    expect(listener.summaries[0]?.error?.kind).toBe('upstream_reset');
  });

  it('that answers before the request is complete is complete all the same', async () => {
    const client = session();
    const stream = client.request({ ':path': '/', ':method': 'POST' });
    stream.write('never ends');
    let body = '';
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()));
    await new Promise((resolve) => stream.on('close', resolve));

    expect(stream.rstCode).toBe(0);
    expect(body).toBe('hello');
  });

  it('hears at once that its client has cancelled, and is finished then', async () => {
    let cancelled = 0;
    const body: BodySource = {
      length: null,
      start: (sink) => void sink.write(Buffer.from('x')),
      resume: () => {},
      cancel: () => cancelled++,
    };
    listener.handle = (exchange) => exchange.respond(200, [], body);
    const stream = session().request({ ':path': '/' });
    stream.on('error', () => {});
    await new Promise((resolve) => stream.on('response', resolve));

    stream.close(constants.NGHTTP2_CANCEL);

    await expect.poll(() => listener.summaries.length, { interval: 2, timeout: 5_000 }).toBe(1);
    expect([cancelled, listener.aborts.length, listener.aborts[0]?.kind]).toEqual([1, 1, 'client_closed']);
  });

  it('is aborted when the connection breaks', async () => {
    listener.handle = () => {};
    const client = session();
    const stream = client.request({ ':path': '/' });
    stream.on('error', () => {});
    await expect.poll(() => listener.connections.size, { interval: 2, timeout: 5_000 }).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));

    client.destroy();

    await expect
      .poll(() => listener.aborts.map(({ kind }) => kind), { interval: 2, timeout: 5_000 })
      .toEqual(['client_closed']);
  });

  const refused: [title: string, headers: Record<string, string>, status: number][] = [
    ['CONNECT', { ':method': 'CONNECT', ':authority': 'a:1' }, 501],
    ['a path that is none', { ':path': 'a' }, 400],
    ['a long path', { ':path': `/${'a'.repeat(9_000)}` }, 414],
    ['an unknown expectation', { ':path': '/', expect: 'tea' }, 417],
    ['a path that is not ASCII', { ':path': '/caf\xe9' }, 400],
    ['a Host that is not the :authority', { ':path': '/', ':authority': 'a', host: 'b' }, 400],
    ['an :authority with a user', { ':path': '/', ':authority': 'user@a' }, 400],
    ['an :authority with a path', { ':path': '/', ':authority': 'a/b' }, 400],
    ['an :authority with a blank', { ':path': '/', ':authority': 'a b' }, 400],
  ];
  it.each(refused)('with %s is refused', async (_title, headers, expected) => {
    const answer = await request(session(), headers);

    expect(answer.headers[':status']).toBe(expected);
    expect(listener.summaries).toEqual([]);
  });

  it('takes a Host that differs from the :authority by case alone', async () => {
    const answer = await request(session(), { ':path': '/', ':authority': 'Shop.example', host: 'shop.Example' });

    expect(answer.headers[':status']).toBe(200);
  });

  const hostless: [title: string, hosts: [string, string][]][] = [
    ['no host at all', []],
    [
      'two Hosts',
      [
        ['host', 'a'],
        ['host', 'a'],
      ],
    ],
  ];
  it.each(hostless)('with %s is refused', async (_title, hosts) => {
    const fields: [string, string][] = [[':method', 'GET'], [':scheme', 'http'], [':path', '/'], ...hosts];
    const client = raw(frame(1, 5, 1, block(...fields)));

    const head = (): Buffer | undefined => framesOf(client.received).find(({ type }) => type === 1)?.payload;
    // No table, and `:status: 400` of the static one.
    await expect.poll(() => head()?.toString('hex', 0, 2), { interval: 2 }).toBe('208c');
    expect(listener.summaries).toEqual([]);
  });

  it('with a large head is refused', async () => {
    await use({ maxHeaderListBytes: 4_096 });

    const answer = await request(session(), { ':path': '/', 'x-large': 'x'.repeat(5_000) });

    expect(answer.headers[':status']).toBe(431);
  });

  it('with a head that is too large for one frame is refused, and others on its connection are not', async () => {
    await use({ maxHeaderListBytes: 20_000 });
    const client = session();

    const [large, small] = await Promise.all([
      request(client, { ':path': '/', 'x-large': '~'.repeat(25_000) }),
      request(client, { ':path': '/' }),
    ]);

    expect([large.headers[':status'], small.headers[':status']]).toEqual([431, 200]);
  });

  it('of an extended CONNECT is the Upgrade of HTTP/1, and its two directions end by themselves', async () => {
    let received = '';
    let inputEnded = false;
    listener.handle = (exchange) => {
      expect(exchange.head.method).toBe('GET');
      expect(headerValue(exchange.head.headers, 'upgrade')).toBe('websocket');
      expect(Buffer.from(headerValue(exchange.head.headers, 'sec-websocket-key') ?? '', 'base64').length).toBe(16);
      exchange.upgrade(101, ['Upgrade', 'websocket', 'sec-websocket-accept', 'x', 'sec-websocket-protocol', 'chat'], {
        received: new BufferedBody(Buffer.from('from upstream')),
        send: (body) =>
          body.start({
            write: (chunk) => ((received += Buffer.from(chunk).toString()), true),
            end: () => (inputEnded = true),
            fail: () => {},
          }),
      });
    };
    const client = session();
    await new Promise((resolve) => client.on('remoteSettings', resolve));
    const stream = client.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':path': '/ws',
      ':authority': 'a',
    });
    const head = await new Promise<IncomingHttpHeaders & { ':status'?: number }>((resolve) =>
      stream.on('response', resolve),
    );
    let got = '';
    stream.on('data', (chunk: Buffer) => (got += chunk.toString()));
    await new Promise((resolve) => stream.on('end', resolve));
    stream.end('after the other end');
    await expect.poll(() => inputEnded, { interval: 2, timeout: 5_000 }).toBe(true);

    expect(head).toMatchObject({ ':status': 200, 'sec-websocket-protocol': 'chat' });
    expect(head).not.toHaveProperty('sec-websocket-accept');
    expect([got, received]).toEqual(['from upstream', 'after the other end']);
  });
});

describe('clients of the world', () => {
  it('grpc-js makes unary calls, and sees trailers-only errors', async () => {
    listener.handle = (exchange) => {
      if (exchange.head.target === '/t.S/Fail') exchange.fail(new ProxyError('no_endpoint'));
      else {
        const chunks: Uint8Array[] = [];
        exchange.body.start({
          write: (chunk) => chunks.push(chunk) > 0,
          end: () =>
            exchange.respond(
              200,
              ['content-type', 'application/grpc'],
              new BufferedBody(Buffer.concat(chunks), ['grpc-status', '0']),
            ),
          fail: () => {},
        });
      }
    };
    const client = new Client(`127.0.0.1:${listener.port}`, credentials.createInsecure());
    const identity = (bytes: Buffer): Buffer => bytes;
    const call = (path: string, message: Buffer): Promise<Buffer | number> =>
      new Promise((resolve) =>
        client.makeUnaryRequest(path, identity, identity, message, new Metadata(), (error, reply) =>
          resolve(error?.code ?? (reply as Buffer)),
        ),
      );

    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, i) => call('/t.S/Echo', Buffer.alloc(i * 1_000, i))),
    );
    const failed = await call('/t.S/Fail', Buffer.alloc(1));
    client.close();

    expect(replies.map((reply) => (reply as Buffer).length)).toEqual(Array.from({ length: 50 }, (_, i) => i * 1_000));
    expect(failed).toBe(grpcStatus.UNAVAILABLE);
  });

  it('curl speaks it by prior knowledge', async () => {
    listener.handle = echo;

    const { stdout } = await promisify(execFile)('curl', [
      '-s',
      '--http2-prior-knowledge',
      '-d',
      'from curl',
      '-w',
      ' %{http_version} %{http_code}',
      `http://127.0.0.1:${listener.port}/`,
    ]);

    expect(stdout).toBe('from curl 2 200');
  });
});

describe('a connection', () => {
  it('stops a client whose request nobody reads, at one window', async () => {
    const { connectionWindowBytes, streamWindowBytes } = defaultHttp2ListenerLimits;
    listener.handle = () => {};
    const stream = session().request({ ':path': '/', ':method': 'POST' });
    stream.on('error', () => {});
    stream.write(Buffer.alloc(1_000_000));
    const credit = (): number => stream.session?.state.remoteWindowSize ?? 0;
    await expect.poll(credit, { interval: 5, timeout: 5_000 }).toBeLessThan(connectionWindowBytes);

    expect(await settled(credit)).toBe(connectionWindowBytes - streamWindowBytes);
    listener.handle = (exchange) => exchange.respond(200, [], new BufferedBody(Buffer.from('other')));
    expect((await request(sessions[0] as ClientHttp2Session, { ':path': '/' })).body).toBe('other');
  });

  it('stops the source of an answer that its client does not take, and gives it up in time', async () => {
    await use({ writeStallMs: 100 });
    let written = 0;
    listener.handle = (exchange) => {
      let sink: Parameters<BodySource['start']>[0] | null = null;
      const more = (): void => {
        const chunk = Buffer.alloc(10_000);
        for (;;) {
          written += chunk.length;
          if (sink?.write(chunk) !== true || written > 50_000_000) return;
        }
      };
      exchange.respond(200, [], { length: null, start: (to) => ((sink = to), more()), resume: more, cancel: () => {} });
    };
    const stream = session().request({ ':path': '/' });
    stream.on('error', () => {});
    stream.pause();

    await expect.poll(() => listener.summaries.length, { timeout: 3_000 }).toBe(1);

    expect(written).toBeLessThan(1_000_000);
    expect(listener.summaries[0]?.error?.kind).toBe('client_closed');
  });

  it('gives up a request whose body stops coming', async () => {
    await use({ bodyIdleMs: 100 });
    listener.handle = (exchange) => exchange.body.start({ write: () => true, end: () => {}, fail: () => {} });
    const stream = session().request({ ':path': '/', ':method': 'POST' });
    stream.on('error', () => {});
    stream.write('part');

    const head = await new Promise<IncomingHttpHeaders & { ':status'?: number }>((resolve) =>
      stream.on('response', resolve),
    );

    expect(head[':status']).toBe(408);
  });

  it('without a greeting, or without requests, ends', async () => {
    await use({ headMs: 100, keepAliveIdleMs: 100 });
    const silent = connectTcp(listener.port, '127.0.0.1');
    sockets.push(silent);
    silent.on('error', () => {}).resume();
    const idle = raw();

    await Promise.all([new Promise((resolve) => silent.on('close', resolve)), idle.closed]);

    expect(idle.received.toString('hex')).toContain('0000080700');
    expect(listener.cuts).toEqual(['slow_greeting']);
  });

  it('that is retired finishes its requests, tells the client, and ends', async () => {
    let answer: () => void = () => {};
    listener.handle = (exchange) => (answer = () => exchange.respond(200, [], new BufferedBody(Buffer.from('late'))));
    const client = session();
    const goAways: number[] = [];
    client.on('goaway', (code) => goAways.push(code));
    const first = request(client, { ':path': '/' });
    await expect.poll(() => listener.connections.size, { interval: 2, timeout: 5_000 }).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));

    for (const connection of listener.connections) connection.retire();
    await expect.poll(() => goAways.length, { interval: 2, timeout: 5_000 }).toBeGreaterThan(0);
    answer();

    expect((await first).body).toBe('late');
    await expect.poll(() => listener.connections.size, { timeout: 3_000 }).toBe(0);
  });

  it('that is retired serves what was on its way, and says at last which request was the last', async () => {
    const get = Buffer.from('828684410161', 'hex');
    const client = raw(frame(1, 5, 1, get));
    const goAways = (): number[] =>
      framesOf(client.received)
        .filter(({ type }) => type === 7)
        .map(({ payload }) => payload.readUInt32BE(0));
    await expect.poll(() => listener.summaries.length, { interval: 2, timeout: 5_000 }).toBe(1);

    for (const connection of listener.connections) connection.retire();
    await expect.poll(goAways, { interval: 2, timeout: 5_000 }).toEqual([0x7fffffff]);
    client.socket.write(frame(1, 5, 3, get));
    await client.closed;

    expect(listener.summaries.map(({ status }) => status)).toEqual([200, 200]);
    expect(goAways()).toEqual([0x7fffffff, 3]);
  });

  it('refuses requests while the node drains, of gRPC so that their clients try another', async () => {
    listener.phase = 'draining';

    const answer = await request(session(), { ':path': '/' });
    const call = await request(session(), { ':path': '/', ':method': 'POST', 'content-type': 'application/grpc' });

    expect(answer.headers).toMatchObject({ ':status': 503, 'x-sluice-error': 'draining' });
    expect(call.rstCode).toBe(constants.NGHTTP2_REFUSED_STREAM);
  });

  it('that is opened while the node retires is served, and told to go', async () => {
    listener.phase = 'retiring';
    const client = session();
    const goAway = new Promise((resolve) => client.on('goaway', resolve));

    expect((await request(client, { ':path': '/' })).body).toBe('hello');
    await goAway;
  });

  it('that asks on and on and reads no answer is not read any more, until it reads again', async () => {
    const requests = 2_000;
    let handled = 0;
    listener.handle = (exchange) => {
      handled++;
      exchange.respond(404, ['x-long', 'y'.repeat(40_000)], new BufferedBody(Buffer.alloc(0)));
    };
    const { socket } = raw();
    socket.pause();
    const get = Buffer.from('828684410161', 'hex');
    socket.write(Buffer.concat(Array.from({ length: requests }, (_, i) => frame(1, 5, 2 * i + 1, get))));
    await expect.poll(() => handled, { interval: 10, timeout: 5_000 }).toBeGreaterThan(10);
    await settled(() => handled);

    // The system's buffers of both sides hold a few hundred, what the listener holds for one client thirty.
    expect(handled).toBeLessThan(requests / 2);
    socket.resume();
    await expect.poll(() => handled, { interval: 10, timeout: 10_000 }).toBe(requests);
  });
});

describe('the first bytes', () => {
  const cases: [bytes: string, answer: string][] = [
    ['', 'more'],
    ['PRI', 'more'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'yes'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore', 'yes'],
    ['PUT / HTTP/1.1\r\n', 'no'],
    ['P', 'more'],
    ['PRI * HTTP/2.0\r', 'more'],
    ['PRI * HTTP/2.0\r\n\r\nXY', 'yes'],
    ['PRI * HTTP/1.1', 'no'],
  ];
  it.each(cases)('%j are HTTP/2: %s', (bytes, answer) => {
    expect(beginsHttp2(Buffer.from(bytes))).toBe(answer);
  });
});
