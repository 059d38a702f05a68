import { describe, expect, test } from 'vitest';
import type { HeaderList } from '../../headers.js';
import { MessageParser, Violation, type MessageHead, type WireLimits } from './http1.js';

const limits: WireLimits = { maxHeadBytes: 1_024, maxFieldBytes: 256, maxFields: 8, maxTargetBytes: 128 };

interface Read {
  readonly head: MessageHead;
  body: string;
  trailers: HeaderList | null;
  complete: boolean;
}

/** Feeds `input` in pieces of `step` bytes, as a connection does, and ends it. */
function readAll(
  mode: 'request' | 'response',
  input: string,
  step = Infinity,
  answersHead = false,
): { messages: Read[]; finished: boolean } {
  const messages: Read[] = [];
  const last = (): Read => messages.at(-1) as Read;
  const parser = new MessageParser(mode, limits, {
    onMessage: (head, bytes, start, end) => {
      messages.push({ head, body: bytes.toString('latin1', start, end), trailers: null, complete: true });
    },
    onHead: (head) => messages.push({ head, body: '', trailers: null, complete: false }),
    onBody: (bytes, start, end) => {
      last().body += bytes.toString('latin1', start, end);
    },
    onEnd: (trailers) => {
      last().trailers = trailers;
      last().complete = true;
    },
  });
  parser.answersHead = answersHead;
  // A buffer with old bytes around the piece, as a shared read buffer has.
  const bytes = Buffer.from(input, 'latin1');
  const buffer = Buffer.alloc(input.length + 64, 'Zz: 9\r\n\r\n');
  for (let from = 0; from < bytes.length; from += step) {
    const end = 8 + bytes.copy(buffer, 8, from, Math.min(bytes.length, from + step));
    for (let at = 8; at < end;) at = parser.feed(buffer, at, end);
  }
  return { messages, finished: parser.finish() };
}

function violation(mode: 'request' | 'response', input: string, step = Infinity): string {
  try {
    const { finished } = readAll(mode, input, step);
    return finished ? 'accepted' : 'incomplete';
  } catch (error) {
    if (error instanceof Violation) return error.kind;
    throw error;
  }
}

describe('requests', () => {
  const cases: readonly [name: string, input: string, expected: readonly [string, string, string, string][]][] = [
    ['without a body', 'GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n', [['GET', '/a?b=c', 'Host|x', '']]],
    [
      'with blanks around values',
      'GET / HTTP/1.1\r\nA:b\r\nB: \t c d \t\r\nC:\r\nD: \r\n\r\n',
      [['GET', '/', 'A|b|B|c d|C||D|', '']],
    ],
    [
      'with a length',
      'POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello',
      [['POST', '/', 'Content-Length|5', 'hello']],
    ],
    [
      'with equal lengths twice',
      'POST / HTTP/1.1\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nhi',
      [['POST', '/', 'Content-Length|2|content-length|2', 'hi']],
    ],
    [
      'chunked',
      'POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00b;a=b;c="d e"\r\n, big world\r\n0\r\n\r\n',
      [['POST', '/', 'Transfer-Encoding|Chunked', 'hello, big world']],
    ],
    [
      'pipelined',
      'GET /1 HTTP/1.1\r\n\r\nPUT /2 HTTP/1.0\r\nContent-Length: 1\r\n\r\nxGET /3 HTTP/1.1\r\n\r\n',
      [
        ['GET', '/1', '', ''],
        ['PUT', '/2', 'Content-Length|1', 'x'],
        ['GET', '/3', '', ''],
      ],
    ],
    ['after empty lines', '\r\n\r\nGET / HTTP/1.1\r\n\r\n', [['GET', '/', '', '']]],
    ['with obs-text in a value', 'GET / HTTP/1.1\r\nA: caf\xe9\r\n\r\n', [['GET', '/', 'A|caf\xe9', '']]],
    [
      'with an empty chunked body',
      'POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      [['POST', '/', 'transfer-encoding|chunked', '']],
    ],
  ];

  test.each(cases)('%s: the same whole, and cut at every size of piece', (_name, input, expected) => {
    for (let step = 1; step <= input.length; step++) {
      const { messages, finished } = readAll('request', input, step);

      expect(messages.map(({ head, body }) => [head.method, head.target, head.headers.join('|'), body])).toEqual(
        expected,
      );
      expect(messages.every(({ complete }) => complete) && finished).toBe(true);
    }
  });

  test('trailers are told at the end', () => {
    const input = 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nX-B:2\r\n\r\n';
    for (let step = 1; step <= input.length; step++) {
      expect(readAll('request', input, step).messages[0]?.trailers).toEqual(['X-Sum', '1', 'X-B', '2']);
    }
  });

  test('a small body in the same read as its head needs one event', () => {
    const { messages } = readAll('request', 'POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi');

    expect(messages).toHaveLength(1);
  });

  const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\n${fields}\r\n\r\n${body}`;
  const refused: readonly [name: string, input: string, kind: string][] = [
    ['HTTP/0.9', 'GET /\r\n\r\n', 'malformed'],
    ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'version'],
    ['HTTP/1.2', 'GET / HTTP/1.2\r\n\r\n', 'version'],
    ['lower-case http', 'GET / http/1.1\r\n\r\n', 'malformed'],
    ['two blanks before the target', 'GET  / HTTP/1.1\r\n\r\n', 'malformed'],
    ['two blanks after the target', 'GET /  HTTP/1.1\r\n\r\n', 'malformed'],
    ['blank after the version', 'GET / HTTP/1.1 \r\n\r\n', 'malformed'],
    ['tab in the request line', 'GET\t/ HTTP/1.1\r\n\r\n', 'malformed'],
    ['a TLS hello', '\x16\x03\x01\x02\x00\x01', 'malformed'],
    ['raw UTF-8 in the target', 'GET /\xc3\xa4 HTTP/1.1\r\n\r\n', 'malformed'],
    ['a fragment', 'GET /#a HTTP/1.1\r\n\r\n', 'malformed'],
    ['NUL in the target', 'GET /\0 HTTP/1.1\r\n\r\n', 'malformed'],
    ['a method with a bracket', 'G(T / HTTP/1.1\r\n\r\n', 'malformed'],
    ['a long method', `${'M'.repeat(33)} / HTTP/1.1\r\n\r\n`, 'malformed'],
    ['a bare LF after the request line', 'GET / HTTP/1.1\nHost: x\r\n\r\n', 'malformed'],
    ['a bare LF after a field', 'GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n', 'malformed'],
    ['a bare LF as the end', 'GET / HTTP/1.1\r\nHost: x\r\n\n', 'malformed'],
    ['bare CR in a value', post('A: b\rc'), 'malformed'],
    ['bare CR as a line', 'GET / HTTP/1.1\r\n\rA: b\r\n\r\n', 'malformed'],
    ['NUL in a value', post('A: b\0c'), 'malformed'],
    ['DEL in a value', post('A: \x7f'), 'malformed'],
    ['a folded line', post('A: b\r\n c'), 'malformed'],
    ['a tab before a transfer coding', post('Transfer-Encoding: \tchunked', '0\r\n\r\n'), 'malformed'],
    ['a tab behind a length', post('Content-Length: 0\t'), 'malformed'],
    ['a tab around a host', post('Host:\ta'), 'malformed'],
    ...[';', ';;a', ';a=', ';a=b c', '; a', ';a="b', ';a="b"c', ';=b'].map((extension): [string, string, string] => [
      `the chunk extension ${extension}`,
      post('Transfer-Encoding: chunked', `1${extension}\r\nx\r\n0\r\n\r\n`),
      'malformed',
    ]),
    ['a folded first line', post(' A: b'), 'malformed'],
    ['blank before the colon', post('A : b'), 'malformed'],
    ['an empty name', post(': b'), 'malformed'],
    ['no colon', post('Ab'), 'malformed'],
    ['a name with a bracket', post('A(b: c'), 'malformed'],
    ['a name with obs-text', post('\xe9: c'), 'malformed'],
    ['different lengths', post('Content-Length: 1\r\nContent-Length: 2', 'ab'), 'malformed'],
    ['a list of lengths', post('Content-Length: 1, 1', 'a'), 'malformed'],
    ['a negative length', post('Content-Length: -1'), 'malformed'],
    ['a signed length', post('Content-Length: +1', 'a'), 'malformed'],
    ['a hex length', post('Content-Length: 0x1', 'a'), 'malformed'],
    ['an empty length', post('Content-Length:'), 'malformed'],
    ['a length with a blank inside', post('Content-Length: 1 1', 'a'), 'malformed'],
    ['a length beyond doubles', post('Content-Length: 9999999999999999'), 'malformed'],
    ['length and chunked', post('Content-Length: 3\r\nTransfer-Encoding: chunked', '0\r\n\r\n'), 'malformed'],
    ['chunked and length', post('Transfer-Encoding: chunked\r\nContent-Length: 3', '0\r\n\r\n'), 'malformed'],
    ['chunked in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'malformed'],
    ['chunked twice', post('Transfer-Encoding: chunked, chunked', '0\r\n\r\n'), 'malformed'],
    [
      'chunked in two lines',
      post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
      'malformed',
    ],
    ['identity', post('Transfer-Encoding: identity'), 'malformed'],
    ['chunked not last', post('Transfer-Encoding: chunked, gzip'), 'malformed'],
    ['a coding before chunked', post('Transfer-Encoding: gzip, chunked', '0\r\n\r\n'), 'not_implemented'],
    ['xchunked', post('Transfer-Encoding: xchunked', '0\r\n\r\n'), 'malformed'],
    ['quoted chunked', post('Transfer-Encoding: "chunked"', '0\r\n\r\n'), 'malformed'],
    ['chunked with a vertical tab', post('Transfer-Encoding:\x0bchunked', '0\r\n\r\n'), 'malformed'],
    ['an empty coding', post('Transfer-Encoding:', '0\r\n\r\n'), 'malformed'],
    ['Host twice', post('Host: a\r\nhost: a'), 'malformed'],
    ['too many fields', post('A: b\r\n'.repeat(9).trimEnd()), 'head_too_large'],
    ['a long field', post(`A: ${'b'.repeat(300)}`), 'head_too_large'],
    ['a long head', post(`${`A: ${'b'.repeat(200)}\r\n`.repeat(6)}B: c`), 'head_too_large'],
    ['a head without end', `GET / HTTP/1.1\r\nA: ${'b'.repeat(1_100)}`, 'head_too_large'],
    ['a long target', `GET /${'a'.repeat(128)} HTTP/1.1\r\n\r\n`, 'target_too_long'],
  ];
  test.each(refused)('%s is refused', (_name, input, kind) => {
    expect(violation('request', input)).toBe(kind);
  });

  test.each(refused.filter(([, , kind]) => kind !== 'target_too_long'))(
    '%s is refused byte by byte as well',
    (_name, input) => {
      expect(violation('request', input, 1)).not.toBe('accepted');
    },
  );

  const chunked = (body: string): string => post('Transfer-Encoding: chunked', body);
  test.each([
    ['no size', '\r\n'],
    ['a blank before the size', ' 1\r\na\r\n0\r\n\r\n'],
    ['a blank after the size', '1 \r\na\r\n0\r\n\r\n'],
    ['a sign', '+1\r\na\r\n0\r\n\r\n'],
    ['0x', '0x1\r\na\r\n0\r\n\r\n'],
    ['an underscore', '1_0\r\n'],
    ['too many digits', '0000000000001\r\na\r\n0\r\n\r\n'],
    ['bare LF after the size', '1\na\r\n0\r\n\r\n'],
    ['bare CR after the size', '1\ra\r\n0\r\n\r\n'],
    ['bare LF in an extension', '1;a\nb\r\na\r\n0\r\n\r\n'],
    ['NUL in an extension', '1;a\0\r\na\r\n0\r\n\r\n'],
    ['endless extensions', `1;${'a'.repeat(5_000)}\r\na\r\n0\r\n\r\n`],
    ['many extensions', `1;${'a'.repeat(500)}\r\na\r\n`.repeat(10)],
    ['data longer than its size', '1\r\nab\r\n0\r\n\r\n'],
    ['bare LF after the data', '1\r\na\n0\r\n\r\n'],
    ['bare LF after the last chunk', '0\n\r\n'],
    ['bare LF as the end', '0\r\n\n'],
    ['a folded trailer', '0\r\nA: b\r\n c\r\n\r\n'],
    ['a trailer without colon', '0\r\nAb\r\n\r\n'],
    ['endless trailers', `0\r\n${'A: b\r\n'.repeat(300)}`],
  ])('a chunked body with %s is refused', (_name, body) => {
    expect(violation('request', chunked(body))).toMatch(/malformed|head_too_large/);
    expect(violation('request', chunked(body), 1)).toMatch(/malformed|head_too_large/);
  });
});

describe('responses', () => {
  test.each([
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi', 200, 'hi'],
    ['without a reason', 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n', 200, ''],
    ['without a blank before no reason', 'HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n', 404, ''],
    ['chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n', 200, 'hi'],
    ['until the end', 'HTTP/1.0 200 OK\r\n\r\nall of it', 200, 'all of it'],
    ['204 with a length that means nothing', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', 204, ''],
    ['304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 304, ''],
  ])('%s, in pieces of any size', (_name, input, status, body) => {
    for (let step = 1; step <= input.length; step++) {
      const { messages, finished } = readAll('response', input, step);

      expect(messages.map((message) => [message.head.status, message.body, message.complete])).toEqual([
        [status, body, true],
      ]);
      expect(finished).toBe(true);
    }
  });

  test('an interim answer is a message of its own', () => {
    const { messages } = readAll(
      'response',
      'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    );

    expect(messages.map(({ head }) => head.status)).toEqual([103, 200]);
  });

  test('the answer to HEAD has no body, whatever its length says', () => {
    const { messages, finished } = readAll('response', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', Infinity, true);

    expect(messages).toHaveLength(1);
    expect(finished).toBe(true);
  });

  test('a body that breaks off is not finished', () => {
    expect(violation('response', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi')).toBe('incomplete');
    expect(violation('response', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi')).toBe('incomplete');
  });

  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['ICY', 'ICY 200 OK\r\n\r\n'],
    ['a short line', 'HTTP/1.1\r\n\r\n'],
    ['two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['status 099', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['a control byte in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n'],
    ['bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['length and chunked', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['an empty line first', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['a transfer coding on a 1xx', 'HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a transfer coding on a 204', 'HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a length on a 1xx', 'HTTP/1.1 103 x\r\nContent-Length: 4\r\n\r\n'],
  ])('%s is refused', (_name, input) => {
    expect(violation('response', input)).toMatch(/malformed|version/);
  });
});
