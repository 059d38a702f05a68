import { createHash, type Hash } from 'node:crypto';

/** sha256 over `parts` end to end; strings count as UTF-8. */
export function sha256(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) addPart(hash, part);
  return digestOf(hash);
}

/** sha256 over `parts` with the length before each, so that no two lists of parts give the same bytes. */
export function sha256Framed(...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const hash = createHash('sha256');
  const length = Buffer.alloc(4);
  for (const part of parts) {
    length.writeUInt32BE(typeof part === 'string' ? Buffer.byteLength(part) : part.length);
    hash.update(length);
    addPart(hash, part);
  }
  return digestOf(hash);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function addPart(hash: Hash, part: Uint8Array | string): void {
  if (typeof part === 'string') hash.update(part, 'utf8');
  else hash.update(part);
}

/** A plain array: a Buffer would keep its whole pool alive and compares differently in tests. */
function digestOf(hash: Hash): Uint8Array {
  return new Uint8Array(hash.digest());
}
