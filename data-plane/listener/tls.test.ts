import {
  createServer as createTlsServer,
  connect as connectTls,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BufferedBody } from '../body.js';
import type { RequestHandler } from '../exchange.js';
import { eventually, Fixture } from './fixture.js';
import type { HandshakeResult, ListenerTls } from './listener.js';
import { edCertificate, localCertificate, shopCertificate, testAuthority } from './certificates.fixture.js';

let fixture: Fixture;
beforeEach(() => {
  fixture = new Fixture();
});
afterEach(() => fixture.close());

const contexts = { shop: createSecureContext(shopCertificate), local: createSecureContext(localCertificate) };
const bySni: ListenerTls = {
  secureContext: (name) => (name.endsWith('shop.example') ? contexts.shop : name === '' ? contexts.local : null),
};

/** Answers with what it knows of the client. */
const peerHandler: RequestHandler = {
  handle: (exchange) => {
    const { address, port, tlsServerName } = exchange.peer;
    exchange.respond(200, [], new BufferedBody(Buffer.from(JSON.stringify({ address, port, tlsServerName }))));
    return { aborted: () => {}, finished: () => {} };
  },
};

async function askTls(
  port: number,
  serverName: string | null,
  first = '',
  ca = testAuthority,
): Promise<{ text: string; subject: string }> {
  const raw = connect({ port, host: '127.0.0.1' });
  if (first !== '') raw.write(first);
  const socket: TLSSocket = connectTls({
    socket: raw,
    ca,
    checkServerIdentity: () => undefined,
    ...(serverName === null ? {} : { servername: serverName }),
  });
  fixture.onClose(() => void socket.destroy());
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  const subject = String(socket.getPeerCertificate().subject?.CN);
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return { text, subject };
}

describe('a listener that speaks TLS', () => {
  test.each([
    ['shop.example', 'shop.example'],
    ['www.shop.example', 'shop.example'],
    ['other.example', 'localhost'],
    [null, 'localhost'],
  ])('for the name %s the certificate of %s', async (serverName, subject) => {
    const { port } = await fixture.listen(peerHandler, {}, { tls: bySni });

    const answer = await askTls(port, serverName);

    expect(answer.subject).toBe(subject);
    expect(answer.text).toContain(`"tlsServerName":"${serverName ?? ''}"`);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '%s: certificates with keys of other kinds do not mix',
    async (version) => {
      const ed = createSecureContext(edCertificate);
      const byName = (standard: SecureContext): ListenerTls => ({
        secureContext: (name) => (name === 'ed.example' ? ed : name === 'shop.example' ? contexts.shop : standard),
      });
      const subjectOf = async (port: number, servername: string): Promise<string> => {
        const socket = connectTls({
          port,
          servername,
          minVersion: version,
          maxVersion: version,
          rejectUnauthorized: false,
        });
        fixture.onClose(() => void socket.destroy());
        await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
        return String(socket.getPeerCertificate().subject.CN);
      };

      for (const [standard, name] of [
        [contexts.local, 'localhost'],
        [ed, 'ed.example'],
      ] as const) {
        const { port } = await fixture.listen(peerHandler, {}, { tls: byName(standard) });
        expect(await subjectOf(port, 'ed.example')).toBe('ed.example');
        expect(await subjectOf(port, 'shop.example')).toBe('shop.example');
        expect(await subjectOf(port, 'other.example')).toBe(name);
      }
    },
  );

  test('a certificate that changes is used by the next handshake', async () => {
    let current = contexts.shop;
    const { port } = await fixture.listen(peerHandler, {}, { tls: { secureContext: () => current } });

    expect((await askTls(port, 'a.example')).subject).toBe('shop.example');
    current = contexts.local;
    expect((await askTls(port, 'a.example')).subject).toBe('localhost');
  });

  test('without any certificate every handshake is refused, until there is one', async () => {
    let current: SecureContext | null = null;
    const { port, listener } = await fixture.listen(peerHandler, {}, { tls: { secureContext: () => current } });

    await expect(askTls(port, 'other.example')).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' });
    await expect(askTls(port, null)).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME' });
    current = contexts.shop;
    expect((await askTls(port, 'shop.example')).text).toContain('200 OK');
    await eventually(() => listener.connections === 0);
  });

  test('how each handshake ended is told once', async () => {
    const results: HandshakeResult[] = [];
    let current: SecureContext | null = contexts.shop;
    const tls: ListenerTls = { secureContext: () => current, ended: (result) => void results.push(result) };
    const { port } = await fixture.listen(peerHandler, { headMs: 100 }, { tls });
    const after = async (action: () => Promise<unknown>): Promise<HandshakeResult[]> => {
      await action().catch(() => undefined);
      await eventually(() => results.length > 0);
      return results.splice(0);
    };

    expect(await after(() => askTls(port, 'shop.example'))).toEqual(['complete']);
    expect(await after(() => fixture.ask(port, 'GET / HTTP/1.1\r\n\r\n'))).toEqual(['failed']);
    expect(await after(() => fixture.ask(port, ''))).toEqual(['timeout']);
    expect(await after(async () => (await fixture.client(port)).destroy())).toEqual(['closed']);
    current = null;
    expect(await after(() => askTls(port, 'shop.example'))).toEqual(['refused']);
  });

  test.each([
    ['plain HTTP', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['rubbish', '\x16\x03\x01\xff\xff\xff\xff\xff\xff\xff\xff'],
    ['a hello that breaks off', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['nothing', ''],
  ])('%s on a TLS port ends in a close', async (_name, bytes) => {
    const { port } = await fixture.listen(peerHandler, { headMs: 100 }, { tls: bySni });

    expect(await fixture.ask(port, bytes)).not.toContain('HTTP/');
  });

  test('large bodies arrive whole through TLS on both sides', async () => {
    const server = createTlsServer(localCertificate, (socket) => {
      socket.once('data', (head: Buffer) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n');
        socket.write(head.subarray(head.indexOf('\r\n\r\n') + 4));
        socket.pipe(socket);
      });
      socket.on('error', () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    fixture.onClose(() => void server.close());
    const tls = { serverName: 'localhost', caPem: testAuthority, skipVerify: false };
    const { port } = await fixture.gateway((server.address() as AddressInfo).port, {
      transport: { tls },
      listen: { tls: bySni },
    });
    const socket = connectTls({ port, host: '127.0.0.1', ca: testAuthority, servername: 'shop.example' });
    fixture.onClose(() => void socket.destroy());
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2000000\r\n\r\n');
    socket.write(Buffer.alloc(2_000_000, 'secret '));
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);

    const answer = Buffer.concat(chunks);
    expect(answer.subarray(answer.indexOf('\r\n\r\n') + 4).equals(Buffer.alloc(2_000_000, 'secret '))).toBe(true);
  });
});

describe('endpoints that speak TLS', () => {
  async function tlsServer(): Promise<number> {
    const server = createTlsServer(
      { ...localCertificate, ca: testAuthority, requestCert: true, rejectUnauthorized: false },
      (socket) => {
        const answer = `${(socket as TLSSocket & { servername?: string }).servername} ${String(socket.getPeerCertificate().subject?.CN)}`;
        socket.on('error', () => {});
        socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${answer.length}\r\n\r\n${answer}`));
      },
    );
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    fixture.onClose(() => void server.close());
    return (server.address() as AddressInfo).port;
  }
  const ask = async (port: number): Promise<string> =>
    fixture.ask(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');

  test.each([
    [
      'the right name',
      { serverName: 'localhost', caPem: testAuthority, skipVerify: false },
      /200 OK.*localhost undefined$/s,
    ],
    ['the address', { serverName: '', caPem: testAuthority, skipVerify: false }, /200 OK.*false undefined$/s],
    [
      'a certificate of its own',
      {
        serverName: 'localhost',
        caPem: testAuthority,
        skipVerify: false,
        certificatePem: shopCertificate.cert,
        keyPem: shopCertificate.key,
      },
      /localhost shop\.example$/s,
    ],
    [
      'no verification',
      { serverName: 'wrong.example', caPem: '', skipVerify: true },
      /200 OK.*wrong\.example undefined$/s,
    ],
    ['the wrong name', { serverName: 'wrong.example', caPem: testAuthority, skipVerify: false }, /502 .*"TLS_FAILED"/s],
    ['an unknown authority', { serverName: 'localhost', caPem: '', skipVerify: false }, /502 .*"TLS_FAILED"/s],
  ])('asked with %s', async (_name, tls, expected) => {
    const { port } = await fixture.gateway(await tlsServer(), { transport: { tls } });

    expect(await ask(port)).toMatch(expected);
  });

  test('an endpoint that does not speak TLS is tls_failed, one that nobody listens on connect_failed', async () => {
    const tls = { serverName: 'localhost', caPem: '', skipVerify: true };
    const plain = await fixture.rawServer((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
    );
    const { port } = await fixture.gateway(plain, { transport: { tls } });
    const { port: nobody } = await fixture.gateway(1, { transport: { tls } });

    expect(await ask(port)).toContain('"TLS_FAILED"');
    expect(await ask(nobody)).toContain('"CONNECT_FAILED"');
  });

  test('a handshake that is not answered is connect_timeout', async () => {
    const silent = await fixture.rawServer((socket) => socket.on('data', () => {}).on('end', () => socket.end()));
    const { port } = await fixture.gateway(silent, {
      transport: { tls: { serverName: 'localhost', caPem: '', skipVerify: true } },
      timeouts: { connectMs: 80 },
    });

    expect(await ask(port)).toContain('"CONNECT_TIMEOUT"');
  });
});

describe('PROXY headers', () => {
  const header = 'PROXY TCP4 192.0.2.9 198.51.100.1 4711 443\r\n';
  const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const trusted = { proxyHeaderFrom: () => true };

  test.each([
    ['in one piece', [header + request]],
    ['apart', [header, request]],
    ['in bytes', [...(header + request)]],
  ])('name the client, %s', async (_name, pieces) => {
    const { port } = await fixture.listen(peerHandler, {}, trusted);
    const client = await fixture.client(port);
    for (const piece of pieces) {
      client.write(piece);
      await new Promise(setImmediate);
    }
    await client.closed;

    expect(client.received).toContain('{"address":"192.0.2.9","port":4711,"tlsServerName":null}');
  });

  test('come before TLS', async () => {
    const { port } = await fixture.listen(peerHandler, {}, { ...trusted, tls: bySni });

    expect((await askTls(port, 'shop.example', header)).text).toContain(
      '{"address":"192.0.2.9","port":4711,"tlsServerName":"shop.example"}',
    );
  });

  test('from others are no request, and a trusted peer must send one', async () => {
    const { port } = await fixture.listen(peerHandler);
    const { port: strict } = await fixture.listen(peerHandler, { headMs: 100 }, trusted);

    expect(await fixture.ask(port, header + request)).toBe('');
    expect(await fixture.ask(strict, request)).toBe('');
    expect(await fixture.ask(strict, 'PROXY TCP4')).toBe('');
  });
});
