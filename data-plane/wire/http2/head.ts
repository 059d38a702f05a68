import type { HeaderList } from '../../headers.js';
import { type FieldSink } from '../hpack/hpack.js';

/** Which fields a block may hold: pseudo-header fields differ, trailers have none. */
export type BlockKind = 'request' | 'response' | 'trailers';

/** What a block said, apart from the collector; frozen in all but type. */
export interface HeadSnapshot {
  readonly status: number;
  readonly headers: readonly string[];
  readonly contentLength: number;
  readonly malformed: string | null;
  readonly bytes: number;
}

/** RFC 7541 section 4.1, and what SETTINGS_MAX_HEADER_LIST_SIZE counts by. */
const fieldOverhead = 32;
const longestType = 256;

/** What a field name asks for. Names that are not here are ordinary if their letters are. */
type NameKind = 'ordinary' | 'pseudo' | 'connection' | 'content-length' | 'te' | 'cookie';

const nameKinds: ReadonlyMap<string, NameKind> = new Map<string, NameKind>([
  ['connection', 'connection'],
  ['keep-alive', 'connection'],
  ['proxy-connection', 'connection'],
  ['transfer-encoding', 'connection'],
  ['upgrade', 'connection'],
  ['content-length', 'content-length'],
  ['te', 'te'],
  ['cookie', 'cookie'],
]);

/**
 * Gathers and checks the fields of one block (RFC 9113 section 8): pseudo-header fields apart, the rest as a list without
 * Content-Length. One serves a whole connection: it is reset for each block, and its lists are the receiver's to keep.
 * A block that breaks a rule is still decoded to its end, and `malformed` says what was wrong. Of one that is too large
 * nothing more is kept but the Content-Type, by which it is answered.
 */
export class HeadCollector implements FieldSink {
  readonly #maxBytes: number;
  #kind: BlockKind = 'request';
  #bytes = 0;
  #cookieAt = -1;
  #lateTypeKept = false;

  status = 0;
  method = '';
  scheme = '';
  path = '';
  authority = '';
  protocol = '';
  headers: HeaderList = [];
  /** -1 when there is none. */
  contentLength = -1;
  malformed: string | null = null;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get tooLarge(): boolean {
    return this.#bytes > this.#maxBytes;
  }

  reset(kind: BlockKind): void {
    this.#kind = kind;
    this.#bytes = 0;
    this.#cookieAt = -1;
    this.#lateTypeKept = false;
    this.status = 0;
    this.method = '';
    this.scheme = '';
    this.path = '';
    this.authority = '';
    this.protocol = '';
    this.headers = [];
    this.contentLength = -1;
    this.malformed = null;
  }

  /** What a response or trailers said, to be restored when the same comes again. */
  snapshot(): HeadSnapshot {
    const { status, headers, contentLength, malformed } = this;
    return { status, headers: headers.slice(), contentLength, malformed, bytes: this.#bytes };
  }

  restore({ status, headers, contentLength, malformed, bytes }: HeadSnapshot): void {
    this.status = status;
    this.headers = headers.slice();
    this.contentLength = contentLength;
    this.malformed = malformed;
    this.#bytes = bytes;
  }

  field(name: string, value: string): void {
    this.#bytes += name.length + value.length + fieldOverhead;
    if (this.malformed !== null) return;
    if (this.tooLarge && !this.#isLateType(name, value)) return;
    if (name.charCodeAt(0) === colon) this.malformed = this.#pseudo(name, value);
    else this.malformed = this.#ordinary(name, value);
  }

  #isLateType(name: string, value: string): boolean {
    if (name !== 'content-type' || value.length > longestType || this.#lateTypeKept) return false;
    this.#lateTypeKept = true;
    return true;
  }

  /** What the block lacks, once it is complete. */
  check(): void {
    if (this.malformed !== null) return;
    if (this.#kind === 'response' && this.status === 0) this.malformed = 'no :status';
    if (this.#kind === 'request') this.malformed = this.#checkRequest();
  }

  #checkRequest(): string | null {
    if (this.method === '') return 'no :method';
    if (this.method === 'CONNECT' && this.protocol === '') {
      return this.scheme !== '' || this.path !== '' || this.authority === '' ? 'CONNECT with a path or scheme' : null;
    }
    if (this.protocol !== '' && this.method !== 'CONNECT') return ':protocol without CONNECT';
    if (this.scheme === '') return 'no :scheme';
    if (this.path === '') return 'no :path';
    return null;
  }

  #pseudo(name: string, value: string): string | null {
    if (this.headers.length > 0 || this.contentLength >= 0) return `${name} after other fields`;
    if (this.#kind === 'trailers') return 'a pseudo-header field among trailers';
    if (!isValue(value)) return `the value of ${name}`;
    return this.#kind === 'response' ? this.#responsePseudo(name, value) : this.#requestPseudo(name, value);
  }

  #responsePseudo(name: string, value: string): string | null {
    if (name !== ':status' || this.status !== 0) return `an unexpected ${name}`;
    const status = value.length === 3 ? Number(value) : 0;
    if (!(status >= 100 && status <= 999 && Number.isInteger(status))) return ':status is not a status';
    this.status = status;
    return null;
  }

  #requestPseudo(name: string, value: string): string | null {
    let before: string;
    switch (name) {
      case ':method':
        before = this.method;
        this.method = value;
        break;
      case ':scheme':
        before = this.scheme;
        this.scheme = value;
        break;
      case ':path':
        before = this.path;
        this.path = value;
        break;
      case ':authority':
        before = this.authority;
        this.authority = value;
        break;
      case ':protocol':
        before = this.protocol;
        this.protocol = value;
        break;
      default:
        return 'an unknown pseudo-header field';
    }
    if (before !== '') return `a second ${name}`;
    return value === '' && name !== ':authority' ? `an empty ${name}` : null;
  }

  #ordinary(name: string, value: string): string | null {
    const kind = nameKinds.get(name);
    if (kind === undefined && !isName(name)) return 'a field name';
    if (!isValue(value)) return `the value of ${name}`;
    if (kind !== undefined && kind !== 'ordinary') return this.#special(kind, name, value);
    this.headers.push(name, value);
    return null;
  }

  #special(kind: NameKind, name: string, value: string): string | null {
    if (kind === 'connection') return `the connection-specific field ${name}`;
    if (kind === 'te' && value !== 'trailers') return 'te other than trailers';
    if (kind === 'content-length') return this.#length(value);
    if (kind === 'cookie' && this.#kind === 'request' && this.#cookieAt >= 0) {
      // Crumbs of one field, which only HTTP/2 may split (section 8.2.3).
      this.headers[this.#cookieAt] += `; ${value}`;
      return null;
    }
    if (kind === 'cookie') this.#cookieAt = this.headers.length + 1;
    this.headers.push(name, value);
    return null;
  }

  #length(value: string): string | null {
    const length = isDigits(value) ? Number(value) : -1;
    if (length < 0 || length > Number.MAX_SAFE_INTEGER) return 'content-length is not a length';
    if (this.contentLength >= 0 && this.contentLength !== length) return 'two content-lengths';
    this.contentLength = length;
    return null;
  }
}

const colon = 0x3a;
const space = 0x20;
const tab = 0x09;
const del = 0x7f;

/** Section 8.2.1: a token without upper-case letters. */
const isNameChar: readonly boolean[] = Array.from({ length: 256 }, (_, code) =>
  "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz".includes(String.fromCharCode(code)),
);

function isName(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if (!isNameChar[name.charCodeAt(i)]) return false;
  }
  return name.length > 0;
}

/** Section 8.2.1, and RFC 9110 section 5.5, which HTTP/1 holds to as well: no control characters, and no blanks at the ends. */
function isValue(value: string): boolean {
  const length = value.length;
  if (length === 0) return true;
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i);
    if (code < space ? code !== tab : code === del) return false;
  }
  return !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(length - 1));
}

function isBlank(code: number): boolean {
  return code === space || code === tab;
}

function isDigits(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x30 || code > 0x39) return false;
  }
  return value.length > 0;
}
