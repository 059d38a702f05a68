import { BufferedBody, type BodySink, type BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import type { HeaderList } from '../../headers.js';
import { bulkBytes } from '../../socket/read-buffer.js';
import type { ByteSocket } from '../../socket/socket.js';
import { chunkedEnd, chunkStart } from '../../wire/http1/http1.js';
import type { Call } from '../transport.js';
import { framingOf, inlineBody, requestHead, type RequestFraming } from './request-head.js';

export interface RequestWriterOwner {
  /** The last byte of the request has been handed to the socket. */
  requestWritten(): void;
  /** The endpoint takes no more for now. */
  requestStalled(): void;
  /** The body broke off, or was not what it announced. */
  requestBroke(error: ProxyError): void;
}

/** The writing half of an upstream connection: head and body of one request after the other. */
export class RequestWriter implements BodySink {
  readonly #socket: ByteSocket;
  readonly #owner: RequestWriterOwner;
  #framing: RequestFraming = 'none';
  #source: BodySource | null = null;
  #announced = 0;
  #sent = 0;
  #stalled = false;
  #firstFlush = 0;
  #done = true;

  constructor(socket: ByteSocket, owner: RequestWriterOwner) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** No request is being written. */
  get done(): boolean {
    return this.#done;
  }

  /**
   * Nothing of the request has left. Only a write that was not made, or failed in the same instant, proves that; a reset that is
   * read later proves nothing.
   */
  get unsent(): boolean {
    return !this.#socket.hasLeft(this.#firstFlush);
  }

  start(call: Call): void {
    const { body } = call;
    this.#framing = framingOf(call);
    this.#announced = body.length ?? 0;
    this.#sent = 0;
    this.#stalled = false;
    this.#done = false;
    this.#firstFlush = this.#socket.nextFlush;
    const head = requestHead(call, this.#framing);
    if (body instanceof BufferedBody && body.isInline) {
      this.#socket.write(head + inlineBody(body, this.#framing));
      this.#finish();
    } else {
      this.#socket.write(head);
      this.#source = body;
      body.start(this);
    }
  }

  /** Nobody needs the rest of the body. */
  cancel(reason: ProxyError): void {
    const source = this.#source;
    this.#source = null;
    source?.cancel(reason);
  }

  drained(): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#source?.resume();
  }

  write(chunk: Uint8Array): boolean {
    this.#sent += chunk.length;
    if (this.#framing === 'length' && this.#sent > this.#announced) {
      this.#owner.requestBroke(new ProxyError('internal', new Error('body longer than announced')));
      return true;
    }
    const hasRoom = this.#writeFramed(chunk);
    if (chunk.length >= bulkBytes) this.#socket.flush();
    if (!hasRoom) {
      this.#stalled = true;
      this.#owner.requestStalled();
    }
    return hasRoom;
  }

  get settled(): boolean {
    return this.#socket.isDrained;
  }

  #writeFramed(chunk: Uint8Array): boolean {
    if (this.#framing !== 'chunked') return this.#socket.write(chunk);
    this.#socket.write(chunkStart(chunk.length));
    this.#socket.write(chunk);
    return this.#socket.write('\r\n');
  }

  end(trailers: HeaderList | null): void {
    if (this.#framing === 'length' && this.#sent !== this.#announced) {
      this.#owner.requestBroke(new ProxyError('internal', new Error('body shorter than announced')));
      return;
    }
    if (this.#framing === 'chunked') this.#socket.write(chunkedEnd(trailers));
    this.#finish();
  }

  fail(error: ProxyError): void {
    this.#source = null;
    this.#owner.requestBroke(error);
  }

  #finish(): void {
    this.#source = null;
    this.#done = true;
    this.#owner.requestWritten();
  }
}
