import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually, Fixture, type RawClient } from './fixture.js';
import type { ListenerLimits } from './listener.js';

/**
 * The attacks that slowhttptest knows, by many clients at a time: each of them is cut at its limit, everybody else is served
 * meanwhile, and what the slow ones make us hold is bounded. limits.test.ts has each limit by itself.
 */
let fixture: Fixture;
beforeEach(() => {
  fixture = new Fixture();
});
afterEach(() => fixture.close());

interface Mode {
  readonly name: string;
  readonly clients: number;
  readonly limits: Partial<ListenerLimits>;
  readonly request: string;
  /** What it does before it sends the request. */
  readonly begin?: (socket: Socket) => void;
  /** What a slow client does, again and again. */
  readonly goOn: (socket: Socket) => void;
  /** What it has got in the end. */
  readonly received: RegExp;
}

const everyMs = 50;
const bigBytes = 6_000_000;
/** By this process, which has the clients and the upstream in it as well. The answers that are not read are 120 MB. */
const maxHeldBytes = 25_000_000;

const modes: readonly Mode[] = [
  {
    name: 'heads in pieces (slowhttptest -H)',
    clients: 200,
    limits: { headMs: 400 },
    request: 'GET / HTTP/1.1\r\nHost: a\r\n',
    goOn: (socket) => void socket.write('X-A: b\r\n'),
    received: /^HTTP\/1\.1 408 .*Connection: close\r\n/s,
  },
  {
    name: 'bodies in pieces (slowhttptest -B)',
    clients: 200,
    limits: { bodyIdleMs: 400, minBodyBytesPerSecond: 1_000 },
    request: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n',
    goOn: (socket) => void socket.write('abc'),
    received: /^HTTP\/1\.1 408 .*Connection: close\r\n/s,
  },
  {
    name: 'answers read in pieces (slowhttptest -X)',
    clients: 20,
    limits: { writeStallMs: 400 },
    request: 'GET /big HTTP/1.1\r\nHost: a\r\n\r\n',
    begin: (socket) => void socket.removeAllListeners('data').pause(),
    goOn: (socket) => void socket.read(5),
    received: /^$/,
  },
];

test.each(modes)('$name: cut at the limit, while others are served and little is held', async (mode) => {
  const { port: upstream } = await fixture.httpServer((request, response) => {
    if (request.method === 'POST') request.resume().on('end', () => response.end('ok'));
    else response.end(request.url === '/big' ? big : 'ok');
  });
  const big = Buffer.alloc(bigBytes);
  const { port, listener } = await fixture.gateway(upstream, { limits: mode.limits });
  const before = held();

  const slow = await startSlow(mode, port);
  const answers = await askUntil(port, () => listener.connections <= 1);
  slow.stop();

  expect(slow.peakBytes() - before).toBeLessThan(maxHeldBytes);
  expect(answers.length).toBeGreaterThan(2);
  expect(new Set(answers)).toEqual(new Set(['ok']));
  for (const { received } of slow.clients) expect(received).toMatch(mode.received);
  await eventually(() => listener.connections === 0);
});

function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function startSlow({ clients, request, begin, goOn }: Mode, port: number): Promise<SlowClients> {
  const all = await Promise.all(Array.from({ length: clients }, () => fixture.client(port)));
  for (const client of all) {
    begin?.(client.socket);
    client.write(request);
  }
  let peak = 0;
  const timer = setInterval(() => {
    for (const { socket } of all) if (socket.writable) goOn(socket);
    peak = Math.max(peak, held());
  }, everyMs);
  fixture.onClose(() => clearInterval(timer));
  return { clients: all, peakBytes: () => peak, stop: () => clearInterval(timer) };
}

interface SlowClients {
  readonly clients: readonly RawClient[];
  peakBytes(): number;
  stop(): void;
}

/** One request after the other on a kept connection. */
async function askUntil(port: number, done: () => boolean): Promise<string[]> {
  const client = await fixture.client(port);
  const answers: string[] = [];
  while (!done()) {
    client.received = '';
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until('ok');
    answers.push(client.received.slice(-2));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  client.end();
  return answers;
}
