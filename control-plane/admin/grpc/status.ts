import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { Metadata, status as grpc } from '@grpc/grpc-js';

import { BadRequestSchema, ErrorInfoSchema } from '../../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../../proto/gen/google/rpc/status_pb.js';
import { code } from '../../errors.js';

import type { Status } from '../../../proto/gen/google/rpc/status_pb.js';
import type { ServiceError } from '@grpc/grpc-js';
import type { AdminCode, AdminError, FieldViolation } from '../../errors.js';

const grpcCodes: Readonly<Record<AdminCode, grpc>> = {
  [code.invalidArgument]: grpc.INVALID_ARGUMENT,
  [code.deadlineExceeded]: grpc.DEADLINE_EXCEEDED,
  [code.notFound]: grpc.NOT_FOUND,
  [code.alreadyExists]: grpc.ALREADY_EXISTS,
  [code.permissionDenied]: grpc.PERMISSION_DENIED,
  [code.resourceExhausted]: grpc.RESOURCE_EXHAUSTED,
  [code.failedPrecondition]: grpc.FAILED_PRECONDITION,
  [code.aborted]: grpc.ABORTED,
  [code.internal]: grpc.INTERNAL,
  [code.unavailable]: grpc.UNAVAILABLE,
  [code.unauthenticated]: grpc.UNAUTHENTICATED,
};

/** Trailers are header fields: gRPC implementations refuse more than 8 KiB of them, and base64 adds a third. */
const maxDetailsBytes = 5 * 1024;
const maxFieldLength = 256;
const maxTextLength = 512;

/** The error as gRPC carries it: code, message, and a google.rpc.Status with ErrorInfo and BadRequest in the trailers. */
export function toServiceError(error: AdminError): ServiceError {
  const status = toStatus(error);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, status)));
  return Object.assign(new Error(status.message), { code: grpcCodes[error.code], details: status.message, metadata });
}

/** Cut to what trailers can hold: violations from the end are left out, and the message says how many. */
export function toStatus(error: AdminError): Status {
  const kept = fitting(error.violations);
  const left = error.violations.length - kept.length;
  const message = cut(error.message, maxTextLength);
  const info = create(ErrorInfoSchema, { reason: error.reason, domain: 'sluice' });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (kept.length > 0) details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: kept })));
  return create(StatusSchema, {
    code: error.code,
    message: left === 0 ? message : `${message} (${left} more left out)`,
    details,
  });
}

function fitting(violations: readonly FieldViolation[]): FieldViolation[] {
  const kept: FieldViolation[] = [];
  let bytes = 0;
  for (const { field, description } of violations) {
    const violation = { field: cut(field, maxFieldLength), description: cut(description, maxTextLength) };
    bytes += Buffer.byteLength(violation.field) + Buffer.byteLength(violation.description) + 8;
    if (bytes > maxDetailsBytes && kept.length > 0) break;
    kept.push(violation);
  }
  return kept;
}

/** At most `length` characters, none of them a control character or half of a pair, which a header field could not carry. */
function cut(text: string, length: number): string {
  const short = text.length <= length ? text : `${text.slice(0, length)}…`;
  return short.replace(/[\p{Cc}\p{Cs}]/gu, '\uFFFD');
}
