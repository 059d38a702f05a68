import { describe, expect, test } from 'vitest';
import { MessageParser, Violation } from '../../../data-plane/wire/http1/http1.js';
import { MemoryGateway, wireLimits } from './memory/gateway.js';

const quiet = { onMessage: () => {}, onHead: () => {}, onBody: () => {}, onEnd: () => {} };
const pieceBytes = 1_024;
/** Room for the longest limit, the reads around it, and the chunks whose extensions are counted together. */
const boundBytes = 4 * wireLimits.maxHeadBytes;

/** Feeds `start`, then `unit` without end; the number of bytes after which the parser had enough, or null when it never did. */
function bytesUntilRefused(mode: 'request' | 'response', start: string, unit: string): number | null {
  const parser = new MessageParser(mode, wireLimits, quiet);
  const piece = Buffer.from(unit.repeat(Math.ceil(pieceBytes / unit.length)), 'latin1');
  let taken = 0;
  try {
    for (const bytes of [Buffer.from(start, 'latin1'), ...Array.from({ length: 256 }, () => piece)]) {
      taken += bytes.length;
      for (let at = 0; at < bytes.length;) at = parser.feed(bytes, at, bytes.length);
    }
    return null;
  } catch (error) {
    if (error instanceof Violation) return taken;
    throw error;
  }
}

describe('what does not end is refused at a limit', () => {
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  const ok = 'HTTP/1.1 200 OK\r\n';
  test.each<[string, 'request' | 'response', string, string]>([
    ['a method', 'request', '', 'G'],
    ['a target', 'request', 'GET /', 'a'],
    ['a query', 'request', 'GET /?', '%20'],
    ['a version', 'request', 'GET / HTTP/', '1'],
    ['a name', 'request', 'GET / HTTP/1.1\r\n', 'a'],
    ['a value', 'request', 'GET / HTTP/1.1\r\nA: ', 'b '],
    ['blanks before a value', 'request', 'GET / HTTP/1.1\r\nA:', ' '],
    ['blanks behind a value', 'request', 'GET / HTTP/1.1\r\nA: b', ' \t'],
    ['field lines', 'request', 'GET / HTTP/1.1\r\n', 'A: b\r\n'],
    ['empty field lines', 'request', 'GET / HTTP/1.1\r\n', 'A:\r\n'],
    ['a chunk size', 'request', post, '0'],
    ['a chunk extension', 'request', `${post}1;a=`, 'b'],
    ['a quoted chunk extension', 'request', `${post}1;a="`, 'b'],
    ['chunk extensions', 'request', `${post}1`, ';a=b'],
    ['an extension on each chunk', 'request', post, '1;a=b\r\nx\r\n'],
    ['trailers', 'request', `${post}0\r\n`, 'A: b\r\n'],
    ['a trailer', 'request', `${post}0\r\nA: `, 'b'],
    ['a status line', 'response', 'HTTP/1.1 200 ', 'O'],
    ['fields of an answer', 'response', ok, 'A: b\r\n'],
    ['a chunk size of an answer', 'response', `${ok}Transfer-Encoding: chunked\r\n\r\n`, '0'],
  ])('%s', (_what, mode, start, unit) => {
    const bytes = bytesUntilRefused(mode, start, unit);

    expect(bytes).toBeLessThanOrEqual(boundBytes);
  });

  test('interim answers', () => {
    const { answers } = new MemoryGateway().run({
      requests: [Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
      habits: { scratch: null, stalls: () => false },
      answer: () => ({
        pieces: Array.from({ length: 10_000 }, () => Buffer.from('HTTP/1.1 103 Early Hints\r\n\r\n')),
        after: 'keeps',
      }),
    });

    expect(answers.length).toBeLessThan(10_000);
    expect(answers).toContain('HTTP/1.1 502');
  });
});

test('what a client sends ahead of an answer waits outside', () => {
  const request = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const { unread } = new MemoryGateway().run({
    requests: Array.from({ length: 1_000 }, () => request),
    habits: { scratch: null, stalls: () => false },
    answer: () => null,
  });

  expect(unread).toBeGreaterThan(995);
});

test('empty lines before a request are passed over, and none is kept', () => {
  const parser = new MessageParser('request', wireLimits, quiet);
  const lines = Buffer.from('\r\n'.repeat(1_000));

  for (let at = 0; at < lines.length;) at = parser.feed(lines, at, lines.length);

  expect(parser.betweenMessages).toBe(true);
});
