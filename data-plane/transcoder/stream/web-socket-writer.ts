import type { BodySource } from '../../body.js';
import { errorTable, ProxyError } from '../../errors.js';
import { headerValue, type HeaderList } from '../../headers.js';
import { closeFrame, messageHeader } from '../../wire/websocket/websocket.js';
import { gatewayStatus, noStatus, statusText } from '../call/answer.js';
import type { TranscodedRequest } from '../call/request.js';
import { readStatus } from '../call/status.js';
import type { ReplyWriter } from './reply-stream.js';
import type { WebSocketOutput } from './web-socket-output.js';

const utf8 = new TextEncoder();

/** The frames that a reply becomes: each of its messages is one, in protobuf where Accept asks for it and else as text. */
export class WebSocketWriter implements ReplyWriter {
  readonly heartbeat = null;
  readonly #request: TranscodedRequest;
  readonly #headers: HeaderList;
  readonly #output: WebSocketOutput;
  readonly #owner: { ended(code: number): void };
  readonly #accept: string;
  #messages = 0;

  constructor(
    request: TranscodedRequest,
    headers: HeaderList,
    output: WebSocketOutput,
    owner: { ended(code: number): void },
  ) {
    this.#owner = owner;
    this.#request = request;
    this.#headers = headers;
    this.#output = output;
    this.#accept = headerValue(request.headers, 'accept') ?? '';
  }

  message(message: Uint8Array, _isFirst: boolean, texts: Uint8Array[]): void {
    const { response, method, habits } = this.#request.binding;
    if (++this.#messages > 1 && !method.serverStreaming) {
      throw new ProxyError('upstream_malformed', new Error('the service sent more than one message'));
    }
    const { body, contentType } = response.toContent(message, this.#accept);
    const isJson = !response.isHttpBody && contentType === 'application/json';
    const isWrapped = isJson && method.serverStreaming && habits.streamFormat === 'wrapped';
    const parts = isWrapped ? [resultStart, body, resultEnd] : [body];
    texts.push(
      messageHeader(
        parts.reduce((sum, part) => sum + part.length, 0),
        isJson,
      ),
    );
    for (const part of parts) if (part.length > 0) texts.push(part);
  }

  begin(body: BodySource): void {
    this.#output.follow(body);
  }

  endedEmpty(trailers: HeaderList | null): void {
    this.#output.finish(this.#endFrames(trailers));
  }

  failedEmpty(error: ProxyError): void {
    this.#output.finish(this.failure(error));
  }

  closing(trailers: HeaderList | null): { bytes: Uint8Array; trailers: null } {
    return { bytes: this.#endFrames(trailers), trailers: null };
  }

  failure(error: ProxyError): Uint8Array {
    this.#owner.ended(errorTable[error.kind].grpcCode);
    return failureFrames(error);
  }

  #endFrames(trailers: HeaderList | null): Uint8Array {
    const status = readStatus(trailers ?? []) ?? (this.#messages === 0 ? readStatus(this.#headers) : null) ?? noStatus;
    this.#owner.ended(status.code);
    if (status.code !== 0) return statusFrames(statusText(this.#request, status), status.code, status.message);
    if (this.#messages === 0 && !this.#request.binding.method.serverStreaming) {
      return this.failure(new ProxyError('upstream_malformed'));
    }
    return closeFrame(1_000, '');
  }
}

const resultStart = utf8.encode('{"result":');
const resultEnd = utf8.encode('}');

/** A message with the error, and the close frame. */
export function failureFrames(error: ProxyError): Uint8Array {
  const { code, message } = errorTable[error.kind];
  return statusFrames(gatewayStatus(error), code, error.detail.message ?? message);
}

export function statusFrames(status: string, code: number, message: string): Uint8Array {
  const text = utf8.encode(`{"error":${status}}`);
  const header = messageHeader(text.length, true);
  const close = closeFrame(4_000 + Math.min(code, 999), message);
  const frames = new Uint8Array(header.length + text.length + close.length);
  frames.set(header);
  frames.set(text, header.length);
  frames.set(close, header.length + text.length);
  return frames;
}
