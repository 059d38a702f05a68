/** A slice of less than half its buffer is copied when it has to wait, so that it does not hold all of that. */
const storedInPlaceFraction = 2;

/** How long the bytes of a read may be looked at: as long as one likes, if the read's buffer is ours. */
export class Chunks {
  /** Whether the buffer that is read now is not written into again. */
  owned = false;

  /** A received chunk for its reader. */
  take(buffer: Buffer, start: number, end: number): Buffer {
    return this.owned ? buffer.subarray(start, end) : copyOf(buffer, start, end);
  }

  /** A received chunk that has to wait for its reader. */
  store(buffer: Buffer, start: number, end: number): Buffer {
    const inPlace = this.owned && (end - start) * storedInPlaceFraction >= buffer.buffer.byteLength;
    return inPlace ? buffer.subarray(start, end) : copyOf(buffer, start, end);
  }
}

function copyOf(buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  buffer.copy(copy, 0, start, end);
  return copy;
}
