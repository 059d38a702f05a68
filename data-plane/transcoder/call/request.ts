import type { BodySource } from '../../body.js';
import type { FieldBlock, HeaderList } from '../../headers.js';
import type { Binding } from '../binding/binding.js';
import type { CallBlocks } from './call-blocks.js';

/** Compression, which is not for a pure room to do. */
export interface Codings {
  /** For Accept-Encoding. */
  readonly acceptedCodings: string;
  /** The body without its content coding, or null for one that is not known (CP1). */
  decodedBody(coding: string, body: BodySource): BodySource | null;
  /** For grpc-accept-encoding. */
  readonly acceptedGrpcEncodings: string;
  /** How messages with this grpc-encoding are inflated, or null when that is not known (CP3). */
  messageInflater(encoding: string): InflateMessage | null;
}

/** Inflates one message to at most `maxBytes`; throws upstream_too_large or upstream_malformed. */
export type InflateMessage = (message: Uint8Array, maxBytes: number) => Uint8Array;

/** Time, which is not for a pure room to have. */
export interface Clock {
  pulse(ms: number, beat: () => void): Pulse;
}

/** Beats whenever so long has passed since it was made or touched last. */
export interface Pulse {
  touch(): void;
  stop(): void;
}

export interface TranscodedRequest {
  readonly binding: Binding;
  /** Raw text of each path variable, in the order of the template. */
  readonly variables: readonly string[];
  /** As the client sent it. */
  readonly method: string;
  /** As the client sent it, with the query. */
  readonly target: string;
  /** Free of hop-by-hop fields. */
  readonly headers: HeaderList;
  /** What the gateway itself says of the request: X-Forwarded-* and the like. */
  readonly added: FieldBlock;
  readonly blocks: CallBlocks;
  readonly body: BodySource;
  readonly codings: Codings;
  readonly clock: Clock;
  /** Of one message, either way. */
  readonly maxMessageBytes: number;
  /** The client sent `TE: trailers`, so trailers may be sent to it. */
  readonly takesTrailers: boolean;
}

/** The gRPC request to send: always POST. */
export interface GrpcCall {
  readonly target: string;
  /** Without grpc-timeout, which each attempt adds (grpcTimeout). */
  readonly headers: HeaderList;
  readonly added: FieldBlock;
  /** In memory for one message; otherwise it can be sent once only. */
  readonly body: BodySource;
  /** What the caller allows in its headers; null when it says nothing. */
  readonly timeoutMs: number | null;
}

/** What to answer the client: messages, or the status that the service ended the call with. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: BodySource;
  /** 0, or the gRPC code of the failure; for the log. A stream may still end with another; null before the service has replied. */
  readonly grpcCode: number | null;
}

/** The query of a target, without its question mark. */
export function queryOf(target: string): string {
  const queryAt = target.indexOf('?');
  return queryAt < 0 ? '' : target.slice(queryAt + 1);
}
