import type { BufferedBody } from '../../body.js';
import { frameFlag, frameHeaderBytes, frameType } from './protocol.js';

const firstBufferBytes = 4096;
const largestBufferBytes = 65_536;
/** Full buffers that are kept for the next turn: what is written before bodies pause. */
const mostSpare = 3;
/**
 * Payloads out of chunks up to this size, which are reads, are copied: that costs less than the new buffer that the socket
 * would read into next (a fifth of the time of a 64 KiB message went to the collector). Larger ones are in memory anyhow.
 */
const largestCopiedChunk = 65_536;

/** Whether nothing of a chunk is looked at any more once it has been written as DATA. */
export function isCopied(chunk: Uint8Array): boolean {
  return chunk.length <= largestCopiedChunk;
}

/**
 * Gathers the frames of one event-loop turn, so that they leave in one write. Nearly everything stands one behind another in
 * one buffer; payloads of large chunks are kept by reference and must not change until they are written.
 * The owner of the socket calls `take`, and `recycle` when the socket has taken all of it at once.
 */
export class FrameWriter {
  #buffer: Buffer = Buffer.allocUnsafe(firstBufferBytes);
  /** Where the bytes begin that are not in `#sealed` yet. */
  #from = 0;
  #at = 0;
  #sealed: Buffer[] = [];
  #sealedBytes = 0;
  /** Buffers of the largest size: those that are full and perhaps not written yet, and those that may be filled. */
  #full: Buffer[] = [];
  #spare: Buffer[] = [];
  /** The flags of the last frame, when it is a frame that may carry END_STREAM of `#lastStreamId`. */
  #lastFrame: Buffer | null = null;
  #lastFlagsAt = 0;
  #lastStreamId = 0;

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.#sealedBytes + this.#at - this.#from;
  }

  /** What is to be written now, in order. */
  take(): Buffer[] {
    this.#seal();
    const taken = this.#sealed;
    this.#sealed = [];
    this.#sealedBytes = 0;
    this.#lastFrame = null;
    return taken;
  }

  /** All that was ever taken has been written: its buffers may be used again. */
  recycle(): void {
    if (this.length > 0) return;
    this.#at = 0;
    this.#from = 0;
    while (this.#full.length > 0 && this.#spare.length < mostSpare) this.#spare.push(this.#full.pop() as Buffer);
    this.#full.length = 0;
  }

  /** Lets go of the buffers of an idle connection. */
  shrink(): void {
    if (this.length > 0 || this.#buffer.length === firstBufferBytes) return;
    this.#buffer = Buffer.allocUnsafe(firstBufferBytes);
    this.#full = [];
    this.#spare = [];
    this.recycle();
  }

  raw(bytes: Buffer): void {
    const at = this.#reserve(bytes.length);
    bytes.copy(this.#buffer, at);
    this.#at = at + bytes.length;
  }

  /** Room for a field block of at most `bound` bytes: the caller writes it into `blockBuffer` from the returned offset on. */
  beginBlock(bound: number): number {
    return this.#reserve(frameHeaderBytes + bound) + frameHeaderBytes;
  }

  get blockBuffer(): Buffer {
    return this.#buffer;
  }

  /** Ends what `beginBlock` began, as HEADERS and, if the peer's frames are too small for it, CONTINUATION. */
  endBlock(streamId: number, endStream: boolean, end: number, maxFrameBytes: number): void {
    const start = this.#at + frameHeaderBytes;
    const flags = endStream ? frameFlag.endStream : 0;
    if (end - start > maxFrameBytes) {
      this.#splitBlock(streamId, flags, Buffer.from(this.#buffer.subarray(start, end)), maxFrameBytes);
      return;
    }
    const headAt = this.#at;
    this.#head(end - start, frameType.headers, flags | frameFlag.endHeaders, streamId);
    this.#at = end;
    this.#remember(headAt, streamId);
  }

  data(streamId: number, chunk: Uint8Array, start: number, end: number, endStream: boolean): void {
    const length = end - start;
    const copied = isCopied(chunk);
    const headAt = this.#reserve(frameHeaderBytes + (copied ? length : 0));
    this.#head(length, frameType.data, endStream ? frameFlag.endStream : 0, streamId);
    this.#remember(headAt, streamId);
    const payload = start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end);
    if (copied) {
      this.#buffer.set(payload, this.#at);
      this.#at += length;
      return;
    }
    this.#seal();
    this.#sealed.push(Buffer.from(payload.buffer, payload.byteOffset, length));
    this.#sealedBytes += length;
  }

  /** A whole body as one frame, the last of its stream. */
  lastData(streamId: number, body: BufferedBody): void {
    if (!body.isText) {
      this.data(streamId, body.bytes, 0, body.length, true);
      return;
    }
    this.#reserve(frameHeaderBytes + body.length);
    this.#head(body.length, frameType.data, frameFlag.endStream, streamId);
    this.#at += this.#buffer.write(body.text, this.#at, 'latin1');
  }

  /** Sets END_STREAM on the last frame, if it is one of this stream and still here; saves an empty DATA frame. */
  endStreamOnLast(streamId: number): boolean {
    if (this.#lastFrame === null || this.#lastStreamId !== streamId) return false;
    this.#lastFrame[this.#lastFlagsAt] = (this.#lastFrame[this.#lastFlagsAt] as number) | frameFlag.endStream;
    this.#lastFrame = null;
    return true;
  }

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    this.#reserve(frameHeaderBytes + pairs.length * 6);
    this.#head(pairs.length * 6, frameType.settings, 0, 0);
    for (const [id, value] of pairs) {
      this.#at = this.#buffer.writeUInt16BE(id, this.#at);
      this.#uint32(value);
    }
  }

  settingsAck(): void {
    this.#reserve(frameHeaderBytes);
    this.#head(0, frameType.settings, frameFlag.ack, 0);
  }

  ping(ack: boolean, payload: Buffer, start: number): void {
    this.#reserve(frameHeaderBytes + 8);
    this.#head(8, frameType.ping, ack ? frameFlag.ack : 0, 0);
    payload.copy(this.#buffer, this.#at, start, start + 8);
    this.#at += 8;
  }

  resetStream(streamId: number, code: number): void {
    this.#reserve(frameHeaderBytes + 4);
    this.#head(4, frameType.rstStream, 0, streamId);
    this.#uint32(code);
  }

  windowUpdate(streamId: number, bytes: number): void {
    this.#reserve(frameHeaderBytes + 4);
    this.#head(4, frameType.windowUpdate, 0, streamId);
    this.#uint32(bytes);
  }

  /** `text` tells a person at the other end why; ASCII. */
  goAway(lastStreamId: number, code: number, text: string): void {
    this.#reserve(frameHeaderBytes + 8 + text.length);
    this.#head(8 + text.length, frameType.goAway, 0, 0);
    this.#uint32(lastStreamId);
    this.#uint32(code);
    this.#at += this.#buffer.write(text, this.#at, 'latin1');
  }

  #splitBlock(streamId: number, flags: number, block: Buffer, maxFrameBytes: number): void {
    for (let at = 0; at < block.length; at += maxFrameBytes) {
      const end = Math.min(at + maxFrameBytes, block.length);
      const last = end === block.length ? frameFlag.endHeaders : 0;
      this.#reserve(frameHeaderBytes + end - at);
      if (at === 0) this.#head(end - at, frameType.headers, flags | last, streamId);
      else this.#head(end - at, frameType.continuation, last, streamId);
      block.copy(this.#buffer, this.#at, at, end);
      this.#at += end - at;
    }
  }

  #remember(headAt: number, streamId: number): void {
    this.#lastFrame = this.#buffer;
    this.#lastFlagsAt = headAt + 4;
    this.#lastStreamId = streamId;
  }

  /** Writes a frame header and forgets the frame before. */
  #head(length: number, type: number, flags: number, streamId: number): void {
    const buffer = this.#buffer;
    const at = this.#at;
    buffer[at] = length >>> 16;
    buffer[at + 1] = length >>> 8;
    buffer[at + 2] = length;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    buffer[at + 5] = streamId >>> 24;
    buffer[at + 6] = streamId >>> 16;
    buffer[at + 7] = streamId >>> 8;
    buffer[at + 8] = streamId;
    this.#at = at + frameHeaderBytes;
    this.#lastFrame = null;
  }

  #uint32(value: number): void {
    this.#at = this.#buffer.writeUInt32BE(value, this.#at);
  }

  /** Makes room and returns the offset to write at; may change the buffer. */
  #reserve(bytes: number): number {
    if (this.#at + bytes <= this.#buffer.length) return this.#at;
    this.#seal();
    const size = Math.max(Math.min(this.#buffer.length * 2, largestBufferBytes), bytes);
    if (this.#buffer.length === largestBufferBytes && this.#full.length < mostSpare) this.#full.push(this.#buffer);
    this.#buffer = (size === largestBufferBytes ? this.#spare.pop() : undefined) ?? Buffer.allocUnsafeSlow(size);
    this.#from = 0;
    this.#at = 0;
    return 0;
  }

  #seal(): void {
    if (this.#at === this.#from) return;
    this.#sealed.push(this.#buffer.subarray(this.#from, this.#at));
    this.#sealedBytes += this.#at - this.#from;
    this.#from = this.#at;
  }
}
