import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BufferedBody, emptyBody, type BodySource } from '../../body.js';
import { ProxyError, type ErrorKind } from '../../errors.js';
import { eventually, Fixture, testTimeouts } from '../../listener/fixture.js';
import type { ActiveCall, Call, CallObserver, Transport } from '../transport.js';

let fixture: Fixture;
beforeEach(() => {
  fixture = new Fixture();
});
afterEach(() => fixture.close());

interface Outcome {
  readonly events: string[];
  body: string;
  active: ActiveCall | null;
  readonly over: Promise<void>;
}

/** Sends a call and writes down everything that is reported of it. */
function send(transport: Transport, call: Partial<Call> = {}, onReply?: (body: BodySource) => void): Outcome {
  let finish = (): void => {};
  const outcome: Outcome = { events: [], body: '', active: null, over: new Promise((resolve) => (finish = resolve)) };
  const observer: CallObserver = {
    informed: (status) => outcome.events.push(`informed ${status}`),
    replied: (status, _headers, body) => {
      outcome.events.push(`replied ${status}`);
      if (onReply !== undefined) {
        onReply(body);
        return;
      }
      body.start({
        write: (chunk) => {
          outcome.body += Buffer.from(chunk).toString('latin1');
          return true;
        },
        end: () => {
          outcome.events.push('end');
          finish();
        },
        fail: (error) => {
          outcome.events.push(`broken ${error.kind}`);
          finish();
        },
      });
    },
    upgraded: () => outcome.events.push('upgraded'),
    failed: (error) => {
      outcome.events.push(`failed ${error.kind}`);
      finish();
    },
  };
  const whole: Call = {
    method: 'GET',
    target: '/',
    authority: 'a',
    headers: [],
    body: emptyBody,
    upgrade: null,
    timeouts: testTimeouts,
    ...call,
  };
  outcome.active = transport.send(whole, observer);
  return outcome;
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A body that never ends by itself. */
class EndlessBody implements BodySource {
  readonly length = null;
  cancelled: ProxyError | null = null;
  started = false;

  start(): void {
    this.started = true;
  }
  resume(): void {}
  cancel(reason: ProxyError): void {
    this.cancelled = reason;
  }
}

describe('failures are named after what they prove', () => {
  test('nobody listens: connect_failed', async () => {
    const outcome = send(fixture.transport(1));
    await outcome.over;

    expect(outcome.events).toEqual(['failed connect_failed']);
  });

  test.each([{ connectMs: 60 }, { connectMs: 60_000, perTryMs: 60 }])(
    'the handshake is not answered within %j: connect_timeout',
    async (timeouts) => {
      // A blackhole address of RFC 5737; a network that refuses it at once is no less right.
      const { createHttp1Transport } = await import('./pool.js');
      const transport = createHttp1Transport({ address: '192.0.2.1', port: 81, wheel: fixture.wheel });
      const outcome = send(transport, { timeouts: { ...testTimeouts, ...timeouts } });
      await outcome.over;

      expect(['failed connect_timeout', 'failed connect_failed']).toContain(outcome.events[0]);
      expect(new ProxyError('connect_timeout').retry).toBe('if-unsent');
    },
  );

  const phases: readonly [name: string, answer: string, expected: string[]][] = [
    ['before a byte', '', ['failed upstream_reset']],
    ['in the status line', 'HTTP/1.1 20', ['failed upstream_reset']],
    ['in the head', 'HTTP/1.1 200 OK\r\nContent-Le', ['failed upstream_reset']],
    ['after an interim answer', 'HTTP/1.1 103 Early Hints\r\n\r\n', ['informed 103', 'failed upstream_reset']],
    ['after the head', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', ['replied 200', 'broken upstream_reset']],
    ['in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', ['replied 200', 'broken upstream_reset']],
    [
      'in a chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc',
      ['replied 200', 'broken upstream_reset'],
    ],
    [
      'before the last chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
      ['replied 200', 'broken upstream_reset'],
    ],
    [
      'in the trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n',
      ['replied 200', 'broken upstream_reset'],
    ],
  ];
  const endings: readonly [string, (socket: Socket) => void][] = [
    ['ends', (socket) => socket.end()],
    ['resets', (socket) => socket.resetAndDestroy()],
  ];
  for (const [how, finish] of endings) {
    test.each(phases)(`the endpoint ${how} %s`, async (_name, answer, expected) => {
      const port = await fixture.rawServer((socket) => {
        socket.once('data', () => socket.write(answer, () => setTimeout(() => finish(socket), 5)));
      });
      const outcome = send(fixture.transport(port));
      await outcome.over;

      expect(outcome.events).toEqual(expected);
    });
  }

  test.each<[string, string, ErrorKind]>([
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n', 'upstream_malformed'],
    [
      'length and chunked',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'upstream_malformed',
    ],
    ['a split field', 'HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n', 'upstream_malformed'],
    ['an upgrade nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', 'upstream_malformed'],
    ['endless interim answers', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(40), 'upstream_malformed'],
    ['an endless head', `HTTP/1.1 200 OK\r\n${`A: ${'b'.repeat(1_000)}\r\n`.repeat(150)}`, 'upstream_too_large'],
  ])('%s', async (_name, answer, kind) => {
    const { port } = await fixture.scripted(answer);
    const outcome = send(fixture.transport(port));
    await outcome.over;

    expect(outcome.events.filter((event) => event !== 'informed 102')).toEqual([`failed ${kind}`]);
  });

  test('a malformed chunk breaks the body', async () => {
    const { port } = await fixture.scripted('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiX');
    const outcome = send(fixture.transport(port));
    await outcome.over;

    expect(outcome.events).toEqual(['replied 200', 'broken upstream_malformed']);
  });

  test('a kept connection that the endpoint resets on the next request proves nothing', async () => {
    const { port } = await fixture.scripted((request, socket) => {
      if (request.includes('/first')) return ok;
      socket.resetAndDestroy();
      return null;
    });
    const transport = fixture.transport(port);
    await send(transport, { target: '/first' }).over;
    const second = send(transport, { target: '/second', method: 'POST' });
    await second.over;

    expect(second.events).toEqual(['failed upstream_reset']);
  });

  test('a kept connection that the endpoint closed meanwhile is not used', async () => {
    let connections = 0;
    const port = await fixture.rawServer((socket) => {
      connections++;
      socket.once('data', () => socket.end(ok));
    });
    const transport = fixture.transport(port);
    for (let i = 0; i < 3; i++) {
      const outcome = send(transport);
      await outcome.over;
      expect(outcome.body).toBe('ok');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }

    expect(connections).toBe(3);
  });

  test('bytes that no call asked for end the connection, and are not taken for the next answer', async () => {
    let connections = 0;
    const port = await fixture.rawServer((socket) => {
      connections++;
      socket.on('data', () => socket.write(`${ok}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`));
    });
    const transport = fixture.transport(port);
    const first = send(transport);
    await first.over;
    const second = send(transport);
    await second.over;

    expect([first.body, second.body]).toEqual(['ok', 'ok']);
    expect(connections).toBe(2);
  });
});

describe('timeouts', () => {
  test.each<[string, Partial<Call['timeouts']>, string, string[]]>([
    ['no answer within readMs', { readMs: 60 }, '', ['failed upstream_timeout']],
    ['no head within perTryMs', { perTryMs: 60 }, '', ['failed upstream_timeout']],
    ['half a head within perTryMs', { perTryMs: 60 }, 'HTTP/1.1 200', ['failed upstream_timeout']],
    [
      'a body that stops for readMs',
      { readMs: 60 },
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc',
      ['replied 200', 'broken upstream_timeout'],
    ],
  ])('%s', async (_name, timeouts, answer, expected) => {
    const { port } = await fixture.scripted(answer === '' ? () => null : answer);
    const outcome = send(fixture.transport(port), { timeouts: { ...testTimeouts, ...timeouts } });
    await outcome.over;

    expect(outcome.events).toEqual(expected);
  });

  test('an endpoint that takes no body for writeMs', async () => {
    const port = await fixture.rawServer((socket) => socket.pause());
    const outcome = send(fixture.transport(port), {
      method: 'POST',
      body: new BufferedBody(Buffer.alloc(20_000_000)),
      timeouts: { ...testTimeouts, writeMs: 60 },
    });
    await outcome.over;

    expect(outcome.events).toEqual(['failed upstream_timeout']);
  });

  test('a reader that pauses does not count against the endpoint', async () => {
    const { port } = await fixture.httpServer((_request, response) => response.end(Buffer.alloc(3_000_000)));
    const transport = fixture.transport(port);
    let bytes = 0;
    await new Promise<void>((resolve, reject) => {
      send(transport, { timeouts: { ...testTimeouts, readMs: 60 } }, (body) => {
        let paused = false;
        body.start({
          write: (chunk) => {
            bytes += chunk.length;
            if (paused) return true;
            paused = true;
            setTimeout(() => body.resume(), 250);
            return false;
          },
          end: () => resolve(),
          fail: reject,
        });
      });
    });

    expect(bytes).toBe(3_000_000);
  });
});

describe('the pool', () => {
  test('opens no more than maxConnections and serves those that wait in order', async () => {
    let open = 0;
    let most = 0;
    const port = await fixture.rawServer((socket) => {
      most = Math.max(most, ++open);
      socket.on('close', () => open--);
      socket.on('data', () => setTimeout(() => socket.write(ok), 2));
    });
    const transport = fixture.transport(port, { maxConnections: 2 });
    const outcomes = Array.from({ length: 10 }, () => send(transport));
    await Promise.all(outcomes.map(({ over }) => over));

    expect(outcomes.every(({ body }) => body === 'ok')).toBe(true);
    expect(most).toBe(2);
  });

  test('refuses what exceeds the line, and what waits too long, as pool_exhausted', async () => {
    const { port } = await fixture.scripted(() => null);
    const transport = fixture.transport(port, { maxConnections: 1, maxPending: 1, pendingTimeoutMs: 60 });
    const held = send(transport);
    const waiting = send(transport);
    const beyond = send(transport);
    expect(beyond.events).toEqual([]);

    await Promise.all([waiting.over, beyond.over]);

    expect([held.events, waiting.events, beyond.events]).toEqual([
      [],
      ['failed pool_exhausted'],
      ['failed pool_exhausted'],
    ]);
    held.active?.cancel();
  });

  test('a cancelled call frees its connection and is heard of no more', async () => {
    let closed = 0;
    const port = await fixture.rawServer((socket) => {
      socket.on('data', (bytes: Buffer) => (bytes.includes('/held') ? held.active?.cancel() : socket.write(ok)));
      socket.on('end', () => socket.end());
      socket.on('close', () => closed++);
    });
    const transport = fixture.transport(port, { maxConnections: 1 });
    const held = send(transport, { target: '/held' });
    const waiting = send(transport);
    const cancelledWhileWaiting = send(transport);
    cancelledWhileWaiting.active?.cancel();
    await waiting.over;

    expect(waiting.body).toBe('ok');
    expect([...held.events, ...cancelledWhileWaiting.events]).toEqual([]);
    await eventually(() => closed === 1);
  });

  test('idle connections close after idleTimeoutMs, or sooner when the endpoint says so', async () => {
    let closed = 0;
    const port = await fixture.rawServer((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n'));
      socket.on('end', () => socket.end());
      socket.on('close', () => closed++);
    });
    await send(fixture.transport(port, { idleTimeoutMs: 60_000 })).over;

    await eventually(() => closed === 1);
  });

  test('the connection used last is used first', async () => {
    const seen: number[] = [];
    let next = 0;
    const port = await fixture.rawServer((socket) => {
      const id = next++;
      socket.on('data', () => {
        seen.push(id);
        setTimeout(() => socket.write(ok), 5);
      });
    });
    const transport = fixture.transport(port);
    await Promise.all([send(transport).over, send(transport).over, send(transport).over]);
    seen.length = 0;
    for (let i = 0; i < 4; i++) await send(transport).over;

    expect(new Set(seen).size).toBe(1);
  });

  test('close lets calls in flight finish and takes no more', async () => {
    const { port } = await fixture.scripted((_request, socket) => {
      setTimeout(() => socket.write(ok), 20);
      return null;
    });
    const transport = fixture.transport(port);
    const running = send(transport);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const closing = transport.close();
    const late = send(transport);
    await Promise.all([closing, late.over]);

    expect(running.body).toBe('ok');
    expect(late.events).toEqual(['failed upstream_unsent']);
  });

  test('destroy fails calls in flight and those that wait', async () => {
    const { port } = await fixture.scripted(() => null);
    const transport = fixture.transport(port, { maxConnections: 1 });
    const outcomes = [send(transport), send(transport)];
    await new Promise((resolve) => setTimeout(resolve, 10));
    transport.destroy(new ProxyError('draining'));

    await Promise.all(outcomes.map(({ over }) => over));
    expect(outcomes.map(({ events }) => events)).toEqual([['failed draining'], ['failed draining']]);
  });
});

describe('request bodies', () => {
  test('a connection whose last bytes were more than the client took hears the answer after it', async () => {
    const { port } = await fixture.scripted((_, socket) => {
      setTimeout(() => socket.write('lf'), 20);
      return 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha';
    });
    const transport = fixture.transport(port, { maxConnections: 1 });
    for (let i = 0; i < 3; i++) {
      const outcome = await new Promise<string>((resolve) => {
        send(transport, {}, (body) =>
          body.start({
            write: () => {
              setTimeout(() => body.resume(), 5);
              return false;
            },
            end: () => resolve('end'),
            fail: ({ kind }) => resolve(kind),
          }),
        );
      });

      expect(outcome).toBe('end');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  test('an answer that comes early is passed on while the body still flows, then the body is cancelled', async () => {
    const { port } = await fixture.scripted((_request, socket) => {
      socket.removeAllListeners('data');
      return ok;
    });
    const body = new EndlessBody();
    const outcome = send(fixture.transport(port), { method: 'POST', body });
    await outcome.over;

    expect(outcome.events).toEqual(['replied 200', 'end']);
    expect(body.started).toBe(true);
    await eventually(() => body.cancelled !== null);
  });

  test('a failed call cancels the body it had started', async () => {
    const { port } = await fixture.scripted((_request, socket) => {
      socket.resetAndDestroy();
      return null;
    });
    const body = new EndlessBody();
    await send(fixture.transport(port), { method: 'POST', body }).over;

    expect(body.cancelled?.kind).toBe('upstream_reset');
  });

  test('a body that fails fails the call with its error', async () => {
    const { port } = await fixture.scripted(() => null);
    const body: BodySource = {
      length: null,
      start: (sink) => sink.fail(new ProxyError('client_closed')),
      resume: () => {},
      cancel: () => {},
    };
    const outcome = send(fixture.transport(port), { method: 'POST', body });
    await outcome.over;

    expect(outcome.events).toEqual(['failed client_closed']);
  });

  test.each<[string, Partial<Call>, RegExp]>([
    ['no body with GET', { method: 'GET' }, /^GET \/ HTTP\/1\.1\r\nHost: a\r\n\r\n$/],
    ['no body with POST', { method: 'POST' }, /Host: a\r\nContent-Length: 0\r\n\r\n$/],
    ['a known body', { method: 'POST', body: new BufferedBody(Buffer.from('hi')) }, /Content-Length: 2\r\n\r\nhi$/],
    [
      'a body with trailers',
      { method: 'POST', body: new BufferedBody(Buffer.from('hi'), ['X-T', '1']) },
      /Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n$/,
    ],
    ['TE', { headers: ['TE', 'trailers'] }, /TE: trailers\r\nConnection: TE\r\n\r\n$/],
    [
      'fields that are the transport’s',
      { headers: ['Host', 'evil', 'content-LENGTH', '7', 'Transfer-Encoding', 'chunked', 'Connection', 'x', 'A', 'b'] },
      /Host: a\r\nA: b\r\n\r\n$/,
    ],
    [
      'a target that would',
      { target: '/a b\r\nHost: evil/ü' },
      /^GET \/a%20b%0D%0AHost:%20evil\/%C3%BC HTTP\/1\.1\r\n/,
    ],
  ])('framing of %s', async (_name, call, expected) => {
    const { port, requests } = await fixture.scripted(ok);
    await send(fixture.transport(port), call).over;

    expect(requests.join('')).toMatch(expected);
  });
});
