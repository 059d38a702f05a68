import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { BufferedBody } from '../../body.js';
import { block, frame, framesOf } from '../../wire/http2/connection.fixture.js';
import { errorCode, frameType } from '../../wire/http2/protocol.js';
import { RawHttp2Client, TestListener } from './http2.fixture.js';
import type { Http2CutKind, Http2ListenerLimits } from './http2.js';

let listener: TestListener;
const closing: (() => void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) close();
  await listener.close();
});

async function listen(limits: Partial<Http2ListenerLimits> = {}): Promise<void> {
  listener = await new TestListener(limits).listen();
}

function raw(...bytes: Buffer[]): RawHttp2Client {
  const client = new RawHttp2Client(listener.port, ...bytes);
  closing.push(() => client.socket.destroy());
  return client;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const get = block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'a']);
const post = block([':method', 'POST'], [':scheme', 'http'], [':path', '/'], [':authority', 'a']);
const id = (i: number): number => 2 * i + 1;
const opened = (i: number): Buffer => frame(frameType.headers, 4, id(i), post);

/** What may be sent before a client is cut. */
const mostFrames = 20_000;

interface Flood {
  readonly kind: Http2CutKind;
  readonly frames: (i: number) => Buffer;
}

/** Sends on and on, as fast as the listener reads, until it is cut. */
async function send(client: RawHttp2Client, frames: (i: number) => Buffer): Promise<void> {
  let isClosed = false;
  void client.closed.then(() => (isClosed = true));
  for (let i = 0; i < mostFrames && !isClosed;) {
    const batch = Array.from({ length: 50 }, () => frames(i++));
    if (client.socket.write(Buffer.concat(batch))) await new Promise(setImmediate);
    else await Promise.race([client.closed, new Promise((resolve) => client.socket.once('drain', resolve))]);
  }
  await client.closed;
}

/** What this process has computed so far, in milliseconds: a clock that stands still while others have the machine. */
function computedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Requests of a client that does nothing wrong, one after another, until told to stop; their times in milliseconds. */
class Neighbour {
  readonly timesMs: number[] = [];
  readonly statuses = new Set<number | undefined>();
  readonly #session: ClientHttp2Session;
  readonly #done: Promise<void>;
  #stopped = false;

  constructor(port: number) {
    this.#session = connectHttp2(`http://127.0.0.1:${port}`);
    this.#session.on('error', () => {});
    closing.push(() => this.#session.destroy());
    this.#done = this.#run();
  }

  async stop(): Promise<this> {
    this.#stopped = true;
    await this.#done;
    return this;
  }

  get p99Ms(): number {
    const sorted = this.timesMs.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] as number;
  }

  async #run(): Promise<void> {
    while (!this.#stopped || this.timesMs.length < 5) {
      const startMs = computedMs();
      this.statuses.add(await this.#request());
      this.timesMs.push(computedMs() - startMs);
    }
  }

  #request(): Promise<number | undefined> {
    return new Promise((resolve) => {
      const stream = this.#session.request({ ':path': '/' });
      let status: number | undefined;
      stream.on('response', (head) => (status = head[':status']));
      stream.on('close', () => resolve(status)).on('error', () => {});
      stream.resume();
    });
  }
}

describe('a client that floods is cut with the right word, is counted, and others are served meanwhile', () => {
  const stored = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4_000, 0x62)]);
  const floods: [title: string, flood: Flood][] = [
    ['PING (CVE-2019-9512)', { kind: 'ping', frames: () => frame(frameType.ping, 0, 0, '0000000000000000') }],
    ['SETTINGS (CVE-2019-9515)', { kind: 'settings', frames: () => frame(frameType.settings, 0, 0, '000400010000') }],
    ['acknowledgements of SETTINGS', { kind: 'settings', frames: () => frame(frameType.settings, 1, 0) }],
    ['PRIORITY (CVE-2019-9513)', { kind: 'priority', frames: () => frame(frameType.priority, 0, 5, '0000000100') }],
    ['frames of an unknown type', { kind: 'unknown_frame', frames: () => frame(77, 0, 0, '00') }],
    [
      'credit in single bytes for the connection',
      { kind: 'window_update', frames: () => frame(frameType.windowUpdate, 0, 0, u32(1)) },
    ],
    [
      'credit in single bytes for a stream',
      { kind: 'window_update', frames: (i) => (i === 0 ? opened(0) : frame(frameType.windowUpdate, 0, 1, u32(1))) },
    ],
    [
      'empty DATA (CVE-2019-9518)',
      { kind: 'empty_data', frames: (i) => (i === 0 ? opened(0) : frame(frameType.data, 0, 1)) },
    ],
    [
      'requests that are reset at once (CVE-2023-44487)',
      {
        kind: 'reset',
        frames: (i) =>
          Buffer.concat([frame(frameType.headers, 5, id(i), get), frame(frameType.rstStream, 0, id(i), u32(8))]),
      },
    ],
    [
      'resets that single bytes of body are to pay for',
      {
        kind: 'reset',
        frames: (i) =>
          Buffer.concat([
            opened(i),
            ...Array.from({ length: 4 }, () => frame(frameType.data, 0, id(i), '00')),
            frame(frameType.rstStream, 0, id(i), u32(8)),
          ]),
      },
    ],
    [
      'streams that no credit has us reset (CVE-2025-8671)',
      {
        kind: 'stream_error',
        frames: (i) => Buffer.concat([opened(i), frame(frameType.windowUpdate, 0, id(i), u32(0))]),
      },
    ],
    [
      'streams that too much credit has us reset (CVE-2025-8671)',
      {
        kind: 'stream_error',
        frames: (i) => Buffer.concat([opened(i), frame(frameType.windowUpdate, 0, id(i), u32(0x7fffffff))]),
      },
    ],
    [
      'streams that DATA after their end has us reset (CVE-2025-8671)',
      {
        kind: 'stream_error',
        frames: (i) => Buffer.concat([frame(frameType.headers, 5, id(i), get), frame(frameType.data, 0, id(i), '00')]),
      },
    ],
    [
      'single bytes for a stream that is over',
      {
        kind: 'late_frame',
        frames: (i) =>
          i === 0
            ? Buffer.concat([opened(0), frame(frameType.windowUpdate, 0, 1, u32(0))])
            : frame(frameType.data, 0, 1, '00'),
      },
    ],
    ['streams beyond the limit', { kind: 'refused_stream', frames: opened }],
    ['empty heads', { kind: 'malformed_head', frames: (i) => frame(frameType.headers, 5, id(i)) }],
    [
      'fields without a name (CVE-2019-9516)',
      {
        kind: 'malformed_head',
        frames: (i) => frame(frameType.headers, 5, id(i), Buffer.concat([get, Buffer.from('400000', 'hex')])),
      },
    ],
    [
      'lists that grow from few bytes, HPACK bombs',
      {
        kind: 'large_head',
        frames: (i) =>
          frame(
            frameType.headers,
            5,
            id(i),
            Buffer.concat([get, ...(i === 0 ? [stored] : []), Buffer.alloc(2_000, 0xbe)]),
          ),
      },
    ],
    [
      'a field block without an end (CVE-2024-27316)',
      {
        kind: 'continuation',
        frames: (i) =>
          i === 0 ? frame(frameType.headers, 1, 1, get) : frame(frameType.continuation, 0, 1, Buffer.alloc(100, 0x82)),
      },
    ],
    [
      'a field block of empty pieces',
      {
        kind: 'continuation',
        frames: (i) => (i === 0 ? frame(frameType.headers, 1, 1, get) : frame(frameType.continuation, 0, 1)),
      },
    ],
    [
      'GOAWAY',
      { kind: 'goaway', frames: (i) => (i === 0 ? opened(0) : frame(frameType.goAway, 0, 0, '0000000000000000')) },
    ],
  ];

  it.each(floods)('%s', async (_title, { kind, frames }) => {
    await listen();
    // Those that are not answered at once stay open, for frames to come upon them.
    listener.handle = (exchange) => {
      const isOpen = exchange.head.method === 'POST';
      if (!isOpen) setImmediate(() => exchange.respond(200, [], new BufferedBody(Buffer.from('hello'))));
    };
    const neighbour = new Neighbour(listener.port);
    const client = raw();

    await send(client, frames);
    const { statuses, p99Ms } = await neighbour.stop();

    const goAway = framesOf(client.received).findLast(({ type }) => type === frameType.goAway)?.payload;
    expect(goAway?.readUInt32BE(4)).toBe(errorCode.enhanceYourCalm);
    expect(goAway?.toString('latin1', 8)).toBe(`enhanceYourCalm: ${kind}`);
    expect(listener.cuts).toEqual([kind]);
    expect([...statuses]).toEqual([200]);
    // A few milliseconds as a rule.
    expect(p99Ms).toBeLessThan(500);
  });
});

describe('a client that is slow on purpose', () => {
  it('and gives no credit loses its streams, all that wait on them ends, and the connection goes on', async () => {
    await listen({ writeStallMs: 100 });
    listener.handle = (exchange) => exchange.respond(200, [], new BufferedBody(Buffer.alloc(50_000)));
    const streams = Array.from({ length: 100 }, (_, i) => frame(frameType.headers, 5, id(i), get));
    const client = raw(frame(frameType.settings, 0, 0, '000400000000'), ...streams);

    await expect.poll(() => listener.summaries.length, { timeout: 3_000 }).toBe(100);
    client.socket.write(frame(frameType.settings, 0, 0, '00040000ffff'));
    listener.handle = (exchange) => exchange.respond(200, [], new BufferedBody(Buffer.from('served')));
    client.socket.write(frame(frameType.headers, 5, id(100), get));

    await expect.poll(() => client.received.includes('served'), { interval: 5, timeout: 5_000 }).toBe(true);
    const resets = framesOf(client.received).filter(({ type }) => type === frameType.rstStream);
    expect(new Set(resets.map(({ payload }) => payload.readUInt32BE(0)))).toEqual(new Set([errorCode.cancel]));
    expect(resets.length).toBe(100);
    expect(listener.cuts).toEqual(resets.map(() => 'stalled_reader'));
  });

  it('and sends its body byte by byte is refused, however often a byte comes', async () => {
    await listen({ bodyIdleMs: 200, minBodyBytesPerSecond: 10_000 });
    listener.handle = (exchange) => exchange.body.start({ write: () => true, end: () => {}, fail: () => {} });
    const client = raw(opened(0));
    const dribble = setInterval(() => client.socket.write(frame(frameType.data, 0, 1, '00')), 20);
    closing.push(() => clearInterval(dribble));

    await expect.poll(() => listener.summaries[0]?.status, { timeout: 3_000 }).toBe(408);

    expect(listener.cuts).toEqual(['slow_body']);
  });

  it('but not a gRPC call whose client has nothing to say', async () => {
    await listen({ bodyIdleMs: 50, minBodyBytesPerSecond: 10_000 });
    let ended = false;
    const head = block(
      [':method', 'POST'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'a'],
      ['content-type', 'application/grpc'],
    );
    listener.handle = (exchange) =>
      exchange.body.start({ write: () => true, end: () => (ended = true), fail: () => {} });
    const client = raw(frame(frameType.headers, 4, 1, head));

    await new Promise((resolve) => setTimeout(resolve, 700));
    client.socket.write(frame(frameType.data, 1, 1, '00'));

    await expect.poll(() => ended, { interval: 5, timeout: 5_000 }).toBe(true);
    expect(listener.cuts).toEqual([]);
  });

  it('or gone, and leaves a request open, is asked, and closed when it does not answer', async () => {
    await listen({ keepAliveMs: 50, keepAliveTimeoutMs: 600 });
    listener.handle = () => {};
    const gone = raw(frame(frameType.headers, 5, 1, get));
    const there = connectHttp2(`http://127.0.0.1:${listener.port}`);
    closing.push(() => there.destroy());
    there.request({ ':path': '/' }).on('error', () => {});

    await gone.closed;

    expect(framesOf(gone.received).filter(({ type }) => type === frameType.ping).length).toBe(1);
    expect(listener.cuts).toEqual(['unanswered_ping']);
    expect(there.closed).toBe(false);
  });
});
