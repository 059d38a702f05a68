/**
 * Everything that can go wrong with a request, in one table. A new kind is a new row here and a line in docs/errors.md.
 *
 * `source` says whose fault it is; `retry` whether another attempt is safe: `if-unsent` means that no byte of the request
 * left, so any method may be tried again; `idempotent` that the request may have been processed; `no` never.
 */
export type ErrorSource = 'downstream' | 'upstream' | 'gateway';
export type Retry = 'no' | 'if-unsent' | 'idempotent';

interface ErrorRow {
  readonly source: ErrorSource;
  readonly retry: Retry;
  /** The HTTP status of the answer. */
  readonly status: number;
  /** google.rpc.Code of the answer's body. */
  readonly code: number;
  /** Fixed text for the caller; the cause goes to the log only. */
  readonly message: string;
  /** The grpc-status to gRPC callers: the code, save where gRPC itself has another for the same. */
  readonly grpcCode: number;
}

const row = (
  source: ErrorSource,
  retry: Retry,
  status: number,
  code: number,
  message: string,
  grpcCode = code,
): ErrorRow => ({ source, retry, status, code, message, grpcCode });

export const errorTable = {
  bad_request: row('downstream', 'no', 400, 3, 'The request is malformed.'),
  bad_path: row('downstream', 'no', 400, 3, 'The path has a dot segment or a malformed escape.'),
  bad_argument: row('downstream', 'no', 400, 3, 'The request does not fit the method it calls.'),
  no_route: row('downstream', 'no', 404, 5, 'No route matches this request.', 12),
  method_not_allowed: row('downstream', 'no', 405, 12, 'No route takes this method here; see Allow.'),
  request_timeout: row('downstream', 'no', 408, 4, 'The request did not arrive in time.'),
  payload_too_large: row('downstream', 'no', 413, 8, 'The request body is larger than the route takes.'),
  uri_too_long: row('downstream', 'no', 414, 3, 'The request target is too long.'),
  unsupported_media_type: row('downstream', 'no', 415, 3, 'The route does not take a body of this type.'),
  expectation_failed: row('downstream', 'no', 417, 3, 'The expectation cannot be met.'),
  https_required: row('downstream', 'no', 426, 9, 'Please use HTTPS protocol'),
  http2_required: row('downstream', 'no', 426, 9, 'gRPC needs HTTP/2.'),
  headers_too_large: row('downstream', 'no', 431, 3, 'The request head is too large.', 8),
  client_closed: row('downstream', 'no', 499, 1, 'The client went away.'),
  not_implemented: row('downstream', 'no', 501, 12, 'The gateway does not support this kind of request.'),
  version_not_supported: row('downstream', 'no', 505, 3, 'The gateway does not speak this HTTP version.'),
  connect_failed: row('upstream', 'if-unsent', 502, 14, 'No connection to the service could be made.'),
  connect_timeout: row('upstream', 'if-unsent', 504, 14, 'The service did not accept a connection in time.'),
  tls_failed: row('upstream', 'if-unsent', 502, 14, 'The TLS handshake with the service failed.'),
  upstream_unsent: row(
    'upstream',
    'if-unsent',
    502,
    14,
    'The service closed the connection before the request was sent.',
  ),
  upstream_reset: row('upstream', 'idempotent', 502, 14, 'The service closed the connection before it answered.'),
  upstream_malformed: row('upstream', 'no', 502, 13, 'The service sent an answer that cannot be read.'),
  upstream_too_large: row('upstream', 'no', 502, 8, 'The service sent an answer that is too large.'),
  upstream_timeout: row('upstream', 'idempotent', 504, 4, 'The service did not answer in time.'),
  request_deadline: row('upstream', 'no', 504, 4, 'The request was not answered within its time limit.'),
  no_endpoint: row('gateway', 'no', 503, 14, 'The service has no endpoint that can take the request.'),
  pool_exhausted: row('gateway', 'if-unsent', 503, 14, 'All connections to the service are busy.'),
  overloaded: row('gateway', 'no', 503, 14, 'The gateway is at its limit.'),
  draining: row('gateway', 'no', 503, 14, 'The gateway is shutting down.'),
  no_config: row('gateway', 'no', 503, 14, 'The gateway has no configuration yet.'),
  internal: row('gateway', 'no', 500, 13, 'The gateway failed.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorKind = keyof typeof errorTable;

/** What a caller may read beyond the fixed text: never a body value, never an address. */
export interface ErrorDetail {
  /** Replaces the table's message. */
  readonly message?: string;
  /** Becomes google.rpc.BadRequest in the body. */
  readonly violations?: readonly { readonly field: string; readonly description: string }[];
  /** Extra header fields of the answer, such as Allow or Location. */
  readonly headers?: readonly string[];
  /** Replaces the table's status, for redirects. */
  readonly status?: number;
  /** Replaces the table's code to gRPC callers. */
  readonly grpcCode?: number;
}

/** A failed request. Adapters make one of these of a library's error at their own edge; nobody reads `err.code` further in. */
export class ProxyError extends Error {
  readonly kind: ErrorKind;
  readonly detail: ErrorDetail;

  /** Only faults of our own have a stack: gathering it is 10 µs, more than all else that a refused request costs. */
  constructor(kind: ErrorKind, cause?: unknown, detail: ErrorDetail = {}) {
    const { stackTraceLimit } = Error;
    if (kind !== 'internal') Error.stackTraceLimit = 0;
    super(kind, cause === undefined ? undefined : { cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'ProxyError';
    this.kind = kind;
    this.detail = detail;
  }

  get source(): ErrorSource {
    return errorTable[this.kind].source;
  }

  get retry(): Retry {
    return errorTable[this.kind].retry;
  }

  get grpcCode(): number {
    return this.detail.grpcCode ?? errorTable[this.kind].grpcCode;
  }

  get status(): number {
    return this.detail.status ?? errorTable[this.kind].status;
  }
}

/** A fault that nobody expected is one of the gateway. */
export function asProxyError(error: unknown): ProxyError {
  return error instanceof ProxyError ? error : new ProxyError('internal', error);
}
