import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { useClosing } from '../support/closing.js';
import { startGateway } from '../support/gateway.js';

const closing = useClosing();

const clients = 10;
const streamsPerClient = 100;
/** What a client that never gives credit is sent on a stream, and what the gateway then takes of the service beyond it. */
const clientWindowBytes = 65_535;
const upstreamWindowBytes = 131_072;

/**
 * In a process of its own, so that what it holds is not counted: sends more than all windows take, or one small message.
 * Not without end: over HTTP/1 the system's buffers would take megabytes for each stream.
 */
const service = `
  const answer = (path, to) => {
    to.on('error', () => {});
    if (path.endsWith('/One')) to.end(Buffer.alloc(5));
    else for (let i = 0; i < 16; i++) to.write(chunk);
  };
  const chunk = Buffer.alloc(16384);
  const head = { 'content-type': 'application/grpc' };
  const servers = {
    http: () => require('node:http').createServer((request, response) => answer(request.url, response)),
    grpc: () => require('node:http2').createServer({ maxSessionMemory: 1000 }).on('stream', (stream, { ':path': path }) => {
      stream.respond(head, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      answer(path, stream);
    }),
  };
  const server = servers[process.argv[1]]().listen({ port: 0, host: '127.0.0.1', backlog: 2000 }, () => console.log(server.address().port));
`;

async function startService(protocol: 'http' | 'grpc'): Promise<number> {
  const child = spawn(process.execPath, ['-e', service, protocol], { stdio: ['ignore', 'pipe', 'inherit'] });
  closing.push(() => void child.kill('SIGKILL'));
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return Number(port.toString());
}

/** A client in bytes that opens streams and takes what comes, but gives credit for the connection only. */
class StalledClient {
  received = 0;
  readonly #socket: Socket;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.on('data', (bytes) => (this.received += bytes.length)).on('error', () => {});
    const settings = frame(4, 0, Buffer.alloc(0));
    const credit = frame(8, 0, Buffer.from([0x7f, 0, 0, 0]));
    const requests = Array.from({ length: streamsPerClient }, (_, i) => frame(1, 2 * i + 1, requestBlock, 5));
    this.#socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings, credit, ...requests]));
    closing.push(() => void this.#socket.destroy());
  }
}

function frame(type: number, streamId: number, payload: Buffer, flags = 0): Buffer {
  const head = Buffer.from([0, payload.length >> 8, payload.length, type, flags, 0, 0, streamId >> 8, streamId]);
  return Buffer.concat([head, payload]);
}

/** A POST of an empty message, ended: fields as literals, names of the static table by index. */
const requestBlock = Buffer.concat([
  Buffer.from([0x83, 0x86]),
  ...[
    [0x04, '/lots.Lots/Many'],
    [0x01, 'lots'],
    [0x0f, 'application/grpc'],
  ].map(([index, value]) => {
    const text = Buffer.from(String(value));
    // The index of content-type, 31, takes a second byte behind the prefix.
    const name = index === 0x0f ? [0x0f, 31 - 0x0f] : [Number(index)];
    return Buffer.concat([Buffer.from([...name, text.length]), text]);
  }),
]);

/** The value once it has not changed for a while. */
async function settled(value: () => number): Promise<number> {
  let last = -1;
  for (let same = 0; same < 10;) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    same = value() === last ? same + 1 : 0;
    last = value();
  }
  return last;
}

function ask(session: ClientHttp2Session): Promise<number | undefined> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/lots.Lots/One',
      'content-type': 'application/grpc',
    });
    let status: number | undefined;
    stream.on('response', (head) => (status = head[':status'])).on('error', () => {});
    stream.on('close', () => resolve(status));
    stream.resume().end();
  });
}

it.each([
  ['http', Protocol.HTTP],
  ['grpc', Protocol.GRPC],
] as const)(
  'a thousand streams that nobody reads, answered by a service of %s, hold their windows and no more, and others are served',
  async (name, protocol) => {
    const port = await startService(name);
    const gateway = await startGateway({
      services: [{ name: 'lots', protocol }],
      routes: [{ name: 'lots', paths: [{ kind: { case: 'prefix', value: '/' } }], service: 'lots' }],
      endpoints: { lots: [port] },
    });
    closing.push(() => gateway.close());
    const other = connectHttp2(gateway.url);
    other.on('error', () => {});
    closing.push(() => other.destroy());
    await ask(other);
    const before = process.memoryUsage();

    const stalled = Array.from({ length: clients }, () => new StalledClient(gateway.port));
    const received = (): number => stalled.reduce((sum, client) => sum + client.received, 0);
    const streams = clients * streamsPerClient;
    await expect.poll(received, { timeout: 15_000 }).toBeGreaterThan(streams * clientWindowBytes);
    await settled(received);
    const after = process.memoryUsage();
    const statuses = await Promise.all(Array.from({ length: 50 }, () => ask(other)));

    const megabytes = 1_000_000;
    const held = streams * upstreamWindowBytes;
    expect(received()).toBeLessThan(streams * clientWindowBytes * 1.1);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(held + 32 * megabytes);
    expect(after.heapUsed - before.heapUsed).toBeLessThan(64 * megabytes);
    expect(after.rss - before.rss).toBeLessThan(held + 200 * megabytes);
    expect(new Set(statuses)).toEqual(new Set([200]));
  },
  30_000,
);
