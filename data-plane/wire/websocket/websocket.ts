/** As much of WebSocket (RFC 6455) as a gateway needs: where frames end that it passes on, and messages of which it is the end. */

export { acceptFields, isForeign } from './handshake.js';
export { closeFrame, MessageReader, messageHeader, pongFrame, type MessageObserver } from './messages.js';

/** A close frame from a server (not masked), with status 1001, going away. */
export const goingAwayFrame: Uint8Array = Uint8Array.of(0x88, 0x02, 0x03, 0xe9);

/** Follows one direction of a WebSocket through its frames. Never fails: what is no frame has no ends either. */
export class FrameScanner {
  /** Of the current frame's header: bytes so far, and how many its length and its mask take. */
  #headerBytes = 0;
  #lengthBytes = 0;
  #maskBytes = 0;
  #length = 0;
  #payloadLeft = 0;

  /** Between two frames. */
  get atBoundary(): boolean {
    return this.#headerBytes === 0 && this.#payloadLeft === 0;
  }

  /** Follows bytes[start, end), or only up to the first end of a frame in them; returns the index after the last byte followed. */
  follow(bytes: Uint8Array, start: number, end: number, stopAtBoundary: boolean): number {
    let at = start;
    while (at < end) {
      if (this.#payloadLeft > 0) {
        const step = Math.min(this.#payloadLeft, end - at);
        this.#payloadLeft -= step;
        at += step;
      } else {
        this.#readHeader(bytes[at++] as number);
      }
      if (stopAtBoundary && this.atBoundary) return at;
    }
    return at;
  }

  #readHeader(byte: number): void {
    const index = this.#headerBytes++;
    if (index === 0) return;
    if (index === 1) {
      const length = byte & 0x7f;
      this.#maskBytes = (byte & 0x80) === 0 ? 0 : 4;
      this.#lengthBytes = length === 126 ? 2 : length === 127 ? 8 : 0;
      this.#length = length < 126 ? length : 0;
    } else if (index < 2 + this.#lengthBytes) {
      this.#length = this.#length * 256 + byte;
    }
    if (this.#headerBytes < 2 + this.#lengthBytes + this.#maskBytes) return;
    this.#headerBytes = 0;
    this.#payloadLeft = this.#length;
  }
}
