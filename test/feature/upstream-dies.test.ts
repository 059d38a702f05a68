import type { Socket } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { useClosing } from '../support/closing.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { TestClient } from '../support/load.js';
import { startRawUpstream, startUpstream, type TestUpstream } from '../support/upstream.js';

/**
 * A service that dies in the middle of a request, at every step of the protocol, by an orderly close or a reset. Beside it is one
 * that lives: what may be sent again reaches that, and what may not is an error and never carried out twice.
 */

type End = (socket: Socket) => void;

const ends: readonly [name: string, end: End][] = [
  ['closes', (socket) => void socket.end()],
  ['resets', (socket) => void socket.resetAndDestroy()],
];

interface Phase {
  readonly name: string;
  /** What is written before the end, after `after` has come of the request. */
  readonly says: string;
  readonly after: 'accept' | 'head' | 'some body' | 'all';
  /** What the client gets for a GET and a POST; `cut` is an answer that begins and does not end. */
  readonly get: number | 'cut';
  /** 200 is the other service's answer: for a request that has provably not left. */
  readonly post: readonly (number | 'cut')[];
}

const phases: readonly Phase[] = [
  { name: 'as soon as it has accepted', after: 'accept', says: '', get: 200, post: [200, 502] },
  { name: 'behind the head of the request', after: 'head', says: '', get: 200, post: [502] },
  { name: 'in the middle of the body of the request', after: 'some body', says: '', get: 200, post: [502] },
  { name: 'behind the request', after: 'all', says: '', get: 200, post: [502] },
  { name: 'in its status line', after: 'all', says: 'HTTP/1.1 2', get: 200, post: [502] },
  { name: 'in its fields', after: 'all', says: 'HTTP/1.1 200 OK\r\nContent-Le', get: 200, post: [502] },
  { name: 'behind an interim answer', after: 'all', says: 'HTTP/1.1 103 Early Hints\r\n\r\n', get: 200, post: [502] },
  {
    name: 'in a body of a length',
    after: 'all',
    says: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf',
    get: 'cut',
    post: ['cut'],
  },
  {
    name: 'in a chunk',
    after: 'all',
    says: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha',
    get: 'cut',
    post: ['cut'],
  },
  {
    name: 'before the last chunk',
    after: 'all',
    says: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nha\r\n',
    get: 'cut',
    post: ['cut'],
  },
];

/** Enough that it does not leave in one piece. */
const body = 'x'.repeat(300_000);

const closing = useClosing();
let client: TestClient;
let living: TestUpstream;

beforeEach(async () => {
  client = new TestClient();
  living = await startUpstream((incoming, response) => void incoming.resume().on('end', () => response.end('alive')));
  closing.push(
    () => client.close(),
    () => living.close(),
  );
});

/** A gateway to the one that dies, which is first, and the one that lives. */
async function gatewayTo(phase: Phase, end: End): Promise<{ gateway: TestGateway; connections: () => number }> {
  const dying = await startRawUpstream((socket) => {
    const die = (): void => {
      if (phase.says === '') end(socket);
      else socket.write(phase.says, () => setTimeout(() => end(socket), 10));
    };
    if (phase.after === 'accept') die();
    let received = '';
    let isDead = phase.after === 'accept';
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
      if (isDead || !hasCome(received, phase.after)) return;
      isDead = true;
      die();
    });
  });
  const gateway = await startGateway({
    services: [{ name: 'app' }],
    routes: [{ name: 'app', paths: [{ kind: { case: 'prefix', value: '/' } }], service: 'app' }],
    endpoints: { app: [dying.port, living.port] },
  });
  closing.push(
    () => dying.close(),
    () => gateway.close(),
  );
  return { gateway, connections: () => dying.connections() };
}

function hasCome(received: string, what: Phase['after']): boolean {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
  const bodyBytes = received.length - headEnd - 4;
  if (what === 'all') return bodyBytes >= length;
  return what === 'head' || bodyBytes > 0 || length === 0;
}

interface Outcome {
  readonly status: number | 'cut';
  /** How often the request reached the service that lives. */
  readonly reachedOther: number;
  readonly connections: number;
}

/** What comes of the first request that goes to the service that dies; either may be the first in turn. */
async function outcomeOf(phase: Phase, end: End, request: Parameters<TestClient['send']>[1]): Promise<Outcome> {
  const { gateway, connections } = await gatewayTo(phase, end);
  for (;;) {
    const before = living.seen.length;
    const status = await client.send(`${gateway.url}/`, request).then(
      (answer) => answer.status,
      () => 'cut' as const,
    );
    if (connections() > 0) return { status, reachedOther: living.seen.length - before, connections: connections() };
  }
}

describe.each(ends)('a service that %s', (_name, end) => {
  test.each(phases.map((phase) => [phase.name, phase] as const))('%s', { timeout: 10_000 }, async (_phase, phase) => {
    const got = await outcomeOf(phase, end, {});
    expect(got).toEqual({ status: phase.get, reachedOther: phase.get === 200 ? 1 : 0, connections: 1 });

    const posted = await outcomeOf(phase, end, { method: 'POST', body });
    expect(phase.post).toContain(posted.status);
    expect(posted).toMatchObject({ reachedOther: posted.status === 200 ? 1 : 0, connections: 1 });
  });
});
