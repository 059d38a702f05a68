import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { makeCertificate } from '../../deploy/certificate/certificate.js';
import type { GatewayConfig } from '../support/gateway.js';
import { startNode, type TestNode } from '../support/node.js';
import { startUpstream, type TestUpstream } from '../support/upstream.js';

const v1 = Buffer.from('PROXY TCP4 192.0.2.9 198.51.100.1 4711 443\r\n');
const v2 = Buffer.concat([
  Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 12]),
  Buffer.from([192, 0, 2, 9, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb]),
]);
const request = 'GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n';

let upstream: TestUpstream;
let node: TestNode;
beforeEach(async () => {
  upstream = await startUpstream();
});
afterEach(async () => {
  await node.close();
  await upstream.close();
});

function start(more: Partial<GatewayConfig>): Promise<TestNode> {
  const now = Date.now();
  const { cert, key } = makeCertificate({
    names: ['shop.example'],
    notBefore: new Date(now - 1_000),
    notAfter: new Date(now + 60_000),
  });
  return startNode({
    services: [{ name: 'app' }],
    routes: [{ name: 'app', service: 'app', paths: [{ kind: { case: 'prefix', value: '/' } }] }],
    endpoints: { app: [upstream.port] },
    certificates: [{ name: 'shop', certPem: cert, keyPem: key }],
    ...more,
  });
}

async function ask(socket: Socket): Promise<string> {
  socket.write(request);
  return await text(socket).catch(() => '');
}

test.each([
  ['version 1', v1],
  ['version 2', v2],
])('a PROXY header of %s names the client, on both ports', async (_name, header) => {
  node = await start({ proxyProtocolFrom: ['127.0.0.0/8'], trustedIps: ['127.0.0.1'] });
  const plain = connect(node.ports.http, '127.0.0.1');
  const raw = connect(node.ports.tls as number, '127.0.0.1');
  plain.write(header);
  raw.write(header);
  const secure = connectTls({ socket: raw, servername: 'shop.example', rejectUnauthorized: false });

  expect(await ask(plain)).toContain('200 OK');
  expect(await ask(secure)).toContain('200 OK');

  expect(upstream.seen.map(({ headers }) => headers['x-real-ip'])).toEqual(['192.0.2.9', '192.0.2.9']);
  expect(upstream.seen.map(({ headers }) => headers['x-forwarded-for'])).toEqual(
    Array.from({ length: 2 }, () => '6.6.6.6, 192.0.2.9'),
  );
});

test('a load balancer that begins without its PROXY header is not served', async () => {
  node = await start({ proxyProtocolFrom: ['127.0.0.1'] });

  expect(await ask(connect(node.ports.http, '127.0.0.1'))).toBe('');
  expect(upstream.seen).toEqual([]);
});

test('anybody else that begins with one is not served either', async () => {
  node = await start({ proxyProtocolFrom: ['192.0.2.1'] });
  const socket = connect(node.ports.http, '127.0.0.1');
  socket.write(v1);

  expect(await ask(socket)).toBe('');
  expect(upstream.seen).toEqual([]);
});
