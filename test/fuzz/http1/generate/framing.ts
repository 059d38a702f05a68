import type { Random } from './random.js';
import {
  bodies,
  chunkEnds,
  chunkSizes,
  colons,
  contentLengths,
  lineEnds,
  trailers,
  transferEncodingNames,
  transferEncodings,
} from './vocabulary.js';

/** How a message says where its body ends, and the body in that framing: right, wrong or contradictory. */
export interface Framing {
  /** Field lines without their line ends. */
  readonly fields: string[];
  readonly body: string;
}

type Kind = 'none' | 'length' | 'wrong length' | 'odd length' | 'lengths' | 'chunked' | 'odd coding' | 'both';

const kinds: readonly Kind[] = [
  'none',
  'none',
  'none',
  'none',
  'length',
  'length',
  'length',
  'length',
  'chunked',
  'chunked',
  'chunked',
  'wrong length',
  'odd length',
  'lengths',
  'odd coding',
  'both',
];

export function makeFraming(random: Random): Framing {
  const content = random.pick(bodies);
  const length = `Content-Length: ${content.length}`;
  switch (random.pick(kinds)) {
    case 'none':
      return { fields: [], body: random.chance(0.05) ? content : '' };
    case 'length':
      return { fields: [length], body: content };
    case 'wrong length':
      return { fields: [`Content-Length: ${Math.max(0, content.length + random.below(9) - 4)}`], body: content };
    case 'odd length':
      return { fields: [oddLength(random, content.length)], body: content };
    case 'lengths':
      return { fields: [length, random.chance(0.4) ? length : oddLength(random, content.length)], body: content };
    case 'chunked':
      return { fields: ['Transfer-Encoding: chunked'], body: makeChunked(random, content) };
    case 'odd coding':
      return {
        fields: [oddCoding(random), ...(random.chance(0.3) ? [oddCoding(random)] : [])],
        body: makeChunked(random, content),
      };
    case 'both':
      return bothFramings(random, content);
  }
}

function bothFramings(random: Random, content: string): Framing {
  const coding = random.chance(0.5) ? 'Transfer-Encoding: chunked' : oddCoding(random);
  const chunked = makeChunked(random, content);
  const length = random.chance(0.5)
    ? `Content-Length: ${random.pick([0, 4, content.length, chunked.length])}`
    : oddLength(random, chunked.length);
  return { fields: random.shuffle([coding, length]), body: chunked };
}

function oddLength(random: Random, length: number): string {
  const name = random.mostly(
    ['Content-Length', 'content-length'],
    ['Content-Length ', ' Content-Length', 'Content_Length', 'CONTENT-LENGTH', 'Content-Length\0', 'X\nContent-Length'],
    0.2,
  );
  const value = random.chance(0.1) ? String(length) : random.pick(contentLengths).replaceAll('N', String(length));
  return name + random.mostly(colons.usual, colons.odd, 0.1) + value;
}

function oddCoding(random: Random): string {
  const name = random.mostly(['Transfer-Encoding'], transferEncodingNames, 0.3);
  return name + random.mostly(colons.usual, colons.odd, 0.1) + random.pick(transferEncodings);
}

/** A chunked body; about one in three has something about it. */
export function makeChunked(random: Random, content: string): string {
  const oddShare = random.chance(0.4) ? 0.2 : 0;
  let text = '';
  for (let at = 0; at < content.length;) {
    const size = Math.min(content.length - at, 1 + random.below(random.chance(0.5) ? content.length : 8));
    text += makeChunk(random, content.slice(at, at + size), oddShare);
    at += size;
  }
  return text + makeEnd(random, oddShare);
}

function makeChunk(random: Random, data: string, oddShare: number): string {
  const hex = random.chance(0.2) ? data.length.toString(16).toUpperCase() : data.length.toString(16);
  const size = random.chance(oddShare)
    ? random.pick(chunkSizes).replaceAll('N', hex)
    : random.chance(0.1)
      ? `${hex};a=b`
      : hex;
  const end = random.chance(oddShare) ? random.pick(chunkEnds) : '\r\n';
  return size + random.mostly(lineEnds.usual, lineEnds.odd, oddShare / 2) + data + end;
}

function makeEnd(random: Random, oddShare: number): string {
  const size = random.chance(oddShare)
    ? random.pick(chunkSizes).replaceAll('N', '0')
    : random.pick(['0', '0', '0', '000', '0;x=y']);
  let text = size + random.mostly(lineEnds.usual, lineEnds.odd, oddShare);
  for (let count = random.chance(0.25) ? 1 + random.below(2) : 0; count > 0; count--) {
    text +=
      (random.chance(0.5) ? random.pick(trailers) : 'X-T: 1') + random.mostly(lineEnds.usual, lineEnds.odd, oddShare);
  }
  return text + random.mostly(lineEnds.usual, [...lineEnds.odd, ''], oddShare);
}
