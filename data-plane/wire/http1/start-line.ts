import { CR, isTargetByte, isTokenByte, isValueByte, LF, SPACE } from './bytes.js';
import { malformed, Violation } from './violation.js';

/** The parts of a request line or status line, as offsets and numbers. One object per parser. */
export class StartLine {
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  minor: 0 | 1 = 1;
  status = 0;
  /** First byte after the line's CRLF. */
  next = 0;
}

const maxMethodBytes = 32;

/**
 * `method SP request-target SP HTTP-version CRLF`, with exactly these blanks (RFC 9112 section 3). False when the line lies
 * partly beyond `end`; bytes there are old ones and are not believed.
 */
export function readRequestLine(
  bytes: Uint8Array,
  from: number,
  end: number,
  maxTargetBytes: number,
  line: StartLine,
): boolean {
  let at = from;
  while (isTokenByte[bytes[at] as number] === 1) at++;
  if (at >= end) return false;
  if (at === from || at - from > maxMethodBytes || bytes[at] !== SPACE) throw malformed('method');
  line.methodEnd = at++;
  line.targetStart = at;
  while (isTargetByte[bytes[at] as number] === 1) at++;
  if (Math.min(at, end) - line.targetStart > maxTargetBytes) throw new Violation('target_too_long', 'request target');
  if (at >= end) return false;
  line.targetEnd = at;
  if (at === line.targetStart || bytes[at] !== SPACE) throw malformed('request target');
  if (at + 11 > end) return false;
  line.minor = readVersion(bytes, at + 1);
  at += 9;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) throw malformed('request line');
  line.next = at + 2;
  return true;
}

/**
 * `HTTP-version SP 3DIGIT [SP reason] CRLF`; the reason is not kept. Some servers leave out the blank before an empty one.
 * False when the line lies partly beyond `end`.
 */
export function readStatusLine(bytes: Uint8Array, from: number, end: number, line: StartLine): boolean {
  if (from + 14 > end) return false;
  line.minor = readVersion(bytes, from);
  if (bytes[from + 8] !== SPACE) throw malformed('status line');
  const hundreds = (bytes[from + 9] as number) - 0x30;
  const tens = (bytes[from + 10] as number) - 0x30;
  const ones = (bytes[from + 11] as number) - 0x30;
  if (!(hundreds >= 1 && hundreds <= 9 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9)) throw malformed('status');
  line.status = hundreds * 100 + tens * 10 + ones;
  let at = from + 12;
  if (bytes[at] !== SPACE && bytes[at] !== CR) throw malformed('status line');
  while (isValueByte[bytes[at] as number] === 1) at++;
  if (at + 1 >= end) return false;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) throw malformed('status line');
  line.next = at + 2;
  return true;
}

const http1 = Uint8Array.from('HTTP/1.', (char) => char.charCodeAt(0));

function readVersion(bytes: Uint8Array, from: number): 0 | 1 {
  for (let i = 0; i < 5; i++) if (bytes[from + i] !== http1[i]) throw malformed('HTTP version');
  const minor = bytes[from + 7];
  if (bytes[from + 5] !== http1[5] || bytes[from + 6] !== http1[6] || (minor !== 0x30 && minor !== 0x31)) {
    throw new Violation('version', 'HTTP version');
  }
  return minor === 0x31 ? 1 : 0;
}
