import { describe, expect, test } from 'vitest';
import { closeFrame, isForeign, MessageReader, messageHeader, pongFrame } from './websocket.js';

/** A frame from a client. */
function frame(first: number, payload: string | Uint8Array, mask = [1, 2, 3, 4]): Buffer {
  const bytes = Buffer.from(payload as string);
  const { length } = bytes;
  const size =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  size[0] = (size[0] as number) | 0x80;
  return Buffer.concat([
    Buffer.from([first, ...size, ...mask]),
    bytes.map((byte, i) => byte ^ (mask[i & 3] as number)),
  ]);
}

function read(chunks: readonly Uint8Array[], maxBytes = 100_000): string[] {
  const events: string[] = [];
  const text = (payload: Uint8Array): string =>
    payload.length > 20 ? `${payload.length} bytes` : Buffer.from(payload).toString('latin1');
  const reader = new MessageReader(maxBytes, {
    message: (payload, isText) => events.push(`${isText ? 'text' : 'binary'} ${text(payload)}`),
    ping: (payload) => events.push(`ping ${text(payload)}`),
    close: (status) => events.push(`close ${status}`),
    fault: (status) => events.push(`fault ${status}`),
  });
  for (const chunk of chunks) reader.push(chunk);
  return events;
}

const cut = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

describe('messages of a WebSocket client', () => {
  test.each([1, 2, 3, 7, 1_000_000])('are the same however the bytes are cut (%i at a time)', (size) => {
    const bytes = Buffer.concat([
      frame(0x81, 'hello'),
      frame(0x82, Buffer.alloc(200, 7)),
      frame(0x01, 'a'),
      frame(0x89, 'now'),
      frame(0x00, 'b'),
      frame(0x8a, 'pong'),
      frame(0x80, 'c'),
      frame(0x81, ''),
      frame(0x82, Buffer.alloc(70_000)),
      frame(0x88, Buffer.from([3, 232, 98, 121, 101])),
      frame(0x81, 'not heard'),
    ]);

    expect(read(cut(bytes, size))).toEqual([
      'text hello',
      'binary 200 bytes',
      'ping now',
      'text abc',
      'text ',
      'binary 70000 bytes',
      'close 1000',
    ]);
  });

  test.each([
    ['a frame without a mask', Buffer.from([0x81, 1, 65]), 1002],
    ['a reserved bit', frame(0xc1, 'a'), 1002],
    ['an unknown opcode', frame(0x83, 'a'), 1002],
    ['a control frame in fragments', frame(0x09, 'a'), 1002],
    ['a control frame of 126 bytes', frame(0x89, 'a'.repeat(126)), 1002],
    ['a continuation of nothing', frame(0x80, 'a'), 1002],
    ['a message within another', Buffer.concat([frame(0x01, 'a'), frame(0x81, 'b')]), 1002],
    ['text that is no UTF-8', frame(0x81, Buffer.from([0xff])), 1007],
    ['a frame over the limit', frame(0x82, Buffer.alloc(100_001)), 1009],
    [
      'fragments over the limit',
      Buffer.concat([frame(0x02, Buffer.alloc(60_000)), frame(0x80, Buffer.alloc(60_000))]),
      1009,
    ],
    ['a close frame of one byte', frame(0x88, 'a'), 1002],
    ['a close frame with a status that is none', frame(0x88, Buffer.from([3, 237])), 1002],
  ])('%s is a fault', (_what, bytes, status) => {
    expect(read([bytes])).toEqual([`fault ${status}`]);
  });

  test('a length beyond what a number holds is too long, not short', () => {
    expect(read([Buffer.from([0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4])])).toEqual([
      'fault 1009',
    ]);
  });

  test('a close frame without a status is 1005', () => {
    expect(read([frame(0x88, '')])).toEqual(['close 1005']);
  });
});

test('frames of a server have no mask, and the shortest length that says it', () => {
  expect([...messageHeader(5, true)]).toEqual([0x81, 5]);
  expect([...messageHeader(126, false)]).toEqual([0x82, 126, 0, 126]);
  expect([...messageHeader(65_536, true)]).toEqual([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
  expect([...pongFrame(Uint8Array.of(9))]).toEqual([0x8a, 1, 9]);
  expect([...closeFrame(4005, 'no')]).toEqual([0x88, 4, 15, 165, 0x6e, 0x6f]);
  // 122 + 2 bytes: the last letter does not fit.
  expect(closeFrame(1000, `${'a'.repeat(122)}é`)).toHaveLength(2 + 2 + 122);
});

test.each([
  [undefined, 'api.example', false],
  ['https://api.example', 'api.example', false],
  ['https://API.example', 'api.example:443', false],
  ['http://api.example:8080', 'api.example:8080', false],
  ['http://api.example:8080', 'api.example', true],
  ['https://evil.example', 'api.example', true],
  ['https://api.example.evil.example', 'api.example', true],
  ['https://evil.example/api.example', 'api.example', true],
  ['https://api.example@evil.example', 'api.example', true],
  ['null', 'api.example', true],
  ['', 'api.example', true],
])('a page at %s is not of %s: %s', (origin, authority, expected) => {
  expect(isForeign(origin, authority)).toBe(expected);
});

test('bytes of any kind end in messages or in one fault, however they come', () => {
  let seed = 20_000;
  const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) % below;
  for (let round = 0; round < 2_000; round++) {
    const bytes = Buffer.from(Array.from({ length: 1 + random(60) }, () => (random(3) === 0 ? 0x81 : random(256))));
    const whole = read([bytes]);

    expect(read(cut(bytes, 1 + random(5)))).toEqual(whole);
    expect(whole.filter((event) => event.startsWith('fault') || event.startsWith('close')).length).toBeLessThan(2);
  }
});
