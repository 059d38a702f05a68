import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BufferedBody } from '../../body.js';
import { framingOf, inlineBody, requestHead } from '../../upstream/http1/request-head.js';
import { stripHopByHop } from '../../upstream/hop-by-hop.js';
import { MessageParser, splitTarget, Violation, type MessageHead, type WireLimits } from './http1.js';

/** `FUZZ_CASES=1000000 FUZZ_SEED=1 npx vitest run fuzz` for a long run, or to repeat one. */
const cases = Number(process.env['FUZZ_CASES'] ?? 20_000);
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const limits: WireLimits = { maxHeadBytes: 2_048, maxFieldBytes: 512, maxFields: 24, maxTargetBytes: 256 };

/** mulberry32: small, and the same everywhere. */
function randomFrom(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const requests = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /a?b=c&d HTTP/1.1\r\nHost: a.example:80\r\nUser-Agent: x\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n',
  'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nContent-Type: text/plain\r\n\r\nhello world',
  'POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x="y"\r\n world\r\n0\r\nX-T: 1\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close, x-a\r\nX-A: b\r\n\r\n',
  'GET http://a/b HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
  'PUT /1.0 HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi',
];
const responses = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\nhello',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\nuntil the end',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "x"\r\nKeep-Alive: timeout=5\r\n\r\n',
];
const pieces = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  ' ',
  '\t',
  '\0',
  ':',
  ';',
  ',',
  '\x0b',
  '\x7f',
  '\x80',
  '\xff',
  '0',
  '1',
  'f',
  '-',
  '+',
  '0x',
  '0\r\n\r\n',
  'Content-Length: 3\r\n',
  'content-length:0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Host: b\r\n',
  'Connection: close\r\n',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'GET /x HTTP/1.1\r\nHost: a\r\n\r\n',
  'A: b\r\n',
  ' A: b\r\n',
  'ffffffffffffffff',
  '9'.repeat(20),
];

function mutated(random: () => number, seeds: readonly string[]): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  let input = pick(seeds);
  if (random() < 0.3) input += pick(seeds);
  for (let rounds = Math.floor(random() * 4); rounds > 0; rounds--) {
    const at = Math.floor(random() * (input.length + 1));
    const length = Math.floor(random() * 6);
    const kind = random();
    if (kind < 0.4) input = input.slice(0, at) + pick(pieces) + input.slice(at);
    else if (kind < 0.6) input = input.slice(0, at) + input.slice(at + length);
    else if (kind < 0.75)
      input = input.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + input.slice(at + 1);
    else if (kind < 0.9) input = input.slice(0, at) + input.slice(at, at + 20) + input.slice(at);
    else input = input.slice(0, at) + pick(seeds).slice(Math.floor(random() * 60));
  }
  return input;
}

interface Message {
  readonly head: MessageHead;
  body: string;
  trailers: readonly string[] | null;
  complete: boolean;
}

/** Everything a parser says of the input when it comes in pieces whose lengths `next` gives, as text that can be compared. */
function read(
  mode: 'request' | 'response',
  input: Buffer,
  next: () => number,
): { messages: Message[]; verdict: string } {
  const messages: Message[] = [];
  const last = (): Message => messages.at(-1) as Message;
  const parser = new MessageParser(mode, limits, {
    onMessage: (head, bytes, start, end) =>
      void messages.push({ head, body: bytes.toString('latin1', start, end), trailers: null, complete: true }),
    onHead: (head) => void messages.push({ head, body: '', trailers: null, complete: false }),
    onBody: (bytes, start, end) => void (last().body += bytes.toString('latin1', start, end)),
    onEnd: (trailers) => void Object.assign(last(), { trailers, complete: true }),
  });
  // Old bytes behind the piece must never be believed.
  const buffer = Buffer.alloc(input.length + 8, 'a: b\r\n\r\n');
  try {
    for (let from = 0; from < input.length;) {
      const end = input.copy(buffer, 0, from, Math.min(input.length, from + next()));
      for (let at = 0; at < end;) at = parser.feed(buffer, at, end);
      from += end;
    }
    return { messages, verdict: parser.finish() ? 'whole' : 'cut' };
  } catch (error) {
    if (error instanceof Violation)
      return { messages: messages.filter(({ complete }) => complete), verdict: 'refused' };
    throw error;
  }
}

describe(`the parser under ${cases} mutated inputs`, () => {
  test.each([
    ['request', requests],
    ['response', responses],
  ] as const)('a %s means the same however it is cut', (mode, seeds) => {
    const random = randomFrom(seed);
    for (let i = 0; i < cases; i++) {
      const text = mutated(random, seeds);
      const input = Buffer.from(text, 'latin1');
      const whole = read(mode, input, () => input.length);
      const cut = read(mode, input, () => 1 + Math.floor(random() * 12));
      const bytewise = i % 4 === 0 ? read(mode, input, () => 1) : whole;
      // A head that breaks off may be refused before its end or not; either way it is never a message.
      const complete = ({ verdict, messages }: typeof whole): string =>
        JSON.stringify([verdict === 'whole', messages.filter((message) => message.complete)]);

      if (complete(whole) !== complete(cut) || complete(whole) !== complete(bytewise)) {
        expect.fail(
          `seed ${seed}, case ${i}: ${JSON.stringify(text)} is read as ${complete(whole)}, in pieces ${complete(cut)} or ${complete(bytewise)}`,
        );
      }
    }
  });
});

describe('what is forwarded', () => {
  let server: Server;
  let understood: string[] = [];

  beforeAll(async () => {
    server = createServer({ insecureHTTPParser: false, keepAliveTimeout: 60_000 }, (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
      request.on('end', () => {
        understood.push(JSON.stringify([request.method, request.url, request.headers.host, body]));
        response.end();
      });
    });
    server.maxRequestsPerSocket = 0;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  /** The requests that the gateway would make of an input: as text, and as the backend should understand them. */
  function forwarded(text: string): { wire: string; meaning: string[] } {
    const input = Buffer.from(text, 'latin1');
    let wire = '';
    const meaning: string[] = [];
    for (const { head, body, complete } of read('request', input, () => input.length).messages) {
      if (!complete) break;
      try {
        const host = head.headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'host');
        const { target, authority } = splitTarget(
          head.method,
          head.target,
          host < 0 ? null : (head.headers[host + 1] as string),
          head.minor,
        );
        // Node's parser knows its methods only; ours passes on any token, and what to do with it is the backend's matter.
        if (!knownMethods.has(head.method) || authority === '') break;
        const call = {
          method: head.method,
          target,
          authority,
          headers: stripHopByHop(head.headers),
          body: new BufferedBody(Buffer.from(body, 'latin1')),
          upgrade: null,
          timeouts: { connectMs: 0, readMs: 0, writeMs: 0, perTryMs: 0 },
        };
        wire += requestHead(call, framingOf(call)) + inlineBody(call.body, framingOf(call));
        meaning.push(JSON.stringify([head.method, target, authority, body]));
      } catch (error) {
        if (error instanceof Violation) break;
        throw error;
      }
    }
    return { wire, meaning };
  }

  const knownMethods = new Set(['GET', 'PUT', 'POST', 'OPTIONS', 'HEAD', 'DELETE', 'PATCH']);

  test('node reads each request that we accept as we do', async () => {
    const random = randomFrom(seed ^ 0x5eed);
    const { port } = server.address() as AddressInfo;
    const batchSize = 500;
    for (let done = 0; done < cases; done += batchSize) {
      understood = [];
      const batch = Array.from({ length: batchSize }, () => forwarded(mutated(random, requests)));
      const socket = connect(port, '127.0.0.1');
      socket.resume();
      socket.end(batch.map(({ wire }) => wire).join(''), 'latin1');
      await new Promise((resolve) => socket.on('close', resolve));

      const expected = batch.flatMap(({ meaning }) => meaning);
      const wrong = expected.findIndex((meaning, i) => meaning !== understood[i]);
      if (wrong >= 0 || understood.length !== expected.length) {
        expect.fail(
          `seed ${seed}, batch ${done}: sent ${expected[wrong]}, understood ${understood[wrong]} (${understood.length} of ${expected.length})`,
        );
      }
    }
  });
});
