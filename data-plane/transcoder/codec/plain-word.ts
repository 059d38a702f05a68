/**
 * Whether the eight bytes of two words stand in a JSON string as they are: ASCII, and no control, quote or backslash. A byte
 * less than another sets its highest bit when that one is taken away.
 */
export function isPlain(a: number, b: number): boolean {
  const quotes = ((a ^ 0x22222222) - 0x01010101) | ((b ^ 0x22222222) - 0x01010101);
  const slashes = ((a ^ 0x5c5c5c5c) - 0x01010101) | ((b ^ 0x5c5c5c5c) - 0x01010101);
  return ((a | b | (a - 0x20202020) | (b - 0x20202020) | quotes | slashes) & 0x80808080) === 0;
}

/** Bytes as 32-bit words, the last of which counts as far as its mask says. */
export interface Words {
  readonly words: Int32Array;
  readonly length: number;
  readonly lastMask: number;
}

export function wordsOf(bytes: Uint8Array): Words {
  const { length } = bytes;
  const words = new Int32Array((length + 3) >>> 2);
  new Uint8Array(words.buffer).set(bytes);
  return { words, length, lastMask: (-1 >>> ((words.length * 4 - length) * 8)) | 0 };
}
