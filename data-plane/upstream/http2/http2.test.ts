import { createServer, type Http2Server, type ServerHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BufferedBody, type BodySink, type BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import { headerValue } from '../../headers.js';
import { TimerWheel } from '../../wheel.js';
import type { Transport } from '../transport.js';
import { createHttp2Transport, type Http2TransportLimits } from './http2.js';
import { framed, get, grpc, Recorder, settled } from './support.fixture.js';

let wheel: TimerWheel;
const closers: (() => unknown)[] = [];

beforeEach(() => {
  wheel = new TimerWheel();
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  wheel.close();
});

type Answer = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

async function listen(server: Server | Http2Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

async function serve(answer: Answer, settings = {}): Promise<{ port: number; server: Http2Server }> {
  const server = createServer({ settings });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    answer(stream, headers);
  });
  return { port: await listen(server), server };
}

function transportTo(port: number, limits: Partial<Http2TransportLimits> = {}): Transport {
  const transport = createHttp2Transport({ address: '127.0.0.1', port, wheel, limits, random: () => 0 });
  closers.push(() => transport.destroy(new ProxyError('draining')));
  return transport;
}

const echo: Answer = (stream) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.pipe(stream);
};

describe('a call', () => {
  it('gets head, body and trailers of its answer', async () => {
    const { port } = await serve(echo);
    const message = framed(Buffer.from('hello'));

    const reply = await new Recorder(transportTo(port), grpc('/a.B/C', new BufferedBody(message))).done;

    expect(reply.error).toBeNull();
    expect(reply.status).toBe(200);
    expect(headerValue(reply.headers, 'content-type')).toBe('application/grpc');
    expect(reply.text).toBe(message.toString('latin1'));
    expect(reply.trailers).toEqual(['grpc-status', '0']);
  });

  it('carries method, path, authority, headers and content-length', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const { port } = await serve((stream, headers) => {
      seen.push(headers);
      stream.respond({ ':status': 204 }, { endStream: true });
    });
    const transport = transportTo(port);

    await new Recorder(transport, { ...get('/p?q=1'), headers: ['X-One', 'caf\xe9', 'x-two', ''] }).done;
    await new Recorder(transport, grpc('/', new BufferedBody(Buffer.from('12345')))).done;

    expect(seen[0]).toMatchObject({
      ':method': 'GET',
      ':path': '/p?q=1',
      ':authority': 'test.local',
      ':scheme': 'http',
    });
    expect(seen[0]).toMatchObject({ 'x-two': '' });
    expect(seen[0]).not.toHaveProperty('content-length');
    expect(seen[1]).toMatchObject({ ':method': 'POST', ':path': '/', 'content-length': '5', te: 'trailers' });
  });

  it('that is answered with trailers only has its status in the head, and a body that ends at once', async () => {
    const { port } = await serve((stream) => {
      stream.respond({ ':status': 200, 'grpc-status': '12', 'grpc-message': 'no' }, { endStream: true });
    });

    const reply = await new Recorder(transportTo(port), grpc('/a.B/C', new BufferedBody(framed(Buffer.alloc(3))))).done;

    expect(headerValue(reply.headers, 'grpc-status')).toBe('12');
    expect(reply.body?.length).toBe(0);
    expect(reply.bytes).toBe(0);
    expect(reply.trailers).toBeNull();
  });

  it('hears of interim heads', async () => {
    const { port } = await serve((stream) => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' });
      stream.respond({ ':status': 200 });
      stream.end('x');
    });

    const reply = await new Recorder(transportTo(port), get('/')).done;

    expect(reply.informs).toEqual([103]);
    expect(reply.text).toBe('x');
  });
});

describe('flow control', () => {
  const large = Buffer.alloc(3_000_000, 'abcdefg');

  it('carries bodies larger than any window both ways', async () => {
    const { port } = await serve(echo);

    const reply = await new Recorder(transportTo(port), grpc('/a.B/C', new BufferedBody(large))).done;

    expect(reply.error).toBeNull();
    expect(reply.bytes).toBe(large.length);
    expect(Buffer.concat(reply.chunks).equals(large)).toBe(true);
  });

  it('stops an upstream whose reader is paused, without disturbing other calls', async () => {
    let written = 0;
    const { port } = await serve((stream, headers) => {
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/small') {
        stream.end('ok');
        return;
      }
      const more = (): void => {
        while (written < large.length) {
          written += 10_000;
          if (!stream.write(large.subarray(0, 10_000))) return;
        }
        stream.end();
      };
      stream.on('drain', more);
      more();
    });
    const transport = transportTo(port, { streamWindowBytes: 65_536 });

    const stalled = await new Recorder(transport, get('/large'), true).replying;
    const writtenWhileStalled = await settled(() => written);
    const others = await Promise.all(Array.from({ length: 20 }, () => new Recorder(transport, get('/small')).done));
    stalled.resume();
    await stalled.done;

    expect(stalled.chunks.length).toBeGreaterThan(1);
    expect(writtenWhileStalled).toBeLessThan(400_000);
    expect(others.every(({ text }) => text === 'ok')).toBe(true);
    expect(stalled.bytes).toBe(large.length);
  });

  it('bounds what a thousand stalled readers hold, and serves the others', async () => {
    let written = 0;
    const { port } = await serve((stream, headers) => {
      stream.respond({ ':status': 200 });
      if (headers[':path'] === '/small') {
        stream.end('ok');
        return;
      }
      const chunk = Buffer.alloc(8_192);
      const more = (): void => {
        do written += chunk.length;
        while (stream.write(chunk) && !stream.destroyed);
      };
      stream.on('drain', more);
      more();
    });
    const transport = transportTo(port, { streamWindowBytes: 16_384, maxConnections: 2 });
    const calls = Array.from({ length: 1_000 }, () => new Recorder(transport, get('/endless'), true));
    await Promise.all(calls.map(({ replying }) => replying));
    await settled(() => written);

    const before = process.memoryUsage().external;
    const others = await Promise.all(Array.from({ length: 50 }, () => new Recorder(transport, get('/small')).done));
    const grown = process.memoryUsage().external - before;

    expect(others.map(({ text }) => text)).toEqual(others.map(() => 'ok'));
    expect(calls.every(({ bytes, error }) => bytes <= 16_384 && error === null)).toBe(true);
    // What node holds in each of its streams comes on top.
    expect(written).toBeLessThan(1_000 * (16_384 + 65_536));
    expect(grown).toBeLessThan(10_000_000);
    for (const { call } of calls) call.cancel();
  });

  it('stops the source of a request that the upstream does not read', async () => {
    const streams: ServerHttp2Stream[] = [];
    const { port } = await serve((stream) => {
      streams.push(stream);
      stream.pause();
    });
    const source = new EndlessSource();
    const recorder = new Recorder(transportTo(port), grpc('/', source));

    await until(() => streams.length > 0);
    const sent = await settled(() => source.sent);

    expect(sent).toBeLessThan(1_000_000);

    streams[0]?.respond({ ':status': 200 }, { endStream: true });
    const reply = await recorder.done;
    expect(reply.status).toBe(200);
    expect(source.cancelled).toBe(true);
  });

  it('follows a change of the initial window on open streams', async () => {
    const { port } = await serve(
      (stream) => {
        stream.respond({ ':status': 200 });
        stream.pipe(stream);
        stream.session?.settings({ initialWindowSize: 500_000 });
      },
      { initialWindowSize: 10 },
    );
    const body = Buffer.alloc(200_000, 'z');

    const reply = await new Recorder(transportTo(port), grpc('/', new BufferedBody(body))).done;

    expect(reply.bytes).toBe(body.length);
  });
});

class EndlessSource implements BodySource {
  readonly length = null;
  sent = 0;
  cancelled = false;
  #sink: BodySink | null = null;

  start(sink: BodySink): void {
    this.#sink = sink;
    this.resume();
  }

  resume(): void {
    const chunk = Buffer.alloc(16_384);
    do this.sent += chunk.length;
    while (this.#sink?.write(chunk) === true && this.sent < 100_000_000);
  }

  cancel(): void {
    this.cancelled = true;
  }
}

describe('a call that goes wrong', () => {
  it('and is cancelled resets its stream within a turn and reports nothing', async () => {
    const codes: number[] = [];
    const { port } = await serve((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('first');
      stream.on('close', () => codes.push(stream.rstCode));
    });
    const recorder = await new Recorder(transportTo(port), get('/')).replying;

    recorder.call.cancel();
    recorder.call.cancel();
    await until(() => codes.length > 0);

    expect(codes).toEqual([8]);
    expect(recorder.error).toBeNull();
  });

  const resets: [title: string, code: number, kind: string][] = [
    ['REFUSED_STREAM', 7, 'upstream_unsent'],
    ['INTERNAL_ERROR', 2, 'upstream_reset'],
    ['CANCEL', 8, 'upstream_reset'],
  ];
  it.each(resets)('and is reset with %s before its head fails', async (_title, code, kind) => {
    const { port } = await serve((stream) => stream.close(code));

    const reply = await new Recorder(transportTo(port), grpc('/', new BufferedBody(Buffer.from('x')))).done;

    expect(reply.error?.kind).toBe(kind);
  });

  it('and is reset after its head fails its body', async () => {
    const { port } = await serve((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('part', () => stream.destroy(new Error('fault')));
    });

    const reply = await new Recorder(transportTo(port), get('/')).done;

    expect(reply.text).toBe('part');
    expect(reply.error?.kind).toBe('upstream_reset');
  });

  it('and gets no head in time fails, while the connection serves on', async () => {
    const { port } = await serve((stream, headers) => {
      if (headers[':path'] === '/ok') stream.respond({ ':status': 200 }, { endStream: true });
    });
    const transport = transportTo(port);

    const slow = new Recorder(transport, get('/never', { perTryMs: 60 }));
    const silent = new Recorder(transport, get('/never', { readMs: 60 }));

    expect((await slow.done).error?.kind).toBe('upstream_timeout');
    expect((await silent.done).error?.kind).toBe('upstream_timeout');
    expect((await new Recorder(transport, get('/ok')).done).status).toBe(200);
  });

  it('and whose body stops coming fails it, but not while its own reader pauses', async () => {
    const { port } = await serve((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('part');
    });
    const transport = transportTo(port);

    const paused = new Recorder(transport, get('/', { readMs: 60 }), true);
    const silent = await new Recorder(transport, get('/', { readMs: 60 })).done;

    expect(silent.error?.kind).toBe('upstream_timeout');
    expect(paused.error).toBeNull();
    paused.resume();
    expect((await paused.done).error?.kind).toBe('upstream_timeout');
  });

  it('and whose upstream takes no more of its body fails', async () => {
    const { port } = await serve((stream) => stream.pause());

    const reply = await new Recorder(transportTo(port), grpc('/', new EndlessSource(), { writeMs: 60 })).done;

    expect(reply.error?.kind).toBe('upstream_timeout');
  });

  it('and whose body breaks off fails with that error and resets', async () => {
    const codes: number[] = [];
    const { port } = await serve((stream) => stream.on('close', () => codes.push(stream.rstCode)));
    const body: BodySource = {
      length: null,
      start: (sink) => void setImmediate(() => sink.fail(new ProxyError('client_closed'))),
      resume: () => {},
      cancel: () => {},
    };

    const reply = await new Recorder(transportTo(port), grpc('/', body)).done;
    await until(() => codes.length > 0);

    expect(reply.error?.kind).toBe('client_closed');
  });
});

describe('connections', () => {
  it('are refused to nobody: a port without a server fails as retriable, and at once during the backoff', async () => {
    const transport = transportTo(1);

    const first = await new Recorder(transport, get('/')).done;
    const second = await new Recorder(transport, get('/')).done;

    expect(first.error?.kind).toBe('connect_failed');
    expect(second.error?.kind).toBe('connect_failed');
    expect(second.error?.retry).toBe('if-unsent');
  });

  it('are not taken for HTTP/2 when the server speaks something else', async () => {
    const port = await listen(createTcpServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));

    const reply = await new Recorder(transportTo(port), get('/')).done;

    expect(reply.error?.kind).toBe('connect_failed');
  });

  it('that take no call are not made again and again', async () => {
    let made = 0;
    const noStreams = Buffer.from('000006040000000000000300000000', 'hex');
    const port = await listen(createTcpServer((socket) => socket.on('data', () => {}).end(noStreams, () => made++)));

    const reply = await new Recorder(transportTo(port), get('/', { connectMs: 400 })).done;

    expect(reply.error?.kind).toBe('connect_timeout');
    expect(made).toBeGreaterThan(1);
    expect(made).toBeLessThan(12);
  });

  it('outlive an answer whose head is too large', async () => {
    const { port } = await serve((stream, headers) => {
      if (headers[':path'] === '/large') stream.respond({ ':status': 200, 'x-large': '~'.repeat(50_000) });
      else setTimeout(() => echo(stream, headers), 20);
    });
    const transport = transportTo(port, { maxHeaderListBytes: 16_384 });

    const [other, large] = await Promise.all([
      new Recorder(transport, get('/')).done,
      new Recorder(transport, get('/large')).done,
    ]);

    expect(large.error?.kind).toBe('upstream_too_large');
    expect([other.error, other.status]).toEqual([null, 200]);
  });

  it('to a server that says nothing time out', async () => {
    const port = await listen(createTcpServer(() => {}));

    const reply = await new Recorder(transportTo(port), get('/', { connectMs: 60 })).done;

    expect(reply.error?.kind).toBe('connect_timeout');
  });

  it('carry a hundred calls at a time, one connection if the server allows', async () => {
    let sessions = 0;
    const { port, server } = await serve(echo);
    server.on('session', () => sessions++);
    const transport = transportTo(port);

    const calls = Array.from(
      { length: 100 },
      (_, i) => new Recorder(transport, grpc('/', new BufferedBody(framed(Buffer.alloc(i * 100, i))))),
    );
    const replies = await Promise.all(calls.map(({ done }) => done));

    expect(replies.map(({ error, bytes }) => [error, bytes])).toEqual(
      Array.from({ length: 100 }, (_, i) => [null, 5 + i * 100]),
    );
    expect(sessions).toBe(1);
  });

  it('are added when streams run out, and calls beyond all of them wait their turn', async () => {
    let sessions = 0;
    let open = 0;
    let mostOpen = 0;
    const { port, server } = await serve(
      (stream) => {
        mostOpen = Math.max(mostOpen, ++open);
        setTimeout(() => {
          open--;
          stream.respond({ ':status': 200 }, { endStream: true });
        }, 20);
      },
      { maxConcurrentStreams: 5 },
    );
    server.on('session', () => sessions++);
    const transport = transportTo(port, { maxConnections: 3 });

    const replies = await Promise.all(Array.from({ length: 40 }, () => new Recorder(transport, get('/')).done));

    expect(replies.every(({ status }) => status === 200)).toBe(true);
    expect(sessions).toBe(3);
    expect(mostOpen).toBeLessThanOrEqual(15);
  });

  it('are enough for thousands of calls that begin at once and last', async () => {
    const streams: ServerHttp2Stream[] = [];
    const { port } = await serve(
      (stream) => {
        streams.push(stream);
        stream.respond({ ':status': 200 });
      },
      { maxConcurrentStreams: 100 },
    );
    const transport = transportTo(port);

    const calls = Array.from({ length: 2_000 }, () => new Recorder(transport, get('/')));
    await Promise.all(calls.map(({ replying }) => replying));
    expect(streams).toHaveLength(2_000);
    for (const stream of streams) stream.end();
    const replies = await Promise.all(calls.map(({ done }) => done));

    expect(replies.filter(({ error }) => error !== null)).toEqual([]);
  });

  it('that are told to go away finish what was accepted; calls after it go to a new one', async () => {
    let sessions = 0;
    const finish: (() => void)[] = [];
    const { port, server } = await serve((stream) => {
      stream.respond({ ':status': 200 });
      if (sessions === 1) stream.session?.goaway(0, stream.id ?? 1);
      finish.push(() => stream.end('done'));
    });
    server.on('session', () => sessions++);
    const transport = transportTo(port);

    const before = await new Recorder(transport, get('/')).replying;
    let after = await new Recorder(transport, get('/')).replying;
    while (after.error?.kind === 'upstream_unsent') after = await new Recorder(transport, get('/')).replying;
    for (const each of finish) each();

    expect((await before.done).text).toBe('done');
    expect((await after.done).text).toBe('done');
    expect(sessions).toBe(2);
  });

  it('that break fail their calls, and are replaced for the next', async () => {
    const { port } = await serve((stream, headers) => {
      if (headers[':path'] === '/die') stream.session?.destroy();
      else stream.respond({ ':status': 200 }, { endStream: true });
    });
    const transport = transportTo(port);

    const dead = await new Recorder(transport, get('/die')).done;
    const next = await new Recorder(transport, get('/')).done;

    expect(dead.error?.source).toBe('upstream');
    expect(next.status).toBe(200);
  });

  it('finish their calls when the transport closes', async () => {
    const { port } = await serve((stream) =>
      setTimeout(() => stream.respond({ ':status': 200 }, { endStream: true }), 50),
    );
    const transport = transportTo(port);
    const call = new Recorder(transport, get('/'));

    const closed = transport.close();

    expect((await call.done).status).toBe(200);
    await closed;
    expect((await new Recorder(transport, get('/')).done).error?.kind).toBe('upstream_unsent');
  });

  it('close when they have been idle', async () => {
    let closedSessions = 0;
    const { port, server } = await serve((stream) => stream.respond({ ':status': 200 }, { endStream: true }));
    server.on('session', (session) => session.on('close', () => closedSessions++));
    const transport = transportTo(port, { idleTimeoutMs: 10 });

    await new Recorder(transport, get('/')).done;
    await until(() => closedSessions > 0);
    const again = await new Recorder(transport, get('/')).done;

    expect(again.status).toBe(200);
  });

  it('that answer no ping are given up', async () => {
    const port = await listen(createTcpServer((socket) => void socket.write(Buffer.from('000000040000000000', 'hex'))));

    const reply = await new Recorder(transportTo(port, { keepAliveMs: 50, keepAliveTimeoutMs: 60 }), get('/')).done;

    expect(reply.error?.kind).toBe('upstream_reset');
  });

  it('that have been silent for long are asked when a call goes out on them, and given up', async () => {
    const answer = Buffer.from('00000101050000000188', 'hex');
    let connections = 0;
    const port = await listen(
      createTcpServer((socket) => {
        connections++;
        socket.write(Buffer.from('000000040000000000', 'hex'));
        // The first request is answered, and from then on nobody is there.
        socket.once('data', () => setTimeout(() => socket.write(answer), 20));
      }),
    );
    const transport = transportTo(port, { staleMs: 50, keepAliveTimeoutMs: 60 });

    const first = await new Recorder(transport, get('/')).done;
    await new Promise((resolve) => setTimeout(resolve, 100));
    const second = await new Recorder(transport, get('/')).done;

    expect([first.status, first.error]).toEqual([200, null]);
    expect(second.error?.kind).toBe('upstream_reset');
    expect(connections).toBe(1);
  });

  it('is not asked again and again while it answers no call, which servers of gRPC would end it for', async () => {
    let pings = 0;
    const { port, server } = await serve((stream, { ':path': path }) => {
      if (path === '/') stream.respond({ ':status': 200 }, { endStream: true });
    });
    server.on('session', (session) => session.on('ping', () => pings++));
    const transport = transportTo(port, { staleMs: 20 });
    const callLater = async (target: string): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      await new Recorder(transport, get(target, { perTryMs: 1 })).done;
    };

    for (let i = 0; i < 4; i++) await callLater('/never');
    expect(pings).toBe(1);

    await new Recorder(transport, get('/')).done;
    await callLater('/never');
    expect(pings).toBe(2);
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
