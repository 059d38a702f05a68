import type { BodySource } from './body.js';
import type { ProxyError } from './errors.js';
import type { Exchange } from './exchange.js';
import { headerValue, type HeaderList } from './headers.js';
import type { Match } from './router/router.js';
import type { RouteTarget } from './runtime/runtime.js';
import { upstreamHeaders, type ClientFacts } from './shape.js';
import {
  prepareCall,
  readReply,
  type Answer,
  type Binding,
  type Cancel,
  type GrpcCall,
  type Reply,
  type TranscodedRequest,
} from './transcoder/transcoder.js';
import { hasToken, stripHopByHop } from './upstream/hop-by-hop.js';

/** Bytes of one message, either way. */
const maxMessageBytes = 4 * 1024 * 1024;

export interface TranscodedObserver {
  /** The gRPC call to send; `replied` is to be called with its reply. */
  call(call: GrpcCall): void;
  answered(answer: Answer): void;
  /** There is neither a call nor an answer, but this. */
  broken(error: ProxyError): void;
}

/** One request of a transcoded route: what the proxy sends to the service, and what it answers of what comes back. */
export class TranscodedExchange {
  readonly #request: TranscodedRequest;
  readonly #observer: TranscodedObserver;
  /** The client's body is being read. */
  #preparing: Cancel | null = null;
  #reply: Reply | null = null;

  constructor(
    { head, body, id }: Exchange,
    match: Match<RouteTarget>,
    facts: ClientFacts,
    binding: Binding,
    observer: TranscodedObserver,
  ) {
    this.#observer = observer;
    this.#request = {
      binding,
      variables: match.variables(),
      target: head.target,
      headers: upstreamHeaders(stripHopByHop(head.headers), head, facts, id, ''),
      body,
      maxMessageBytes,
      takesTrailers: hasToken(headerValue(head.headers, 'te') ?? '', 'trailers'),
    };
  }

  start(): void {
    this.#preparing = prepareCall(this.#request, {
      ready: (call) => {
        this.#preparing = null;
        this.#observer.call(call);
      },
      failed: (error) => this.#observer.broken(error),
    });
  }

  replied(status: number, headers: HeaderList, body: BodySource): void {
    this.#reply = readReply(this.#request, status, headers, body, {
      answered: (answer) => this.#observer.answered(answer),
      failed: (error) => this.#observer.broken(error),
    });
  }

  /** Ends an answer that has begun with what the error is, where its format can tell (ST4); false when no answer has begun. */
  fail(error: ProxyError): boolean {
    return this.#reply?.fail(error) ?? false;
  }

  /** Stops reading, either way. */
  cancel(error: ProxyError): void {
    this.#preparing?.cancel(error);
    this.#preparing = null;
    this.#reply?.cancel(error);
    this.#reply = null;
  }
}
