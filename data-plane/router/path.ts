/**
 * Request paths: the one normal form that all matching is done on, and the decoding of what templates capture.
 * Everything here is linear in the length of the path and allocates nothing for a path without `%`.
 */

const percent = 37;
const slash = 47;
const dot = 46;

/**
 * The normal form of a path: escapes of unreserved characters decoded, the hex of all others in upper case.
 * Null for a path that must be refused: not beginning with `/` (save `*`), a `.` or `..` segment, a malformed escape.
 */
export function normalizePath(path: string): string | null {
  if (path.charCodeAt(0) !== slash) return path === '*' ? path : null;
  const normal = path.includes('%') ? normalizeEscapes(path) : path;
  if (normal === null || (normal.includes('/.') && hasDotSegment(normal))) return null;
  return normal;
}

/** Null when an escape is malformed. */
export function normalizeEscapes(text: string): string | null {
  let normal = '';
  let done = 0;
  for (let at = text.indexOf('%'); at !== -1; at = text.indexOf('%', at + 3)) {
    const octet = escapedOctet(text, at);
    if (octet === -1) return null;
    const kept = isUnreserved(octet) ? String.fromCharCode(octet) : text.slice(at, at + 3).toUpperCase();
    normal += text.slice(done, at) + kept;
    done = at + 3;
  }
  return normal + text.slice(done);
}

export function hasDotSegment(path: string): boolean {
  for (let at = path.indexOf('/.'); at !== -1; at = path.indexOf('/.', at + 2)) {
    const end = path.charCodeAt(at + 2) === dot ? at + 3 : at + 2;
    if (end >= path.length || path.charCodeAt(end) === slash) return true;
  }
  return false;
}

/** How much of a raw path stands for the first `length` characters of its normal form. */
export function rawLength(raw: string, length: number): number {
  let at = 0;
  for (let count = 0; count < length && at < raw.length; count += 1) {
    at += raw.charCodeAt(at) === percent && isUnreserved(escapedOctet(raw, at)) ? 3 : 1;
  }
  return at;
}

/** Decodes every escape to one latin1 character per byte. Escapes must be well-formed. */
export function decodeOctets(text: string): string {
  let at = text.indexOf('%');
  if (at === -1) return text;
  let decoded = '';
  let done = 0;
  for (; at !== -1; at = text.indexOf('%', done)) {
    decoded += text.slice(done, at) + String.fromCharCode(escapedOctet(text, at));
    done = at + 3;
  }
  return decoded + text.slice(done);
}

/** Where in `text` the octet number `index` of its decoded form begins. */
export function offsetOfOctet(text: string, index: number): number {
  let at = 0;
  for (let count = 0; count < index; count += 1) at += text.charCodeAt(at) === percent ? 3 : 1;
  return at;
}

/** What stays encoded in the value of a variable that spans several segments (http.proto; Envoy's default; lossless). */
export type DecodeMode = 'except-slash' | 'except-reserved' | 'all';

const reserved = new Set(Array.from(`!#$&'()*+,/:;=?@[]`, (char) => char.charCodeAt(0)));

/**
 * Decodes the raw text that a template captured. A single-segment value is decoded whole; one of several segments keeps
 * what its mode says exactly as it was written. Null when the result is not UTF-8 or holds a NUL.
 */
export function decodeVariable(raw: string, multiSegment: boolean, mode: DecodeMode = 'except-slash'): string | null {
  if (isPlain(raw)) return raw;
  const octets = multiSegment && mode !== 'all' ? decodeSome(raw, mode) : decodeOctets(raw);
  return octets.includes('\0') ? null : utf8(octets);
}

function decodeSome(raw: string, mode: DecodeMode): string {
  let decoded = '';
  let done = 0;
  for (let at = raw.indexOf('%'); at !== -1; at = raw.indexOf('%', done)) {
    const octet = escapedOctet(raw, at);
    const keep = mode === 'except-slash' ? octet === slash : reserved.has(octet);
    decoded += raw.slice(done, at) + (keep ? raw.slice(at, at + 3) : String.fromCharCode(octet));
    done = at + 3;
  }
  return decoded + raw.slice(done);
}

function isPlain(raw: string): boolean {
  for (let at = 0; at < raw.length; at += 1) {
    const code = raw.charCodeAt(at);
    if (code === percent || code === 0 || code > 126) return false;
  }
  return true;
}

function utf8(octets: string): string | null {
  const bytes = new Uint8Array(octets.length);
  for (let at = 0; at < octets.length; at += 1) bytes[at] = octets.charCodeAt(at);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The byte that the escape at `at` stands for, or -1 when it is malformed. */
export function escapedOctet(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  return high === -1 || low === -1 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** RFC 3986 section 2.3: letters, digits, `-`, `.`, `_`, `~`. */
function isUnreserved(code: number): boolean {
  const lower = code | 32;
  return (lower >= 97 && lower <= 122) || (code >= 45 && code <= 57 && code !== slash) || code === 95 || code === 126;
}

/** What is wrong with a literal path in a route, or null. */
export function checkPathText(text: string): string | null {
  if (!text.startsWith('/')) return 'must begin with "/"';
  const bad = /[^!$-;=@-[\]_a-z~\u{80}-\u{10ffff}]/u.exec(text);
  if (bad !== null) return `has ${JSON.stringify(bad[0])} at column ${bad.index + 1}, which must be percent-encoded`;
  if (/\p{Surrogate}/u.test(text)) return 'has half a character';
  const normal = normalPathText(text);
  if (normal === null) return 'has a malformed percent escape';
  return hasDotSegment(normal) ? 'has a "." or ".." segment, which no request can have' : null;
}

/** The normal form of a route's path text; what is not ASCII becomes the escapes that a client sends for it. */
export function normalPathText(text: string): string | null {
  if (/\p{Surrogate}/u.test(text)) return null;
  return normalizeEscapes(text.replace(/\P{ASCII}+/gu, encodeURIComponent));
}
