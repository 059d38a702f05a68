import { joined } from '../../joined.js';

/** Who hears of what a WebSocket's client sends (RFC 6455). */
export interface MessageObserver {
  /** A whole message, its fragments joined; the bytes are the observer's. */
  message(payload: Uint8Array, isText: boolean): void;
  ping(payload: Uint8Array): void;
  /** The client's close frame; 1005 when it names no status. Nothing follows. */
  close(status: number): void;
  /** The bytes are no WebSocket's, or too many: the status to close with. Nothing follows. */
  fault(status: number): void;
}

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Takes messages out of the bytes that a client sends, however they are cut, and holds at most one message and one frame header. */
export class MessageReader {
  readonly #maxMessageBytes: number;
  readonly #observer: MessageObserver;
  #header: number[] = [];
  #headerBytes = 2;
  #opcode = 0;
  #isLast = false;
  #left = 0;
  #maskAt = 0;
  #frameBytes = 0;
  /** A control frame may stand between the fragments of a message. */
  readonly #control = new Gathered();
  readonly #message = new Gathered();
  #messageOpcode = 0;
  #done = false;

  constructor(maxMessageBytes: number, observer: MessageObserver) {
    this.#maxMessageBytes = maxMessageBytes;
    this.#observer = observer;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#done) {
      if (this.#header.length < this.#headerBytes) {
        this.#header.push(chunk[at++] as number);
        if (this.#header.length === this.#headerBytes) this.#readHeader();
      } else {
        const end = Math.min(chunk.length, at + this.#left);
        this.#take(chunk.subarray(at, end));
        at = end;
      }
    }
  }

  /** Called when as many bytes of the header are there as are known to be in it. */
  #readHeader(): void {
    const [first = 0, second = 0] = this.#header;
    const length = second & 0x7f;
    if (this.#headerBytes === 2) {
      const fault = this.#headerFault(first, second);
      if (fault) return this.#fail(1002);
      this.#headerBytes = 6 + (length === 126 ? 2 : length === 127 ? 8 : 0);
      return;
    }
    this.#left = length < 126 ? length : this.#header.slice(2, -4).reduce((sum, byte) => sum * 256 + byte, 0);
    this.#opcode = first & 0x0f;
    this.#isLast = first >= 0x80;
    this.#maskAt = this.#headerBytes - 4;
    if (this.#left > this.#maxMessageBytes - (this.#opcode < opcodes.close ? this.#message.length : 0))
      this.#fail(1009);
    else if (this.#left === 0) this.#frameRead();
  }

  #headerFault(first: number, second: number): boolean {
    const opcode = first & 0x0f;
    const isControl = opcode >= opcodes.close;
    const isKnown = opcode <= opcodes.binary || (isControl && opcode <= opcodes.pong);
    const isMasked = second >= 0x80;
    if ((first & 0x70) !== 0 || !isKnown || !isMasked) return true;
    if (isControl) return first < 0x80 || (second & 0x7f) > 125;
    return (opcode === opcodes.continuation) !== (this.#messageOpcode !== 0);
  }

  #take(masked: Uint8Array): void {
    const { length } = masked;
    const place = (this.#opcode < opcodes.close ? this.#message : this.#control).extend(length);
    for (let i = 0; i < length; i++) {
      place[i] = (masked[i] as number) ^ (this.#header[this.#maskAt + ((this.#frameBytes + i) & 3)] as number);
    }
    this.#frameBytes += length;
    this.#left -= length;
    if (this.#left === 0) this.#frameRead();
  }

  #frameRead(): void {
    this.#header = [];
    this.#headerBytes = 2;
    this.#frameBytes = 0;
    if (this.#opcode >= opcodes.close) this.#controlRead(this.#control.take());
    else this.#dataRead();
  }

  #dataRead(): void {
    if (this.#opcode !== opcodes.continuation) this.#messageOpcode = this.#opcode;
    if (!this.#isLast) return;
    const payload = this.#message.take();
    const isText = this.#messageOpcode === opcodes.text;
    this.#messageOpcode = 0;
    if (isText && !isUtf8(payload)) this.#fail(1007);
    else this.#observer.message(payload, isText);
  }

  #controlRead(payload: Uint8Array): void {
    if (this.#opcode === opcodes.ping) this.#observer.ping(payload);
    if (this.#opcode !== opcodes.close) return;
    const [high = 0, low = 0] = payload;
    const status = payload.length === 0 ? 1005 : high * 256 + low;
    const isValid = payload.length === 0 || (payload.length >= 2 && isStatus(status) && isUtf8(payload.subarray(2)));
    if (!isValid) return this.#fail(1002);
    this.#done = true;
    this.#observer.close(status);
  }

  #fail(status: number): void {
    this.#done = true;
    this.#observer.fault(status);
  }
}

/** Bytes that come in pieces of any size, in one piece. */
class Gathered {
  length = 0;
  #bytes = new Uint8Array(0);

  /** The place for `more` bytes behind those that are there. */
  extend(more: number): Uint8Array {
    const start = this.length;
    this.length += more;
    if (this.length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.length, 2 * this.#bytes.length));
      bytes.set(this.#bytes.subarray(0, start));
      this.#bytes = bytes;
    }
    return this.#bytes.subarray(start, this.length);
  }

  /** All of them; it is empty afterwards. */
  take(): Uint8Array {
    const all = this.#bytes.subarray(0, this.length);
    this.#bytes = new Uint8Array(0);
    this.length = 0;
    return all;
  }
}

/** Statuses that may stand in a close frame (RFC 6455 section 7.4). */
function isStatus(status: number): boolean {
  return (
    (status >= 3_000 && status < 5_000) || (status >= 1_000 && status <= 1_014 && !(status >= 1_004 && status <= 1_006))
  );
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** The header of a frame from a server, whose payload is `length` bytes: a whole message. */
export function messageHeader(length: number, isText: boolean): Uint8Array {
  return frameHeader(isText ? opcodes.text : opcodes.binary, length);
}

export function pongFrame(payload: Uint8Array): Uint8Array {
  return joined([frameHeader(opcodes.pong, payload.length), payload]);
}

/** The reason is cut to the 123 bytes that a control frame has for it. */
export function closeFrame(status: number, reason: string): Uint8Array {
  const text = cut(new TextEncoder().encode(reason), 123);
  return joined([frameHeader(opcodes.close, 2 + text.length), Uint8Array.of(status >> 8, status & 0xff), text]);
}

/** No more than `maxBytes`, and no part of a character. */
function cut(text: Uint8Array, maxBytes: number): Uint8Array {
  let end = Math.min(text.length, maxBytes);
  while (end > 0 && end < text.length && ((text[end] as number) & 0xc0) === 0x80) end--;
  return text.subarray(0, end);
}

function frameHeader(opcode: number, length: number): Uint8Array {
  const first = 0x80 | opcode;
  if (length < 126) return Uint8Array.of(first, length);
  if (length < 65_536) return Uint8Array.of(first, 126, length >> 8, length & 0xff);
  const header = Uint8Array.of(first, 127, 0, 0, 0, 0, 0, 0, 0, 0);
  new DataView(header.buffer).setUint32(2, Math.floor(length / 2 ** 32));
  new DataView(header.buffer).setUint32(6, length >>> 0);
  return header;
}
