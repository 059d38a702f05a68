import { connect } from 'node:tls';
import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { askedServerName } from './client-hello.js';

/** What OpenSSL sends first. */
async function helloFor(servername: string): Promise<Buffer> {
  return await new Promise((resolve) => {
    const wire = new Duplex({ read() {}, write: (chunk: Buffer) => resolve(chunk) });
    connect({ socket: wire, servername, ALPNProtocols: ['h2', 'http/1.1'] }).on('error', () => {});
  });
}

/** The same message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 5; at < hello.length; at += size) {
    const part = hello.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 0xff]), part);
  }
  return Buffer.concat(records);
}

describe('the server name that a ClientHello asks for', () => {
  test.each(['shop.example', 'a'.repeat(63) + '.example', ''])('is "%s"', async (name) => {
    expect(askedServerName(await helloFor(name))).toBe(name);
  });

  test('is told when the last byte of the message has come, and not before', async () => {
    const hello = await helloFor('shop.example');

    for (let end = 0; end < hello.length; end++) expect(askedServerName(hello.subarray(0, end))).toBeNull();
    expect(askedServerName(Buffer.concat([hello, Buffer.from('more')]))).toBe('shop.example');
  });

  test.each([1, 3, 4, 50, 200])('is found in records of %i bytes', async (size) => {
    expect(askedServerName(inRecords(await helloFor('shop.example'), size))).toBe('shop.example');
  });

  test.each([
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['an alert', Buffer.from([21, 3, 1, 0, 2, 2, 40])],
    ['another message', Buffer.from([22, 3, 1, 0, 5, 2, 0, 0, 1, 0])],
    ['a record that is too long', Buffer.from([22, 3, 1, 255, 255])],
    ['a message that is too long', Buffer.from([22, 3, 1, 0, 4, 1, 255, 255, 255])],
    ['records without an end', Buffer.concat(Array.from({ length: 7_000 }, () => Buffer.from([22, 3, 1, 0, 0])))],
  ])('is none in %s', (_name, bytes) => {
    expect(askedServerName(bytes)).toBe('');
  });

  test('is some text or none, whichever byte is wrong', async () => {
    const hello = await helloFor('shop.example');

    for (let at = 0; at < hello.length; at++) {
      for (const byte of [0, 1, 127, 255]) {
        const bytes = Buffer.from(hello);
        bytes[at] = byte;
        expect(askedServerName(bytes)?.length ?? 0).toBeLessThanOrEqual(255);
      }
    }
  });
});
