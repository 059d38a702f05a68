import { latin1 } from './map-keys.js';

const utf8 = new TextEncoder();
const maxProbes = 64;

/** The hash by which names are found; callers compute it while they scan: `hash = hashByte(hash, byte)` from 0. */
export function hashByte(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) | 0;
}

/**
 * Finds names among bytes without making a string of them: an open-addressing table over UTF-8 that is never changed after it
 * is made. The first of two equal names wins.
 */
export class NameTable {
  readonly #mask: number;
  readonly #hashes: Int32Array;
  readonly #values: Int32Array;
  readonly #names: (Uint8Array | undefined)[];
  /** Slots by text, one char per byte, when somebody chose names that share a hash: the runtime's own hash cannot be foreseen. */
  #byText: ReadonlyMap<string, number> | null = null;

  constructor(entries: Iterable<readonly [name: string, value: number]>) {
    const all = [...entries];
    let size = 4;
    while (size < all.length * 2) size *= 2;
    this.#mask = size - 1;
    this.#hashes = new Int32Array(size);
    this.#values = new Int32Array(size);
    this.#names = Array.from({ length: size }, () => undefined);
    for (const [name, value] of all) {
      if (this.#add(utf8.encode(name), value)) continue;
      this.#byText = this.#texts(all);
      return;
    }
  }

  /** Where the name is kept that stands in `bytes` from `start` to before `end` and has this hash, or -1. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    if (this.#byText !== null) return this.#byText.get(latin1(bytes, start, end)) ?? -1;
    const mask = this.#mask;
    for (let slot = spread(hash) & mask; ; slot = (slot + 1) & mask) {
      const name = this.#names[slot];
      if (name === undefined) return -1;
      if (this.#hashes[slot] === hash && equals(name, bytes, start, end)) return slot;
    }
  }

  /** The value of the name that `find` found. */
  value(slot: number): number {
    return this.#values[slot] as number;
  }

  /** False when the name shares its hash with too many others. */
  #add(name: Uint8Array, value: number): boolean {
    let hash = 0;
    for (const byte of name) hash = hashByte(hash, byte);
    let slot = spread(hash) & this.#mask;
    for (let probes = 0; ; probes++, slot = (slot + 1) & this.#mask) {
      const other = this.#names[slot];
      if (other === undefined) break;
      if (this.#hashes[slot] === hash && equals(other, name, 0, name.length)) return true;
      if (probes === maxProbes) return false;
    }
    this.#names[slot] = name;
    this.#hashes[slot] = hash;
    this.#values[slot] = value;
    return true;
  }

  #texts(all: readonly (readonly [name: string, value: number])[]): Map<string, number> {
    const slots = new Map<string, number>();
    for (const [slot, [name, value]] of all.entries()) {
      const bytes = utf8.encode(name);
      const text = latin1(bytes, 0, bytes.length);
      if (slots.has(text)) continue;
      slots.set(text, slot);
      this.#values[slot] = value;
    }
    return slots;
  }
}

function spread(hash: number): number {
  return hash ^ (hash >>> 15);
}

function equals(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) {
    if (name[i] !== bytes[start + i]) return false;
  }
  return true;
}
