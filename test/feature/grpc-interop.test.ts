import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Metadata, status } from '@grpc/grpc-js';
import { beforeEach, describe, expect, test } from 'vitest';
import type { TestGateway } from '../support/gateway.js';
import {
  bytesIn,
  messageBytes,
  payload,
  statusOf,
  type InteropClient,
  type InteropServer,
  type Json,
} from '../support/interop/interop.js';
import { interopConfig, useGrpcRig } from '../support/interop/rig.js';

/** The cases of grpc/doc/interop-test-descriptions.md, through the gateway, from grpc-js to grpc-js. */

const { gatewayTo, clientOf, interopServer, closing } = useGrpcRig();
let server: InteropServer;
let gateway: TestGateway;
let client: InteropClient;

beforeEach(async () => {
  server = await interopServer();
  gateway = await gatewayTo([server.port]);
  client = clientOf(gateway);
});

function sizes(...bytes: number[]): Json {
  return { responseParameters: bytes.map((size) => ({ size })) };
}

test('empty_unary', async () => {
  const { status: ended, response } = await client.unary('EmptyCall');

  expect(ended.code).toBe(status.OK);
  expect(response).toEqual({});
});

test('large_unary', async () => {
  const { response } = await client.unary('UnaryCall', { responseSize: 314_159, ...payload(271_828) });

  expect(bytesIn(response ?? {})).toBe(314_159);
});

test('client_streaming', async () => {
  const answered = new Promise<Json | undefined>((resolve) => {
    const call = client.clientStream('StreamingInputCall', (_error, response) => resolve(response));
    for (const size of [27_182, 8, 1_828, 45_904]) call.write(payload(size));
    call.end();
  });

  expect(await answered).toEqual({ aggregatedPayloadSize: 74_922 });
});

test('server_streaming', async () => {
  const call = client.serverStream('StreamingOutputCall', sizes(31_415, 9, 2_653, 58_979));
  const ended = statusOf(call);

  const received: number[] = [];
  for await (const message of call) received.push(bytesIn(message as Json));

  expect(received).toEqual([31_415, 9, 2_653, 58_979]);
  expect((await ended).code).toBe(status.OK);
});

test('ping_pong: each message is answered before the next one is sent', async () => {
  const call = client.duplex('FullDuplexCall');
  const ended = statusOf(call);

  for (const [sent, wanted] of [
    [27_182, 31_415],
    [8, 9],
    [1_828, 2_653],
    [45_904, 58_979],
  ] as const) {
    call.write({ ...sizes(wanted), ...payload(sent) });
    const [message] = (await once(call, 'data')) as [Json];
    expect(bytesIn(message)).toBe(wanted);
  }
  call.end();

  expect((await ended).code).toBe(status.OK);
});

test('empty_stream', async () => {
  const call = client.duplex('FullDuplexCall');
  const ended = statusOf(call);
  const messages: Json[] = [];
  call.on('data', (message: Json) => messages.push(message));
  call.end();

  expect((await ended).code).toBe(status.OK);
  expect(messages).toEqual([]);
});

describe('status_code_and_message and special_status_message', () => {
  const special = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';

  test.each(['test status message', special])('unary: %j', async (message) => {
    const { status: ended } = await client.unary('UnaryCall', { responseStatus: { code: 2, message } });

    expect(ended).toMatchObject({ code: status.UNKNOWN, details: message });
  });

  test('streaming', async () => {
    const call = client.duplex('FullDuplexCall').on('data', () => {});
    const ended = statusOf(call);
    call.write({ responseStatus: { code: 2, message: special } });
    call.end();

    expect(await ended).toMatchObject({ code: status.UNKNOWN, details: special });
  });
});

test('unimplemented_method: the server says so', async () => {
  const { status: ended } = await client.unary('UnimplementedCall');

  expect(ended.code).toBe(status.UNIMPLEMENTED);
  expect(ended.metadata.get('x-sluice-error')).toEqual([]);
});

test('unimplemented_service: the gateway has no route for it', async () => {
  const { status: ended } = await client.unary('Unimplemented.UnimplementedCall');

  expect(ended).toMatchObject({ code: status.UNIMPLEMENTED, details: 'No route matches this request.' });
  expect(ended.metadata.get('x-sluice-error')).toEqual(['no_route']);
});

test('cancel_after_begin: the server sees it', async () => {
  let outcome: Error | null = null;
  const call = client.clientStream('StreamingInputCall', (error) => (outcome = error));
  await expect.poll(() => server.metadata.length).toBe(1);
  call.cancel();

  await expect.poll(() => outcome).toMatchObject({ code: status.CANCELLED });
  await expect.poll(() => server.cancelled).toBe(1);
});

test('cancel_after_first_response: the server sees it', async () => {
  const call = client.duplex('FullDuplexCall');
  const ended = statusOf(call);
  call.write({ ...sizes(31_415), ...payload(27_182) });
  await once(call, 'data');
  call.cancel();

  expect((await ended).code).toBe(status.CANCELLED);
  await expect.poll(() => server.cancelled).toBe(1);
});

test('timeout_on_sleeping_server: both the caller and the server are told', async () => {
  // Connections are there then, so that the call reaches the server in time.
  await client.unary('EmptyCall');

  const call = client.duplex('FullDuplexCall', new Metadata(), { deadline: Date.now() + 250 });
  const ended = statusOf(call);
  call.write(payload(27_182));

  expect((await ended).code).toBe(status.DEADLINE_EXCEEDED);
  await expect.poll(() => server.cancelled).toBe(1);
});

describe('custom_metadata', () => {
  const bytes = Buffer.from([0xab, 0xab, 0xab]);
  const metadata = new Metadata();
  metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
  metadata.set('x-grpc-test-echo-trailing-bin', bytes);
  metadata.add('x-several', 'a');
  metadata.add('x-several', 'b');
  metadata.set('x-bytes-bin', Buffer.from([0, 255, 10, 13, 44]));

  test('unary', async () => {
    const { status: ended, initial } = await client.unary('UnaryCall', { responseSize: 1 }, metadata);

    expect(initial.get('x-grpc-test-echo-initial')).toEqual(['test_initial_metadata_value']);
    expect(ended.metadata.get('x-grpc-test-echo-trailing-bin')).toEqual([bytes]);
    const [seen] = server.metadata;
    expect(seen?.get('x-several').join()).toBe('a, b');
    expect(seen?.get('x-bytes-bin')).toEqual([Buffer.from([0, 255, 10, 13, 44])]);
    expect(seen?.get('via')).toEqual(['2 sluice']);
  });

  test('full duplex', async () => {
    const call = client.duplex('FullDuplexCall', metadata).on('data', () => {});
    const ended = statusOf(call);
    const [initial] = (await once(call, 'metadata')) as [Metadata];
    call.end();

    expect(initial.get('x-grpc-test-echo-initial')).toEqual(['test_initial_metadata_value']);
    expect((await ended).metadata.get('x-grpc-test-echo-trailing-bin')).toEqual([bytes]);
  });
});

describe('compression is the matter of client and server', () => {
  const gzip = 2;

  test('client_compressed_unary', async () => {
    const compressing = clientOf(gateway, { 'grpc.default_compression_algorithm': gzip });

    const { response } = await compressing.unary('UnaryCall', { responseSize: 314_159, ...payload(271_828) });

    expect(bytesIn(response ?? {})).toBe(314_159);
    expect(gateway.metrics.route('interop').bytesReceived).toBeLessThan(10_000);
  });

  test('server_compressed_unary and server_compressed_streaming', async () => {
    const port = await startCompressingServer([314_159, 92_653]);
    gateway.apply(interopConfig([port], { route: { grpc: [], paths: [{ kind: { case: 'prefix', value: '/' } }] } }));

    const received: number[] = [];
    for await (const message of client.serverStream('StreamingOutputCall', {})) received.push(bytesIn(message as Json));

    expect(received).toEqual([314_159, 92_653]);
    await expect.poll(() => gateway.metrics.route('interop').byGrpcCode[status.OK]).toBe(1);
    expect(gateway.metrics.route('interop').bytesSent).toBeLessThan(10_000);
  });

  test('client_compressed_streaming', async () => {
    const compressing = clientOf(gateway, { 'grpc.default_compression_algorithm': gzip });

    const answered = new Promise<Json | undefined>((resolve) => {
      const call = compressing.clientStream('StreamingInputCall', (_error, response) => resolve(response));
      for (const size of [27_182, 45_904]) call.write(payload(size));
      call.end();
    });

    expect(await answered).toEqual({ aggregatedPayloadSize: 73_086 });
  });
});

/** A server that sends a message of each size, in gzip, which grpc-js servers cannot; the port. */
async function startCompressingServer(bytes: readonly number[]): Promise<number> {
  const compressing = createServer();
  compressing.on('stream', (stream) => {
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-encoding': 'gzip' },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    for (const size of bytes) stream.write(compressedFrame(messageBytes('StreamingOutputCall', payload(size))));
    stream.end();
  });
  compressing.listen(0, '127.0.0.1');
  await once(compressing, 'listening');
  closing.push(() => void compressing.close());
  return (compressing.address() as AddressInfo).port;
}

function compressedFrame(message: Buffer): Buffer {
  const compressed = gzipSync(message);
  const prefix = Buffer.from([1, 0, 0, 0, 0]);
  prefix.writeUInt32BE(compressed.length, 1);
  return Buffer.concat([prefix, compressed]);
}
