/** Byte values and byte classes of RFC 9110 and 9112, as tables: one load tells what a byte may be part of. */
export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const BACKSLASH = 0x5c;
export const DEL = 0x7f;

/** tchar: what names of fields and methods are made of. */
export const isTokenByte = table((byte) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)));

/** What a field value may hold: visible ASCII, blanks and obs-text, no other control byte. */
export const isValueByte = table((byte) => byte === TAB || (byte >= SPACE && byte !== 0x7f));

/** What a request target may hold. RFC 3986 takes less, yet `|`, `{` and the like are common; a fragment is never sent. */
export const isTargetByte = table((byte) => byte > SPACE && byte < 0x7f && byte !== 0x23);

/** The value of a hex digit, or 255. */
export const hexValue = hexTable();

function table(holds: (byte: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) bytes[byte] = holds(byte) ? 1 : 0;
  return bytes;
}

function hexTable(): Uint8Array {
  const bytes = new Uint8Array(256).fill(255);
  for (let digit = 0; digit < 16; digit++) {
    const text = digit.toString(16);
    bytes[text.charCodeAt(0)] = digit;
    bytes[text.toUpperCase().charCodeAt(0)] = digit;
  }
  return bytes;
}
