import { expect, test } from 'vitest';
import { responseFields } from './metadata.js';

test('HB2: the content type of an HttpBody, which is the service’s text, cannot split the answer', () => {
  expect(responseFields([], true, 'text/html\r\nSet-Cookie: evil=1\u560a')).toEqual([
    'Content-Type',
    'text/html  Set-Cookie: evil=1 ',
  ]);
});
