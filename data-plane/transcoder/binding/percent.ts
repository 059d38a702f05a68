const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** Which escapes stay as they are written when the value of a multi-segment variable is decoded (UN3). */
export type KeptEscapes = 'slash' | 'reserved' | 'none';

const plain = /^[\x21-\x24\x26-\x7e]*$/;
const reserved = new Set("!#$&'()*+,/:;=?@[]");

/**
 * Decodes percent escapes of one capture, whose escapes decide no more about the path. Undefined when an escape is malformed,
 * the bytes are not UTF-8 or hold a NUL.
 */
export function decodeCapture(raw: string, kept: KeptEscapes): string | undefined {
  if (plain.test(raw)) return raw;
  const decoded = decodeBytes(raw, kept, false);
  return decoded === undefined || decoded.includes('\0') ? undefined : decoded;
}

/** Decodes a query name or value, where `+` is a space. Undefined when an escape is malformed or the bytes are not UTF-8. */
export function decodeQuery(raw: string): string | undefined {
  return plain.test(raw) && !raw.includes('+') ? raw : decodeBytes(raw, 'none', true);
}

/** `raw` is latin1: one char per byte, as targets come from the wire. */
function decodeBytes(raw: string, kept: KeptEscapes, plusIsSpace: boolean): string | undefined {
  const bytes = new Uint8Array(raw.length);
  let length = 0;
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i);
    if (code === 0x2b && plusIsSpace) bytes[length++] = 0x20;
    else if (code !== 0x25) bytes[length++] = code;
    else {
      const value = (hex(raw.charCodeAt(i + 1)) << 4) | hex(raw.charCodeAt(i + 2));
      if (value < 0) return undefined;
      if (isKept(value, kept)) bytes[length++] = code;
      else {
        bytes[length++] = value;
        i += 2;
      }
    }
  }
  try {
    return strictUtf8.decode(bytes.subarray(0, length));
  } catch {
    return undefined;
  }
}

function isKept(value: number, kept: KeptEscapes): boolean {
  if (kept === 'slash') return value === 0x2f;
  return kept === 'reserved' && reserved.has(String.fromCharCode(value));
}

/** The value of a hex digit, or a negative number; NaN (past the end) gives one too. */
function hex(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -0x1000;
}
