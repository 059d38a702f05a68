import { describe, expect, it } from 'vitest';
import type { BodySink, BodySource } from '../../body.js';
import { HpackDecoder, HpackError } from '../hpack/hpack.js';
import { block, frame, framesOf, type StreamLog, TestOwner } from './connection.fixture.js';
import { clientPreface } from './protocol.js';

/** The same rounds each time. To search elsewhere and for longer, set FUZZ_SEED and FUZZ_MS (for each test). */
const seed = Number(process.env['FUZZ_SEED'] ?? 7_540);
const searchMs = Number(process.env['FUZZ_MS'] ?? 0);
const usualRounds = 300;

/** mulberry32. */
function generator(start: number): (below: number) => number {
  let state = start | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function forRounds(run: (random: (below: number) => number) => void): void {
  const endMs = performance.now() + searchMs;
  for (let round = 0; round < usualRounds || performance.now() < endMs; round++) run(generator(seed + round));
}

/** Sends chunks of random sizes, each when there is room or some time later, and then its trailers. */
class RandomBody implements BodySource {
  readonly length: number | null;
  readonly bytes: Buffer;
  readonly trailers: string[] | null;
  cancelled = false;
  #sink: BodySink | null = null;
  #at = 0;
  readonly #random: (below: number) => number;

  constructor(random: (below: number) => number) {
    this.#random = random;
    this.bytes = Buffer.alloc(random(4) === 0 ? random(200_000) : random(500), 97 + random(26));
    for (let i = 0; i < this.bytes.length; i += 1 + random(100)) this.bytes[i] = random(256);
    this.length = random(2) === 0 ? this.bytes.length : null;
    this.trailers = this.length === 0 || random(2) === 0 ? null : ['grpc-status', String(random(17))];
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.resume();
  }

  resume(): void {
    while (this.#at < this.bytes.length) {
      const end = Math.min(this.bytes.length, this.#at + 1 + this.#random(30_000));
      const chunk = this.bytes.subarray(this.#at, end);
      this.#at = end;
      if (this.#sink?.write(chunk) === false) return;
    }
    const sink = this.#sink;
    this.#sink = null;
    sink?.end(this.trailers);
  }

  cancel(): void {
    this.cancelled = true;
  }
}

/** Hands over what one side has written in pieces of random sizes; returns whether there was anything. */
function carry(from: TestOwner, to: TestOwner, random: (below: number) => number): boolean {
  const bytes = from.output();
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + random(random(2) === 0 ? 40 : 20_000));
    const owned = random(2) === 0;
    // What is not owned or not kept is written over at once, as read buffers are.
    const piece = Buffer.from(bytes.subarray(at, end));
    to.connection.receive(piece, 0, piece.length, owned);
    if (!owned || !to.connection.chunks.kept) piece.fill(0xee);
    at = end;
  }
  return bytes.length > 0;
}

it(`a client and a server carry whatever bodies, at whatever pace (seed ${seed})`, () => {
  forRounds((random) => {
    const windows = {
      streamWindowBytes: 1_000 + random(100_000),
      windowGrowthBytes: random(2) * random(300_000),
      connectionWindowBytes: 65_535 + random(100_000),
      headerTableBytes: random(2) * 4096,
    };
    const client = new TestOwner('client', windows);
    const server = new TestOwner('server', windows);
    const requests: RandomBody[] = [];
    const answers: RandomBody[] = [];
    const logs: StreamLog[] = [];
    const paused = new Set<StreamLog>();
    const stumble = (log: StreamLog): void => {
      log.hasRoom = () => {
        if (random(3) > 0) return true;
        paused.add(log);
        return false;
      };
    };
    server.onOpened = (stream, log) => {
      stumble(log);
      const answer = new RandomBody(random);
      answers[(stream.id - 1) / 2] = answer;
      const end = log.end.bind(log);
      log.end = (trailers) => {
        end(trailers);
        const fields = { headers: ['x-id', String(stream.id)], contentLength: answer.length ?? -1 };
        stream.respond(200, fields, answer.length === 0);
        if (answer.length !== 0) stream.send(answer);
      };
      stream.incoming.start(log);
    };
    const count = 1 + random(8);
    for (let i = 0; i < count; i++) {
      const body = new RandomBody(random);
      requests.push(body);
      const log = client.request(`/${i}`, body, ['x-n', 'v'.repeat(random(300))]);
      stumble(log);
      logs.push(log);
    }

    let quiet = 0;
    while (quiet < 3) {
      const moved = [carry(client, server, random), carry(server, client, random)].includes(true);
      const resumed = [...paused];
      paused.clear();
      for (const log of resumed) {
        log.stream?.incoming.resume();
      }
      quiet = moved || paused.size > 0 ? 0 : quiet + 1;
    }

    expect([client.failure, server.failure]).toEqual([null, null]);
    for (let i = 0; i < count; i++) {
      const received = server.opens[i]?.log;
      expect(received?.trailers ?? null).toEqual(requests[i]?.trailers);
      expect(Buffer.concat(received?.chunks ?? []).equals(requests[i]?.bytes as Buffer)).toBe(true);
      expect(logs[i]?.closedBy).toBeNull();
      expect(logs[i]?.headers).toEqual(['x-id', String(2 * i + 1)]);
      expect(logs[i]?.trailers).toEqual(answers[i]?.trailers);
      expect(Buffer.concat(logs[i]?.chunks ?? []).equals(answers[i]?.bytes as Buffer)).toBe(true);
    }
    expect([client.connection.streamCount, server.connection.streamCount]).toEqual([0, 0]);
  });
});

describe(`bytes that make no sense (seed ${seed})`, () => {
  const get = block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'a'], ['x', 'y']);
  const answer = block([':status', '200'], ['content-type', 'application/grpc']);

  function sensible(random: (below: number) => number, client: boolean): Buffer[] {
    const id = 1 + 2 * random(6);
    const frames = [
      frame(1, 4 | random(2), id, client ? answer : get),
      frame(0, random(2), id, Buffer.alloc(random(200))),
      frame(0, 8, id, Buffer.concat([Buffer.from([random(20)]), Buffer.alloc(20 + random(20))])),
      frame(1, 0, id, get.subarray(0, 5)),
      frame(9, 4, id, get.subarray(5)),
      frame(1, 5, id, block(['grpc-status', '0'])),
      frame(3, 0, id, Buffer.from([0, 0, 0, random(14)])),
      frame(4, random(2), 0, random(2) === 0 ? '' : '000400000100'),
      frame(6, random(2), 0, '0000000000000000'),
      frame(8, 0, random(2) * id, Buffer.from([0, 0, random(2), random(256)])),
      frame(7, 0, 0, Buffer.from([0, 0, 0, random(12), 0, 0, 0, 0])),
      frame(2, 0, id, '0000000010'),
    ];
    return Array.from({ length: 3 + random(20) }, () => frames[random(frames.length)] as Buffer);
  }

  function mutated(bytes: Buffer, random: (below: number) => number): Buffer {
    const copy = Buffer.from(bytes);
    for (let i = random(6); i > 0; i--) copy[random(copy.length)] = random(256);
    const cut = random(10) === 0 ? random(copy.length) : 0;
    return copy.subarray(cut);
  }

  it.each(['client', 'server'] as const)(
    'leave a %s whole: nothing is thrown, every stream ends once, memory is bounded',
    (role) => {
      forRounds((random) => {
        const owner = new TestOwner(role, { maxConcurrentStreams: 5 });
        owner.receive(role === 'server' ? Buffer.concat([clientPreface, frame(4, 0, 0)]) : frame(4, 0, 0));
        const logs =
          role === 'client'
            ? Array.from({ length: 4 }, (_, i) => owner.request('/', i % 2 === 0 ? null : new RandomBody(random)))
            : [];
        owner.onOpened = (stream, log) => {
          logs.push(log);
          if (random(2) === 0) stream.incoming.start(log);
          if (random(2) === 0) stream.respond(200, { headers: [] }, random(2) === 0);
        };

        const input = mutated(Buffer.concat(sensible(random, role === 'client')), random);
        for (let at = 0; at < input.length;) {
          const end = Math.min(input.length, at + 1 + random(60));
          owner.connection.receive(input, at, end, random(2) === 0);
          at = end;
          owner.output();
        }
        owner.connection.end(new (class extends Error {})() as never);

        expect(logs.every(({ closedBy }) => closedBy !== undefined)).toBe(true);
        expect(owner.connection.streamCount).toBe(0);
      });
    },
  );

  it.each(['client', 'server'] as const)('mean the same to a %s byte by byte as at once', (role) => {
    forRounds((random) => {
      const begin = role === 'server' ? Buffer.concat([clientPreface, frame(4, 0, 0)]) : frame(4, 0, 0);
      const input = Buffer.concat([begin, mutated(Buffer.concat(sensible(random, role === 'client')), random)]);
      const fed = (pieceBytes: number): unknown => {
        const owner = new TestOwner(role);
        owner.output();
        owner.onOpened = (stream, log) => {
          stream.incoming.start(log);
          stream.respond(200, { headers: [] }, false);
        };
        const calls = role === 'client' ? [owner.request('/', null), owner.request('/', null)] : [];
        for (let at = 0; at < input.length; at += pieceBytes) {
          owner.connection.receive(input, at, Math.min(at + pieceBytes, input.length), true);
        }
        const logs = [...calls, ...owner.opens.map(({ log }) => log)];
        return {
          failure: owner.failure,
          // How much credit is given at a time depends on how much is read at a time.
          frames: framesOf(owner.output()).filter(({ type }) => type !== 8),
          requests: owner.opens.map(({ method, path, headers }) => [method, path, headers]),
          streams: logs.map(({ status, headers, text, trailers, ended, closedBy }) => {
            return { status, headers, text, trailers, ended, closedBy: closedBy?.cause };
          }),
        };
      };

      expect(fed(1)).toEqual(fed(input.length));
    });
  });

  it('make the HPACK decoder say so, and never grow its table beyond the limit', () => {
    forRounds((random) => {
      const decoder = new HpackDecoder(256);
      for (let i = 0; i < 20; i++) {
        const bytes = Buffer.from(
          Array.from({ length: random(60) }, () =>
            random(3) === 0 ? ([0x40, 0x82, 0x20, 0x7f, 0xff][random(5)] as number) : random(256),
          ),
        );
        try {
          decoder.decode(bytes, 0, bytes.length, { field: () => {} });
        } catch (error) {
          expect(error).toBeInstanceOf(HpackError);
        }
        expect(decoder.tableBytes).toBeLessThanOrEqual(256);
      }
    });
  });
});
