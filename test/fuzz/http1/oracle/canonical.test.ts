import { describe, expect, test } from 'vitest';
import { readCanonical } from './canonical.js';
import { NodeReader } from './node-reader.js';

describe('the canonical form of a request', () => {
  const get = 'GET / HTTP/1.1\r\nHost: a\r\n';
  test.each([
    ['no body', `${get}\r\n`],
    ['a length', `${get}Content-Length: 2\r\n\r\nhi`],
    ['chunks and trailers', `${get}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-T: 1\r\n\r\n`],
    ['an empty value', `${get}A: \r\n\r\n`],
  ])('%s is read as node reads it', (_what, text) => {
    const { message, rest, fault } = readCanonical('request', text, false);

    expect({ rest, fault }).toEqual({ rest: '', fault: null });
    expect(new NodeReader().requests(text)).toEqual({ messages: [message], refused: null });
  });

  test.each([
    ['a bare line feed', 'GET / HTTP/1.1\nHost: a\r\n\r\n'],
    ['a bare carriage return', `${get}A: b\rc\r\n\r\n`],
    ['a blank before the colon', `${get}A : b\r\n\r\n`],
    ['two blanks before a value', `${get}A:  b\r\n\r\n`],
    ['two Hosts', `${get}Host: a\r\n\r\n`],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two lengths', `${get}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi`],
    ['a length and a coding', `${get}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a length with zeros', `${get}Content-Length: 02\r\n\r\nhi`],
    ['a chunk extension', `${get}Transfer-Encoding: chunked\r\n\r\n2;a\r\nhi\r\n0\r\n\r\n`],
    ['a chunk that is longer than it says', `${get}Transfer-Encoding: chunked\r\n\r\n1\r\nhi\r\n0\r\n\r\n`],
    ['a framing field behind the body', `${get}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n`],
    ['an absolute form', 'GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n'],
  ])('%s is a fault', (_what, text) => {
    expect(readCanonical('request', text, false).fault).not.toBeNull();
  });

  test('a body that breaks off is no fault, and not complete', () => {
    const { message, fault } = readCanonical('request', `${get}Content-Length: 3\r\n\r\nhi`, false);

    expect({ complete: message.complete, fault }).toEqual({ complete: false, fault: null });
  });
});
