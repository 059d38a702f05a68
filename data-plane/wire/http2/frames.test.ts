import { describe, expect, it } from 'vitest';
import { Http2Error } from './protocol.js';
import { FrameReader, type FrameHandler } from './reader.js';
import { FrameWriter } from './writer.js';

type Seen = [kind: string, streamId: number, payload: string, last?: boolean];

/** Joins the pieces of a DATA frame, so that what is seen does not depend on where chunks end. */
class Collector implements FrameHandler {
  readonly stopped = false;
  readonly seen: Seen[] = [];
  flowBytes = 0;
  #open = false;

  data(streamId: number, buffer: Buffer, start: number, end: number, flowBytes: number, last: boolean): void {
    this.flowBytes += flowBytes;
    const text = buffer.toString('latin1', start, end);
    const before = this.seen.at(-1);
    if (this.#open && before?.[0] === 'data' && before[1] === streamId) {
      before[2] += text;
      before[3] = last;
    } else {
      this.seen.push(['data', streamId, text, last]);
    }
    this.#open = true;
  }

  frame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    this.#open = false;
    this.seen.push([`${type}/${flags}`, streamId, buffer.toString('latin1', start, end)]);
  }
}

function frame(type: number, flags: number, streamId: number, payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload as string, 'latin1');
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, bytes]);
}

const stream = Buffer.concat([
  frame(4, 0, 0, ''),
  frame(1, 4, 1, 'block'),
  frame(0, 0, 1, 'x'.repeat(300)),
  frame(6, 0, 0, '12345678'),
  frame(0, 8, 3, Buffer.concat([Buffer.from([3]), Buffer.from('padded'), Buffer.alloc(3)])),
  frame(8, 0, 0, Buffer.from([0, 0, 0, 9])),
  frame(0, 1, 1, ''),
  frame(6, 1, 0, '12345678'),
  frame(0, 9, 3, Buffer.from([0])),
  frame(99, 0x55, 0x7fffffff, 'unknown'),
]);

const expected: Seen[] = [
  ['4/0', 0, ''],
  ['1/4', 1, 'block'],
  ['data', 1, 'x'.repeat(300), false],
  ['6/0', 0, '12345678'],
  ['data', 3, 'padded', false],
  ['8/0', 0, '\0\0\0\x09'],
  ['data', 1, '', true],
  ['6/1', 0, '12345678'],
  ['data', 3, '', true],
  ['99/85', 0x7fffffff, 'unknown'],
];

describe('the reader', () => {
  it.each([1, 2, 3, 7, 9, 10, 64, 100, 1000])('finds the same frames in chunks of %i bytes', (size) => {
    const collector = new Collector();
    const reader = new FrameReader(collector);

    for (let at = 0; at < stream.length; at += size) reader.read(stream, at, Math.min(at + size, stream.length));

    expect(collector.seen).toEqual(expected);
    expect(collector.flowBytes).toBe(300 + 10 + 1);
  });

  it('keeps what spans chunks though the buffer is written over', () => {
    const collector = new Collector();
    const reader = new FrameReader(collector);
    const buffer = Buffer.alloc(5);

    for (let at = 0; at < stream.length; at += 5) {
      const length = stream.copy(buffer, 0, at, at + 5);
      reader.read(buffer, 0, length);
      buffer.fill(0xee);
    }

    expect(collector.seen).toEqual(expected);
  });

  const broken: [title: string, bytes: Buffer][] = [
    ['a frame larger than announced', Buffer.from('004001000000000001', 'hex')],
    ['padding longer than its frame', frame(0, 8, 1, Buffer.from([2, 0]))],
    ['a padded frame without a length of padding', frame(0, 8, 1, '')],
  ];
  it.each(broken)('refuses %s', (_title, bytes) => {
    expect(() => new FrameReader(new Collector()).read(bytes, 0, bytes.length)).toThrow(Http2Error);
  });
});

describe('the writer', () => {
  const taken = (writer: FrameWriter): Seen[] => {
    const collector = new Collector();
    const reader = new FrameReader(collector);
    for (const bytes of writer.take()) reader.read(bytes, 0, bytes.length);
    return collector.seen;
  };

  it('writes what the reader reads, small things together and large ones by reference', () => {
    const writer = new FrameWriter();
    const large = Buffer.alloc(10_000, 'L');
    writer.settings([
      [4, 100_000],
      [2, 0],
    ]);
    writer.settingsAck();
    writer.ping(true, Buffer.from('..12345678'), 2);
    writer.windowUpdate(5, 77);
    writer.resetStream(5, 8);
    writer.data(7, Buffer.from('_small_'), 1, 6, false);
    writer.data(7, large, 0, large.length, false);
    writer.data(9, Buffer.from('end'), 0, 3, true);
    writer.goAway(3, 2, 'why');
    const { length } = writer;

    const buffers = writer.take();
    const collector = new Collector();
    const reader = new FrameReader(collector);
    for (const bytes of buffers) reader.read(bytes, 0, bytes.length);

    expect(buffers.reduce((sum, { length: bytes }) => sum + bytes, 0)).toBe(length);
    expect(buffers.length).toBe(3);
    expect(collector.seen).toEqual([
      ['4/0', 0, '\0\x04\0\x01\x86\xa0\0\x02\0\0\0\0'],
      ['4/1', 0, ''],
      ['6/1', 0, '12345678'],
      ['8/0', 5, '\0\0\0M'],
      ['3/0', 5, '\0\0\0\x08'],
      ['data', 7, `small${'L'.repeat(10_000)}`, false],
      ['data', 9, 'end', true],
      ['7/0', 0, '\0\0\0\x03\0\0\0\x02why'],
    ]);
    expect(writer.length).toBe(0);
  });

  it('cuts a field block that is larger than the peer takes', () => {
    const writer = new FrameWriter();
    const at = writer.beginBlock(250);
    writer.blockBuffer.fill('b', at, at + 250);

    writer.endBlock(1, true, at + 250, 100);

    expect(taken(writer)).toEqual([
      ['1/1', 1, 'b'.repeat(100)],
      ['9/0', 1, 'b'.repeat(100)],
      ['9/4', 1, 'b'.repeat(50)],
    ]);
  });

  it('ends a stream by its last frame as long as that is here, and was the last of all', () => {
    const writer = new FrameWriter();
    writer.data(1, Buffer.from('a'), 0, 1, false);

    expect(writer.endStreamOnLast(3)).toBe(false);
    expect(writer.endStreamOnLast(1)).toBe(true);
    expect(writer.endStreamOnLast(1)).toBe(false);
    expect(taken(writer)).toEqual([['data', 1, 'a', true]]);

    writer.data(1, Buffer.from('a'), 0, 1, false);
    writer.windowUpdate(1, 1);
    expect(writer.endStreamOnLast(1)).toBe(false);

    writer.data(1, Buffer.from('a'), 0, 1, false);
    writer.take();
    expect(writer.endStreamOnLast(1)).toBe(false);
  });

  it('loses nothing when it is used on while its first bytes are still being written', () => {
    const writer = new FrameWriter();
    const parts: Buffer[] = [];
    for (let i = 0; i < 3000; i++) {
      writer.data(1, Buffer.from(`message ${i}`), 0, `message ${i}`.length, false);
      if (i % 7 === 0) parts.push(...writer.take());
      if (i % 700 === 0) parts.splice(0, parts.length, ...parts.map((part) => Buffer.from(part)));
      if (i % 700 === 0) writer.recycle();
    }
    parts.push(...writer.take());

    const collector = new Collector();
    const reader = new FrameReader(collector);
    for (const bytes of parts) reader.read(bytes, 0, bytes.length);

    expect(collector.seen).toEqual([
      ['data', 1, Array.from({ length: 3000 }, (_, i) => `message ${i}`).join(''), false],
    ]);
  });
});
