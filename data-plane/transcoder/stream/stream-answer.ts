import { BufferedBody, type BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import { headerValue, type HeaderList } from '../../headers.js';
import type { ResponseContent } from '../binding/response.js';
import { answerFields, gatewayStatus, noStatus, statusAnswer, statusText, trailersFor } from '../call/answer.js';
import { statusOverride } from '../call/metadata.js';
import type { Answer, TranscodedRequest } from '../call/request.js';
import { readStatus, type GrpcStatus } from '../call/status.js';
import { streamFormat, type StreamFormat } from './format.js';
import type { ReplyWriter } from './reply-stream.js';

/** Hears of the answer to a streaming call once its head is known. */
interface AnswerObserver {
  answered(answer: Answer): void;
  failed(error: ProxyError): void;
}

const utf8 = new TextEncoder();
const newline = utf8.encode('\n');
const nothing = new Uint8Array(0);

/**
 * The words and the head of the answer to a server-streaming call, in the format that the client asks for or the profile has.
 * A stream of HttpBody is a download: its bytes stand for themselves, with the type of the first message.
 */
export class StreamAnswer implements ReplyWriter {
  readonly #request: TranscodedRequest;
  /** Of the service's reply; none before it. */
  #headers: HeaderList = [];
  readonly #observer: AnswerObserver;
  readonly #format: StreamFormat;
  readonly #before: Uint8Array;
  readonly #after: Uint8Array;
  readonly #separator: Uint8Array;
  readonly heartbeat: ReplyWriter['heartbeat'];
  #content: ResponseContent | null = null;
  #isOpen = false;

  constructor(request: TranscodedRequest, observer: AnswerObserver) {
    this.#request = request;
    this.#observer = observer;
    this.#format = streamFormat(headerValue(request.headers, 'accept') ?? '', request.binding.habits);
    this.#before = utf8.encode(this.#format.before);
    this.#after = utf8.encode(this.#format.after);
    this.#separator = utf8.encode(this.#format.separator);
    const { heartbeatMs } = request.binding.habits;
    const beats = heartbeatMs > 0 && !request.binding.response.isHttpBody;
    const text = utf8.encode(this.#format.heartbeat);
    this.heartbeat = beats ? { text, start: (beat) => request.clock.pulse(heartbeatMs, beat) } : null;
  }

  replied(headers: HeaderList): void {
    this.#headers = headers;
  }

  message(message: Uint8Array, isFirst: boolean, texts: Uint8Array[]): void {
    const { response } = this.#request.binding;
    const content = response.toContent(message, '');
    if (isFirst) this.#content = content;
    if (response.isHttpBody) {
      if (content.body.length > 0) texts.push(content.body);
      if (this.#request.binding.habits.profile === 'grpc-gateway') texts.push(newline);
      return;
    }
    if (isFirst) texts.push(this.#opening());
    else texts.push(this.#separator);
    texts.push(this.#before, content.body, this.#after);
  }

  #opening(): Uint8Array {
    this.#isOpen = true;
    return utf8.encode(this.#format.opening);
  }

  begin(body: BodySource): void {
    const { response } = this.#request.binding;
    const contentType = response.isHttpBody ? (this.#content?.contentType ?? '') : this.#format.contentType;
    this.#observer.answered(this.#success(contentType, body));
  }

  endedEmpty(trailers: HeaderList | null): void {
    const status = readStatus(trailers ?? []) ?? readStatus(this.#headers) ?? noStatus;
    if (status.code !== 0) {
      const write = this.#request.binding.response.isHttpBody ? undefined : this.#format.onlyError;
      this.#observer.answered(statusAnswer(this.#request, status, this.#headers, trailers ?? [], write));
      return;
    }
    const isHttpBody = this.#request.binding.response.isHttpBody;
    const text = isHttpBody ? '' : this.#format.opening + this.#format.closing;
    const body = new BufferedBody(utf8.encode(text), trailersFor(this.#request, trailers ?? []));
    this.#observer.answered(this.#success(isHttpBody ? 'application/octet-stream' : this.#format.contentType, body));
  }

  failedEmpty(error: ProxyError): void {
    this.#observer.failed(error);
  }

  closing(trailers: HeaderList | null): { bytes: Uint8Array; trailers: HeaderList | null } | ProxyError {
    // An answer that a heartbeat began may have a reply without messages behind it, whose head is its end.
    const atOnce = this.#content === null ? readStatus(this.#headers) : null;
    const status = readStatus(trailers ?? []) ?? atOnce ?? noStatus;
    const { isHttpBody } = this.#request.binding.response;
    if (status.code === 0) {
      const opening = this.#isOpen ? '' : this.#format.opening;
      const bytes = isHttpBody ? nothing : utf8.encode(opening + this.#format.closing);
      return { bytes, trailers: this.#trailers(trailers ?? [], status) };
    }
    const bytes = this.#errorText(statusText(this.#request, status));
    if (bytes === null) {
      return new ProxyError(
        'upstream_reset',
        new Error(`the service ended its stream with gRPC status ${status.code}`),
      );
    }
    return { bytes, trailers: this.#trailers(trailers ?? [], status) };
  }

  failure(error: ProxyError): Uint8Array | null {
    return this.#errorText(gatewayStatus(error));
  }

  #errorText(status: string): Uint8Array | null {
    const { error } = this.#format;
    return error === null || this.#request.binding.response.isHttpBody ? null : utf8.encode(error(status));
  }

  #success(contentType: string, body: BodySource): Answer {
    const fields = answerFields(this.#request, this.#headers, contentType);
    if (contentType === 'text/event-stream') fields.push('Cache-Control', 'no-cache');
    return { status: this.#status(), headers: fields, body, grpcCode: 0 };
  }

  #status(): number {
    const { statusFromMetadata } = this.#request.binding.habits;
    return (statusFromMetadata ? statusOverride(this.#headers, []) : null) ?? 200;
  }

  /** The status goes along, so that a client that reads trailers need not look into the body. */
  #trailers(trailers: HeaderList, status: GrpcStatus): HeaderList | null {
    if (!this.#request.takesTrailers) return null;
    return ['grpc-status', String(status.code), ...(trailersFor(this.#request, trailers) ?? [])];
  }
}
