import { defaultMaxFrameBytes, errorCode, frameFlag, frameHeaderBytes, frameType, violation } from './protocol.js';

export interface FrameHandler {
  /** Asked after each frame: no more are to be handed over for now. */
  readonly stopped: boolean;
  /**
   * A piece of a DATA frame, `buffer[start, end)` without padding, perhaps empty. `flowBytes` is what it counts in flow
   * control, padding and all; `last` is whether this is the stream's last byte.
   */
  data(streamId: number, buffer: Buffer, start: number, end: number, flowBytes: number, last: boolean): void;
  /** Any other frame, whole: `buffer[start, end)` is the payload, to be read before the call returns. */
  frame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void;
}

/**
 * Cuts a byte stream into frames, wherever its chunks end. Payloads are handed on in place: DATA piece by piece as it
 * comes, so that a body is never gathered here; of other frames only one that spans chunks is copied.
 * Throws Http2Error for a frame that is too large or wrongly padded, and whatever the handler throws; it is of no use after.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #head = Buffer.alloc(frameHeaderBytes);
  #headBytes = 0;
  #inPayload = false;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Payload bytes to come; for DATA without padding. */
  #left = 0;
  /** Padding to come after the bytes of a DATA frame; -1 until its length has been read. */
  #padding = 0;
  #gathered: Buffer | null = null;
  #gatheredBytes = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Takes the next bytes of the stream, `chunk[from, to)`; returns how far it has read, which is to the end unless stopped. */
  read(chunk: Buffer, from: number, to: number): number {
    let at = from;
    for (;;) {
      if (!this.#inPayload) {
        if (this.#handler.stopped) return at;
        at = this.#readHead(chunk, at, to);
        if (!this.#inPayload) return at;
      }
      at = this.#type === frameType.data ? this.#readData(chunk, at, to) : this.#readPayload(chunk, at, to);
      if (this.#inPayload) return at;
    }
  }

  #readHead(chunk: Buffer, at: number, to: number): number {
    if (this.#headBytes === 0 && to - at >= frameHeaderBytes) {
      this.#begin(chunk, at);
      return at + frameHeaderBytes;
    }
    const taken = Math.min(frameHeaderBytes - this.#headBytes, to - at);
    chunk.copy(this.#head, this.#headBytes, at, at + taken);
    this.#headBytes += taken;
    if (this.#headBytes === frameHeaderBytes) this.#begin(this.#head, 0);
    return at + taken;
  }

  #begin(head: Buffer, at: number): void {
    this.#headBytes = 0;
    this.#inPayload = true;
    this.#left = ((head[at] as number) << 16) | ((head[at + 1] as number) << 8) | (head[at + 2] as number);
    this.#type = head[at + 3] as number;
    this.#flags = head[at + 4] as number;
    this.#streamId = uint31(head, at + 5);
    if (this.#left > defaultMaxFrameBytes) throw violation(errorCode.frameSizeError, `a frame of ${this.#left} bytes`);
    this.#padding = 0;
    if (this.#type === frameType.data && (this.#flags & frameFlag.padded) !== 0) {
      if (this.#left === 0) throw violation(errorCode.frameSizeError, 'a padded DATA frame without a padding length');
      this.#padding = -1;
    }
  }

  #readPayload(chunk: Buffer, at: number, to: number): number {
    const available = Math.min(this.#left, to - at);
    if (this.#gathered === null) {
      if (available === this.#left) {
        this.#inPayload = false;
        this.#handler.frame(this.#type, this.#flags, this.#streamId, chunk, at, at + available);
        return at + available;
      }
      this.#gathered = Buffer.allocUnsafe(this.#left);
      this.#gatheredBytes = 0;
    }
    chunk.copy(this.#gathered, this.#gatheredBytes, at, at + available);
    this.#gatheredBytes += available;
    this.#left -= available;
    if (this.#left === 0) this.#endGathered(this.#gathered);
    return at + available;
  }

  #endGathered(payload: Buffer): void {
    this.#gathered = null;
    this.#inPayload = false;
    this.#handler.frame(this.#type, this.#flags, this.#streamId, payload, 0, payload.length);
  }

  #readData(chunk: Buffer, from: number, to: number): number {
    let at = from;
    if (this.#padding < 0) {
      if (at === to) return at;
      this.#padding = chunk[at++] as number;
      this.#left -= 1 + this.#padding;
      if (this.#left < 0) throw violation(errorCode.protocolError, 'padding is longer than its DATA frame');
    }
    const bodyEnd = at + Math.min(this.#left, to - at);
    this.#left -= bodyEnd - at;
    const end = bodyEnd + Math.min(this.#padding, to - bodyEnd);
    this.#padding -= end - bodyEnd;
    this.#inPayload = this.#left + this.#padding > 0;
    const last = !this.#inPayload && (this.#flags & frameFlag.endStream) !== 0;
    if (end > from || !this.#inPayload) this.#handler.data(this.#streamId, chunk, at, bodyEnd, end - from, last);
    return end;
  }
}

/** A 31-bit number; the reserved bit before it is ignored. */
export function uint31(buffer: Buffer, at: number): number {
  return uint32(buffer, at) & 0x7fffffff;
}

export function uint32(buffer: Buffer, at: number): number {
  return (
    (((buffer[at] as number) << 24) |
      ((buffer[at + 1] as number) << 16) |
      ((buffer[at + 2] as number) << 8) |
      (buffer[at + 3] as number)) >>>
    0
  );
}
