import type { BodySource } from './body.js';
import { ProxyError } from './errors.js';
import type { Exchange, RequestHead } from './exchange.js';
import { forwardCall, type Outgoing } from './forward.js';
import {
  CallReply,
  grpcCode,
  grpcCodeOfHttp,
  isGrpcType,
  isWebType,
  parseTimeout,
  statusCodeIn,
  webCall,
  type WebCall,
} from './grpc/grpc.js';
import { headerValue, type HeaderList } from './headers.js';
import type { Match } from './router/router.js';
import type { RouteTarget } from './runtime/runtime.js';
import type { ClientFacts } from './shape.js';
import type { Binding } from './transcoder/transcoder.js';

export interface PassedCallObserver {
  /** The call to send, and the milliseconds that the caller gives it; `replied` is to be called with its reply. */
  call(outgoing: Outgoing, timeoutMs: number | null): void;
  passed(status: number, headers: HeaderList, body: BodySource): void;
  /** The call's outcome, before the client hears of it. */
  ended(code: number): void;
  broken(error: ProxyError): void;
}

/**
 * One gRPC call that goes through as it is: only its head and the status at its end are looked at, never a message. A call of
 * gRPC-Web becomes one.
 */
export class PassedCall {
  readonly #exchange: Exchange;
  readonly #web: WebCall | null;
  readonly #observer: PassedCallObserver;
  #reply: CallReply | null = null;

  /** Throws for a request that is no gRPC call. */
  constructor(exchange: Exchange, observer: PassedCallObserver) {
    this.#exchange = exchange;
    this.#web = webCall(exchange.head, exchange.body);
    requireCall(exchange.head, this.#web !== null);
    this.#observer = observer;
  }

  /** Throws for a malformed time limit. */
  start(match: Match<RouteTarget>, facts: ClientFacts): void {
    const { id, head, body } = this.#exchange;
    const timeoutMs = callerTimeoutMs(head);
    const native = this.#web === null ? { id, head, body } : { id, head: this.#web.head, body: this.#web.body };
    this.#observer.call(forwardCall(native, match, facts), timeoutMs);
  }

  replied(status: number, headers: HeaderList, body: BodySource): void {
    const isCall = isGrpcType(headerValue(headers, 'content-type') ?? '');
    if (status === 200 && body.length !== 0 && isCall) {
      this.#reply = new CallReply(body, this.#observer, statusCodeIn(headers));
      this.#pass(status, headers, this.#reply, this.#web);
      return;
    }
    // A status without messages, or no gRPC at all: clients know what to make of either.
    const code = status === 200 ? (statusCodeIn(headers) ?? grpcCode.unknown) : grpcCodeOfHttp(status);
    this.#observer.ended(code);
    this.#pass(status, headers, body, isCall ? this.#web : null);
  }

  #pass(status: number, headers: HeaderList, body: BodySource, web: WebCall | null): void {
    const reply = web === null ? { headers, body } : web.reply(headers, body);
    this.#observer.passed(status, reply.headers, reply.body);
  }

  /** Ends a reply that has begun with the error as its status; false when none has. */
  fail(error: ProxyError): boolean {
    return this.#reply?.breakOff(error) ?? false;
  }

  answerFor(error: ProxyError): ProxyError {
    return error;
  }

  cancel(): void {}
}

/** A transcoded route takes JSON under the names of its gRPC methods too, and gRPC calls come there as well. */
export function isNativeCall({ target, headers }: RequestHead, { method }: Binding): boolean {
  const contentType = headerValue(headers, 'content-type') ?? '';
  return target === method.path && (isGrpcType(contentType) || isWebType(contentType));
}

function requireCall({ method, version, headers }: RequestHead, isWeb: boolean): void {
  if (!isWeb && !isGrpcType(headerValue(headers, 'content-type') ?? '')) {
    throw new ProxyError('unsupported_media_type', undefined, {
      message: 'The route takes gRPC calls, with content-type application/grpc over HTTP/2 or application/grpc-web.',
    });
  }
  if (!isWeb && version !== '2') {
    throw new ProxyError('http2_required', undefined, { headers: ['Connection', 'Upgrade', 'Upgrade', 'HTTP/2.0'] });
  }
  if (method !== 'POST') throw new ProxyError('method_not_allowed', undefined, { headers: ['Allow', 'POST'] });
}

function callerTimeoutMs({ headers }: RequestHead): number | null {
  const text = headerValue(headers, 'grpc-timeout');
  if (text === undefined) return null;
  const timeoutMs = parseTimeout(text);
  if (timeoutMs !== null) return timeoutMs;
  throw new ProxyError('bad_argument', undefined, {
    message: 'grpc-timeout is not 1 to 8 digits and one of H, M, S, m, u, n.',
  });
}
