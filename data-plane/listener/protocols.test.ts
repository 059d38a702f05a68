import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { createSecureContext } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BufferedBody } from '../body.js';
import type { RequestHandler } from '../exchange.js';
import { eventually, Fixture } from './fixture.js';
import { localCertificate, testAuthority } from './certificates.fixture.js';

let fixture: Fixture;
beforeEach(() => {
  fixture = new Fixture();
});
afterEach(() => fixture.close());

const versionHandler: RequestHandler = {
  handle: (exchange) => {
    const { head, peer } = exchange;
    exchange.respond(200, [], new BufferedBody(Buffer.from(`${head.version} ${head.target} ${peer.tlsServerName}`)));
    return { aborted: () => {}, finished: () => {} };
  },
};

async function askHttp2(session: ClientHttp2Session, path: string): Promise<string> {
  const stream = session.request({ ':path': path });
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function open(url: string, options: object = {}): ClientHttp2Session {
  const session = connectHttp2(url, options);
  session.on('error', () => {});
  fixture.onClose(() => session.destroy());
  return session;
}

describe('one port, two protocols', () => {
  test('a plain port tells HTTP/2 by its first bytes', async () => {
    const { port, listener } = await fixture.listen(versionHandler);
    const session = open(`http://127.0.0.1:${port}`);

    expect(await askHttp2(session, '/a')).toBe('2 /a null');
    expect(await askHttp2(session, '/b')).toBe('2 /b null');
    expect(await fixture.ask(port, 'GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(
      /1\.1 \/c null$/,
    );
    await eventually(() => listener.connections === 1);
  });

  test('a TLS port lets ALPN choose', async () => {
    const context = createSecureContext(localCertificate);
    const { port } = await fixture.listen(versionHandler, {}, { tls: { secureContext: () => context } });
    const session = open(`https://localhost:${port}`, { ca: testAuthority });

    expect(await askHttp2(session, '/a')).toBe('2 /a localhost');
  });

  test('a preface in single bytes is one', async () => {
    const { port } = await fixture.listen(versionHandler);
    const client = await fixture.client(port);
    for (const byte of 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') {
      client.write(byte);
      await new Promise(setImmediate);
    }
    client.write('\0\0\0\x04\0\0\0\0\0');

    // The server's SETTINGS, then the acknowledgement of ours.
    await client.until('\0\0\0\x04\x01\0\0\0\0');
  });

  test('what only begins like a preface is HTTP/1, or nothing when no more comes', async () => {
    const { port } = await fixture.listen(versionHandler, { headMs: 100 });
    const client = await fixture.client(port);
    for (const piece of ['P', 'R', 'OPFIND /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n']) {
      client.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await client.closed;

    expect(client.received).toMatch(/1\.1 \/x null$/);
    expect(await fixture.ask(port, 'PRI * HT')).not.toContain('200');
  });

  const prefaces: [title: string, bytes: string, answer: RegExp][] = [
    ['is no request line of any kind is closed without a word', 'INVALID CONNECTION PREFACE\r\n\r\n', /^$/],
    ['is a malformed request line is told so', 'GET / HTTX/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['is of HTTP/0.9 is told so', 'GET /\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'begins the preface of HTTP/2 and goes on otherwise gets GOAWAY',
      'PRI * HTTP/2.0\r\n\r\nXY\r\n\r\n',
      /protocolError$/,
    ],
  ];
  test.each(prefaces)('a first line that %s', async (_title, bytes, answer) => {
    const { port } = await fixture.listen(versionHandler);

    expect(await fixture.ask(port, bytes)).toMatch(answer);
  });

  test('a listener that retires tells its HTTP/2 clients, and serves them', async () => {
    const { port, listener } = await fixture.listen(versionHandler);
    const session = open(`http://127.0.0.1:${port}`);
    await askHttp2(session, '/a');
    const goAway = new Promise((resolve) => session.on('goaway', (code) => resolve(code)));

    listener.retire();

    expect(await goAway).toBe(0);
    expect(await askHttp2(open(`http://127.0.0.1:${port}`), '/b')).toBe('2 /b null');
  });

  test('a listener that drains takes its HTTP/2 connections along', async () => {
    const { port, listener } = await fixture.listen(versionHandler);
    const session = open(`http://127.0.0.1:${port}`);
    await askHttp2(session, '/a');

    await listener.close(3_000);

    await eventually(() => session.closed || session.destroyed);
    expect(listener.connections).toBe(0);
  });
});
