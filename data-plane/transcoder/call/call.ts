import { BufferedBody, emptyBody, type BodySink, type BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import { headerValue, type HeaderList } from '../../headers.js';
import type { Binding } from '../binding/binding.js';
import { soleMessage } from './framing.js';
import { Gather } from './gather.js';
import { callerTimeoutMs, requestMetadata, responseFields, statusOverride, trailerFields } from './metadata.js';
import { grpcCodeOf, httpStatusOf, readStatus, statusFields, statusJson, type GrpcStatus } from './status.js';

export interface TranscodedRequest {
  readonly binding: Binding;
  /** Raw text of each path variable, in the order of the template. */
  readonly variables: readonly string[];
  /** As the client sent it, with the query. */
  readonly target: string;
  /** Free of hop-by-hop fields, with the gateway's own X-Forwarded-* added. */
  readonly headers: HeaderList;
  readonly body: BodySource;
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
  readonly body: BodySource;
  /** What the caller allows in its headers; null when it says nothing. */
  readonly timeoutMs: number | null;
}

/** What to answer the client: a message, or the status that the service ended the call with. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: BodySource;
  /** 0, or the gRPC code of the failure; for the log. */
  readonly grpcCode: number;
}

export interface CallReadiness {
  ready(call: GrpcCall): void;
  failed(error: ProxyError): void;
}

export interface ReplyObserver {
  answered(answer: Answer): void;
  failed(error: ProxyError): void;
}

/** Stops what a step is reading; its observer hears nothing more. Idempotent. */
export interface Cancel {
  cancel(error: ProxyError): void;
}

/**
 * Makes the gRPC call of an HTTP request: gathers the body where the binding has one (up to the limit) and transcodes it.
 * Exactly one of `ready` and `failed` is called, perhaps within this call. A body that the binding does not use is read and
 * dropped, so that the client's going away is noticed (BD4).
 */
export function prepareCall(request: TranscodedRequest, observer: CallReadiness): Cancel {
  const { method } = request.binding;
  if (method.clientStreaming || method.serverStreaming) {
    observer.failed(new ProxyError('not_implemented'));
    return nothingToCancel;
  }
  const observe = {
    gathered: (body: Uint8Array): void => {
      let call: GrpcCall;
      try {
        call = unaryCall(request, body);
      } catch (error) {
        observer.failed(asProxyError(error));
        return;
      }
      observer.ready(call);
    },
    failed: (error: ProxyError): void => observer.failed(error),
  };
  if (!request.binding.request.usesBody) {
    request.body.start(drain);
    observe.gathered(emptyBody.bytes);
    return { cancel: (error) => request.body.cancel(error) };
  }
  const gather = new Gather(request.body, request.maxMessageBytes, 'payload_too_large', observe);
  gather.start();
  return gather;
}

function unaryCall(request: TranscodedRequest, body: Uint8Array): GrpcCall {
  const { binding, target } = request;
  const queryAt = target.indexOf('?');
  const bound = binding.request.bind(request.variables, queryAt < 0 ? '' : target.slice(queryAt + 1));
  const frame = binding.request.frame(bound, body, headerValue(request.headers, 'content-type') ?? '');
  const headers: HeaderList = ['te', 'trailers', 'content-type', 'application/grpc'];
  const metadata = requestMetadata(request.headers, binding.profile);
  if (headerValue(metadata, 'user-agent') === undefined) headers.push('user-agent', 'sluice');
  headers.push(...metadata);
  return {
    target: binding.method.path,
    headers,
    body: new BufferedBody(frame),
    timeoutMs: callerTimeoutMs(request.headers),
  };
}

/**
 * Makes the answer of a gRPC reply: gathers its message and status and transcodes them. Exactly one of `answered` and
 * `failed` is called, perhaps within this call; a status that is not OK is an answer, not a failure.
 */
export function readReply(
  request: TranscodedRequest,
  status: number,
  headers: HeaderList,
  body: BodySource,
  observer: ReplyObserver,
): Cancel {
  if (status !== 200 || !isGrpc(headers)) {
    body.cancel(new ProxyError('upstream_malformed'));
    observer.answered(statusAnswer(request, headers, notGrpc(status)));
    return nothingToCancel;
  }
  const gather = new Gather(body, request.maxMessageBytes + 5, 'upstream_too_large', {
    gathered: (bytes, trailers) => {
      let answer: Answer;
      try {
        answer = unaryAnswer(request, headers, bytes, trailers ?? []);
      } catch (error) {
        observer.failed(asProxyError(error));
        return;
      }
      observer.answered(answer);
    },
    failed: (error) => observer.failed(error),
  });
  gather.start();
  return gather;
}

function unaryAnswer(request: TranscodedRequest, headers: HeaderList, body: Uint8Array, trailers: HeaderList): Answer {
  const status = readStatus(trailers) ?? readStatus(headers) ?? noStatus;
  if (status.code !== 0) return statusAnswer(request, headers, status, trailers);
  const { contentType, body: content } = request.binding.response.toContent(soleMessage(body));
  const { profile } = request.binding;
  const fields = responseFields(headers, profile);
  if (headerValue(fields, 'content-type') === undefined) fields.unshift('Content-Type', contentType);
  return {
    status: statusOverride(headers, trailers) ?? 200,
    headers: fields,
    body: new BufferedBody(content, trailersFor(request, trailers)),
    grpcCode: 0,
  };
}

function statusAnswer(
  request: TranscodedRequest,
  headers: HeaderList,
  status: GrpcStatus,
  trailers: HeaderList = [],
): Answer {
  const { binding } = request;
  const json = statusJson(status, (typeUrl, value) => binding.response.printAny(typeUrl, value));
  const fields: HeaderList = ['Content-Type', 'application/json'];
  fields.push(...responseFields(headers, binding.profile), ...statusFields(status, [...headers, ...trailers]));
  return {
    status: httpStatusOf(status.code),
    headers: fields,
    body: new BufferedBody(new TextEncoder().encode(json), trailersFor(request, trailers)),
    grpcCode: status.code,
  };
}

function trailersFor(request: TranscodedRequest, trailers: HeaderList): HeaderList | null {
  if (!request.takesTrailers) return null;
  const fields = trailerFields(trailers, request.binding.profile);
  return fields.length === 0 ? null : fields;
}

/** A service that ends a call without a status (ER7). */
const noStatus: GrpcStatus = { code: 2, message: 'The service ended the call without a status.', details: [] };

function notGrpc(status: number): GrpcStatus {
  const message =
    status === 200
      ? 'The service sent an answer that is not gRPC.'
      : `The service answered with HTTP status ${status}.`;
  return { code: grpcCodeOf(status), message, details: [] };
}

function isGrpc(headers: HeaderList): boolean {
  const type = headerValue(headers, 'content-type') ?? '';
  return type === 'application/grpc' || /^application\/grpc([+;]|$)/i.test(type);
}

function asProxyError(error: unknown): ProxyError {
  return error instanceof ProxyError ? error : new ProxyError('internal', error);
}

const nothingToCancel: Cancel = { cancel: () => {} };

const drain: BodySink = { write: () => true, end: () => {}, fail: () => {} };
