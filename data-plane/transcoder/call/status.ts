import { fromBinary } from '@bufbuild/protobuf';
import { StatusSchema, type Status } from '../../../proto/gen/google/rpc/status_pb.js';
import { RetryInfoSchema } from '../../../proto/gen/google/rpc/error_details_pb.js';
import { headerValue, type HeaderList } from '../../headers.js';
import { decodeBase64, encodeBase64 } from '../codec/base64.js';

/** What a gRPC server said of the outcome in its trailers. */
export interface GrpcStatus {
  /** As sent, even above 16; 2 (UNKNOWN) when it was no number. */
  readonly code: number;
  readonly message: string;
  /** Details of grpc-status-details-bin: packed Any messages. */
  readonly details: Status['details'];
}

/** Prints a message as JSON text, or answers undefined when its type is unknown or its bytes do not fit. */
export type AnyPrinter = (typeUrl: string, value: Uint8Array) => string | undefined;

const httpStatuses = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401] as const;

/** The HTTP status of a gRPC status; a code that nobody knows is 500 (ER1). */
export function httpStatusOf(code: number): number {
  return httpStatuses[code] ?? 500;
}

const ok: GrpcStatus = { code: 0, message: '', details: [] };

/** Reads grpc-status and its companions; null when the fields hold none. */
export function readStatus(fields: HeaderList): GrpcStatus | null {
  const text = headerValue(fields, 'grpc-status');
  if (text === undefined) return null;
  if (text === '0') return ok;
  const code = /^[0-9]{1,9}$/.test(text) ? Number(text) : 2;
  if (code === 0) return ok;
  const encoded = headerValue(fields, 'grpc-status-details-bin');
  return { code, message: decodeMessage(headerValue(fields, 'grpc-message') ?? ''), details: readDetails(encoded) };
}

/**
 * The google.rpc.Status as JSON. A detail whose type the schema does not know keeps its bytes, in base64, so that an error is
 * never lost for want of a descriptor.
 */
export function statusJson(status: GrpcStatus, printAny: AnyPrinter): string {
  const details = detailsJson(status, printAny);
  return `{"code":${status.code},"message":${JSON.stringify(status.message)},"details":${details}}`;
}

export function detailsJson(status: GrpcStatus, printAny: AnyPrinter): string {
  const details = status.details.map(({ typeUrl, value }) => {
    const known = printAny(typeUrl, value);
    if (known !== undefined) return known;
    return `{"@type":${JSON.stringify(typeUrl)},"value":"${encodeBase64(value, true)}"}`;
  });
  return `[${details.join(',')}]`;
}

/** Header fields that an error status brings: WWW-Authenticate on 401 (ER9), Retry-After from a RetryInfo (ER10). */
export function statusFields(status: GrpcStatus, metadata: HeaderList): HeaderList {
  const fields: HeaderList = [];
  const httpStatus = httpStatusOf(status.code);
  if (httpStatus === 401) {
    const challenge = headerValue(metadata, 'www-authenticate') || headerSafe(status.message) || 'Bearer';
    fields.push('WWW-Authenticate', challenge);
  }
  const retrySeconds = httpStatus === 429 || httpStatus === 503 ? retryAfter(status) : undefined;
  if (retrySeconds !== undefined) fields.push('Retry-After', String(retrySeconds));
  return fields;
}

function retryAfter(status: GrpcStatus): number | undefined {
  const detail = status.details.find((it) => it.typeUrl.endsWith('/google.rpc.RetryInfo'));
  if (detail === undefined) return undefined;
  try {
    const delay = fromBinary(RetryInfoSchema, detail.value).retryDelay;
    if (delay === undefined) return undefined;
    return Math.max(0, Number(delay.seconds) + (delay.nanos > 0 ? 1 : 0));
  } catch {
    return undefined;
  }
}

function headerSafe(text: string): string {
  return /^[\x20-\x7e]+$/.test(text) ? text.trim() : '';
}

function readDetails(encoded: string | undefined): Status['details'] {
  if (encoded === undefined) return [];
  const bytes = decodeBase64(encoded);
  if (bytes === undefined) return [];
  try {
    return fromBinary(StatusSchema, bytes).details;
  } catch {
    return [];
  }
}

/** Percent-decodes grpc-message; an escape that is none stays as it stands (ER4). */
function decodeMessage(raw: string): string {
  if (!raw.includes('%') && /^[\x20-\x7e]*$/.test(raw)) return raw;
  const bytes: number[] = [];
  for (let i = 0; i < raw.length; i++) {
    const escape = raw.slice(i + 1, i + 3);
    if (raw[i] === '%' && /^[0-9A-Fa-f]{2}$/.test(escape)) {
      bytes.push(Number.parseInt(escape, 16));
      i += 2;
    } else {
      bytes.push(raw.charCodeAt(i));
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
