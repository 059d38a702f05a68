import { flood } from './flood.js';
import { clientPreface, errorCode, frameFlag, frameType, violation } from './protocol.js';
import { FrameReader, uint31, uint32, type FrameHandler } from './reader.js';
import { settingBytes } from './settings.js';

/** What a connection is told, in order: frames whose form has been checked, and whole field blocks. */
export interface InboundHandler {
  readonly stopped: boolean;
  data(streamId: number, buffer: Buffer, start: number, end: number, flowBytes: number, last: boolean): void;
  fieldBlock(streamId: number, last: boolean, buffer: Buffer, start: number, end: number): void;
  resetReceived(streamId: number, code: number): void;
  /** `null` acknowledges ours. */
  settings(payload: Buffer | null, start: number, end: number): void;
  ping(ack: boolean, payload: Buffer, start: number): void;
  goAwayReceived(lastStreamId: number, code: number, text: string): void;
  credit(streamId: number, bytes: number): void;
  /** A frame whose fault is its stream's alone. */
  streamViolation(streamId: number, code: number, message: string): void;
  /** A frame that has no effect. */
  ignored(kind: 'priority' | 'unknown_frame'): void;
}

/** Frames that a field block may be cut into, and how much they may hold: a peer that needs more is up to something. */
const mostContinuations = 64;
const longestGoAwayText = 256;

/**
 * From bytes to frames that are right in themselves (RFC 9113 sections 3.4, 4 and 6): the client's preface, SETTINGS first,
 * sizes, stream 0 or not, field blocks gathered from CONTINUATION. Throws Http2Error where the connection has to end.
 */
export class Inbound implements FrameHandler {
  readonly #handler: InboundHandler;
  readonly #reader = new FrameReader(this);
  readonly #maxBlockBytes: number;
  #prefaceAt: number;
  #settingsSeen = false;
  /** The stream whose field block is not complete yet; 0 for none. */
  #blockStream = 0;
  #blockLast = false;
  #blockParts: Buffer[] = [];
  #blockBytes = 0;

  constructor(handler: InboundHandler, fromClient: boolean, maxBlockBytes: number) {
    this.#handler = handler;
    this.#prefaceAt = fromClient ? 0 : clientPreface.length;
    this.#maxBlockBytes = maxBlockBytes;
  }

  get stopped(): boolean {
    return this.#handler.stopped;
  }

  /** Takes the next bytes of the connection, `bytes[start, end)`; returns how far it has read. */
  read(bytes: Buffer, start: number, end: number): number {
    const from = this.#prefaceAt < clientPreface.length ? this.#readPreface(bytes, start, end) : start;
    return this.#reader.read(bytes, from, end);
  }

  data(streamId: number, buffer: Buffer, start: number, end: number, flowBytes: number, last: boolean): void {
    this.#checkOrder(frameType.data, streamId);
    if (streamId === 0) throw violation(errorCode.protocolError, 'DATA on stream 0');
    this.#handler.data(streamId, buffer, start, end, flowBytes, last);
  }

  frame(type: number, flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    this.#checkOrder(type, streamId);
    switch (type) {
      case frameType.headers:
        return this.#headers(flags, streamId, buffer, start, end);
      case frameType.continuation:
        return this.#continuation(flags, buffer, start, end);
      case frameType.windowUpdate:
        return this.#windowUpdate(streamId, buffer, start, end);
      case frameType.settings:
        return this.#settings(flags, streamId, buffer, start, end);
      case frameType.ping:
        checkOnConnection(streamId, 'PING');
        if (end - start !== 8) throw violation(errorCode.frameSizeError, 'PING not of 8 bytes');
        return this.#handler.ping((flags & frameFlag.ack) !== 0, buffer, start);
      case frameType.rstStream:
        if (streamId === 0) throw violation(errorCode.protocolError, 'RST_STREAM on stream 0');
        if (end - start !== 4) throw violation(errorCode.frameSizeError, 'RST_STREAM not of 4 bytes');
        return this.#handler.resetReceived(streamId, uint32(buffer, start));
      case frameType.goAway:
        return this.#goAway(streamId, buffer, start, end);
      case frameType.priority:
        return this.#priority(streamId, buffer, start, end);
      case frameType.pushPromise:
        throw violation(errorCode.protocolError, 'PUSH_PROMISE');
      default:
        this.#handler.ignored('unknown_frame');
    }
  }

  #readPreface(bytes: Buffer, start: number, end: number): number {
    const length = Math.min(end - start, clientPreface.length - this.#prefaceAt);
    if (bytes.compare(clientPreface, this.#prefaceAt, this.#prefaceAt + length, start, start + length) !== 0) {
      throw violation(errorCode.protocolError, 'not the HTTP/2 preface');
    }
    this.#prefaceAt += length;
    return start + length;
  }

  #checkOrder(type: number, streamId: number): void {
    if (!this.#settingsSeen) {
      if (type !== frameType.settings) throw violation(errorCode.protocolError, 'the first frame is not SETTINGS');
      this.#settingsSeen = true;
    }
    const continues = type === frameType.continuation;
    if (this.#blockStream === 0 ? continues : !continues || streamId !== this.#blockStream) {
      throw violation(errorCode.protocolError, continues ? 'CONTINUATION of nothing' : 'a frame within a field block');
    }
  }

  #headers(flags: number, streamId: number, buffer: Buffer, from: number, to: number): void {
    if (streamId === 0) throw violation(errorCode.protocolError, 'HEADERS on stream 0');
    let start = from;
    let end = to;
    if ((flags & frameFlag.padded) !== 0) {
      if (start === end) throw violation(errorCode.frameSizeError, 'padded HEADERS without a padding length');
      end -= buffer[start] as number;
      start++;
    }
    const prioritised = (flags & frameFlag.priority) !== 0;
    if (start + (prioritised ? 5 : 0) > end)
      throw violation(errorCode.protocolError, 'HEADERS shorter than its padding');
    const last = (flags & frameFlag.endStream) !== 0;
    if (prioritised) start += 5;
    if ((flags & frameFlag.endHeaders) !== 0) {
      this.#handler.fieldBlock(streamId, last, buffer, start, end);
    } else {
      this.#blockStream = streamId;
      this.#blockLast = last;
      this.#gather(buffer, start, end);
    }
    if (prioritised && uint31(buffer, start - 5) === streamId) this.#dependsOnItself(streamId);
  }

  #continuation(flags: number, buffer: Buffer, start: number, end: number): void {
    this.#gather(buffer, start, end);
    if ((flags & frameFlag.endHeaders) === 0) return;
    const block = Buffer.concat(this.#blockParts, this.#blockBytes);
    const streamId = this.#blockStream;
    this.#blockStream = 0;
    this.#blockParts = [];
    this.#blockBytes = 0;
    this.#handler.fieldBlock(streamId, this.#blockLast, block, 0, block.length);
  }

  #gather(buffer: Buffer, start: number, end: number): void {
    this.#blockParts.push(Buffer.from(buffer.subarray(start, end)));
    this.#blockBytes += end - start;
    if (this.#blockParts.length > mostContinuations || this.#blockBytes > this.#maxBlockBytes) {
      throw flood('continuation');
    }
  }

  #windowUpdate(streamId: number, buffer: Buffer, start: number, end: number): void {
    if (end - start !== 4) throw violation(errorCode.frameSizeError, 'WINDOW_UPDATE not of 4 bytes');
    const bytes = uint31(buffer, start);
    if (bytes > 0) return this.#handler.credit(streamId, bytes);
    if (streamId === 0) throw violation(errorCode.protocolError, 'a WINDOW_UPDATE of 0');
    this.#handler.streamViolation(streamId, errorCode.protocolError, 'a WINDOW_UPDATE of 0');
  }

  #settings(flags: number, streamId: number, buffer: Buffer, start: number, end: number): void {
    checkOnConnection(streamId, 'SETTINGS');
    const ack = (flags & frameFlag.ack) !== 0;
    if (ack ? end !== start : (end - start) % settingBytes !== 0) {
      throw violation(errorCode.frameSizeError, `SETTINGS of ${end - start} bytes`);
    }
    this.#handler.settings(ack ? null : buffer, start, end);
  }

  #goAway(streamId: number, buffer: Buffer, start: number, end: number): void {
    checkOnConnection(streamId, 'GOAWAY');
    if (end - start < 8) throw violation(errorCode.frameSizeError, 'GOAWAY of less than 8 bytes');
    const text = buffer.toString('latin1', start + 8, Math.min(end, start + 8 + longestGoAwayText));
    this.#handler.goAwayReceived(uint31(buffer, start), uint32(buffer, start + 4), text);
  }

  #priority(streamId: number, buffer: Buffer, start: number, end: number): void {
    if (streamId === 0) throw violation(errorCode.protocolError, 'PRIORITY on stream 0');
    if (end - start !== 5) this.#handler.streamViolation(streamId, errorCode.frameSizeError, 'PRIORITY not of 5 bytes');
    else if (uint31(buffer, start) === streamId) this.#dependsOnItself(streamId);
    else this.#handler.ignored('priority');
  }

  /** RFC 7540 section 5.3.1; RFC 9113 has no priorities, yet forbids nothing of it. */
  #dependsOnItself(streamId: number): void {
    this.#handler.streamViolation(streamId, errorCode.protocolError, 'a stream that depends on itself');
  }
}

function checkOnConnection(streamId: number, frame: string): void {
  if (streamId !== 0) throw violation(errorCode.protocolError, `${frame} on stream ${streamId}`);
}
