import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import * as ws from 'ws';
import { useClosing } from '../support/closing.js';
import { startGateway, type TestGateway } from '../support/gateway.js';

/** The library's halves of a WebSocket, which its types leave out. */
interface Halves {
  readonly Receiver: new (options: { readonly isServer: boolean }) => Writable;
  readonly Sender: new (socket: Writable) => {
    send(data: Buffer, options: object, sent: () => void): void;
    close(code: number, reason: string, mask: boolean, sent: () => void): void;
  };
}

const { Receiver, Sender } = ws as unknown as Halves;
const closing = useClosing();

/** A server that sends back what it gets, in capitals if that is text, and refuses to talk on `/refused`. */
async function echoServer(): Promise<{ port: number; server: ws.WebSocketServer }> {
  const server = new ws.WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    verifyClient: ({ req }, done) => done(req.url !== '/refused', 403),
    handleProtocols: (protocols) => ([...protocols].includes('chat') ? 'chat' : false),
  });
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer, isBinary) => socket.send(isBinary ? data : data.toString().toUpperCase()));
  });
  await once(server, 'listening');
  closing.push(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server };
}

async function gatewayTo(port: number): Promise<{ gateway: TestGateway; session: ClientHttp2Session }> {
  const gateway = await startGateway({
    services: [{ name: 'chat' }],
    routes: [{ name: 'chat', paths: [{ kind: { case: 'prefix', value: '/' } }], service: 'chat' }],
    endpoints: { chat: [port] },
  });
  closing.push(() => gateway.close());
  const session = connect(gateway.url);
  session.on('error', () => {});
  closing.push(() => session.destroy());
  await once(session, 'remoteSettings');
  return { gateway, session };
}

async function openSocket(
  session: ClientHttp2Session,
  path: string,
): Promise<{ stream: ClientHttp2Stream; head: Record<string, unknown> }> {
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'chat.example',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'chat',
    origin: 'http://chat.example',
  });
  stream.on('error', () => {});
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
  return { stream, head };
}

/** The frames of a WebSocket on a stream of HTTP/2, by the library's own reader and writer. */
class StreamSocket {
  readonly messages: string[] = [];
  readonly closeCodes: number[] = [];
  readonly sender: InstanceType<Halves['Sender']>;

  constructor(stream: ClientHttp2Stream) {
    const receiver = new Receiver({ isServer: false });
    this.sender = new Sender(stream);
    receiver.on('message', (data: Buffer) => this.messages.push(data.toString('latin1')));
    receiver.on('conclude', (code: number) => this.closeCodes.push(code));
    stream.pipe(receiver);
  }

  send(data: string | Buffer): void {
    const options = { fin: true, mask: true, binary: typeof data !== 'string', compress: false };
    this.sender.send(Buffer.from(data), options, () => {});
  }
}

describe('a WebSocket over HTTP/2 to a service of HTTP/1', () => {
  it('talks both ways, small and large, many on one connection', async () => {
    const { port, server } = await echoServer();
    const { session } = await gatewayTo(port);
    const opened = await Promise.all(Array.from({ length: 20 }, () => openSocket(session, '/room')));
    const sockets = opened.map(({ stream }) => new StreamSocket(stream));
    const large = Buffer.alloc(700_000, 'large');

    sockets.forEach((socket, i) => {
      socket.send(`hello ${i}`);
      socket.send(large);
    });

    await expect.poll(() => sockets.every(({ messages }) => messages.length === 2), { timeout: 10_000 }).toBe(true);
    expect(opened.map(({ head }) => head[':status'])).toEqual(opened.map(() => 200));
    expect(opened[0]?.head).toMatchObject({ 'sec-websocket-protocol': 'chat' });
    expect(opened[0]?.head).not.toHaveProperty('sec-websocket-accept');
    expect(sockets.map(({ messages }) => messages[0])).toEqual(sockets.map((_, i) => `HELLO ${i}`));
    expect(sockets.every(({ messages }) => messages[1] === large.toString('latin1'))).toBe(true);
    expect(server.clients.size).toBe(20);
  });

  it('closes in good order when its client says so, and when the service does', async () => {
    const { port, server } = await echoServer();
    const { session } = await gatewayTo(port);
    const [mine, theirs] = await Promise.all([openSocket(session, '/a'), openSocket(session, '/b')]);
    const [socket, other] = [new StreamSocket(mine.stream), new StreamSocket(theirs.stream)];

    socket.sender.close(1_000, 'done', true, () => {});
    await once(mine.stream, 'end');
    mine.stream.end();
    expect(socket.closeCodes).toEqual([1_000]);

    for (const client of server.clients) client.close(1_012);
    await expect.poll(() => other.closeCodes, { timeout: 5_000 }).toEqual([1_012]);
    other.sender.close(1_012, '', true, () => {});
    await once(theirs.stream, 'end');
    theirs.stream.end();
    await expect.poll(() => server.clients.size, { timeout: 5_000 }).toBe(0);
  });

  it('that is reset by its client is over for the service, and one refused by it is answered as it says', async () => {
    const { port, server } = await echoServer();
    const { session } = await gatewayTo(port);
    const { stream } = await openSocket(session, '/a');
    expect(server.clients.size).toBe(1);

    stream.close();

    await expect.poll(() => server.clients.size, { timeout: 5_000 }).toBe(0);
    expect((await openSocket(session, '/refused')).head[':status']).toBe(403);
  });

  it('that the service answers as any other request is not open to its client', async () => {
    const plain = createServer((_request, answer) => answer.end('no socket here')).listen(0, '127.0.0.1');
    closing.push(() => void plain.close());
    await once(plain, 'listening');
    const { session } = await gatewayTo((plain.address() as AddressInfo).port);

    const { head } = await openSocket(session, '/a');

    expect(head).toMatchObject({ ':status': 502, 'x-sluice-error': 'upstream_malformed' });
  });

  it('is told to go elsewhere when the node drains', async () => {
    const { port } = await echoServer();
    const { gateway, session } = await gatewayTo(port);
    const { stream } = await openSocket(session, '/a');
    const socket = new StreamSocket(stream);
    stream.on('close', () => session.destroy());

    const closed = gateway.close();
    closing.splice(closing.length - 2, 1);
    await expect.poll(() => socket.closeCodes, { interval: 5, timeout: 3_000 }).toEqual([1_001]);
    socket.sender.close(1_001, '', true, () => {});

    await closed;
  });
});
