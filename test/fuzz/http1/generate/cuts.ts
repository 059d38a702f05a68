import type { Random } from './random.js';

/** The bytes in pieces, as reads of a socket may give them: one by one, in small runs, or cut in a few places. */
export function cut(random: Random, bytes: Buffer): Buffer[] {
  const way = random.below(4);
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + pieceLength(random, way, bytes.length));
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

function pieceLength(random: Random, way: number, total: number): number {
  if (way === 0) return 1;
  return 1 + random.below(way === 1 ? 12 : total);
}
