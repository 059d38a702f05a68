/** RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3. */
const handshakeRecord = 22;
const clientHello = 1;
const serverNameExtension = 0;
const hostName = 0;

/** Far above what clients send, keys of post-quantum schemes included. */
const maxHelloBytes = 16_384;
/** Clients send one to three; some cut a hello into many to hide its name. */
const maxRecords = 1_024;

/**
 * The server name (SNI) that the first bytes of a TLS connection ask for: '' when they ask for none, or are nothing that TLS begins
 * with; null while it takes more bytes to tell. Judges nothing else: whoever makes the handshake reads the same bytes.
 */
export function askedServerName(bytes: Uint8Array): string | null {
  const hello = helloOf(bytes);
  return typeof hello === 'string' ? hello : hello === null ? null : nameIn(hello);
}

/**
 * The ClientHello's content without the headers of records and message, which may cut it anywhere; '' when it is none. Only whole
 * records are looked into, so that one that comes in many pieces is not read again with each.
 */
function helloOf(bytes: Uint8Array): Uint8Array | null | '' {
  const message: number[] = [];
  for (let at = 0, records = 0; at < bytes.length; records++) {
    if (bytes[at] !== handshakeRecord || records === maxRecords) return '';
    if (at + 5 > bytes.length) return null;
    const end = at + 5 + uint16(bytes, at + 3);
    if (end - at > maxHelloBytes) return '';
    if (end > bytes.length) return null;
    for (const byte of bytes.subarray(at + 5, end)) message.push(byte);
    at = end;
    if (message.length === 0) continue;
    if (message[0] !== clientHello) return '';
    if (message.length < 4) continue;
    const length = ((message[1] as number) << 16) | ((message[2] as number) << 8) | (message[3] as number);
    if (length > maxHelloBytes) return '';
    if (message.length >= 4 + length) return Uint8Array.from(message.slice(4, 4 + length));
  }
  return null;
}

/** Offsets beyond the end read as zero, and end the search without a name. */
function nameIn(hello: Uint8Array): string {
  const sessionIdAt = 34;
  const suitesAt = sessionIdAt + 1 + (hello[sessionIdAt] ?? 0);
  const compressionAt = suitesAt + 2 + uint16(hello, suitesAt);
  let at = compressionAt + 1 + (hello[compressionAt] ?? 0) + 2;
  while (at + 4 <= hello.length) {
    const length = uint16(hello, at + 2);
    if (uint16(hello, at) === serverNameExtension) return hostNameIn(hello.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return '';
}

/** A list with its length before it, of one entry: its kind, its length and the name. */
function hostNameIn(list: Uint8Array): string {
  const length = uint16(list, 3);
  if (list[2] !== hostName || list.length < 5 + length) return '';
  return String.fromCharCode(...list.subarray(5, 5 + Math.min(length, maxNameBytes)));
}

/** What is longer is no name of a host. */
const maxNameBytes = 255;

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
