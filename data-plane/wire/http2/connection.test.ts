import { describe, expect, it } from 'vitest';
import { BufferedBody } from '../../body.js';
import { ProxyError } from '../../errors.js';
import { block, frame, framesOf, own, TestOwner } from './connection.fixture.js';
import { clientPreface, errorName } from './protocol.js';

const settings = frame(4, 0, 0);
const settingsAck = frame(4, 1, 0);
const get = block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'a']);
const post = block([':method', 'POST'], [':scheme', 'http'], [':path', '/'], [':authority', 'a']);
const ok = block([':status', '200']);
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

function server(settingsOf: Partial<typeof own> = {}): TestOwner {
  const owner = new TestOwner('server', settingsOf);
  owner.receive(clientPreface);
  owner.receive(Buffer.concat([settings, settingsAck]));
  owner.output();
  return owner;
}

function client(settingsOf: Partial<typeof own> = {}): TestOwner {
  const owner = new TestOwner('client', settingsOf);
  owner.receive(Buffer.concat([settings, settingsAck]));
  owner.output();
  return owner;
}

/** What a connection says of a fault: GOAWAY code, or the codes of streams reset. */
function verdict(owner: TestOwner): string {
  const frames = framesOf(owner.output());
  const goAway = frames.find(({ type }) => type === 7);
  if (goAway !== undefined) return `connection ${errorName(goAway.payload.readUInt32BE(4))}`;
  const resets = frames
    .filter(({ type }) => type === 3)
    .map(({ streamId, payload }) => `${streamId} ${errorName(payload.readUInt32BE(0))}`);
  return resets.join(', ');
}

describe('a server ends the connection, or the stream, of a client that breaks a rule', () => {
  const open = frame(1, 4, 1, post);
  const rules: [title: string, frames: Buffer[], verdict: string][] = [
    ['DATA on stream 0', [frame(0, 0, 0, '00')], 'connection protocolError'],
    ['DATA on an idle stream', [frame(0, 0, 1, '00')], 'connection protocolError'],
    ['DATA after the end', [frame(1, 5, 1, get), frame(0, 0, 1, '00')], '1 streamClosed'],
    ['HEADERS on stream 0', [frame(1, 4, 0, get)], 'connection protocolError'],
    ['HEADERS on an even stream', [frame(1, 4, 2, get)], 'connection protocolError'],
    ['HEADERS cut off by its padding', [frame(1, 0xc, 1, '05aa')], 'connection protocolError'],
    ['trailers that do not end the stream', [open, frame(1, 4, 1, block(['a', 'b']))], '1 protocolError'],
    ['a block that cannot be decoded', [frame(1, 4, 1, 'ff')], 'connection compressionError'],
    ['CONTINUATION of nothing', [frame(9, 4, 1, get)], 'connection protocolError'],
    [
      'a frame within a field block',
      [frame(1, 0, 1, get), frame(6, 0, 0, '0000000000000000')],
      'connection protocolError',
    ],
    ['CONTINUATION of another stream', [frame(1, 0, 1, get), frame(9, 4, 3, get)], 'connection protocolError'],
    ['DATA within a field block', [open, frame(1, 0, 3, get), frame(0, 0, 1, '00')], 'connection protocolError'],
    ['RST_STREAM on stream 0', [frame(3, 0, 0, '00000000')], 'connection protocolError'],
    ['RST_STREAM on an idle stream', [frame(3, 0, 1, '00000000')], 'connection protocolError'],
    ['RST_STREAM of three bytes', [open, frame(3, 0, 1, '000000')], 'connection frameSizeError'],
    ['SETTINGS on a stream', [frame(4, 0, 1)], 'connection protocolError'],
    ['SETTINGS of five bytes', [frame(4, 0, 0, '0000000000')], 'connection frameSizeError'],
    ['an acknowledgement with a payload', [frame(4, 1, 0, '000000000000')], 'connection frameSizeError'],
    ['an initial window beyond 2^31-1', [frame(4, 0, 0, '000480000000')], 'connection flowControlError'],
    ['MAX_FRAME_SIZE below its least', [frame(4, 0, 0, '000500003fff')], 'connection protocolError'],
    ['ENABLE_PUSH of 2', [frame(4, 0, 0, '000200000002')], 'connection protocolError'],
    ['PUSH_PROMISE', [open, frame(5, 4, 1, '00000002')], 'connection protocolError'],
    ['PING on a stream', [frame(6, 0, 1, '0000000000000000')], 'connection protocolError'],
    ['PING of seven bytes', [frame(6, 0, 0, '00000000000000')], 'connection frameSizeError'],
    ['GOAWAY on a stream', [frame(7, 0, 1, '0000000000000000')], 'connection protocolError'],
    ['GOAWAY of seven bytes', [frame(7, 0, 0, '00000000000000')], 'connection frameSizeError'],
    ['WINDOW_UPDATE of 0 for the connection', [frame(8, 0, 0, '00000000')], 'connection protocolError'],
    ['WINDOW_UPDATE of 0 for a stream', [open, frame(8, 0, 1, '00000000')], '1 protocolError'],
    ['WINDOW_UPDATE of three bytes', [frame(8, 0, 0, '000001')], 'connection frameSizeError'],
    ['WINDOW_UPDATE on an idle stream', [frame(8, 0, 1, '00000001')], 'connection protocolError'],
    ['a connection window beyond 2^31-1', [frame(8, 0, 0, '7fffffff')], 'connection flowControlError'],
    ['a stream window beyond 2^31-1', [open, frame(8, 0, 1, '7fffffff')], '1 flowControlError'],
    [
      'a stream window beyond 2^31-1 by SETTINGS',
      [open, frame(8, 0, 1, '7fff0000'), frame(4, 0, 0, '00047fffffff')],
      'connection flowControlError',
    ],
    ['PRIORITY of four bytes', [open, frame(2, 0, 1, '00000000')], '1 frameSizeError'],
    ['a stream that depends on itself', [frame(2, 0, 1, '0000000100')], '1 protocolError'],
    [
      'more bytes than content-length',
      [frame(1, 4, 1, Buffer.concat([post, block(['content-length', '1'])])), frame(0, 0, 1, '0000')],
      '1 protocolError',
    ],
    [
      'fewer bytes than content-length',
      [frame(1, 4, 1, Buffer.concat([post, block(['content-length', '3'])])), frame(0, 1, 1, '0000')],
      '1 protocolError',
    ],
    [
      'no body where content-length promises one',
      [frame(1, 5, 1, Buffer.concat([post, block(['content-length', '3'])]))],
      '1 protocolError',
    ],
    [
      'two content-lengths',
      [frame(1, 4, 1, Buffer.concat([post, block(['content-length', '3'], ['content-length', '4'])]))],
      '1 protocolError',
    ],
    [
      'a content-length that is no number',
      [frame(1, 4, 1, Buffer.concat([post, block(['content-length', '+3'])]))],
      '1 protocolError',
    ],
    [
      'an upper-case field name',
      [frame(1, 5, 1, Buffer.concat([get, Buffer.from('000141016100', 'hex').subarray(0, 5)]))],
      '1 protocolError',
    ],
    ['a line break in a value', [frame(1, 5, 1, Buffer.concat([get, block(['a', 'b\r\nc: d'])]))], '1 protocolError'],
    [
      'a control character in a value',
      [frame(1, 5, 1, Buffer.concat([get, block(['a', 'b\x1bc'])]))],
      '1 protocolError',
    ],
    ['a blank before a value', [frame(1, 5, 1, Buffer.concat([get, block(['a', ' b'])]))], '1 protocolError'],
    ['a blank in a name', [frame(1, 5, 1, Buffer.concat([get, block(['a b', 'c'])]))], '1 protocolError'],
    ['Connection', [frame(1, 5, 1, Buffer.concat([get, block(['connection', 'close'])]))], '1 protocolError'],
    [
      'Transfer-Encoding',
      [frame(1, 5, 1, Buffer.concat([get, block(['transfer-encoding', 'chunked'])]))],
      '1 protocolError',
    ],
    ['TE other than trailers', [frame(1, 5, 1, Buffer.concat([get, block(['te', 'gzip'])]))], '1 protocolError'],
    ['a second :path', [frame(1, 5, 1, Buffer.concat([get, block([':path', '/x'])]))], '1 protocolError'],
    ['an unknown pseudo-header field', [frame(1, 5, 1, Buffer.concat([get, block([':x', 'y'])]))], '1 protocolError'],
    [
      'a pseudo-header field after others',
      [frame(1, 5, 1, Buffer.concat([block(['a', 'b']), get]))],
      '1 protocolError',
    ],
    [':status in a request', [frame(1, 5, 1, Buffer.concat([get, ok]))], '1 protocolError'],
    ['a pseudo-header field among trailers', [open, frame(1, 5, 1, block([':status', '200']))], '1 protocolError'],
    [
      ':protocol without CONNECT',
      [frame(1, 5, 1, Buffer.concat([get, block([':protocol', 'websocket'])]))],
      '1 protocolError',
    ],
    [
      'CONNECT with a path',
      [frame(1, 5, 1, block([':method', 'CONNECT'], [':authority', 'a:1'], [':path', '/']))],
      '1 protocolError',
    ],
  ];

  it.each(rules)('%s', (_title, frames, expected) => {
    const owner = server();

    for (const bytes of frames) owner.receive(bytes);

    expect(verdict(owner)).toBe(expected);
    expect(owner.failure === null).toBe(!expected.startsWith('connection'));
  });

  it('a first frame that is not SETTINGS, and bytes that are no preface', () => {
    const withoutSettings = new TestOwner('server');
    withoutSettings.receive(Buffer.concat([clientPreface, frame(6, 0, 0, '0000000000000000')]));
    const http1 = new TestOwner('server');
    http1.receive(Buffer.from('GET / HTTP/1.1\r\n\r\n'));

    expect(verdict(withoutSettings)).toBe('connection protocolError');
    expect(verdict(http1)).toBe('connection protocolError');
  });

  it('more bytes than the stream window, while nobody reads', () => {
    const owner = server({ streamWindowBytes: 10_000 });
    owner.onOpened = () => {};
    owner.receive(frame(1, 4, 1, post));
    owner.receive(frame(0, 0, 1, Buffer.alloc(10_000)));
    expect(verdict(owner)).toBe('');

    owner.receive(frame(0, 0, 1, Buffer.alloc(1)));

    expect(verdict(owner)).toBe('1 flowControlError');
  });

  it('frames of a stream that it has reset are no fault, as the client could not know', () => {
    const owner = server();
    owner.receive(frame(1, 4, 1, post));
    owner.opens[0]?.stream.breakOff(new ProxyError('internal'));
    expect(verdict(owner)).toBe('1 internalError');

    owner.receive(frame(0, 0, 1, '00'));
    owner.receive(frame(8, 0, 1, '00000001'));
    owner.receive(frame(1, 5, 1, block(['trailer', 'x'])));

    expect(verdict(owner)).toBe('');
    expect(owner.failure).toBeNull();
  });
});

describe('a client gives up a server that breaks a rule', () => {
  const rules: [title: string, frames: Buffer[], verdict: string][] = [
    ['DATA before a head', [frame(0, 0, 1, '00')], '1 protocolError'],
    ['no :status', [frame(1, 4, 1, block(['a', 'b']))], '1 protocolError'],
    ['a :status that is none', [frame(1, 4, 1, block([':status', '2x0']))], '1 protocolError'],
    ['an interim head that ends the stream', [frame(1, 5, 1, block([':status', '103']))], '1 protocolError'],
    ['101', [frame(1, 4, 1, block([':status', '101']))], '1 protocolError'],
    ['an answer to a stream that was never opened', [frame(1, 4, 7, ok)], 'connection protocolError'],
    ['a stream of its own', [frame(1, 4, 2, get)], 'connection protocolError'],
    ['PUSH_PROMISE', [frame(5, 4, 1, '00000002')], 'connection protocolError'],
    [
      'a length that its body does not keep',
      [frame(1, 4, 1, Buffer.concat([ok, block(['content-length', '5'])])), frame(0, 1, 1, '00')],
      '1 protocolError',
    ],
  ];

  it.each(rules)('%s', (_title, frames, expected) => {
    const owner = client();
    const log = owner.request('/', null);
    owner.output();

    for (const bytes of frames) owner.receive(bytes);

    expect(verdict(owner)).toBe(expected);
    expect(log.closedBy).toBeInstanceOf(ProxyError);
  });

  it('and tells no other stream of a fault of one', () => {
    const owner = client();
    const [bad, good] = [owner.request('/bad', null), owner.request('/good', null)];

    owner.receive(frame(0, 0, 1, '00'));
    owner.receive(frame(1, 5, 3, ok));

    expect(bad.closedBy).toBeInstanceOf(ProxyError);
    expect([good.status, good.closedBy]).toEqual([200, null]);
  });

  it('GOAWAY fails what is above its last stream as refused, and only that', () => {
    const owner = client();
    const [before, after] = [owner.request('/1', null), owner.request('/3', null)];

    owner.receive(frame(7, 0, 0, Buffer.concat([u32(1), u32(0)])));

    expect(before.closedBy).toBeUndefined();
    expect(after.closedBy?.cause).toMatchObject({ reason: 'refused' });
    expect(owner.connection.hasRoom).toBe(false);
    owner.receive(frame(1, 5, 1, ok));
    expect(before.closedBy).toBeNull();
  });
});

describe('a peer that keeps us busy for nothing is told to calm down', () => {
  const reset = (id: number): Buffer => Buffer.concat([frame(1, 4, id, get), frame(3, 0, id, u32(8))]);
  const floods: [title: string, frames: (i: number) => Buffer][] = [
    ['PING', () => frame(6, 0, 0, '0000000000000000')],
    ['SETTINGS', () => frame(4, 0, 0, '000400010000')],
    ['empty DATA', (i) => (i === 0 ? frame(1, 4, 1, post) : frame(0, 0, 1))],
    ['streams opened and reset at once (CVE-2023-44487)', (i) => reset(2 * i + 1)],
    [
      'streams that we have to reset (CVE-2025-8671)',
      (i) => Buffer.concat([frame(1, 4, 2 * i + 1, post), frame(8, 0, 2 * i + 1, u32(0))]),
    ],
    ['malformed requests', (i) => frame(1, 5, 2 * i + 1, ok)],
    ['PRIORITY', () => frame(2, 0, 5, '0000000100')],
    ['unknown frames', () => frame(77, 0, 0, '00')],
    ['WINDOW_UPDATE', () => frame(8, 0, 0, u32(1))],
  ];

  it.each(floods)('%s', (_title, frames) => {
    const owner = server();

    let sent = 0;
    while (owner.failure === null && sent < 5_000) owner.receive(frames(sent++));

    expect(verdict(owner)).toBe('connection enhanceYourCalm');
    expect(sent).toBeGreaterThan(300);
    expect(sent).toBeLessThan(2_100);
  });

  it('a field block that never ends', () => {
    const tooMany = server();
    tooMany.receive(frame(1, 0, 1, get));
    for (let i = 0; i < 200; i++) tooMany.receive(frame(9, 0, 1));
    const tooLong = server();
    tooLong.receive(frame(1, 0, 1, get));
    for (let i = 0; i < 10; i++) tooLong.receive(frame(9, 0, 1, Buffer.alloc(5_000, 0x82)));

    expect(verdict(tooMany)).toBe('connection enhanceYourCalm');
    expect(verdict(tooLong)).toBe('connection enhanceYourCalm');
  });

  it('streams beyond the limit are refused', () => {
    const owner = server({ maxConcurrentStreams: 2 });
    owner.onOpened = () => {};

    for (const id of [1, 3, 5]) owner.receive(frame(1, 5, id, get));

    expect(verdict(owner)).toBe('5 refusedStream');
    expect(owner.connection.streamCount).toBe(2);
  });

  it('a list that grows by references to the table is cut at its limit', () => {
    const owner = server();
    const stored = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 0x62)]);
    const bomb = Buffer.concat([get, stored, Buffer.alloc(8_000, 0xbe)]);

    owner.receive(frame(1, 5, 1, bomb));

    expect(owner.opens[0]?.tooLarge).toBe(true);
    expect(owner.opens[0]?.headers.join('').length).toBeLessThan(own.maxHeaderListBytes);
  });

  it('but not one whose bodies were on their way when their streams were reset', () => {
    const owner = server();
    owner.receive(Buffer.concat([frame(1, 4, 1, post), frame(8, 0, 1, u32(0))]));

    for (let i = 0; i < 5_000; i++) owner.receive(frame(0, 0, 1, Buffer.alloc(1_000)));

    expect(owner.failure).toBeNull();
  });

  it('but not one that works as much as it talks', () => {
    const owner = server();
    const answered = Buffer.from('x'.repeat(20));
    owner.onOpened = (stream) => {
      stream.respond(200, { headers: [] }, false);
      stream.send(new BufferedBody(answered, ['grpc-status', '0']));
    };

    for (let i = 0; i < 20_000; i++) {
      owner.connection.nowMs = 1;
      owner.receive(
        Buffer.concat([frame(1, 5, 2 * i + 1, get), frame(8, 0, 0, u32(20)), frame(6, 0, 0, '0000000000000000')]),
      );
      owner.output();
    }

    expect(owner.failure).toBeNull();
  });
});

describe('what is sent', () => {
  it('waits for the credit of stream and connection, in turns of one frame', () => {
    const owner = client();
    owner.receive(frame(4, 0, 0, Buffer.concat([Buffer.from('0004', 'hex'), u32(100_000)])));
    owner.output();
    const one = owner.request('/1', new BufferedBody(Buffer.alloc(80_000, '1')));
    owner.request('/3', new BufferedBody(Buffer.alloc(80_000, '3')));
    const dataOf = (bytes: Buffer): string[] =>
      framesOf(bytes)
        .filter(({ type }) => type === 0)
        .map(({ streamId, payload }) => `${streamId}:${payload.length}`);

    expect(dataOf(owner.output())).toEqual(['1:16384', '1:16384', '1:16384', '1:16383']);
    owner.receive(frame(8, 0, 0, u32(60_000)));
    expect(dataOf(owner.output())).toEqual(['1:14465', '3:16384', '3:16384', '3:12767']);
    expect(one.stream?.localEnded).toBe(true);
  });

  it('ends with the last bytes, or with trailers', () => {
    const owner = client();
    owner.request('/', new BufferedBody(Buffer.from('abc')));
    owner.request('/', new BufferedBody(Buffer.from('abc'), ['t', 'v']));

    const frames = framesOf(owner.output()).map(({ type, flags, streamId }) => [type, flags, streamId]);

    expect(frames).toEqual([
      [1, 4, 1],
      [0, 1, 1],
      [1, 4, 3],
      [0, 0, 3],
      [1, 5, 3],
    ]);
  });

  it('is reset when it is not as long as announced', () => {
    const owner = client();
    const log = owner.request('/', {
      length: 5,
      start: (sink) => (sink.write(Buffer.from('abc')), sink.end(null)),
      resume: () => {},
      cancel: () => {},
    });

    expect(log.closedBy?.kind).toBe('internal');
    expect(verdict(owner)).toBe('1 cancel');
  });
});

describe('what is received', () => {
  it('gives credit only for what its reader has taken', () => {
    const owner = client({ streamWindowBytes: 10_000, connectionWindowBytes: 65_535 });
    const log = owner.request('/', null);
    let room = true;
    log.hasRoom = () => room;
    owner.receive(frame(1, 4, 1, ok));
    owner.output();

    owner.receive(frame(0, 0, 1, Buffer.alloc(5_000)));
    const afterRead = framesOf(owner.output());
    room = false;
    owner.receive(frame(0, 0, 1, Buffer.alloc(5_000)));
    owner.receive(frame(0, 0, 1, Buffer.alloc(5_000)));
    const whilePaused = framesOf(owner.output());
    const taken = log.chunks.length;
    room = true;
    log.stream?.incoming.resume();

    expect(afterRead.map(({ type, streamId, payload }) => [type, streamId, payload.readUInt32BE(0)])).toEqual([
      [8, 1, 5_000],
    ]);
    expect(whilePaused).toEqual([]);
    expect(taken).toBe(2);
    expect(log.chunks.length).toBe(3);
    expect(framesOf(owner.output()).filter(({ streamId }) => streamId === 1).length).toBe(2);
  });

  describe('has a window that', () => {
    const windowBytes = 65_535;
    const growing = (): TestOwner => server({ windowGrowthBytes: 3 * windowBytes });
    const creditOf = (owner: TestOwner, streamId: number): number =>
      framesOf(owner.output())
        .filter((seen) => seen.type === 8 && seen.streamId === streamId)
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    /** Half a window; enough for credit. */
    const send = (owner: TestOwner, streamId: number, bytes = 32_768): number => {
      for (let left = bytes; left > 0; left -= 16_384) {
        owner.receive(frame(0, 0, streamId, Buffer.alloc(Math.min(left, 16_384))));
      }
      return creditOf(owner, streamId);
    };

    it('doubles while its reader keeps up with a fast peer, up to what the connection has, which closed streams give back', () => {
      const owner = growing();
      owner.receive(Buffer.concat([frame(1, 4, 1, post), frame(1, 4, 3, post), frame(1, 4, 5, post)]));

      expect(send(owner, 1)).toBe(32_768 + windowBytes);
      expect(send(owner, 1, 65_536)).toBe(65_536 + 2 * windowBytes);
      expect(send(owner, 3)).toBe(32_768);
      owner.receive(frame(3, 0, 1, u32(8)));
      expect(send(owner, 5)).toBe(32_768 + windowBytes);
    });

    it('stays as it is for a peer that is slow', () => {
      const owner = growing();
      owner.receive(frame(1, 4, 1, post));

      owner.connection.nowMs += 1_000;

      expect(send(owner, 1)).toBe(32_768);
    });

    it('stays as it is for a reader that pauses', () => {
      const owner = growing();
      owner.onOpened = (stream, log) => {
        log.hasRoom = () => false;
        stream.incoming.start(log);
      };
      owner.receive(frame(1, 4, 1, post));

      send(owner, 1);
      owner.opens[0]?.stream.incoming.resume();
      owner.opens[0]?.stream.incoming.resume();

      expect(creditOf(owner, 1)).toBe(32_768);
    });
  });

  describe('bodies of one turn', () => {
    /** Three bodies of 60,000 bytes, for which the peer has given credit. */
    const sent = (socket: TestOwner['socket']): TestOwner => {
      const owner = client();
      owner.receive(Buffer.concat([frame(4, 0, 0, ''), frame(8, 0, 0, u32(1_000_000))]));
      owner.output();
      owner.socket = socket;
      for (const path of ['/a', '/b', '/c']) owner.request(path, new BufferedBody(Buffer.alloc(60_000)));
      return owner;
    };

    it('leave before its end when much has gathered', () => {
      const owner = sent('takes');

      expect(owner.early).toBeGreaterThan(120_000);
      expect(owner.output().length).toBeGreaterThan(60_000);
    });

    it('wait from then on if the socket is full, and go on when it has room', () => {
      const owner = sent('full');

      const dataOf = (bytes: Buffer): number =>
        framesOf(bytes).reduce((sum, { type, payload }) => sum + (type === 0 ? payload.length : 0), 0);
      expect(owner.early).toBeGreaterThan(120_000);
      expect(dataOf(owner.output())).toBe(0);
      expect(dataOf(owner.output())).toBe(60_000);
    });
  });

  it('padding counts as read', () => {
    const owner = client({ streamWindowBytes: 1_000 });
    owner.request('/', null);
    owner.receive(frame(1, 4, 1, ok));
    owner.output();

    for (let i = 0; i < 50; i++) owner.receive(frame(0, 8, 1, Buffer.concat([Buffer.from([200]), Buffer.alloc(201)])));

    expect(owner.failure).toBeNull();
    expect(verdict(owner)).toBe('');
  });

  it('an answer that is complete before its request ends both', () => {
    let cancelled = 0;
    const owner = client();
    const log = owner.request('/', {
      length: null,
      start: (sink) => void sink.write(Buffer.from('part')),
      resume: () => {},
      cancel: () => cancelled++,
    });

    owner.receive(frame(1, 5, 1, ok));

    expect([log.status, log.ended, log.closedBy, cancelled]).toEqual([200, true, null, 1]);
    expect(verdict(owner)).toBe('1 cancel');
  });

  it('the crumbs of a cookie are one field again', () => {
    const owner = server();

    owner.receive(frame(1, 5, 1, Buffer.concat([get, block(['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2'])])));

    expect(owner.opens[0]?.headers).toEqual(['cookie', 'a=1; b=2', 'x', 'y']);
  });

  it('an error thrown by a reader ends the connection as a fault of ours, and is told', () => {
    const owner = client();
    const log = owner.request('/', null);
    log.write = () => {
      throw new Error('a bug');
    };

    owner.receive(Buffer.concat([frame(1, 4, 1, ok), frame(0, 0, 1, '00')]));

    expect(verdict(owner)).toBe('connection internalError');
    expect(owner.failure).toEqual(new Error('a bug'));
    expect(log.closedBy?.kind).toBe('internal');
  });
});
