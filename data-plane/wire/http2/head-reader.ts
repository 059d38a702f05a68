import { HpackDecoder, type TextCache } from '../hpack/hpack.js';
import { HeadCollector, type BlockKind, type HeadSnapshot } from './head.js';

/** Longer blocks hold things that differ each time. */
const longestRemembered = 320;
const slots = 16;

interface Remembered {
  readonly kind: BlockKind;
  readonly bytes: Buffer;
  readonly head: HeadSnapshot;
}

/**
 * Decodes and checks the field blocks of one connection. When the peer may not use a compression table, a block means the
 * same whenever it comes, so those that come again are found by their bytes: gRPC servers send the same few heads and
 * trailers all the time, and comparing costs a tenth of decoding.
 */
export class HeadReader {
  readonly #decoder: HpackDecoder;
  readonly #head: HeadCollector;
  readonly #remembered: (Remembered | undefined)[] = new Array<undefined>(slots).fill(undefined);
  /** What was last seen in each slot, once: a block is worth keeping only when it comes again. */
  readonly #seenHashes = new Int32Array(slots);

  constructor(maxTableBytes: number, maxHeaderListBytes: number, texts: TextCache) {
    this.#decoder = new HpackDecoder(maxTableBytes, texts);
    this.#head = new HeadCollector(maxHeaderListBytes);
  }

  /** The peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE. */
  setMaxTableBytes(bytes: number): void {
    this.#decoder.setMaxTableBytes(bytes);
  }

  /** What `block[start, end)` says; good until the next call, but for its list. Throws HpackError. */
  read(kind: BlockKind, block: Buffer, start: number, end: number): HeadCollector {
    const head = this.#head;
    head.reset(kind);
    if (kind === 'request' || !this.#decoder.stateless || end - start > longestRemembered) {
      this.#decoder.decode(block, start, end, head);
      head.check();
      return head;
    }
    const slot = (end - start + (block[end - 1] as number)) & (slots - 1);
    const known = this.#remembered[slot];
    if (known !== undefined && known.kind === kind && sameBytes(known.bytes, block, start, end)) {
      head.restore(known.head);
      return head;
    }
    this.#decoder.decode(block, start, end, head);
    head.check();
    this.#remember(slot, kind, block, start, end);
    return head;
  }

  #remember(slot: number, kind: BlockKind, block: Buffer, start: number, end: number): void {
    const hash = hashOf(block, start, end);
    if (this.#seenHashes[slot] !== hash) this.#seenHashes[slot] = hash;
    else this.#remembered[slot] = { kind, bytes: Buffer.from(block.subarray(start, end)), head: this.#head.snapshot() };
  }
}

/** FNV-1a. */
function hashOf(block: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (block[i] as number), 0x01000193);
  return hash | 0;
}

function sameBytes(known: Buffer, block: Buffer, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let i = 0; i < known.length; i++) {
    if (known[i] !== block[start + i]) return false;
  }
  return true;
}
