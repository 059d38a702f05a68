import { once } from 'node:events';
import { connect, constants, type ClientHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { connect as connectSocket, type Socket } from 'node:net';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import type { TestGateway } from '../support/gateway.js';
import { payload, statusOf, testService } from '../support/interop/interop.js';
import { useGrpcRig } from '../support/interop/rig.js';

/** Streams both ways: who does not read stops who writes, and who leaves is missed at once. */

const { gatewayTo, clientOf, interopServer, rawServer, closing } = useGrpcRig();

/** A call whose server side the test holds in its hands. */
async function rawCall(): Promise<{
  socket: Socket;
  client: ReturnType<ClientHttp2Session['request']>;
  server: ServerHttp2Stream;
  gateway: TestGateway;
}> {
  const arrived: { take?: (stream: ServerHttp2Stream) => void } = {};
  const accepted = new Promise<ServerHttp2Stream>((resolve) => (arrived.take = resolve));
  const port = await rawServer((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    arrived.take?.(stream);
  });
  const gateway = await gatewayTo([port]);
  const socket = connectSocket(gateway.port, '127.0.0.1');
  const session = connect(gateway.url, { createConnection: () => socket });
  session.on('error', () => {});
  closing.push(() => session.destroy());
  const client = session.request({
    ':method': 'POST',
    ':path': `/${testService}/FullDuplexCall`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  client.on('error', () => {});
  return { socket, client, server: await accepted, gateway };
}

const chunk = Buffer.alloc(16_384);
/** More than all windows and buffers between the two ends. */
const muchBytes = 16 * 1024 * 1024;

/** Writes until it is told to wait and nothing has moved for a while; the bytes written. */
async function fill(stream: { write(chunk: Buffer): boolean; readonly writableLength: number }): Promise<number> {
  let written = 0;
  let still = 0;
  while (still < 5 && written < muchBytes) {
    const before = stream.writableLength;
    while (stream.writableLength < 1_000_000 && written < muchBytes) {
      stream.write(chunk);
      written += chunk.length;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    still = stream.writableLength === before || stream.writableLength >= 1_000_000 ? still + 1 : 0;
  }
  return written;
}

describe('backpressure', () => {
  test('a client that does not read stops the server, and gets everything once it reads', async () => {
    const { client, server } = await rawCall();
    const written = await fill(server);
    expect(written).toBeLessThan(muchBytes);

    server.end();
    let received = 0;
    client.on('data', (bytes: Buffer) => (received += bytes.length));
    client.end();
    await once(client, 'end');
    expect(received).toBe(written);
  });

  test('a server that does not read stops the client, and gets everything once it reads', async () => {
    const { client, server } = await rawCall();
    const written = await fill(client);
    expect(written).toBeLessThan(muchBytes);

    client.end();
    let received = 0;
    server.on('data', (bytes: Buffer) => (received += bytes.length));
    await once(server, 'end');
    expect(received).toBe(written);
    server.end();
    await once(client.resume(), 'end');
  });
});

describe('leaving', () => {
  test('a client that resets its stream resets the server’s with CANCEL', async () => {
    const { client, server } = await rawCall();

    client.close(constants.NGHTTP2_CANCEL);
    await once(server, 'close');

    expect(server.rstCode).toBe(constants.NGHTTP2_CANCEL);
  });

  test('a client whose connection breaks resets the server’s stream with CANCEL', async () => {
    const { socket, server, gateway } = await rawCall();

    socket.resetAndDestroy();
    await once(server, 'close');

    expect(server.rstCode).toBe(constants.NGHTTP2_CANCEL);
    expect(gateway.metrics.route('interop').byGrpcCode[status.CANCELLED]).toBe(1);
  });

  test('other calls of the connection go on', async () => {
    const client = clientOf(await gatewayTo([(await interopServer()).port]));
    const [left, stays] = [client.duplex('FullDuplexCall'), client.duplex('FullDuplexCall')];
    const [leftEnded, staysEnded] = [statusOf(left.on('data', () => {})), statusOf(stays)];

    left.cancel();
    await leftEnded;
    stays.write({ responseParameters: [{ size: 3 }] });
    const [message] = (await once(stays, 'data')) as [unknown];
    stays.end();

    expect(message).toEqual(payload(3));
    expect((await staysEnded).code).toBe(status.OK);
  });
});

test('a server that ends a call before the client has said all is heard', async () => {
  const client = clientOf(await gatewayTo([(await interopServer()).port]));

  const call = client.duplex('FullDuplexCall').on('data', () => {});
  const ended = statusOf(call);
  call.write({ responseStatus: { code: status.RESOURCE_EXHAUSTED, message: 'enough' } });
  const writing = setInterval(() => call.write(payload(10_000)), 1);
  const { code, details } = await ended;
  clearInterval(writing);

  expect({ code, details }).toEqual({ code: status.RESOURCE_EXHAUSTED, details: 'enough' });
});

test('a thousand messages each way arrive in order', async () => {
  const client = clientOf(await gatewayTo([(await interopServer()).port]));
  const sizes = Array.from({ length: 1_000 }, (_, i) => (i * 37) % 500);

  const call = client.duplex('FullDuplexCall');
  const received: number[] = [];
  call.on('data', (message: { payload?: { body?: string } }) => {
    received.push(Buffer.from(message.payload?.body ?? '', 'base64').length);
  });
  const ended = statusOf(call);
  for (const size of sizes) call.write({ responseParameters: [{ size }] });
  call.end();

  expect((await ended).code).toBe(status.OK);
  expect(received).toEqual(sizes);
});
