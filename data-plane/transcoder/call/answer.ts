import { BufferedBody } from '../../body.js';
import { grpcCodeNames, grpcCodeOfHttp } from '../../grpc/grpc.js';
import { errorTable, type ProxyError } from '../../errors.js';
import { headerValue, type HeaderList } from '../../headers.js';
import { soleMessage } from './framing.js';
import { responseFields, statusOverride, trailerFields } from './metadata.js';
import { indented, wantsPretty } from './pretty.js';
import { queryOf, type Answer, type InflateMessage, type TranscodedRequest } from './request.js';
import { httpStatusOf, readStatus, detailsJson, statusFields, statusJson, type GrpcStatus } from './status.js';

const utf8 = new TextEncoder();

/** The answer to a reply that must hold one message. Throws upstream_malformed when it does not. */
export function unaryAnswer(
  request: TranscodedRequest,
  headers: HeaderList,
  body: Uint8Array,
  trailers: HeaderList,
  inflate: InflateMessage | null,
): Answer {
  const status = readStatus(trailers) ?? readStatus(headers) ?? noStatus;
  if (status.code !== 0) return statusAnswer(request, status, headers, trailers);
  const { response, habits } = request.binding;
  const override = habits.statusFromMetadata ? statusOverride(headers, trailers) : null;
  const content = response.toAnswer(
    soleMessage(body, inflate, request.maxMessageBytes),
    headerValue(request.headers, 'accept') ?? '',
  );
  const isPretty =
    habits.prettyPrint && content.contentType === 'application/json' && wantsPretty(queryOf(request.target));
  const fields = trailersFor(request, trailers);
  const plain = new BufferedBody(content.body, fields);
  return {
    status: override ?? (response.isNoContent ? 204 : 200),
    headers: answerFields(request, headers, content.contentType),
    body: isPretty ? new BufferedBody(indented(plain.bytes), fields) : plain,
    grpcCode: 0,
  };
}

/** The answer to a call that ended with a status; `write` makes its body of the status as JSON. */
export function statusAnswer(
  request: TranscodedRequest,
  status: GrpcStatus,
  headers: HeaderList,
  trailers: HeaderList,
  write: (status: string) => string = (text) => text,
): Answer {
  const { errorFormat } = request.binding.habits;
  const text = errorFormat === 'status' ? write(statusText(request, status)) : errorText(request, status, errorFormat);
  const fields = answerFields(
    request,
    headers,
    errorFormat === 'problem' ? 'application/problem+json' : 'application/json',
  );
  fields.push(...statusFields(status, [...headers, ...trailers]));
  return {
    status: httpStatusOf(status.code),
    headers: fields,
    body: new BufferedBody(utf8.encode(text), trailersFor(request, trailers)),
    grpcCode: status.code,
  };
}

/** A google.rpc.Status as JSON, its details as far as the schema knows them. */
export function statusText({ binding }: TranscodedRequest, status: GrpcStatus): string {
  return statusJson(status, (typeUrl, value) => binding.response.printAny(typeUrl, value));
}

function errorText(request: TranscodedRequest, status: GrpcStatus, format: 'aip-193' | 'problem'): string {
  const name = JSON.stringify(grpcCodeNames[status.code] ?? 'UNKNOWN');
  const message = JSON.stringify(status.message);
  const details = detailsJson(status, (typeUrl, value) => request.binding.response.printAny(typeUrl, value));
  const httpStatus = httpStatusOf(status.code);
  return format === 'aip-193'
    ? `{"error":{"code":${httpStatus},"message":${message},"status":${name},"details":${details}}}`
    : `{"type":"about:blank","title":${name},"status":${httpStatus},"detail":${message},"details":${details}}`;
}

/** What the gateway itself has to say, as a google.rpc.Status in JSON, for a place in a stream. */
export function gatewayStatus({ kind, detail }: ProxyError): string {
  const { code, message } = errorTable[kind];
  const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: kind.toUpperCase(), domain: 'sluice' };
  const fieldViolations = detail.violations ?? [];
  const fields =
    fieldViolations.length === 0 ? [] : [{ '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations }];
  return JSON.stringify({ code, message: detail.message ?? message, details: [info, ...fields] });
}

/** The answer's fields: Content-Type, which metadata may replace, and what else metadata becomes. */
export function answerFields({ binding }: TranscodedRequest, metadata: HeaderList, contentType: string): HeaderList {
  return responseFields(metadata, binding.habits.plainMetadataNames, contentType);
}

export function trailersFor(request: TranscodedRequest, trailers: HeaderList): HeaderList | null {
  if (!request.takesTrailers) return null;
  const fields = trailerFields(trailers, request.binding.habits.plainMetadataNames);
  return fields.length === 0 ? null : fields;
}

/** A service that ends a call without a status (ER7). */
export const noStatus: GrpcStatus = { code: 2, message: 'The service ended the call without a status.', details: [] };

/** The status of an answer that is not gRPC. */
export function notGrpc(status: number): GrpcStatus {
  const message =
    status === 200
      ? 'The service sent an answer that is not gRPC.'
      : `The service answered with HTTP status ${status}.`;
  return { code: grpcCodeOfHttp(status), message, details: [] };
}
