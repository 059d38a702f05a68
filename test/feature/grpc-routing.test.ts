import { Metadata } from '@grpc/grpc-js';
import { beforeEach, expect, test } from 'vitest';
import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { startGateway, type TestGateway } from '../support/gateway.js';
import {
  descriptorSet,
  payload,
  testService,
  type InteropClient,
  type InteropServer,
} from '../support/interop/interop.js';
import { requestRaw } from '../support/interop/raw.js';
import { useGrpcRig } from '../support/interop/rig.js';

/** Which route gets a gRPC call, and the path that the service sees. */

const { clientOf, interopServer, closing } = useGrpcRig();
let servers: Readonly<Record<'whole' | 'method' | 'tenant', InteropServer>>;
let gateway: TestGateway;
let client: InteropClient;

beforeEach(async () => {
  servers = { whole: await interopServer(), method: await interopServer(), tenant: await interopServer() };
  gateway = await startGateway({
    services: Object.keys(servers).map((name) => ({ name, protocol: Protocol.GRPC })),
    routes: [
      { name: 'whole', service: 'whole', grpc: [{ service: testService }] },
      { name: 'method', service: 'method', grpc: [{ service: testService, method: 'EmptyCall' }] },
      {
        name: 'tenant',
        service: 'tenant',
        grpc: [{ service: testService }],
        headers: [{ name: 'x-tenant', values: ['blue'] }],
      },
    ],
    endpoints: Object.fromEntries(Object.entries(servers).map(([name, { port }]) => [name, [port]])),
  });
  closing.push(() => gateway.close());
  client = clientOf(gateway);
});

function calls(): Record<string, number> {
  return Object.fromEntries(Object.entries(servers).map(([name, { metadata }]) => [name, metadata.length]));
}

test('a method goes before its service, and both before nobody', async () => {
  await client.unary('EmptyCall');
  await client.unary('UnaryCall');

  expect(calls()).toEqual({ whole: 1, method: 1, tenant: 0 });
});

test('metadata is matched as header fields are', async () => {
  const metadata = new Metadata();
  metadata.set('x-tenant', 'Blue');

  await client.unary('UnaryCall', {}, metadata);

  expect(calls()).toEqual({ whole: 0, method: 0, tenant: 1 });
});

test('a service whose name only begins alike is not taken', async () => {
  const call = { ':path': `/${testService}s/EmptyCall`, 'content-type': 'application/grpc' };

  expect((await requestRaw(gateway.url, call)).headers).toMatchObject({ 'grpc-status': '12' });
});

test('a path of a route to a gRPC service is not stripped unless it is said', async () => {
  const byPath = {
    services: [{ name: 'whole', protocol: Protocol.GRPC }],
    endpoints: { whole: [servers.whole.port] },
  };
  const paths = [{ kind: { case: 'prefix', value: '/grpc.testing.' } as const }];
  gateway.apply({ ...byPath, routes: [{ name: 'plain', service: 'whole', paths }] });
  expect((await client.unary('EmptyCall')).status.code).toBe(0);

  const tenant = [{ kind: { case: 'segmentPrefix', value: '/tenant' } as const }];
  gateway.apply({ ...byPath, routes: [{ name: 'plain', service: 'whole', paths: tenant, stripPath: true }] });
  const call = { ':path': `/tenant/${testService}/EmptyCall`, 'content-type': 'application/grpc' };
  expect((await requestRaw(gateway.url, call)).trailers).toMatchObject({ 'grpc-status': '0' });
});

test('calls are counted by route and status', async () => {
  await client.unary('EmptyCall');
  await client.unary('UnaryCall', { responseStatus: { code: 5, message: 'no' } });

  await expect
    .poll(() => gateway.metrics.render([]))
    .toContain('sluice_grpc_calls_total{route="whole",grpc_status="NOT_FOUND"} 1');
  expect(gateway.metrics.render([])).toContain('sluice_grpc_calls_total{route="method",grpc_status="OK"} 1');
});

test('a transcoded route passes gRPC calls of its methods on', async () => {
  gateway.apply({
    services: [{ name: 'whole', protocol: Protocol.GRPC }],
    schemas: [{ name: 'interop', descriptorSet }],
    routes: [{ name: 'both', service: 'whole', transcode: { schema: 'interop', services: [testService] } }],
    endpoints: { whole: [servers.whole.port] },
  });

  const { status: ended, response } = await client.unary('UnaryCall', { responseSize: 3 });
  const asJson = await fetch(`${gateway.url}/${testService}/UnaryCall`, { method: 'POST', body: '{"responseSize":3}' });

  expect(ended.code).toBe(0);
  expect(response).toEqual(payload(3));
  expect(await asJson.json()).toMatchObject(payload(3));
});
