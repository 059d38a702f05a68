import { TurnWrites } from './turn-writes.js';

const readBytes = 65_536;
/** A read of at least this much is worth a buffer of its own; smaller ones are cheaper to copy out of the shared one. */
export const bulkBytes = 16_384;
/** Small reads in a row after which a socket goes back to the shared buffer: a large body ends in one. */
const smallReadsToReturn = 4;
/** Buffers out at a time; beyond these 32 MiB large reads are copied. An idle connection may hold one. */
const maxLent = 512;
/** Returned ones kept for the next; more would be memory that nobody uses. */
const maxFree = 16;

/**
 * Where the sockets of a process read into. All of them share one buffer while they carry heads and small bodies, so that an
 * idle connection costs none; one that carries a large body is lent its own, and reads into that again and again as long as what
 * was read has been written on.
 *
 * Sharing is sound because the event loop reads from one socket at a time and hands the bytes over before the next.
 */
export class SharedReadBuffer {
  readonly turn: TurnWrites;
  readonly shared: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(readBytes);
  readonly #free: Buffer<ArrayBuffer>[] = [];
  #lent = 0;

  constructor(turn = new TurnWrites()) {
    this.turn = turn;
  }

  lend(): Buffer<ArrayBuffer> | null {
    if (this.#lent >= maxLent) return null;
    this.#lent++;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(readBytes);
  }

  /** A buffer that nobody looks into any more. */
  takeBack(buffer: Buffer<ArrayBuffer>): void {
    this.#lent--;
    if (this.#free.length < maxFree) this.#free.push(buffer);
  }

  /** A lent buffer will not come back. */
  forget(): void {
    this.#lent--;
  }
}

/** Which buffer one socket reads into next. */
export class ReadBufferChoice {
  readonly #reads: SharedReadBuffer;
  #own: Buffer<ArrayBuffer> | null = null;
  #smallReads = 0;

  constructor(reads: SharedReadBuffer) {
    this.#reads = reads;
  }

  get current(): Buffer<ArrayBuffer> {
    return this.#own ?? this.#reads.shared;
  }

  /** Whether views of what is read may be kept. */
  get isOwn(): boolean {
    return this.#own !== null;
  }

  /** After a read of `bytes`; `kept` when somebody holds views of an own buffer. True when another buffer is `current` now. */
  advance(bytes: number, kept: boolean): boolean {
    this.#smallReads = bytes < bulkBytes ? this.#smallReads + 1 : 0;
    if (this.#own === null) {
      if (bytes < bulkBytes) return false;
      this.#own = this.#reads.lend();
      return this.#own !== null;
    }
    if (this.#smallReads >= smallReadsToReturn) {
      if (kept) this.#reads.forget();
      else this.#reads.takeBack(this.#own);
      this.#own = null;
      return true;
    }
    if (!kept) return false;
    this.#own = Buffer.allocUnsafeSlow(readBytes);
    return true;
  }

  /** The socket reads no more. Its last bytes may still be in use, so the buffer itself is left to the collector. */
  close(): void {
    if (this.#own !== null) this.#reads.forget();
    this.#own = null;
  }
}
