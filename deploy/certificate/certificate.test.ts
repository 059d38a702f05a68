import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { makeCertificate } from './certificate.js';
import { positiveInteger } from './der.js';

const day = 86_400_000;
const validity = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) };

test('a certificate says what was asked for, and is signed by who it says', () => {
  const authority = makeCertificate({ names: ['Test CA'], isAuthority: true, ...validity });
  const names = ['shop.example', '*.shop.example', '127.0.0.1', '::1', '2001:db8::8:800:200c:417a'];

  const made = new X509Certificate(makeCertificate({ names, issuer: authority, ...validity }).cert);

  expect(made.subjectAltName).toBe(
    'DNS:shop.example, DNS:*.shop.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:8:800:200C:417A',
  );
  expect(made.subject).toBe('CN=shop.example');
  expect(made.issuer).toBe('CN=Test CA');
  expect(made.ca).toBe(false);
  expect(made.verify(new X509Certificate(authority.cert).publicKey)).toBe(true);
  expect(new X509Certificate(authority.cert).ca).toBe(true);
});

test.each([
  [[0], '020100'],
  [[0, 0, 1], '020101'],
  [[0x7f, 1], '02027f01'],
  [[0x80], '02020080'],
  [[0, 0x80], '02020080'],
])('the number %j is written as %s', (bytes, expected) => {
  expect(positiveInteger(Uint8Array.from(bytes)).toString('hex')).toBe(expected);
});

test('dates beyond 2050 are written as such', () => {
  const made = makeCertificate({
    names: ['a'],
    notBefore: new Date('2049-12-31T23:59:59Z'),
    notAfter: new Date('2050-01-01T00:00:00Z'),
  });
  const { validFrom, validTo } = new X509Certificate(made.cert);

  expect([new Date(validFrom).toISOString(), new Date(validTo).toISOString()]).toEqual([
    '2049-12-31T23:59:59.000Z',
    '2050-01-01T00:00:00.000Z',
  ]);
});

test.each(['P-256', 'P-384'])(
  'clients that trust the authority take a handshake with a key on %s',
  async (namedCurve) => {
    const authority = makeCertificate({ names: ['Test CA'], isAuthority: true, ...validity });
    const key = generateKeyPairSync('ec', { namedCurve }).privateKey;
    const server = createServer(makeCertificate({ names: ['localhost'], issuer: authority, key, ...validity }));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;

    const socket: TLSSocket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert });
    await once(socket, 'secureConnect');

    expect(socket.authorized).toBe(true);
    socket.destroy();
    server.close();
  },
);
