import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProxyError } from '../errors.js';
import { Fixture } from './fixture.js';

/** What a backend of node's own understood: one line per request. */
let fixture: Fixture;
let port: number;
let understood: string[] = [];

beforeAll(async () => {
  fixture = new Fixture();
  const { port: upstream } = await fixture.httpServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    request.on('end', () => {
      understood.push(`${request.method} ${request.url} ${request.headers.host} [${body}]`);
      response.end('ok');
    });
  });
  ({ port } = await fixture.gateway(upstream));
});
afterAll(() => fixture.close());

/** Sends bytes, then a request that must be understood as itself or not at all. A connection to the backend is there already. */
async function send(bytes: string): Promise<{ statuses: number[]; requests: string[] }> {
  await fixture.ask(port, 'GET /before HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  understood = [];
  const received = await fixture.ask(port, `${bytes}GET /after HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  return {
    statuses: [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1])),
    requests: understood,
  };
}

const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const post = (fields: string, body: string): string => `POST /first HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n${body}`;

describe('what two recipients could read in two ways is refused, and the connection closes', () => {
  const chunkedSmuggle = `0\r\n\r\n${smuggled}`;
  const both = 'Content-Length: 5\r\nTransfer-Encoding: chunked';
  const cases: readonly [name: string, bytes: string][] = [
    ['CL.TE', post(both, chunkedSmuggle)],
    ['TE.CL', post('Transfer-Encoding: chunked\r\nContent-Length: 4', `5c\r\n${smuggled}\r\n0\r\n\r\n`)],
    ['CL.CL', post(`Content-Length: 0\r\nContent-Length: ${smuggled.length}`, smuggled)],
    ['a list of lengths', post(`Content-Length: 0, ${smuggled.length}`, smuggled)],
    ['CL with a plus', post(`Content-Length: +${smuggled.length}`, smuggled)],
    ['CL with blanks inside', post(`Content-Length: ${smuggled.length} 0`, smuggled)],
    ['CL in hex', post('Content-Length: 0x20', smuggled)],
    ['CL with a comma at the end', post(`Content-Length: ${smuggled.length},`, smuggled)],
    ['CL with letters', post('Content-Length: 1a', smuggled)],
    ['CL with a blank before the colon', post(`Content-Length : ${smuggled.length}`, smuggled)],
    ['CL beyond 2^53', post('Content-Length: 36893488147419103232', smuggled)],
    ...[
      'Transfer-Encoding : chunked',
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding: chunked, identity',
      'Transfer-Encoding: identity, chunked',
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
      'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
      'Transfer-Encoding: "chunked"',
      'Transfer-Encoding: chunked;q=1',
      'Transfer-Encoding:\x0bchunked',
      'Transfer-Encoding:\x0cchunked',
      'Transfer-Encoding: chunked\x00',
      'Transfer-Encoding: \xa0chunked',
      'Transfer-Encoding: chun\tked',
      'Transfer-Encoding: c\rhunked',
      'Transfer-Encoding\x00: chunked',
      'Transfer-Encoding\t: chunked',
      'Transfer-Encoding:\r\n chunked',
      'Transfer-Encoding\r\n: chunked',
      'Foo: bar\r\n Transfer-Encoding: chunked',
      ' Transfer-Encoding: chunked',
      'Foo: bar\nTransfer-Encoding: chunked',
      'Foo: bar\rTransfer-Encoding: chunked',
      'Foo\r\nTransfer-Encoding: chunked',
      'Transfer-Encoding: gzip, chunked',
      'Transfer-Encoding:',
      'Transfer-Encoding: ,chunked',
      'Transfer-Encoding: chunked,',
    ].map((fields): [string, string] => [
      `TE as ${JSON.stringify(fields)}`,
      post(`${fields}\r\nContent-Length: 5`, chunkedSmuggle),
    ]),
    ...[
      '+0',
      '-0',
      '0x0',
      ' 0',
      '0 ',
      '0\t',
      '00000000000000',
      '0;\n',
      '0\n',
      '0\r',
      'g',
      '0,0',
      '0\x00',
      '0;a=b\x00',
    ].map((size): [string, string] => [
      `a chunk size of ${JSON.stringify(size)}`,
      post('Transfer-Encoding: chunked', `${size}\r\n\r\n${smuggled}`),
    ]),
    ['a chunk longer than its size', post('Transfer-Encoding: chunked', `3\r\nabcd\r\n0\r\n\r\n`)],
    ['a chunk extension with a bare LF', post('Transfer-Encoding: chunked', `1;a\n\r\nx\r\n0\r\n\r\n`)],
    ['TERM.EXT', post('Transfer-Encoding: chunked', `2;\nxx\r\n22\r\n0\r\n\r\n${smuggled}`)],
    ['a trailer with a fold', post('Transfer-Encoding: chunked', `0\r\nA: b\r\n c: d\r\n\r\n`)],
    ['a trailer section ended by a bare LF', post('Transfer-Encoding: chunked', `0\r\n\n${smuggled}`)],
    ['chunked in HTTP/1.0', `POST /first HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedSmuggle}`],
    ['Host twice', 'GET /first HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['Host twice, the same', 'GET /first HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'],
    ['no Host', 'GET /first HTTP/1.1\r\n\r\n'],
    ['an empty Host', 'GET /first HTTP/1.1\r\nHost:\r\n\r\n'],
    ['a Host with a path', 'GET /first HTTP/1.1\r\nHost: a/b\r\n\r\n'],
    ['a Host with a user', 'GET /first HTTP/1.1\r\nHost: a@b\r\n\r\n'],
    ['a Host with a blank', 'GET /first HTTP/1.1\r\nHost: a b\r\n\r\n'],
    ['a list of hosts', 'GET /first HTTP/1.1\r\nHost: a, b\r\n\r\n'.replace(', ', '\t')],
    ['a folded Host', 'GET /first HTTP/1.1\r\nHost: a\r\n b\r\n\r\n'],
    ['absolute form with another Host', 'GET http://b/first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['absolute form without a host', 'GET http:///first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['absolute form with a host that nginx does not take', 'GET http://%/first HTTP/1.1\r\nHost: %\r\n\r\n'],
    ['absolute form with a user', 'GET http://a@b/first HTTP/1.1\r\nHost: a@b\r\n\r\n'],
    ['another scheme', 'GET ftp://a/first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a relative target', 'GET first HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['`*` with GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a target with a line end', 'GET /first\r\nX: HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a target with a fragment', 'GET /first#a HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['HTTP/0.9', 'GET /first\r\n'],
    ['two versions', 'GET /first HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a bare LF request', 'GET /first HTTP/1.1\nHost: a\n\n'],
    ['a name with NUL', 'GET /first HTTP/1.1\r\nHost: a\r\nA\0b: c\r\n\r\n'],
    ['a name with a blank', 'GET /first HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n'],
    ['a value with NUL', 'GET /first HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n'],
    ['CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'],
  ];
  test.each(cases)('%s', async (_name, bytes) => {
    const { statuses, requests } = await send(bytes);

    expect(statuses).toHaveLength(1);
    expect(statuses[0]).toBeGreaterThanOrEqual(400);
    expect(requests).toEqual([]);
  });
});

test('behind an HTTP/2 preface nothing is read as HTTP/1', async () => {
  const { statuses, requests } = await send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

  expect([...statuses, ...requests]).toEqual([]);
});

describe('what can be read in one way only is forwarded so', () => {
  const after = 'GET /after a []';
  test.each<[string, string, string[]]>([
    [
      'CL.0: a body that looks like a request',
      post(`Content-Length: ${smuggled.length}`, smuggled),
      [`POST /first a [${smuggled}]`, after],
    ],
    [
      '0.CL: a GET with a body',
      `GET /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
      [`GET /first a [${smuggled}]`, after],
    ],
    [
      'a HEAD with a body',
      `HEAD /first HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`,
      ['HEAD /first a [abc]', after],
    ],
    ['the same length twice', post('Content-Length: 3\r\nContent-Length: 3', 'abc'), ['POST /first a [abc]', after]],
    ['a length with zeros first', post('Content-Length: 003', 'abc'), ['POST /first a [abc]', after]],
    [
      'a chunked body that looks like requests',
      post('Transfer-Encoding: chunked', `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`),
      [`POST /first a [${smuggled}]`, after],
    ],
    ['CHUNKED', post('TRANSFER-ENCODING: CHUNKED', '1\r\na\r\n0\r\n\r\n'), ['POST /first a [a]', after]],
    [
      'a chunk extension',
      post('Transfer-Encoding: chunked', '1;a="b;c"\r\na\r\n0;x\r\n\r\n'),
      ['POST /first a [a]', after],
    ],
    [
      'a length named by Connection',
      post('Connection: Content-Length\r\nContent-Length: 3', 'abc'),
      ['POST /first a [abc]', after],
    ],
    [
      'a coding named by Connection',
      post('Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked', '1\r\na\r\n0\r\n\r\n'),
      ['POST /first a [a]', after],
    ],
    [
      'a Host named by Connection',
      'GET /first HTTP/1.1\r\nHost: a\r\nConnection: Host\r\n\r\n',
      ['GET /first a []', after],
    ],
    [
      'a trailer that would set the length',
      post('Transfer-Encoding: chunked', '1\r\na\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n'),
      ['POST /first a [a]', after],
    ],
    ['absolute form with its Host', 'GET http://A/first?x HTTP/1.1\r\nHost: a\r\n\r\n', ['GET /first?x A []', after]],
    ['absolute form without a path', 'GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n', ['GET /?x a []', after]],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', ['OPTIONS * a []', after]],
    ['empty lines before a request', `\r\n\r\nGET /first HTTP/1.1\r\nHost: a\r\n\r\n`, ['GET /first a []', after]],
    [
      'an upgrade to h2c',
      'GET /first HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nConnection: HTTP2-Settings\r\n\r\n',
      ['GET /first a []', after],
    ],
  ])('%s', async (_name, bytes, expected) => {
    const { statuses, requests } = await send(bytes);

    expect(requests).toEqual(expected);
    expect(statuses).toEqual(expected.map(() => 200));
  });
});

describe('answers that could poison the next one', () => {
  test.each<[string, string]>([
    [
      'a second answer behind the first',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison',
    ],
    ['a body behind 204', 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'],
    ['a body behind 304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison'],
    ['a body longer than its length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokpoison'],
    ['bytes behind the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\npoison'],
  ])('%s', async (_name, answer) => {
    const local = new Fixture();
    try {
      const { port: upstream } = await local.scripted((request) =>
        request.includes('/first') ? answer : 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean',
      );
      const { port: gateway } = await local.gateway(upstream);
      const first = await local.client(gateway);
      first.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      await first.closed;

      expect(first.received).not.toContain('poison');
      expect(first.received).toMatch(/clean$/);
    } finally {
      await local.close();
    }
  });

  test('a HEAD answered with a body', async () => {
    const local = new Fixture();
    try {
      const { port: upstream } = await local.scripted((request) =>
        request.startsWith('HEAD')
          ? 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'
          : 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean',
      );
      const { port: gateway } = await local.gateway(upstream);

      const received = await local.ask(
        gateway,
        'HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      );

      expect(received).not.toContain('poison');
      expect(received).toMatch(/clean$/);
    } finally {
      await local.close();
    }
  });

  test('a field of the gateway’s own that would split the answer cannot', async () => {
    const local = new Fixture();
    try {
      const { port: gateway } = await local.listen({
        handle: (exchange) => {
          const headers = ['Location', 'b\r\nSet-Cookie: evil=1', 'X-B', 'c\u560a\u560dSet-Cookie: evil=2'];
          exchange.fail(new ProxyError('https_required', undefined, { headers }));
          return { aborted: () => {}, finished: () => {} };
        },
      });
      const client = await local.client(gateway);
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      const received = await client.until('X-B');

      expect(received).not.toMatch(/^Set-Cookie/m);
    } finally {
      await local.close();
    }
  });
});
