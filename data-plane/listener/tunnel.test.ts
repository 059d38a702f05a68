import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { eventually, Fixture } from './fixture.js';

let fixture: Fixture;
beforeEach(() => {
  fixture = new Fixture();
});
afterEach(() => fixture.close());

const upgradeRequest = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n';
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-A: b\r\n\r\n';

/** A backend that upgrades and then sends back what it gets. */
async function echoUpgrade(): Promise<number> {
  return fixture.rawServer((socket) => {
    socket.once('data', (head: Buffer) => {
      socket.write(switching + head.toString('latin1').split('\r\n\r\n')[1]);
      socket.pipe(socket);
    });
  });
}

describe('upgraded connections', () => {
  test('bytes flow both ways, also those that came with the heads', async () => {
    const { port } = await fixture.gateway(await echoUpgrade());
    const client = await fixture.client(port);

    client.write(`${upgradeRequest}early`);
    expect(await client.until('early')).toBe(
      `${switching.replace('Connection: Upgrade\r\nUpgrade: echo\r\nX-A: b\r\n', 'X-A: b\r\nUpgrade: echo\r\nConnection: Upgrade\r\n')}early`,
    );

    client.write('GET / HTTP/1.1\r\n\r\n');
    expect(await client.until('GET / HTTP/1.1\r\n\r\n')).toMatch(/earlyGET/);
  });

  test('a client that has ended its side before the switch ends the tunnel', async () => {
    const upstream = await fixture.rawServer((socket) => {
      socket.once('data', () => setTimeout(() => socket.write(`${switching}hello`), 50));
      socket.on('end', () => socket.end('bye'));
    });
    const { port, listener } = await fixture.gateway(upstream);
    const client = await fixture.client(port);

    client.socket.end(upgradeRequest);
    await client.closed;

    expect(client.received).toMatch(/^HTTP\/1\.1 101 .*hellobye$/s);
    await eventually(() => listener.connections === 0);
  });

  test('a large echo arrives whole while the reader is slow', async () => {
    const { port } = await fixture.gateway(await echoUpgrade());
    const client = await fixture.client(port);
    client.write(upgradeRequest);
    await client.until('\r\n\r\n');
    const sent = Buffer.alloc(6_000_000, 'tunnelled bytes ');
    const hash = createHash('sha256');
    let bytes = 0;
    client.socket.removeAllListeners('data');
    client.socket.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
      if (bytes % 7 === 0) {
        client.socket.pause();
        setTimeout(() => client.socket.resume(), 1);
      }
    });

    client.socket.end(sent);
    await client.closed;

    expect(bytes).toBe(sent.length);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(sent).digest('hex'));
  });

  test('either side may end first, and the other is still heard', async () => {
    let heard = '';
    const upstream = await fixture.rawServer((socket) => {
      socket.once('data', () => {
        socket.write(switching);
        socket.on('data', (bytes: Buffer) => (heard += bytes.toString()));
        socket.on('end', () => setTimeout(() => socket.end('last words'), 10));
      });
    });
    const { port, listener } = await fixture.gateway(upstream);
    const client = await fixture.client(port);
    client.write(upgradeRequest);
    await client.until('\r\n\r\n');
    client.write('question');
    client.end();
    await client.closed;

    expect(heard).toBe('question');
    expect(client.received).toMatch(/last words$/);
    await eventually(() => listener.connections === 0);
  });

  test.each([
    ['the client goes', 'client'],
    ['the endpoint goes', 'endpoint'],
  ])('when %s, the other side is told', async (_name, who) => {
    let upstreamClosed = false;
    const upstream = await fixture.rawServer((socket) => {
      socket.on('close', () => (upstreamClosed = true));
      socket.once('data', () => {
        socket.write(switching);
        socket.on('data', () => socket.resetAndDestroy());
      });
    });
    const { port, listener, forwarder } = await fixture.gateway(upstream);
    const client = await fixture.client(port);
    client.write(upgradeRequest);
    await client.until('\r\n\r\n');
    if (who === 'client') client.socket.resetAndDestroy();
    else client.write('go');

    await eventually(() => upstreamClosed && listener.connections === 0);
    expect(forwarder.summaries).toHaveLength(1);
    expect(forwarder.summaries[0]?.status).toBe(101);
    expect(forwarder.summaries[0]?.error?.kind).toBe(who === 'client' ? 'client_closed' : 'upstream_reset');
  });

  test('a tunnel without a byte either way is closed, one in use is not', async () => {
    const { port, listener } = await fixture.gateway(await echoUpgrade(), { limits: { tunnelIdleMs: 150 } });
    const client = await fixture.client(port);
    client.write(upgradeRequest);
    await client.until('\r\n\r\n');
    for (let i = 0; i < 6; i++) {
      client.write('x');
      await client.until('x', i + 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }

    await client.closed;
    await eventually(() => listener.connections === 0);
  });

  test('an endpoint that does not upgrade answers as usual, and the connection goes on', async () => {
    const { port: upstream } = await fixture.httpServer((request, response) =>
      response.end(`plain ${request.url} ${request.headers.upgrade}`),
    );
    const { port } = await fixture.gateway(upstream);
    const client = await fixture.client(port);

    client.write(`${upgradeRequest}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`);

    expect(await client.until('plain /next')).toContain('plain /chat echo');
  });

  test('the WebSocket library of the npm world talks through', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    fixture.onClose(() => new Promise((resolve) => server.close(() => resolve())));
    server.on('connection', (socket) =>
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
    );
    await eventually(() => server.address() !== null);
    const { port } = await fixture.gateway((server.address() as { port: number }).port);

    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    const messages: string[] = [];
    await new Promise((resolve) => socket.on('open', resolve));
    socket.on('message', (data: Buffer) => messages.push(data.length > 100 ? String(data.length) : data.toString()));
    socket.send('hello');
    socket.send(Buffer.alloc(300_000));
    await eventually(() => messages.length === 2);
    socket.close(1000);
    await new Promise((resolve) => socket.on('close', resolve));

    expect(messages).toEqual(['hello', '300000']);
  });

  test('a listener that drains tells WebSocket clients to go elsewhere, between two frames', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    fixture.onClose(() => new Promise((resolve) => server.close(() => resolve())));
    const closedWith: number[] = [];
    server.on('connection', (socket) => {
      socket.on('close', (code) => closedWith.push(code));
      const flow = setInterval(() => socket.send(Buffer.alloc(100_000)), 5);
      socket.on('close', () => clearInterval(flow));
    });
    await eventually(() => server.address() !== null);
    const { port, listener } = await fixture.gateway((server.address() as { port: number }).port);
    const sockets = Array.from({ length: 3 }, () => new WebSocket(`ws://127.0.0.1:${port}/`));
    const codes = Promise.all(sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve))));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('message', resolve))));

    await listener.close(5_000);

    expect(await codes).toEqual([1001, 1001, 1001]);
    await eventually(() => closedWith.length === 3);
    expect(closedWith).toEqual([1001, 1001, 1001]);
  });
});
