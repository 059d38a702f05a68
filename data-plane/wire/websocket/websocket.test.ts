import { expect, test } from 'vitest';
import { FrameScanner, goingAwayFrame } from './websocket.js';

function frame(length: number, masked: boolean): Buffer {
  const extended =
    length < 126
      ? []
      : length < 65_536
        ? [length >> 8, length & 255]
        : [0, 0, 0, 0, (length >>> 24) & 255, (length >> 16) & 255, (length >> 8) & 255, length & 255];
  const seven = length < 126 ? length : length < 65_536 ? 126 : 127;
  // The payload looks like frame headers.
  return Buffer.concat([
    Buffer.from([0x82, seven | (masked ? 0x80 : 0), ...extended, ...(masked ? [1, 2, 3, 4] : [])]),
    Buffer.alloc(length, 0x81),
  ]);
}

test('finds the end of every frame, however the bytes are cut', () => {
  const frames = [0, 1, 125, 126, 127, 300, 65_535, 65_536, 70_000].flatMap((length) => [
    frame(length, false),
    frame(length, true),
  ]);
  const bytes = Buffer.concat([...frames, goingAwayFrame]);
  const ends = [...frames, goingAwayFrame].map(
    (
      (sum) => (each: Uint8Array) =>
        (sum += each.length)
    )(0),
  );
  for (const step of [1, 3, 1_000, bytes.length]) {
    const scanner = new FrameScanner();
    const found: number[] = [];
    for (let from = 0; from < bytes.length; from += step) {
      const end = Math.min(bytes.length, from + step);
      for (let at = from; at < end;) {
        at = scanner.follow(bytes, at, end, true);
        if (scanner.atBoundary) found.push(at);
      }
    }
    expect(found).toEqual(ends);
  }
});
