import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BufferedBody } from '../../body.js';
import { ProxyError } from '../../errors.js';
import { localCertificate, shopCertificate, testAuthority } from '../../listener/certificates.fixture.js';
import { TimerWheel } from '../../wheel.js';
import type { UpstreamTls } from '../tls.js';
import type { Transport } from '../transport.js';
import { createHttp2Transport } from './http2.js';
import { grpc, Recorder } from './support.fixture.js';

const trusting: UpstreamTls = { serverName: '', caPem: testAuthority, skipVerify: false };

let wheel: TimerWheel;
let closers: (() => void)[];
let names: string[];

beforeEach(() => {
  wheel = new TimerWheel();
  closers = [];
  names = [];
});

afterEach(() => {
  for (const close of closers) close();
  wheel.close();
});

async function listening(server: Server): Promise<number> {
  const sockets = new Set<TLSSocket>();
  server.on('secureConnection', (socket: TLSSocket) => {
    names.push(String(socket.servername));
    sockets.add(socket.on('error', () => {}));
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function serve(certificate: { cert: string; key: string }): Promise<number> {
  const server = createSecureServer(certificate);
  server.on('sessionError', () => {});
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.on('error', () => {}).pipe(stream);
  });
  return listening(server);
}

function call(port: number, tls: UpstreamTls, size = 10): Promise<Recorder> {
  const transport: Transport = createHttp2Transport({ address: '127.0.0.1', port, wheel, tls });
  closers.unshift(() => transport.destroy(new ProxyError('draining')));
  return new Recorder(transport, grpc('/', new BufferedBody(Buffer.alloc(size, 'x')))).done;
}

describe('over TLS', () => {
  it('a call is made with h2 by ALPN, and large bodies pass', async () => {
    const reply = await call(await serve(localCertificate), trusting, 1_000_000);

    expect(reply.error).toBeNull();
    expect([reply.status, reply.bytes, reply.trailers]).toEqual([200, 1_000_000, ['grpc-status', '0']]);
  });

  it('the server name is sent, and checked against the certificate', async () => {
    const port = await serve(shopCertificate);

    const right = await call(port, { ...trusting, serverName: 'shop.example' });
    const wrong = await call(port, { ...trusting, serverName: 'other.example' });

    expect(right.status).toBe(200);
    expect(wrong.error?.kind).toBe('tls_failed');
    expect(names[0]).toBe('shop.example');
  });

  it('a certificate of an authority not trusted is refused, unless told otherwise', async () => {
    const port = await serve(localCertificate);

    const refused = await call(port, { ...trusting, caPem: '' });
    const unchecked = await call(port, { ...trusting, caPem: '', skipVerify: true });

    expect([refused.error?.kind, refused.error?.retry]).toEqual(['tls_failed', 'if-unsent']);
    expect(unchecked.status).toBe(200);
  });

  it('a server that does not offer h2 is not spoken to', async () => {
    const port = await listening(
      createTlsServer(
        { ...localCertificate, ALPNProtocols: ['http/1.1'] },
        (socket) => void socket.on('error', () => {}),
      ),
    );

    const reply = await call(port, trusting);

    expect(reply.error?.kind).toBe('tls_failed');
  });

  it('a server that knows no ALPN is not spoken to', async () => {
    const port = await listening(createTlsServer(localCertificate, (socket) => void socket.on('error', () => {})));

    const reply = await call(port, trusting);

    expect(reply.error?.kind).toBe('tls_failed');
  });
});
