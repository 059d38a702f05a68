import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { constants } from 'node:http2';
import { Metadata, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { startInteropServer, statusOf, testService } from '../support/interop/interop.js';
import { answerOk, emptyMessage, requestRaw } from '../support/interop/raw.js';
import { useGrpcRig } from '../support/interop/rig.js';

/** How errors of the gateway and of services reach gRPC callers (docs/grpc.md). */

const { gatewayTo, clientOf, interopServer, rawServer } = useGrpcRig();
const path = { ':path': `/${testService}/EmptyCall` };
const call = { ...path, 'content-type': 'application/grpc', te: 'trailers' };

test('without an endpoint a call is UNAVAILABLE', async () => {
  const { status: ended } = await clientOf(await gatewayTo([])).unary('EmptyCall');

  expect(ended.code).toBe(status.UNAVAILABLE);
  expect(ended.metadata.get('x-sluice-error')).toEqual(['no_endpoint']);
});

test('a service that refuses connections is UNAVAILABLE', async () => {
  const server = await startInteropServer();
  server.close();

  const { status: ended } = await clientOf(await gatewayTo([server.port])).unary('EmptyCall');

  expect(ended.code).toBe(status.UNAVAILABLE);
  expect(ended.metadata.get('x-sluice-error')).toEqual(['connect_failed']);
});

test('the time limit of the route is DEADLINE_EXCEEDED, and the service sees the call cancelled', async () => {
  let resets = 0;
  const port = await rawServer((stream) => {
    // Its own time limit is left unheeded.
    stream.on('close', () => (resets += stream.rstCode));
  });
  const gateway = await gatewayTo([port], { route: { timeouts: { request: { seconds: 0n, nanos: 200_000_000 } } } });

  const { status: ended } = await clientOf(gateway).unary('EmptyCall');

  expect(ended.code).toBe(status.DEADLINE_EXCEEDED);
  expect(ended.metadata.get('x-sluice-error')).toEqual(['request_deadline']);
  await expect.poll(() => resets).toBe(constants.NGHTTP2_CANCEL);
  expect(gateway.metrics.route('interop').byGrpcCode[status.DEADLINE_EXCEEDED]).toBe(1);
});

test('a stream that has begun ends with DEADLINE_EXCEEDED behind its messages', async () => {
  const server = await interopServer();
  const gateway = await gatewayTo([server.port], {
    route: { timeouts: { request: { seconds: 0n, nanos: 800_000_000 } } },
  });

  const stream = clientOf(gateway).duplex('FullDuplexCall');
  const ended = statusOf(stream);
  stream.write({ responseParameters: [{ size: 5 }] });
  await once(stream, 'data');

  expect(await ended).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  await expect.poll(() => server.cancelled).toBe(1);
});

test.each([
  ['the caller’s', { seconds: 50n }, '10S', 10_000],
  ['the route’s', { seconds: 5n }, '10S', 5_000],
  ['the caller’s alone', undefined, '1M', 60_000],
])('the service hears what is left of the shorter time limit: %s', async (_which, limit, timeout, atMostMs) => {
  const heard: (string | string[] | undefined)[] = [];
  const port = await rawServer((stream, headers) => {
    heard.push(headers['grpc-timeout']);
    answerOk(stream);
  });
  const gateway = await gatewayTo([port], {
    route: limit === undefined ? {} : { timeouts: { request: limit } },
  });

  await requestRaw(gateway.url, { ...call, 'grpc-timeout': timeout });

  const micros = Number(/^(\d+)u$/.exec(String(heard[0]))?.[1]);
  expect(heard).toHaveLength(1);
  expect(micros).toBeLessThanOrEqual(atMostMs * 1_000);
  expect(micros).toBeGreaterThan(atMostMs * 500);
});

test.each(['before', 'after'])(
  'a service that gives the call up %s its head when the time is up is not to blame',
  async (when) => {
    const port = await rawServer((stream, headers) => {
      if (when === 'after') stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      const breakOff = (): void =>
        when === 'after' ? stream.session?.destroy() : stream.close(constants.NGHTTP2_CANCEL);
      setTimeout(breakOff, leftMs(headers['grpc-timeout']) - 4);
    });
    const gateway = await gatewayTo([port], { route: { timeouts: { request: { seconds: 0n, nanos: 100_000_000 } } } });

    const { headers, trailers } = await requestRaw(gateway.url, call);

    expect({ ...headers, ...trailers }).toMatchObject({ 'grpc-status': '4', 'x-sluice-error': 'request_deadline' });
    expect(gateway.metrics.render([])).toContain('grpc_status="DEADLINE_EXCEEDED"} 1');
  },
);

function leftMs(timeout: string | string[] | undefined): number {
  const [, number, unit] = /^(\d+)([um])$/.exec(String(timeout)) ?? [];
  return unit === 'u' ? Number(number) / 1_000 : Number(number);
}

test('without a time limit the service hears of none', async () => {
  const heard: unknown[] = [];
  const port = await rawServer((stream, headers) => {
    heard.push(headers['grpc-timeout'], headers['te']);
    answerOk(stream);
  });

  await requestRaw((await gatewayTo([port])).url, { ...path, 'content-type': 'application/grpc+proto' });

  expect(heard).toEqual([undefined, 'trailers']);
});

test('a malformed time limit is INVALID_ARGUMENT', async () => {
  const { headers } = await requestRaw((await gatewayTo([])).url, { ...call, 'grpc-timeout': '1s' });

  expect(headers).toMatchObject({ ':status': 200, 'grpc-status': '3', 'x-sluice-error': 'bad_argument' });
  expect(headers['grpc-message']).toContain('grpc-timeout');
});

test('a caller with no time left gets DEADLINE_EXCEEDED, and the service is not called', async () => {
  const { headers } = await requestRaw((await gatewayTo([])).url, { ...call, 'grpc-timeout': '0m' });

  expect(headers).toMatchObject({ 'grpc-status': '4' });
});

test('a head that is too large is RESOURCE_EXHAUSTED', async () => {
  const metadata = new Metadata();
  for (let i = 0; i < 20; i++) metadata.add(`x-large-${i}`, 'x'.repeat(4_000));

  const { status: ended } = await clientOf(await gatewayTo([])).unary('EmptyCall', {}, metadata);

  expect(ended.code).toBe(status.RESOURCE_EXHAUSTED);
});

test('a stream that the service breaks off is UNAVAILABLE, not a reset', async () => {
  const port = await rawServer((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    stream.write(emptyMessage, () => stream.session?.destroy());
  });

  const ended = await statusOf(
    clientOf(await gatewayTo([port]))
      .serverStream('StreamingOutputCall', {})
      .on('data', () => {}),
  );

  expect(ended.code).toBe(status.UNAVAILABLE);
  expect(ended.metadata.get('x-sluice-error')).toEqual(['upstream_reset']);
});

test('a status in the head counts, whether or not the head is the end of the reply', async () => {
  const port = await rawServer((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' });
    stream.end();
  });
  const gateway = await gatewayTo([port]);

  const { headers } = await requestRaw(gateway.url, call);

  expect(headers['grpc-status']).toBe('5');
  await expect.poll(() => gateway.metrics.route('interop').byGrpcCode[status.NOT_FOUND]).toBe(1);
});

test('a reply that ends before its announced length is INTERNAL, and no fault of the gateway', async () => {
  const port = await rawServer((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'content-length': '9' });
    stream.end(emptyMessage);
  });
  const gateway = await gatewayTo([port]);

  const { trailers } = await requestRaw(gateway.url, call);

  expect(trailers).toMatchObject({ 'grpc-status': '13', 'x-sluice-error': 'upstream_malformed' });
});

test.each([
  ['CANCEL', constants.NGHTTP2_CANCEL, status.CANCELLED],
  ['ENHANCE_YOUR_CALM', constants.NGHTTP2_ENHANCE_YOUR_CALM, status.RESOURCE_EXHAUSTED],
  ['INADEQUATE_SECURITY', constants.NGHTTP2_INADEQUATE_SECURITY, status.PERMISSION_DENIED],
  ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR, status.INTERNAL],
])('a call that the service resets with %s has the status of that', async (_name, reset, code) => {
  const port = await rawServer((stream) => stream.close(reset));

  const { status: ended } = await clientOf(await gatewayTo([port])).unary('EmptyCall');

  expect(ended.code).toBe(code);
  expect(ended.metadata.get('x-sluice-error')).toEqual(['upstream_reset']);
});

test('a call whose connection breaks before an answer is UNAVAILABLE, and is not sent again', async () => {
  let calls = 0;
  const port = await rawServer((stream) => {
    calls++;
    stream.session?.destroy();
  });

  const { status: ended } = await clientOf(await gatewayTo([port])).unary('EmptyCall');

  expect(ended.code).toBe(status.UNAVAILABLE);
  expect(calls).toBe(1);
});

test.each([
  ['a status in the head', { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '9' }, 9],
  ['an HTTP error', { ':status': 503, 'content-type': 'text/plain' }, 14],
  ['no status at all', { ':status': 200, 'content-type': 'application/grpc' }, 2],
])('%s of the service goes through as it is', async (_what, answer, code) => {
  const port = await rawServer((stream) => stream.respond(answer, { endStream: true }));
  const gateway = await gatewayTo([port]);

  const { headers } = await requestRaw(gateway.url, call);

  expect(headers).toMatchObject(answer);
  expect(headers['x-sluice-error']).toBeUndefined();
  await expect.poll(() => gateway.metrics.route('interop').byGrpcCode[code]).toBe(1);
});

test.each([
  ['no content type', path],
  ['JSON', { ...path, 'content-type': 'application/json' }],
])('%s to a route of gRPC calls is a 415 that says what is taken', async (_what, headers) => {
  const gateway = await gatewayTo([], { route: { grpc: [], paths: [{ kind: { case: 'prefix', value: '/' } }] } });

  const reply = await requestRaw(gateway.url, headers);

  expect(reply.headers[':status']).toBe(415);
  expect(JSON.parse(reply.body)).toMatchObject({ message: expect.stringContaining('application/grpc') });
  expect(gateway.metrics.route('interop').byGrpcCode.every((count) => count === 0)).toBe(true);
});

test('a call that is no POST is UNIMPLEMENTED, and is told what is taken', async () => {
  const gateway = await gatewayTo([], { route: { grpc: [], paths: [{ kind: { case: 'prefix', value: '/' } }] } });

  const { headers } = await requestRaw(gateway.url, { ...call, ':method': 'GET' });

  expect(headers).toMatchObject({ 'grpc-status': '12', allow: 'POST' });
});

test('a call over HTTP/1.1 is asked to come over HTTP/2', async () => {
  const gateway = await gatewayTo([]);

  const headers = { 'content-type': 'application/grpc' };
  const sent = request(gateway.url + path[':path'], { method: 'POST', headers, agent: false });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();

  expect(response.statusCode).toBe(426);
  expect(response.headers).toMatchObject({ upgrade: 'HTTP/2.0', 'x-sluice-error': 'http2_required' });
});
