import { HpackDecoder, type TextCache } from '../hpack/hpack.js';
import { HeadCollector, type BlockKind, type HeadSnapshot } from './head.js';

/** Longer blocks hold things that differ each time. */
const longestRemembered = 320;
/** For each kind of block. */
const slots = 32;

interface Remembered {
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
  readonly #remembered: (Remembered | undefined)[] = new Array<undefined>(slots * 2).fill(undefined);
  /** What was last seen in each slot, once: a block is worth keeping only when it comes again. */
  readonly #seenHashes = new Int32Array(slots * 2);

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
    const slot = slotOf(block, start, end) + (kind === 'trailers' ? slots : 0);
    const known = this.#remembered[slot];
    if (known !== undefined && sameBytes(known.bytes, block, start, end)) {
      head.restore(known.head);
      return head;
    }
    this.#decoder.decode(block, start, end, head);
    head.check();
    this.#remember(slot, block, start, end);
    return head;
  }

  #remember(slot: number, block: Buffer, start: number, end: number): void {
    const hash = hashOf(block, start, end);
    if (this.#seenHashes[slot] !== hash) this.#seenHashes[slot] = hash;
    else this.#remembered[slot] = { bytes: Buffer.from(block.subarray(start, end)), head: this.#head.snapshot() };
  }
}

/** By length and a few bytes; those near the end differ more than those at the start. */
function slotOf(block: Buffer, start: number, end: number): number {
  const length = end - start;
  if (length === 0) return 0;
  const sample =
    (block[end - 1] as number) * 7 + (block[start + (length >> 1)] as number) * 3 + (block[start] as number);
  return (length + sample) & (slots - 1);
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
