import { makeFraming } from './framing.js';
import { makeField, lineEnd } from './requests.js';
import type { Random } from './random.js';
import { connections } from './vocabulary.js';

// prettier-ignore
const statuses = { usual: [200, 200, 200, 201, 204, 206, 301, 304, 400, 404, 500, 503], odd: [100, 101, 102, 103, 199, 203, 205, 299, 407, 421, 499, 599, 600, 999, 0, 99, 1000, -1] } as const;
// prettier-ignore
const reasons = { usual: ['OK', '', 'Not Found', 'A reason of some words'], odd: ['\xe9', 'a\0b', 'a\rb', 'a\nb', 'a\tb', '\x7f', 'r'.repeat(200), 'OK\r\nX-Injected: y'] } as const;
// prettier-ignore
const versions = { usual: ['HTTP/1.1'], odd: ['HTTP/1.0', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/2', 'http/1.1', 'HTTP/0.9', 'ICY', 'HTTP/1', '', 'HTTP/1.1\t', 'HTTP/1.10'] } as const;
// prettier-ignore
const lines = ['HTTP/1.1 200', 'HTTP/1.1  200 OK', 'HTTP/1.1 200OK', 'HTTP/1.1\t200 OK', 'HTTP/1.1 20 OK', 'HTTP/1.1 2000 OK', 'HTTP/1.1 2x0 OK', 'HTTP/1.1 +200 OK', 'HTTP/1.1', '200 OK', 'GET / HTTP/1.1', '', '<html>', 'HTTP/1.1 0200 OK', 'HTTP/1.1 200.1 OK'];
// prettier-ignore
const fields = [
  'Date: Thu, 01 Jan 1970 00:00:00 GMT', 'Server: x', 'Set-Cookie: a=b', 'Set-Cookie: c=d; Path=/', 'Keep-Alive: timeout=5', 'Trailer: X-T', 'Upgrade: websocket', 'Location: /x', 'ETag: "x"', 'Via: 1.1 y', 'Content-Type: text/html', 'Content-Encoding: gzip', 'Proxy-Authenticate: Basic', 'X-Sluice-Error: no_route', 'Host: a',
  'X-A: x\r\n folded', 'Refresh: 0', 'Content-Location: /y', 'Age: 0', 'Vary: *',
];

/** All that a service sends on one connection, as latin1 text: interim answers at times, an answer, at times more than was asked. */
export function makeResponses(random: Random): string {
  let text = random.chance(0.02) ? random.pick(['\r\n', '\n', ' ', '\0']) : '';
  while (random.chance(0.12)) text += interim(random);
  text += makeResponse(random);
  if (random.chance(0.12))
    text += random.chance(0.5)
      ? makeResponse(random)
      : random.pick(['\r\n', 'junk', '\0', 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison']);
  return text;
}

function interim(random: Random): string {
  const status = random.pick([
    '100 Continue',
    '103 Early Hints',
    '102 Processing',
    '101 Switching Protocols',
    '100',
    '199 x',
  ]);
  const field = random.pick([
    '',
    '',
    'Link: </a>\r\n',
    'Content-Length: 3\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Upgrade: websocket\r\nConnection: Upgrade\r\n',
    'Connection: close\r\n',
  ]);
  return `HTTP/1.1 ${status}\r\n${field}\r\n`;
}

function makeResponse(random: Random): string {
  const oddShare = random.pick([0, 0, 0.02, 0.06, 0.15]);
  const framing = makeFraming(random);
  const all = [...framing.fields];
  for (let count = random.below(3); count > 0; count--)
    all.push(random.chance(0.6) ? random.pick(fields) : makeField(random, oddShare));
  if (random.chance(0.12)) all.push(`Connection: ${random.pick(connections)}`);
  if (random.chance(0.3)) random.shuffle(all);
  let text = statusLine(random, oddShare) + lineEnd(random, oddShare / 2);
  for (const field of all) text += field + lineEnd(random, oddShare / 4);
  return text + lineEnd(random, oddShare / 2) + framing.body;
}

function statusLine(random: Random, oddShare: number): string {
  if (random.chance(oddShare / 4)) return random.pick(lines);
  const version = random.mostly(versions.usual, versions.odd, oddShare);
  return `${version} ${random.mostly<number>(statuses.usual, statuses.odd, Math.max(0.03, oddShare))} ${random.mostly(reasons.usual, reasons.odd, oddShare)}`;
}
