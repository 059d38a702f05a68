/** The length of the UTF-8 sequence of two to four bytes at `pos`, or 0 when there is none. Reads at most one byte past its end. */
export function utf8Length(src: Uint8Array, pos: number): number {
  const first = src[pos] as number;
  const second = src[pos + 1] as number;
  if (first >= 0xc2 && first <= 0xdf) return isContinuation(second) ? 2 : 0;
  const third = src[pos + 2] as number;
  if (first >= 0xe0 && first <= 0xef) {
    const fits = first === 0xe0 ? second >= 0xa0 : first === 0xed ? second <= 0x9f : true;
    return fits && isContinuation(second) && isContinuation(third) ? 3 : 0;
  }
  if (first < 0xf0 || first > 0xf4) return 0;
  const fits = first === 0xf0 ? second >= 0x90 : first === 0xf4 ? second <= 0x8f : true;
  return fits && isContinuation(second) && isContinuation(third) && isContinuation(src[pos + 3] as number) ? 4 : 0;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/** Writes a code point, which is no half of a surrogate pair, at `at`; answers where it ends. */
export function writeUtf8(buf: Uint8Array, at: number, code: number): number {
  let end = at;
  if (code < 0x80) buf[end++] = code;
  else {
    if (code < 0x800) buf[end++] = 0xc0 | (code >> 6);
    else {
      if (code < 0x10000) buf[end++] = 0xe0 | (code >> 12);
      else {
        buf[end++] = 0xf0 | (code >> 18);
        buf[end++] = 0x80 | ((code >> 12) & 0x3f);
      }
      buf[end++] = 0x80 | ((code >> 6) & 0x3f);
    }
    buf[end++] = 0x80 | (code & 0x3f);
  }
  return end;
}
