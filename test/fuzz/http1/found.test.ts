import { expect, test } from 'vitest';
import { makeJudge } from './campaign.js';
import type { CaseKind } from './generate/cases.js';

/** What the fuzzer has found, as small as it made it, by the names of docs/fuzzing.md. */
const found: readonly [name: string, kind: CaseKind, input: string][] = [
  ['CONNECT in origin form', 'request', 'CONNECT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'],
  [
    'the body of a request that asks for an upgrade',
    'request',
    'POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi',
  ],
  [
    'a body that breaks off behind an upgrade',
    'request',
    'H / HTTP/1.1\r\nHost: 1\r\nConnection: Upgrade\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  [
    'an empty Upgrade',
    'request',
    'T / HTTP/1.1\r\nHost: 0\r\nTransfer-Encoding: chunked\r\nConnection: Upgrade\r\nUpgrade:\r\n\r\n',
  ],
  [
    'two empty Upgrades',
    'request',
    'T / HTTP/1.1\r\nUpgrade:\r\nConnection:Upgrade\r\nHost:0\r\ne:\r\nUpgrade:\r\n\r\n',
  ],
  ['the method of the HTTP/2 preface', 'request', 'PRI / HTTP/1.1\r\nHost: a\r\n\r\n'],
  [
    'an empty chunk extension',
    'request',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\r\nhi\r\n0;\r\n\r\n',
  ],
  [
    'a blank in a chunk extension',
    'request',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2; a=b\r\nhi\r\n0\r\n\r\n',
  ],
  [
    'a byte above ASCII in a chunk extension',
    'request',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0;a=\xff\r\n\r\n',
  ],
  ['a tab behind the length', 'request', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\t\r\n\r\nhi'],
  ['a tab before the coding', 'request', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tchunked\r\n\r\n0\r\n\r\n'],
  [
    'a coding on an interim answer',
    'response',
    'HTTP/1.1 199 \r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 301 \r\nContent-Length: 0\r\n\r\n',
  ],
  ['a length on an interim answer', 'response', 'HTTP/1.1 199 \r\nContent-Length: 47\r\n\r\nHTTP/1.1 304 \r\n\r\n'],
  [
    'an option of Connection behind a no-break space',
    'request',
    'E / HTTP/1.1\r\nHost: a\r\nConnection: \xa0X-A\r\nX-A:\r\n\r\n',
  ],
];

test.each(found)('%s', (_name, kind, text) => {
  const judge = makeJudge();

  const broken = Array.from({ length: 20 }, (_, seed) => judge({ kind, text, seed }).difference).filter(
    (difference) => difference !== null,
  );

  expect(broken).toEqual([]);
});
