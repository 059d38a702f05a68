import type { BodySource } from '../body.js';
import type { ProxyError } from '../errors.js';
import type { Tunnel } from '../exchange.js';
import type { FieldBlock, HeaderList, MessageFields } from '../headers.js';

/**
 * A way to one endpoint: pools its connections, sends calls, reports every failure as a ProxyError.
 * The proxy is the only caller. A transport never picks endpoints, never retries and never looks at a route.
 */
export interface Transport {
  /** Sends the call; `observer` hears of it until `replied`'s body has ended, `upgraded`, or `failed`. Never throws. */
  send(call: Call, observer: CallObserver): ActiveCall;
  /** Finishes calls in flight, then closes. No call is taken any more. */
  close(): Promise<void>;
  /** Ends everything now; calls in flight fail with `error`. */
  destroy(error: ProxyError): void;
}

/** A request ready to send: every rule about its head has been applied, save framing, which is the transport's. */
export interface Call {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Host or :authority. */
  readonly authority: string;
  /** No hop-by-hop, framing or Host fields; `connection: upgrade` semantics are in `upgrade`. HTTP/2 names are lowered by the transport. */
  readonly headers: MessageFields;
  /** Sent behind `headers`. */
  readonly added?: FieldBlock | undefined;
  readonly body: BodySource;
  /** The protocol of an Upgrade request ("websocket"), or null. */
  readonly upgrade: string | null;
  readonly timeouts: CallTimeouts;
}

/** Milliseconds; 0 is no limit. */
export interface CallTimeouts {
  readonly connectMs: number;
  readonly readMs: number;
  readonly writeMs: number;
  /** From `send` until the response head. */
  readonly perTryMs: number;
}

export interface CallObserver {
  informed(status: number, headers: HeaderList): void;
  /** The head has arrived; hop-by-hop and framing fields are already taken off. The observer starts or cancels the body. */
  replied(status: number, headers: MessageFields, body: BodySource): void;
  /** 101 (or 2xx to an extended CONNECT): the connection is the observer's now. */
  upgraded(status: number, headers: HeaderList, tunnel: Tunnel): void;
  /** No head arrived. The request body source, if it was started, has been cancelled. `error.retry` says what may follow. */
  failed(error: ProxyError): void;
}

export interface ActiveCall {
  /** Nobody waits for this call any more: free its connection or reset its stream. Nothing is reported after it. Idempotent. */
  cancel(): void;
}
