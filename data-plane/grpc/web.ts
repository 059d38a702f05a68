import type { BodySink, BodySource } from '../body.js';
import { ProxyError } from '../errors.js';
import type { RequestHead } from '../exchange.js';
import { headerValue, type HeaderList } from '../headers.js';

/**
 * gRPC-Web as clients in browsers speak it (PROTOCOL-WEB.md of gRPC): the messages of gRPC with the status behind them as one more
 * frame, over any version of HTTP; `-text` has all of it in base64.
 */
export interface WebCall {
  /** The gRPC call that the request stands for. */
  readonly head: RequestHead;
  readonly body: BodySource;
  /** The reply as the client reads it. One without messages says its status in the head, as in gRPC. */
  reply(headers: HeaderList, body: BodySource): { readonly headers: HeaderList; readonly body: BodySource };
}

const webType = /^application\/grpc-web(-text)?(\+[^;\s]+)?\s*(?:;|$)/i;

export function isWebType(contentType: string): boolean {
  return webType.test(contentType);
}

/** Null for a request that is no gRPC-Web call. */
export function webCall(head: RequestHead, body: BodySource): WebCall | null {
  const type = webType.exec(headerValue(head.headers, 'content-type') ?? '');
  if (type === null) return null;
  const isText = type[1] !== undefined;
  const native = `application/grpc${type[2] ?? ''}`;
  const wantsText = wantedText(head.headers) ?? isText;
  return {
    head: { ...head, headers: nativeFields(head.headers, native), lines: null },
    body: isText && body.length !== 0 ? new FromBase64(body) : body,
    reply: (headers, replyBody) => ({
      headers: webFields(headers, wantsText),
      body: replyBody.length === 0 ? replyBody : new WithTrailerFrame(replyBody, wantsText),
    }),
  };
}

/** Whether the client asks for base64, for whatever it has sent itself; null when it does not say. */
function wantedText(fields: HeaderList): boolean | null {
  const accept = /application\/grpc-web(-text)?/i.exec(headerValue(fields, 'accept') ?? '');
  return accept === null ? null : accept[1] !== undefined;
}

/** Content-Type and the fields that only clients of gRPC-Web send are exchanged for gRPC's. */
function nativeFields(fields: HeaderList, contentType: string): HeaderList {
  const native: HeaderList = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] as string).toLowerCase();
    if (name === 'content-type') native.push(fields[i] as string, contentType);
    else if (name !== 'x-grpc-web' && name !== 'te') native.push(fields[i] as string, fields[i + 1] as string);
  }
  return native;
}

/** A type that is not gRPC's is no gRPC reply, and is left alone. */
function webFields(fields: HeaderList, isText: boolean): HeaderList {
  return fields.map((text, i) =>
    i % 2 === 1 && (fields[i - 1] as string).toLowerCase() === 'content-type'
      ? text.replace(/^application\/grpc(?=[+;]|$)/i, isText ? 'application/grpc-web-text' : 'application/grpc-web')
      : text,
  );
}

/** The messages of a reply and, when it ends, a frame with its trailers. */
class WithTrailerFrame implements BodySource, BodySink {
  readonly length = null;
  readonly #source: BodySource;
  readonly #isText: boolean;
  #sink: BodySink | null = null;

  constructor(source: BodySource, isText: boolean) {
    this.#source = source;
    this.#isText = isText;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.#source.start(this);
  }

  resume(): void {
    this.#source.resume();
  }

  cancel(reason: ProxyError): void {
    this.#source.cancel(reason);
  }

  get settled(): boolean {
    return this.#isText || this.#sink?.settled === true;
  }

  /** Each chunk is padded, so that a message can be read when it has come and not with the next. */
  write(chunk: Uint8Array): boolean {
    return (this.#sink as BodySink).write(this.#isText ? toBase64(chunk) : chunk);
  }

  end(trailers: HeaderList | null): void {
    this.write(trailerFrame(trailers ?? []));
    this.#sink?.end(null);
  }

  fail(error: ProxyError): void {
    this.#sink?.fail(error);
  }
}

const trailerFlag = 0x80;

/** Field lines of HTTP/1 behind the prefix of a message, whose first bit says what they are. */
function trailerFrame(trailers: HeaderList): Uint8Array {
  let text = '';
  for (let i = 0; i < trailers.length; i += 2)
    text += `${(trailers[i] as string).toLowerCase()}: ${trailers[i + 1]}\r\n`;
  const frame = Buffer.allocUnsafe(5 + text.length);
  frame[0] = trailerFlag;
  frame.writeUInt32BE(text.length, 1);
  frame.write(text, 5, 'latin1');
  return frame;
}

/** A request's messages out of base64, which may be padded anywhere that a chunk of the client's ended. */
class FromBase64 implements BodySource, BodySink {
  readonly length = null;
  readonly settled = true;
  readonly #source: BodySource;
  #sink: BodySink | null = null;
  /** Less than one group of four. */
  #rest = '';

  constructor(source: BodySource) {
    this.#source = source;
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    this.#source.start(this);
  }

  resume(): void {
    this.#source.resume();
  }

  cancel(reason: ProxyError): void {
    this.#source.cancel(reason);
    this.#sink = null;
  }

  write(chunk: Uint8Array): boolean {
    const text = this.#rest + asBuffer(chunk).toString('latin1');
    const whole = text.length - (text.length % 4);
    this.#rest = text.slice(whole);
    const bytes = fromBase64(text.slice(0, whole));
    if (bytes === null) {
      this.#refuse();
      return true;
    }
    return bytes.length === 0 || (this.#sink?.write(bytes) ?? true);
  }

  end(): void {
    if (this.#rest !== '') this.#refuse();
    else this.#sink?.end(null);
  }

  fail(error: ProxyError): void {
    this.#sink?.fail(error);
  }

  #refuse(): void {
    const error = new ProxyError('bad_argument', undefined, { message: 'The body is not base64.' });
    const sink = this.#sink;
    this.#sink = null;
    this.#source.cancel(error);
    sink?.fail(error);
  }
}

const groups = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)*$/;

/** Null for what is not base64 in whole groups. */
function fromBase64(text: string): Uint8Array | null {
  if (!groups.test(text)) return null;
  if (!text.includes('=')) return Buffer.from(text, 'base64');
  // Padding ends a part and not the body.
  const parts = text.match(/[^=]+={0,2}/g) ?? [];
  return Buffer.concat(parts.map((part) => Buffer.from(part, 'base64')));
}

function toBase64(bytes: Uint8Array): Uint8Array {
  return Buffer.from(asBuffer(bytes).toString('base64'), 'latin1');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
