import { createFileRegistry, fromBinary, type DescService } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Code, createClient, type Client } from '@connectrpc/connect';
import { createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import { descriptorSet, startInteropServer, testService, type InteropServer } from '../support/interop/interop.js';
import { startRawServer } from '../support/interop/raw.js';

/** Clients of gRPC-Web, and connect's of gRPC, through the gateway to a server of grpc-js. */

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
const service = registry.getService(testService) as DescService;

let server: InteropServer;
let silent: Awaited<ReturnType<typeof startRawServer>>;
let gateway: TestGateway;

beforeAll(async () => {
  server = await startInteropServer();
  silent = await startRawServer(() => {});
  gateway = await startGateway({
    services: [
      { name: 'interop', protocol: Protocol.GRPC },
      { name: 'gone', protocol: Protocol.GRPC, retries: { attempts: 0 } },
      { name: 'slow', protocol: Protocol.GRPC },
    ],
    routes: [
      { name: 'interop', service: 'interop', grpc: [{ service: testService }] },
      { name: 'slow', service: 'slow', grpc: [{ service: 'slow.Service' }] },
      { name: 'gone', service: 'gone', grpc: [{ service: 'gone.Service' }] },
    ],
    endpoints: { interop: [server.port], gone: [1], slow: [silent.port] },
  });
});

afterAll(async () => {
  await gateway.close();
  server.close();
  silent.close();
});

type Message = Record<string, unknown>;
type Call = (request: unknown, options?: object) => Promise<Message>;
type Stream = (request: unknown, options?: object) => AsyncIterable<Message>;

const clients: readonly [string, (url: string) => Client<DescService>][] = [
  [
    'gRPC-Web over HTTP/1.1',
    (baseUrl) => createClient(service, createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })),
  ],
  ['gRPC-Web over HTTP/2', (baseUrl) => createClient(service, createGrpcWebTransport({ baseUrl, httpVersion: '2' }))],
  ['gRPC', (baseUrl) => createClient(service, createGrpcTransport({ baseUrl }))],
];

describe.each(clients)('connect speaking %s', (_name, connect) => {
  const method = (name: string): Call => connect(gateway.url)[name] as unknown as Call;
  const stream = (name: string): Stream => connect(gateway.url)[name] as unknown as Stream;

  test('unary, empty and large', async () => {
    await expect(method('emptyCall')({})).resolves.toBeDefined();
    const { payload } = await method('unaryCall')({
      responseSize: 314_159,
      payload: { body: new Uint8Array(271_828) },
    });
    expect((payload as { body: Uint8Array }).body).toHaveLength(314_159);
  });

  test('server streaming, message by message and none', async () => {
    const sizes = [31_415, 9, 2_653, 58_979];
    const got: number[] = [];
    const request = { responseParameters: sizes.map((size) => ({ size })) };
    for await (const { payload } of stream('streamingOutputCall')(request)) got.push((payload as Body).body.length);
    expect(got).toEqual(sizes);
    for await (const message of stream('streamingOutputCall')({})) expect(message).toBeUndefined();
  });

  test('a status with a message in any script, and metadata both ways', async () => {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
    const failed = method('unaryCall')({ responseStatus: { code: 2, message } });
    await expect(failed).rejects.toMatchObject({ code: Code.Unknown, rawMessage: message });

    const seen: { header?: Headers; trailer?: Headers } = {};
    await method('unaryCall')(
      { responseSize: 1 },
      {
        headers: { 'x-grpc-test-echo-initial': 'one', 'x-grpc-test-echo-trailing-bin': 'CgsK' },
        onHeader: (header: Headers) => (seen.header = header),
        onTrailer: (trailer: Headers) => (seen.trailer = trailer),
      },
    );
    expect(seen.header?.get('x-grpc-test-echo-initial')).toBe('one');
    expect(seen.trailer?.get('x-grpc-test-echo-trailing-bin')).toBe('CgsK');
  });

  test('a method that is not there', async () => {
    await expect(method('unimplementedCall')({})).rejects.toMatchObject({ code: Code.Unimplemented });
  });
});

interface Body {
  readonly body: Uint8Array;
}

/** One request message without fields. */
const emptyMessage: Buffer<ArrayBuffer> = Buffer.from([0, 0, 0, 0, 0]);

async function post(
  path: string,
  contentType: string,
  body: Buffer<ArrayBuffer> | string,
  fields = {},
): Promise<Response> {
  return fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': contentType, 'x-grpc-web': '1', ...fields },
    body,
  });
}

describe('grpc-web-text', () => {
  test('the messages and the trailer frame come in base64, each part padded', async () => {
    const answer = await post(
      `/${testService}/EmptyCall`,
      'application/grpc-web-text',
      emptyMessage.toString('base64'),
    );
    const text = await answer.text();
    const bytes = Buffer.concat((text.match(/[^=]+={0,2}/g) ?? []).map((part) => Buffer.from(part, 'base64')));

    expect(answer.headers.get('content-type')).toMatch(/^application\/grpc-web-text/);
    expect(bytes.subarray(0, 5)).toEqual(emptyMessage);
    expect(bytes[5]).toBe(0x80);
    expect(bytes.readUInt32BE(6)).toBe(bytes.length - 10);
    expect(bytes.subarray(10).toString()).toMatch(/^grpc-status: 0\r\n/m);
  });

  test.each([
    ['application/grpc-web+proto', 'application/grpc-web-text', 'application/grpc-web-text'],
    ['application/grpc-web-text', 'application/grpc-web+proto', 'application/grpc-web'],
    ['application/grpc-web-text', '*/*', 'application/grpc-web-text'],
  ])('a request of %s that accepts %s is answered with %s', async (sent, accept, expected) => {
    const body = sent.includes('text') ? emptyMessage.toString('base64') : emptyMessage;

    const answer = await post(`/${testService}/EmptyCall`, sent, body, { accept });

    expect(answer.headers.get('content-type')?.replace('+proto', '')).toBe(expected);
    const bytes = Buffer.from(await answer.arrayBuffer());
    const first = expected.includes('text') ? emptyMessage.toString('base64') : emptyMessage.toString('latin1');
    expect(bytes.toString('latin1').startsWith(first)).toBe(true);
  });

  test('a request in pieces that are padded each, or cut anywhere', async () => {
    const size = Buffer.from([0, 0, 0, 0, 3, 0x10, 0x90, 0x4e]); // response_size: 10000
    const padded = [size.subarray(0, 2), size.subarray(2, 7), size.subarray(7)].map((part) => part.toString('base64'));
    for (const pieces of [padded, [...size.toString('base64')]]) {
      const stream = new ReadableStream({
        async start(controller) {
          for (const piece of pieces) {
            controller.enqueue(Buffer.from(piece));
            await new Promise(setImmediate);
          }
          controller.close();
        },
      });
      const answer = await fetch(`${gateway.url}/${testService}/UnaryCall`, {
        method: 'POST',
        headers: { 'content-type': 'application/grpc-web-text+proto' },
        body: stream,
        duplex: 'half',
      });
      expect((await answer.text()).length).toBeGreaterThan(13_000);
    }
  });

  test.each(['AAAA*', 'AAAAA', 'A', 'AA=A', 'AAA\n'])('a body that is not base64 is refused: %j', async (body) => {
    const answer = await post(`/${testService}/EmptyCall`, 'application/grpc-web-text', body);
    await answer.text();

    expect(answer.headers.get('grpc-status')).toBe('3');
    expect(answer.headers.get('grpc-message')).toContain('base64');
  });
});

test('the caller’s time is kept', async () => {
  const late = await post('/slow.Service/Call', 'application/grpc-web', emptyMessage, { 'grpc-timeout': '40m' });

  expect([late.status, late.headers.get('grpc-status')]).toEqual([200, '4']);
});

test('an error of the gateway is a gRPC status to a gRPC-Web client', async () => {
  const unknown = await post('/no.Service/Call', 'application/grpc-web+proto', emptyMessage);
  const unreachable = await post('/gone.Service/Call', 'application/grpc-web+proto', emptyMessage);

  expect([unknown.status, unknown.headers.get('grpc-status')]).toEqual([200, '12']);
  expect([unreachable.status, unreachable.headers.get('grpc-status')]).toEqual([200, '14']);
  expect(unreachable.headers.get('content-type')).toBe('application/grpc-web+proto');
});
