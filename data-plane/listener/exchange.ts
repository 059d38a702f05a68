import { BufferedBody, type BodySink, type BodySource } from '../body.js';
import { ProxyError } from '../errors.js';
import type { Exchange, ExchangeSummary, Peer, RequestHead, RequestObserver, Tunnel } from '../exchange.js';
import { headerValue, type FieldBlock, type HeaderList, type MessageFields } from '../headers.js';
import { bulkBytes } from '../socket/read-buffer.js';
import type { StreamBody } from '../socket/stream-body.js';
import {
  chunkedEnd,
  chunkStart,
  endHead,
  statusLine,
  writeFields,
  writeMessageFields,
  type FieldsWritten,
} from '../wire/http1/http1.js';
import { errorAnswer } from './respond.js';

/** What an exchange asks of the connection that it runs on. */
export interface ExchangeConnection {
  readonly peer: Peer;
  readonly dateLine: string;
  /** Whether the connection can serve another request after this answer, of which `isWhole` says that it ends at once. */
  mayKeepAlive(isWhole: boolean): boolean;
  /** Leaves with all else that is written in this turn of the event loop, or at `flush`. */
  write(data: string | Uint8Array): boolean;
  flush(): void;
  readonly isDrained: boolean;
  /** The answer is written; `keepAlive` as it was announced. */
  answered(keepAlive: boolean): void;
  /** The answer cannot be completed: cut the connection so that the client sees it. */
  cut(): void;
  /** The connection's bytes are a tunnel's from now on; the exchange is told `tunnelEnded`. */
  joinTunnel(tunnel: Tunnel, protocol: string): void;
}

type Phase = 'waiting' | 'answering' | 'tunnel' | 'done';
type Framing = 'none' | 'length' | 'chunked' | 'close';

/** One request and its answer on an HTTP/1 connection. It is also the sink that the answer's body is written to. */
export class Http1Exchange implements Exchange, BodySink {
  readonly id: string;
  readonly head: RequestHead;
  readonly body: BufferedBody | StreamBody;
  readonly startMs: number;
  readonly #connection: ExchangeConnection;
  #observer: RequestObserver | null = null;
  #phase: Phase = 'waiting';
  #framing: Framing = 'none';
  #keepAlive = false;
  #status = 0;
  #error: ProxyError | null = null;
  #announced = 0;
  #sent = 0;
  #tunnelReceived = 0;
  #source: BodySource | null = null;
  #stalled = false;

  constructor(
    connection: ExchangeConnection,
    id: string,
    head: RequestHead,
    body: BufferedBody | StreamBody,
    startMs: number,
  ) {
    this.#connection = connection;
    this.id = id;
    this.head = head;
    this.body = body;
    this.startMs = startMs;
  }

  get peer(): Peer {
    return this.#connection.peer;
  }

  get answerBegun(): boolean {
    return this.#phase !== 'waiting';
  }

  get endsWithClient(): boolean {
    return this.#observer?.endsWithClient === true;
  }

  /** The handler may answer before it returns its observer, so that one is told afterwards. */
  observe(observer: RequestObserver): void {
    this.#observer = observer;
    if (this.#phase === 'done') observer.finished(this.#summary());
  }

  inform(status: number, headers: HeaderList): void {
    if (this.#phase !== 'waiting' || this.head.version !== '1.1') return;
    this.#connection.write(`${writeFields(statusLine(status), headers).text}\r\n`);
  }

  respond(status: number, headers: MessageFields, body: BodySource, added?: FieldBlock): void {
    if (this.#phase !== 'waiting') {
      body.cancel(new ProxyError('internal', new Error('answered twice')));
      return;
    }
    this.#phase = 'answering';
    this.#status = status;
    this.#framing = this.#framingOf(status, body);
    this.#keepAlive = this.#framing !== 'close' && this.#connection.mayKeepAlive(body instanceof BufferedBody);
    const length = this.#framing === 'length' ? this.#announced : null;
    const written = writeMessageFields(statusLine(status), headers, length);
    const head = endHead(written.text, added, this.#ownLines(written, body));
    if (this.#framing === 'none') {
      if (body.length !== 0) body.cancel(new ProxyError('internal', new Error('a body where none can be sent')));
      this.#connection.write(head);
      this.#finish();
    } else if (body instanceof BufferedBody && body.isInline && this.#framing === 'length') {
      this.#respondInline(head, body);
    } else {
      this.#connection.write(head);
      this.#source = body;
      body.start(this);
    }
  }

  #respondInline(head: string, body: BufferedBody): void {
    this.#sent = body.length;
    this.#connection.write(head + body.text);
    this.#finish();
  }

  #framingOf(status: number, body: BodySource): Framing {
    if (this.head.method === 'HEAD' || status === 204 || status === 304 || status < 200) return 'none';
    const { length } = body;
    if (length !== null && !(body instanceof BufferedBody && body.trailers !== null && this.head.version === '1.1')) {
      this.#announced = length;
      return 'length';
    }
    return this.head.version === '1.1' ? 'chunked' : 'close';
  }

  /** What the connection itself has to say: mostly nothing. */
  #ownLines(written: FieldsWritten, body: BodySource): string {
    const lines = (written.hasDate ? '' : this.#connection.dateLine) + this.#framingLine(written, body);
    if (written.hasUpgradeOption) return `${lines}Connection: ${this.#keepAlive ? 'Upgrade' : 'Upgrade, close'}\r\n`;
    if (!this.#keepAlive) return `${lines}Connection: close\r\n`;
    return this.head.version === '1.0' ? `${lines}Connection: keep-alive\r\n` : lines;
  }

  #framingLine(written: FieldsWritten, body: BodySource): string {
    switch (this.#framing) {
      case 'length':
        return written.hasLength ? '' : `Content-Length: ${this.#announced}\r\n`;
      case 'chunked':
        return 'Transfer-Encoding: chunked\r\n';
      case 'none':
        return this.#lengthWithoutBody(written, body);
      case 'close':
        return '';
    }
  }

  /** What the length would have been, where that may be said at all (RFC 9110 section 8.6). */
  #lengthWithoutBody(written: FieldsWritten, body: BodySource): string {
    if (this.#status === 204 || this.#status < 200) return '';
    if (written.contentLength !== null && /^\d{1,15}$/.test(written.contentLength)) {
      return `Content-Length: ${written.contentLength}\r\n`;
    }
    return this.head.method === 'HEAD' && body.length !== null && body.length > 0
      ? `Content-Length: ${body.length}\r\n`
      : '';
  }

  upgrade(status: number, headers: HeaderList, tunnel: Tunnel): void {
    if (this.#phase !== 'waiting') {
      tunnel.received.cancel(new ProxyError('internal', new Error('answered twice')));
      return;
    }
    this.#phase = 'tunnel';
    this.#status = status;
    const { text } = writeFields(statusLine(status), headers);
    const chosen = headerValue(headers, 'upgrade');
    const protocol = chosen ?? headerValue(this.head.headers, 'upgrade') ?? '';
    this.#connection.write(
      `${text}${chosen === undefined ? `Upgrade: ${protocol}\r\n` : ''}Connection: Upgrade\r\n\r\n`,
    );
    this.#connection.joinTunnel(tunnel, protocol);
  }

  tunnelEnded(error: ProxyError | null, bytesReceived: number, bytesSent: number): void {
    if (this.#phase === 'done') return;
    this.#error ??= error;
    this.#tunnelReceived = bytesReceived;
    this.#sent = bytesSent;
    if (error?.source === 'downstream') this.#observer?.aborted(error);
    this.#complete();
  }

  /** As an exchange: the gateway's own answer. As a sink: the body broke off. Either way a cut once a head has gone out. */
  fail(error: ProxyError): void {
    if (this.#phase === 'done') return;
    this.#error ??= error;
    if (this.#phase === 'waiting') {
      const { status, headers, body } = errorAnswer(error, this.id, headerValue(this.head.headers, 'content-type'));
      this.respond(status, headers, body);
      return;
    }
    // The head has gone out, so the client can only be told by cutting the connection before the body's end.
    this.#source?.cancel(error);
    this.#complete();
    // What the body had up to here is the client's, unless its end is that of the connection: some take bytes with a reset behind
    // them for all there is.
    if (this.#framing === 'chunked' || this.#framing === 'length') this.#connection.flush();
    this.#connection.cut();
  }

  /** Its request cannot be read to the end: what works for it stops, and the client is told why, if it has not been answered. */
  refuse(error: ProxyError): void {
    if (this.#phase !== 'waiting') return;
    this.#observer?.aborted(error);
    this.fail(error);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#phase === 'done') return true;
    this.#sent += chunk.length;
    if (this.#framing === 'length' && this.#sent > this.#announced) {
      this.fail(new ProxyError('internal', new Error('body longer than announced')));
      return true;
    }
    const hasRoom = this.#writeFramed(chunk);
    if (chunk.length >= bulkBytes) this.#connection.flush();
    if (!hasRoom) this.#stalled = true;
    return hasRoom;
  }

  get settled(): boolean {
    return this.#connection.isDrained;
  }

  #writeFramed(chunk: Uint8Array): boolean {
    const connection = this.#connection;
    if (this.#framing !== 'chunked') return connection.write(chunk);
    connection.write(chunkStart(chunk.length));
    connection.write(chunk);
    return connection.write('\r\n');
  }

  end(trailers: HeaderList | null): void {
    if (this.#phase === 'done') return;
    if (this.#framing === 'length' && this.#sent !== this.#announced) {
      this.fail(new ProxyError('internal', new Error('body shorter than announced')));
      return;
    }
    if (this.#framing === 'chunked') this.#connection.write(chunkedEnd(trailers));
    this.#finish();
  }

  /** The connection has room again. */
  drained(): void {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#source?.resume();
  }

  /** The client's connection is gone, or its request cannot be read to the end. Everything that works for it stops. */
  abort(error: ProxyError): void {
    if (this.#phase === 'done') return;
    this.#error ??= error;
    this.#source?.cancel(error);
    this.#phase = 'done';
    this.#observer?.aborted(error);
    this.#observer?.finished(this.#summary());
  }

  #finish(): void {
    this.#complete();
    this.#connection.answered(this.#keepAlive);
  }

  #complete(): void {
    this.#phase = 'done';
    this.#observer?.finished(this.#summary());
  }

  #summary(): ExchangeSummary {
    return {
      status: this.#status,
      error: this.#error,
      bytesReceived: this.#tunnelReceived + (this.body instanceof BufferedBody ? this.body.length : this.body.received),
      bytesSent: this.#sent,
      durationMs: performance.now() - this.startMs,
    };
  }
}
