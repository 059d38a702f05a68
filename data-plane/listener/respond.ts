import { BufferedBody, emptyBody } from '../body.js';
import { errorTable, type ProxyError } from '../errors.js';
import { statusFields } from '../grpc/grpc.js';
import { safeFields, type HeaderList } from '../headers.js';

/** An answer that the gateway itself makes. */
export interface ErrorAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: BufferedBody;
}

/**
 * The gateway's own answer for an error, the only one there is: a google.rpc.Status as JSON, or a gRPC status without messages
 * for gRPC callers. It holds the table's text and what `detail` allows to be told, never the cause.
 */
export function errorAnswer(error: ProxyError, requestId: string, requestContentType: string | undefined): ErrorAnswer {
  const { code, message: tableMessage } = errorTable[error.kind];
  // Made of what the client sent, as a Location is.
  const detail = safeFields(error.detail.headers ?? []);
  if (isGrpc(requestContentType) && error.kind !== 'http2_required') {
    const headers = ['Content-Type', requestContentType, ...statusFields(error), ...detail];
    return { status: 200, headers, body: emptyBody };
  }
  const message = error.detail.message ?? tableMessage;
  const body = Buffer.from(JSON.stringify({ code, message, details: details(error, requestId) }));
  return {
    status: error.status,
    headers: ['Content-Type', 'application/json', 'X-Sluice-Error', error.kind, ...detail],
    body: new BufferedBody(body),
  };
}

function details(error: ProxyError, requestId: string): object[] {
  const info = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: error.kind.toUpperCase(),
    domain: 'sluice',
    metadata: { request_id: requestId },
  };
  const fieldViolations = error.detail.violations;
  if (fieldViolations === undefined || fieldViolations.length === 0) return [info];
  return [info, { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations }];
}

function isGrpc(contentType: string | undefined): contentType is string {
  return contentType !== undefined && contentType.toLowerCase().startsWith('application/grpc');
}
