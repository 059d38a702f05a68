import { describe, expect, test } from 'vitest';
import { hasToken, stripHopByHop } from './hop-by-hop.js';

describe('stripHopByHop', () => {
  const gone = [
    ['Connection', 'close'],
    ['keep-alive', 'timeout=5'],
    ['Proxy-Connection', 'keep-alive'],
    ['Proxy-Authenticate', 'Basic'],
    ['PROXY-AUTHORIZATION', 'Basic eA=='],
    ['Upgrade', 'h2c'],
    ['HTTP2-Settings', 'AAMAAABkAARAAAAAAAIAAAAA'],
    ['Transfer-Encoding', 'chunked'],
    ['Content-Length', '3'],
    ['Host', 'a.example'],
    ['Expect', '100-continue'],
    ['TE', 'gzip'],
  ] as const;
  test.each(gone)('takes %s off', (name, value) => {
    expect(stripHopByHop(['Accept', '*/*', name, value, 'X-A', 'b'])).toEqual(['Accept', '*/*', 'X-A', 'b']);
  });

  test('takes off the fields that any Connection field names, in any case', () => {
    const headers = ['X-One', '1', 'Connection', 'close, x-one', 'Connection', 'X-Two', 'x-two', '2', 'X-Three', '3'];

    expect(stripHopByHop(headers)).toEqual(['X-Three', '3']);
  });

  test('an option behind a no-break space is another option', () => {
    expect(stripHopByHop(['Connection', '\xa0X-A, \tX-B ', 'X-A', '1', 'X-B', '2'])).toEqual(['X-A', '1']);
  });

  test('keeps TE when it offers trailers, and nothing else of it', () => {
    expect(stripHopByHop(['TE', 'gzip, trailers', 'Connection', 'TE'])).toEqual(['TE', 'trailers']);
  });

  test('keeps order, case and repeats of everything else', () => {
    const headers = ['Set-Cookie', 'a=1', 'x-Y', '', 'Set-Cookie', 'b=2', 'Trailer', 'X-Sum'];

    expect(stripHopByHop(headers)).toEqual(headers);
  });
});

test.each([
  ['upgrade', true],
  ['Upgrade', true],
  ['keep-alive, Upgrade', true],
  ['upgrades', false],
  ['x-upgrade', false],
  ['', false],
])('the token upgrade in %j: %s', (value, expected) => {
  expect(hasToken(value, 'upgrade')).toBe(expected);
});
