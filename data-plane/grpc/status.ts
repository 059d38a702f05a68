import { errorTable, type ProxyError } from '../errors.js';
import { headerValue, type HeaderList } from '../headers.js';

/** The google.rpc.Code names, by number. */
export const grpcCodeNames = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

export const grpcCode = { cancelled: 1, unknown: 2, deadlineExceeded: 4 } as const;

/** The gRPC code of an answer that is not gRPC, by its HTTP status. */
export function grpcCodeOfHttp(status: number): number {
  switch (status) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return grpcCode.unknown;
  }
}

/** The code that trailers (or the head of an answer without messages) tell; null when they tell none. */
export function statusCodeIn(fields: HeaderList): number | null {
  const text = headerValue(fields, 'grpc-status');
  if (text === undefined) return null;
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : grpcCode.unknown;
}

/** DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS: the service's state and not the caller's request is the reason. */
export function isServiceFault(code: number): boolean {
  return code === 4 || code === 13 || code === 14 || code === 15;
}

/** How an error of the gateway is told to a gRPC caller: as trailers, or in the head of an answer without messages. */
export function statusFields({ kind, detail, grpcCode: code }: ProxyError): HeaderList {
  const text = percentEncoded(detail.message ?? errorTable[kind].message);
  return ['grpc-status', String(code), 'grpc-message', text, 'x-sluice-error', kind];
}

/** `application/grpc`, perhaps with a codec or parameters, and not gRPC-Web. */
export function isGrpcType(contentType: string): boolean {
  return contentType === 'application/grpc' || /^application\/grpc(?:[+;]|$)/i.test(contentType);
}

const utf8 = new TextEncoder();

/** The encoding of grpc-message: UTF-8, with everything but printable ASCII and `%` itself as %XX. */
function percentEncoded(message: string): string {
  return message.replace(/[^\x20-\x24\x26-\x7e]+/g, (part) =>
    Array.from(utf8.encode(part), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}
