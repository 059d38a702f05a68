/**
 * How snapshots travel between the planes: small messages at most once, and questions with one answer. What is lost is found out
 * and repaired by those who talk over it (sync and follow); a bus never stores or repeats anything.
 * Adapters: nats.ts between processes, memory.ts within one. One contract suite (test/contract/bus.contract.ts) covers both.
 */
export interface Bus {
  readonly state: BusState;
  /** The largest message that `publish` takes. A guess until the first connection. */
  readonly maxPayloadBytes: number;
  /** Calls `changed` after each change of `state`; the returned function ends that. */
  onState(changed: (state: BusState) => void): () => void;
  /**
   * Sends without waiting. Dropped silently unless connected: a message from before an outage is worth nothing after it.
   * Messages of one bus on one subject arrive in order. A bus never hears its own messages. Throws BusError `too-large`.
   */
  publish(subject: string, message: Uint8Array): void;
  /** `*` in `subject` stands for one token, a final `>` for one or more. With `queue`, one subscriber of that queue gets each message. */
  subscribe(subject: string, handler: MessageHandler, options?: { readonly queue?: string }): Subscription;
  /** Answers requests as one of the members of `queue`. A rejection reaches the caller as BusError `failed`, without its text. */
  serve(subject: string, queue: string, handler: RequestHandler): Subscription;
  /** One answer, or a BusError; an aborted signal rejects with its reason. */
  request(subject: string, message: Uint8Array, options: RequestOptions): Promise<Uint8Array>;
  /** Resolves when the other side has processed all that was published and subscribed before. Rejects with BusError unless connected. */
  flush(): Promise<void>;
  /** Sends what is queued if that takes no longer than a moment, then ends for good. */
  close(): Promise<void>;
}

export type BusState = 'connected' | 'disconnected' | 'closed';

/** Bytes are shared with other receivers: nobody may change them. A handler must not throw; if it does, the adapter logs it. */
export type MessageHandler = (message: Uint8Array, subject: string) => void;
export type RequestHandler = (message: Uint8Array) => Promise<Uint8Array>;

export interface Subscription {
  /** The handler is not called any more once this returns. */
  close(): void;
}

export interface RequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Where adapters report what callers cannot see: refused subscriptions, throwing handlers, lost connections. */
export interface BusLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

/** `no-responders`: nobody serves the subject · `failed`: who serves it could not answer · the rest say themselves. */
export type BusErrorKind = 'timeout' | 'no-responders' | 'failed' | 'disconnected' | 'closed' | 'too-large';

export class BusError extends Error {
  readonly kind: BusErrorKind;

  constructor(kind: BusErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'BusError';
    this.kind = kind;
  }
}

export { maxEnvelopeBytes, open, openLarge, protocolVersion, seal, sealLarge, sealPlain } from './envelope.js';
export { subjectsOf } from './subjects.js';
export type { Opened } from './envelope.js';
export type { Subjects } from './subjects.js';
