import { describe, expect, test } from 'vitest';
import { MessageParser, type MessageHead } from './http1.js';

interface Read {
  readonly head: MessageHead;
  readonly length: number;
  readonly chunked: boolean;
  readonly host: string | null;
}

/** An answer, by a parser that passes messages on, in one read or byte by byte. */
function read(input: string, step: number, answersHead = false): Read {
  return readAs('response', input, step, answersHead);
}

function readAs(mode: 'request' | 'response', input: string, step: number, answersHead = false): Read {
  const heads: MessageHead[] = [];
  const note = (head: MessageHead): void => void heads.push(head);
  const events = { onMessage: note, onHead: note, onBody: () => {}, onEnd: () => {} };
  const limits = { maxHeadBytes: 1_024, maxFieldBytes: 256, maxFields: 8, maxTargetBytes: 128 };
  const parser = new MessageParser(mode, limits, events, true);
  parser.answersHead = answersHead;
  const bytes = Buffer.from(input, 'latin1');
  for (let at = 0; at < bytes.length;) at = parser.feed(bytes, at, Math.min(bytes.length, at + step));
  const { contentLength, chunked, host } = parser.facts;
  return { head: heads[0] as MessageHead, length: contentLength, chunked, host };
}

describe.each([Infinity, 1])('an answer that is passed on, in reads of %d bytes', (step) => {
  test.each([
    ['nothing to take out', 'Server: x\r\nETag: "1"\r\n', 'Server: x\r\nETag: "1"\r\n', false],
    ['the date is seen', 'A: 1\r\ndate: now\r\nB: 2\r\n', 'A: 1\r\ndate: now\r\nB: 2\r\n', true],
    ['the connection’s first', 'Connection: close\r\nKeep-Alive: timeout=5\r\nA: 1\r\n', 'A: 1\r\n', false],
    [
      'the framing in the middle and at the end',
      'A: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\nconnection: keep-alive\r\n',
      'A: 1\r\nB: 2\r\n',
      false,
    ],
    ['an id, as services repeat it', 'X-Request-Id: 7\r\n', 'X-Request-Id: 7\r\n', false],
    [
      'names that only look like it',
      'Content-Lengta: 1\r\nProxi: 2\r\nConnectioo: 3\r\n',
      'Content-Lengta: 1\r\nProxi: 2\r\nConnectioo: 3\r\n',
      false,
    ],
    ['no field', '', '', false],
  ])('%s', (_name, fields, text, hasDate) => {
    const { lines, headers } = read(`HTTP/1.1 200 OK\r\n${fields}\r\n`, step).head;

    expect(lines).toMatchObject({ text, hasDate });
    expect(headers).toEqual([]);
    expect(lines?.list).toEqual(text.split('\r\n').flatMap((line) => (line === '' ? [] : line.split(': '))));
  });

  test.each([
    ['named options', 'Connection: close, x-a\r\nX-A: 1\r\n'],
    ['an upgrade', 'Connection: upgrade\r\nUpgrade: h2c\r\n'],
    ['the gateway’s own mark', 'X-Sluice-Error: no_route\r\n'],
    ['Via', 'VIA: 1.1 other\r\n'],
    ['TE', 'te: trailers\r\n'],
    ['what proxies say to each other', 'Proxy-Authenticate: Basic\r\n'],
    ['no blank before the value', 'A:1\r\n'],
    ['blanks behind it', 'A: 1 \r\n'],
    ['a tab before it', 'A:\t1\r\n'],
  ])('%s: a list', (_name, fields) => {
    const { head, length } = read(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${fields}\r\n`, step);

    expect(head.lines).toBe(null);
    expect(head.headers.length).toBeGreaterThan(2);
    expect(length).toBe(0);
  });

  test.each([
    ['an interim answer', 'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n', false],
    ['304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', false],
    ['an answer to HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', true],
  ])('%s: a list', (_name, input, answersHead) => {
    expect(read(input, step, answersHead).head.lines).toBe(null);
  });

  test('what frames the body is noted all the same', () => {
    expect(read('HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n', step)).toMatchObject({ length: 12, chunked: false });
    expect(read('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', step)).toMatchObject({
      length: -1,
      chunked: true,
    });
    expect(() => read('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', step)).toThrow(
      'Content-Length',
    );
    expect(() => read('HTTP/1.1 200 OK\r\nContent-Length:\t1\r\n\r\n', step)).toThrow('tab');
  });

  describe('a Content-Length', () => {
    test('stays among the lines, but not in their list', () => {
      const { head, length } = read('HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 3\r\nB: 2\r\n\r\nabc', step);

      expect(head.lines).toMatchObject({ text: 'A: 1\r\nContent-Length: 3\r\nB: 2\r\n', contentLength: 3 });
      expect(head.lines?.list).toEqual(['A', '1', 'B', '2']);
      expect(length).toBe(3);
    });

    test.each([
      ['said twice', 'Content-Length: 0\r\nContent-Length: 0\r\n'],
      ['with a leading zero', 'Content-Length: 00\r\n'],
      ['without its blank', 'Content-Length:0\r\n'],
    ])('%s is written anew', (_name, fields) => {
      const { head, length } = read(`HTTP/1.1 200 OK\r\n${fields}\r\n`, step);

      expect(head.lines).toBe(null);
      expect(length).toBe(0);
    });
  });
});

describe.each([Infinity, 1])('a request that is passed on, in reads of %d bytes', (step) => {
  test('is told of its host apart', () => {
    const fields = 'A: 1\r\nhOst: a.example\r\nConnection: Keep-Alive\r\nCookie: b=1\r\n';
    const { head, host } = readAs('request', `GET / HTTP/1.1\r\n${fields}\r\n`, step);

    expect(head.lines).toMatchObject({ text: 'A: 1\r\nCookie: b=1\r\n', contentLength: -1 });
    expect(head.cameLines).toBe(fields);
    expect(host).toBe('a.example');
  });

  test.each([
    ['an id', 'X-Request-Id: 7\r\n'],
    ['who the client is', 'X-Forwarded-For: 10.0.0.1\r\n'],
    ['its prefix', 'x-forwarded-prefix: /a\r\n'],
    ['its address', 'X-Real-IP: 10.0.0.1\r\n'],
    ['an upgrade', 'Connection: upgrade\r\nUpgrade: websocket\r\n'],
    ['an expectation', 'Expect: 100-continue\r\n'],
    ['a blank too many', 'A:  1\r\n'],
  ])('%s: a list', (_name, fields) => {
    const { head } = readAs('request', `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, step);

    expect(head.lines).toBe(null);
    expect(head.headers.slice(0, 2)).toEqual(['Host', 'a']);
  });

  test('a second Host is refused', () => {
    expect(() => readAs('request', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', step)).toThrow('Host');
  });
});
