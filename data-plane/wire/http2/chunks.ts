/** A slice of less than half its buffer is copied when it has to wait, so that it does not hold all of that. */
const storedInPlaceFraction = 2;
/** What is smaller is copied, rather than have its buffer replaced. */
const smallestViewBytes = 4_096;

/** Who has been lent bytes. */
export interface Borrower {
  keep(): void;
}

/** How long the bytes of a read may be looked at: as long as one likes, if the read's buffer is ours. */
export class Chunks {
  readonly #borrowers: Borrower[] = [];
  #owned = false;
  #kept = false;

  /** Begins with new bytes, of which views may be kept if `owned`. */
  begin(owned: boolean): void {
    this.#owned = owned;
    this.#kept = false;
  }

  /** Whether views of the bytes are in use. */
  get kept(): boolean {
    return this.#kept;
  }

  /** The same bytes for as long as this read is being looked at; then `keep` is called. */
  lend(buffer: Buffer, start: number, end: number, sink: Borrower): Buffer {
    this.#borrowers.push(sink);
    return buffer.subarray(start, end);
  }

  /** The bytes that began will be used again. */
  end(): void {
    const borrowers = this.#borrowers;
    if (borrowers.length === 0) return;
    for (const borrower of borrowers) borrower.keep();
    borrowers.length = 0;
  }

  isView(start: number, end: number): boolean {
    return this.#owned && end - start >= smallestViewBytes;
  }

  /** A received chunk for its reader; when it is a view and the reader is not done with it, the caller says so by `keep`. */
  take(buffer: Buffer, start: number, end: number): Buffer {
    return this.isView(start, end) ? buffer.subarray(start, end) : copyOf(buffer, start, end);
  }

  keep(): void {
    this.#kept = true;
  }

  /** A received chunk that has to wait for its reader. */
  store(buffer: Buffer, start: number, end: number): Buffer {
    const inPlace = this.#owned && (end - start) * storedInPlaceFraction >= buffer.buffer.byteLength;
    if (!inPlace) return copyOf(buffer, start, end);
    this.#kept = true;
    return buffer.subarray(start, end);
  }
}

function copyOf(buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  buffer.copy(copy, 0, start, end);
  return copy;
}
