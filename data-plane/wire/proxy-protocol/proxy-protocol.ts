/** What a load balancer says of the connection that it passes on; null fields of a health check of its own (LOCAL, UNKNOWN). */
export interface ProxyHeader {
  readonly source: { readonly address: string; readonly port: number } | null;
  /** Bytes of the header; what follows is the client's. */
  readonly length: number;
}

const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const maxV1Bytes = 107;
/** Addresses and type-length-values; the specification asks receivers for no more than 536 bytes. */
const maxV2Bytes = 2_048;

/**
 * Reads a PROXY protocol header, version 1 or 2, from the first bytes of a connection. Returns `more` while it is incomplete and
 * `malformed` as soon as it cannot become one.
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | 'more' | 'malformed' {
  if (bytes.length === 0) return 'more';
  return bytes[0] === signature[0] ? readV2(bytes) : readV1(bytes);
}

function readV1(bytes: Uint8Array): ProxyHeader | 'more' | 'malformed' {
  let text = '';
  for (let i = 0; i < Math.min(bytes.length, maxV1Bytes); i++) {
    text += String.fromCharCode(bytes[i] as number);
    if (text.endsWith('\r\n')) return v1Line(text.slice(0, -2), i + 1);
  }
  const begins = 'PROXY '.startsWith(text.slice(0, 6));
  return begins && bytes.length < maxV1Bytes ? 'more' : 'malformed';
}

const v1Inet = /^PROXY (TCP4|TCP6) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) (\d{1,5}) (\d{1,5})$/;

function v1Line(line: string, length: number): ProxyHeader | 'malformed' {
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return { source: null, length };
  const match = v1Inet.exec(line);
  if (match === null) return 'malformed';
  const [, family, address, , port] = match as unknown as [string, string, string, string, string];
  const looksRight = family === 'TCP4' ? /^(?:\d{1,3}\.){3}\d{1,3}$/.test(address) : address.includes(':');
  return looksRight && Number(port) <= 65_535 ? { source: { address, port: Number(port) }, length } : 'malformed';
}

function readV2(bytes: Uint8Array): ProxyHeader | 'more' | 'malformed' {
  for (let i = 0; i < Math.min(bytes.length, signature.length); i++) if (bytes[i] !== signature[i]) return 'malformed';
  if (bytes.length < 16) return 'more';
  const versionAndCommand = bytes[12] as number;
  const family = bytes[13] as number;
  const length = 16 + uint16(bytes, 14);
  if (versionAndCommand >> 4 !== 2 || (versionAndCommand & 0xf) > 1 || length > maxV2Bytes) return 'malformed';
  if (bytes.length < length) return 'more';
  if ((versionAndCommand & 0xf) === 0) return { source: null, length };
  switch (family >> 4) {
    case 1:
      return length < 28
        ? 'malformed'
        : { source: { address: bytes.subarray(16, 20).join('.'), port: uint16(bytes, 24) }, length };
    case 2:
      return length < 52 ? 'malformed' : { source: { address: ipv6(bytes, 16), port: uint16(bytes, 48) }, length };
    default:
      return { source: null, length };
  }
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** RFC 5952: the longest run of zero groups is left out. */
function ipv6(bytes: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => uint16(bytes, at + 2 * i).toString(16));
  const text = groups.join(':');
  const runs = text.match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  return longest === ''
    ? text
    : text
        .replace(longest, ':')
        .replace(/^:(?!:)/, '::')
        .replace(/([^:]):$/, '$1::');
}
