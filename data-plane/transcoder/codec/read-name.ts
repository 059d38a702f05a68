import type { JsonSource } from './json-source.js';
import { hashByte, type NameTable } from './name-table.js';

const quote = 0x22;
const backslash = 0x5c;
const utf8 = new TextEncoder();

/** Reads the string at the position and finds it among names: its place there, or -1. */
export function readName(source: JsonSource, names: NameTable): number {
  const src = source.src;
  const start = source.pos + 1;
  let pos = start;
  let hash = 0;
  for (let byte = src[pos] as number; byte !== quote; byte = src[++pos] as number) {
    if (byte === backslash || byte < 0x20) return readEscaped(source, names);
    hash = hashByte(hash, byte);
  }
  source.pos = pos + 1;
  const slot = names.find(src, start, pos, hash);
  if (slot < 0) {
    // What is not a known name may not even be UTF-8.
    source.pos = start - 1;
    source.skipString();
  }
  return slot;
}

function readEscaped(source: JsonSource, names: NameTable): number {
  const bytes = utf8.encode(source.string());
  let hash = 0;
  for (const byte of bytes) hash = hashByte(hash, byte);
  return names.find(bytes, 0, bytes.length, hash);
}
