import { ProxyError } from '../../errors.js';
import type { InflateMessage } from '../call/request.js';

const headerBytes = 5;

/** Takes gRPC messages out of a body that arrives in chunks of any size. A message within one chunk is a part of it, not a copy. */
export class FrameReader {
  readonly #maxMessageBytes: number;
  readonly #inflate: InflateMessage | null;
  #isCompressed = false;
  #chunks: Uint8Array[] = [];
  #length = 0;
  /** Bytes that must be there before anything can be done. */
  #needed = headerBytes;

  constructor(maxMessageBytes: number, inflate: InflateMessage | null) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#inflate = inflate;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The next message, or null until more has arrived. Throws upstream_malformed or upstream_too_large. */
  next(): Uint8Array | null {
    if (this.#length < this.#needed) return null;
    const bytes = this.#joined();
    if (this.#needed === headerBytes) {
      this.#needed += this.#messageLength(bytes);
      if (this.#length < this.#needed) return null;
    }
    const end = this.#needed;
    const rest = bytes.subarray(end);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    this.#needed = headerBytes;
    const message = bytes.subarray(headerBytes, end);
    return this.#isCompressed && this.#inflate !== null ? this.#inflate(message, this.#maxMessageBytes) : message;
  }

  /** Whether a message has begun that is not complete. */
  get isWithin(): boolean {
    return this.#length > 0;
  }

  #messageLength(bytes: Uint8Array): number {
    const [flag = 0, a = 0, b = 0, c = 0, d = 0] = bytes;
    this.#isCompressed = flag === 1;
    if (flag > 1 || (flag === 1 && this.#inflate === null)) {
      const what = flag === 1 ? 'a compressed message without grpc-encoding' : 'a frame with unknown flags';
      throw new ProxyError('upstream_malformed', new Error(`the service sent ${what}`));
    }
    const length = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    if (length > this.#maxMessageBytes) throw new ProxyError('upstream_too_large');
    return length;
  }

  #joined(): Uint8Array {
    const [first] = this.#chunks;
    if (this.#chunks.length === 1 && first !== undefined) return first;
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [whole];
    return whole;
  }
}
