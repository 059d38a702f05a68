/** What `base64Values` has for a byte of neither alphabet. */
export const notBase64 = 64;
const standard = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Of each byte its 6-bit value in the standard or the URL alphabet, or 64. */
export const base64Values = ((): Uint8Array => {
  const table = new Uint8Array(256).fill(notBase64);
  for (let i = 0; i < 64; i++) table[standard.charCodeAt(i)] = i;
  table[0x2d] = 62;
  table[0x5f] = 63;
  return table;
})();

/**
 * Decodes base64 text of either alphabet, padded or not, as ProtoJSON takes it. Undefined when a character is foreign, the
 * padding is wrong or the length is impossible.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const length = unpadded(text);
  if (length < 0 || length % 4 === 1) return undefined;
  const out = new Uint8Array(Math.floor((length * 3) / 4));
  let at = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 256 ? (base64Values[code] as number) : notBase64;
    if (value === notBase64) return undefined;
    bits = (bits << 6) | value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[at++] = (bits >> held) & 0xff;
      bits &= (1 << held) - 1;
    }
  }
  return out;
}

/** Standard base64; `padded` adds the `=`. */
export function encodeBase64(bytes: Uint8Array, padded: boolean): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const a = bytes[i] as number;
    const b = bytes[i + 1];
    const c = bytes[i + 2];
    text += standard[a >> 2];
    text += standard[((a & 3) << 4) | ((b ?? 0) >> 4)];
    if (b !== undefined) text += standard[((b & 15) << 2) | ((c ?? 0) >> 6)];
    else if (padded) text += '=';
    if (c !== undefined) text += standard[c & 63];
    else if (padded) text += '=';
  }
  return text;
}

/** Length without padding, or -1 when the padding does not fit the length. */
function unpadded(text: string): number {
  let length = text.length;
  while (length > 0 && text.charCodeAt(length - 1) === 0x3d) length--;
  const padding = text.length - length;
  return padding === 0 || (padding <= 2 && text.length % 4 === 0) ? length : -1;
}
