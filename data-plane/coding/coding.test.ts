import { expect, test } from 'vitest';
import { chosenCoding, codingFor, encodedFields } from './coding.js';

test.each([
  ['gzip', 'gzip'],
  ['br', 'br'],
  ['gzip, deflate, br, zstd', 'gzip'],
  ['br;q=1.0, gzip;q=0.8, *;q=0.1', 'br'],
  ['GZIP', 'gzip'],
  ['x-gzip', 'gzip'],
  ['*', 'gzip'],
  ['*;q=0', null],
  ['gzip;q=0, *', 'br'],
  ['identity', null],
  ['identity, gzip;q=0.5', null],
  ['identity;q=0.5, gzip', 'gzip'],
  ['gzip;q=2', null],
  ['gzip;q=', null],
  ['', null],
  [',,;;', null],
  [`${'x,'.repeat(1_000)}gzip`, null],
])('Accept-Encoding "%s" is answered in %s', (accepted, coding) => {
  expect(chosenCoding(accepted)).toBe(coding);
});

const accepting = ['Accept-Encoding', 'gzip'];

test.each([
  ['text that is long enough', 200, ['Content-Type', 'application/json'], 2_000, 'gzip'],
  ['a stream of text', 200, ['Content-Type', 'text/event-stream'], null, 'gzip'],
  ['a problem', 404, ['Content-Type', 'application/problem+json'], 2_000, 'gzip'],
  ['short text', 200, ['Content-Type', 'application/json'], 1_000, null],
  ['an image', 200, ['Content-Type', 'image/png'], 2_000, null],
  ['no type', 200, [], 2_000, null],
  ['a part', 206, ['Content-Type', 'text/plain'], 2_000, null],
  [
    'what is not to be changed',
    200,
    ['Content-Type', 'text/plain', 'Cache-Control', 'public, no-transform'],
    2_000,
    null,
  ],
])('CP2 %s', (_what, status, headers, length, coding) => {
  expect(codingFor(status, headers, length, accepting)).toBe(coding);
  expect(codingFor(status, headers, length, [])).toBeNull();
});

test('CP2 a strong ETag becomes a weak one', () => {
  const added = ['Content-Encoding', 'br', 'Vary', 'Accept-Encoding'];

  expect(encodedFields(['ETag', '"a"', 'X', 'etag'], 'br')).toEqual(['ETag', 'W/"a"', 'X', 'etag', ...added]);
  expect(encodedFields(['ETag', 'W/"a"'], 'br')).toEqual(['ETag', 'W/"a"', ...added]);
});
