/**
 * Whether the eight bytes of two words stand in a JSON string as they are: ASCII, and no control, quote or backslash. A byte
 * less than another sets its highest bit when that one is taken away.
 */
export function isPlain(a: number, b: number): boolean {
  const quotes = ((a ^ 0x22222222) - 0x01010101) | ((b ^ 0x22222222) - 0x01010101);
  const slashes = ((a ^ 0x5c5c5c5c) - 0x01010101) | ((b ^ 0x5c5c5c5c) - 0x01010101);
  return ((a | b | (a - 0x20202020) | (b - 0x20202020) | quotes | slashes) & 0x80808080) === 0;
}
