import type { Random } from '../../support/random-message.js';

/** Bytes that mean something in JSON, or to a reader of it. */
const tokens = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  'null',
  'true',
  '0',
  '-',
  '1e9',
  '1.5',
  '.',
  '"NaN"',
  '9223372036854775808',
  '\\u0000',
  '\\ud800',
  '"@type":',
  '\u0001',
  ' ',
  'é',
].map((token) => Buffer.from(token));

/** JSON text with one to three small changes. */
export function mutateJson(json: Uint8Array, random: Random): Uint8Array {
  return repeat(json, random, (bytes) => {
    const at = random.below(bytes.length + 1);
    switch (random.below(4)) {
      case 0:
        return spliced(bytes, at, 0, tokens[random.below(tokens.length)] as Buffer);
      case 1:
        return spliced(bytes, at, 1 + random.below(4), Buffer.alloc(0));
      case 2:
        return spliced(bytes, at, 1, tokens[random.below(tokens.length)] as Buffer);
      default: {
        const from = random.below(bytes.length + 1);
        return spliced(bytes, at, 0, bytes.subarray(from, from + 1 + random.below(20)));
      }
    }
  });
}

/** Wire bytes with one to three small changes. */
export function mutateWire(wire: Uint8Array, random: Random): Uint8Array {
  return repeat(wire, random, (bytes) => {
    const at = random.below(bytes.length + 1);
    switch (random.below(5)) {
      case 0:
        return spliced(bytes, at, 1, Buffer.from([random.below(256)]));
      case 1:
        return spliced(bytes, at, 1, Buffer.from([(bytes[at] ?? 0) ^ (1 << random.below(8))]));
      case 2:
        return spliced(bytes, at, 1 + random.below(4), Buffer.alloc(0));
      case 3:
        return bytes.subarray(0, at);
      default: {
        const from = random.below(bytes.length + 1);
        return spliced(bytes, at, 0, bytes.subarray(from, from + 1 + random.below(20)));
      }
    }
  });
}

function repeat(start: Uint8Array, random: Random, change: (bytes: Buffer) => Buffer): Uint8Array {
  let bytes = Buffer.from(start);
  for (let count = 1 + random.below(3); count > 0; count--) bytes = Buffer.from(change(bytes));
  return bytes;
}

function spliced(bytes: Buffer, at: number, removed: number, inserted: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
}
