const readBytes = 65_536;
/** A read of at least this much is worth a buffer of its own from then on; smaller ones are cheaper to copy out. */
const ownFromBytes = 16_384;

/**
 * Where the sockets of a process read into. All of them share one buffer while they carry heads and small bodies, so that an
 * idle connection costs none; one that carries a large body is given fresh buffers, whose bytes need not be copied.
 *
 * Sharing is sound because the event loop reads from one socket at a time and hands the bytes over before the next.
 */
export class SharedReadBuffer {
  readonly shared: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(readBytes);

  /** The buffer for a socket's next read, given its last one; undefined to use the last one again. */
  next(last: Buffer, lastBytes: number): Buffer<ArrayBuffer> | undefined {
    if (lastBytes >= ownFromBytes) return Buffer.allocUnsafeSlow(readBytes);
    return last === this.shared ? undefined : this.shared;
  }
}
