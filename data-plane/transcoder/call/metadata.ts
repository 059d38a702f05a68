import { ProxyError } from '../../errors.js';
import { headerValue, isHeader, type HeaderList } from '../../headers.js';
import { decodeBase64, encodeBase64 } from '../codec/base64.js';
import type { Profile } from '../profile.js';

/** The header fields that grpc-gateway passes on under its prefix (HD1). */
const permanent = new Set([
  'accept',
  'accept-charset',
  'accept-language',
  'accept-ranges',
  'authorization',
  'cache-control',
  'content-type',
  'cookie',
  'date',
  'expect',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-schedule-tag-match',
  'if-unmodified-since',
  'max-forwards',
  'origin',
  'pragma',
  'referer',
  'user-agent',
  'via',
  'warning',
]);
/** What the gateway itself says of the request, and trace context: under their own names in every profile (HD5, HD13). */
const gatewayFields = new Set([
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-real-ip',
  'x-request-id',
  'forwarded',
  'traceparent',
  'tracestate',
  'baggage',
]);
/** Fields that describe the HTTP message and not the call, or that the gRPC request has of its own. */
const ownFields = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'accept-encoding',
  'te',
  'host',
  'expect',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'proxy-connection',
  'proxy-authorization',
  'http2-settings',
  'x-server-timeout',
  'connect-timeout-ms',
  'connect-protocol-version',
]);
const metadataName = /^[0-9a-z_.-]+$/;
const metadataValue = /^[\x20-\x7e]*$/;

/**
 * The request metadata that header fields become: the fields must be free of hop-by-hop ones and carry the gateway's own
 * X-Forwarded-* already. Names that are no metadata names and values that are not ASCII are left out (HD2); a `-bin` value
 * that is not base64 is a bad_argument (HD3). Content-Type, TE and grpc-* are the call's and are not in the answer.
 */
export function requestMetadata(fields: HeaderList, profile: Profile): HeaderList {
  const metadata: HeaderList = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] as string).toLowerCase();
    const value = fields[i + 1] as string;
    if (gatewayFields.has(name)) push(metadata, name, value);
    else if (profile === 'grpc-gateway') pushPrefixed(metadata, name, value);
    else if (!ownFields.has(name)) push(metadata, name, value);
  }
  return metadata;
}

function pushPrefixed(metadata: HeaderList, name: string, value: string): void {
  if (name.startsWith('grpc-metadata-')) {
    push(metadata, name.slice('grpc-metadata-'.length), value);
    return;
  }
  if (!permanent.has(name)) return;
  push(metadata, `grpcgateway-${name}`, value);
  if (name === 'authorization') push(metadata, name, value);
}

function push(metadata: HeaderList, name: string, value: string): void {
  if (name.startsWith('grpc-') || ownFields.has(name) || !metadataName.test(name)) return;
  if (name.endsWith('-bin'))
    metadata.push(
      name,
      value
        .split(',')
        .map((part) => rebased(name, part.trim()))
        .join(','),
    );
  else if (metadataValue.test(value)) metadata.push(name, value);
}

function rebased(name: string, value: string): string {
  const bytes = decodeBase64(value);
  if (bytes === undefined) throw headerError(name, 'is not base64');
  return encodeBase64(bytes, false);
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * The time that the caller gives the call, in milliseconds: the shortest of Grpc-Timeout, X-Server-Timeout (seconds) and
 * Connect-Timeout-Ms; null when there is none. A malformed one is a bad_argument (HD8).
 */
export function callerTimeoutMs(fields: HeaderList): number | null {
  let shortest: number | null = null;
  for (let i = 0; i < fields.length; i += 2) {
    const timeoutMs = timeoutOf(fields[i] as string, fields[i + 1] as string);
    if (timeoutMs !== null && (shortest === null || timeoutMs < shortest)) shortest = timeoutMs;
  }
  return shortest;
}

function timeoutOf(name: string, value: string): number | null {
  if (isHeader(name, 'grpc-timeout')) {
    const parts = /^([0-9]{1,8})([HMSmun])$/.exec(value);
    if (parts === null) throw headerError('grpc-timeout', 'is not 1 to 8 digits and one of H, M, S, m, u, n');
    return Number(parts[1]) * (unitMs[parts[2] as string] as number);
  }
  if (isHeader(name, 'x-server-timeout')) {
    if (!/^[0-9]{1,9}(\.[0-9]{1,9})?$/.test(value)) throw headerError('x-server-timeout', 'is not a number of seconds');
    return Number(value) * 1_000;
  }
  if (isHeader(name, 'connect-timeout-ms')) {
    if (!/^[0-9]{1,10}$/.test(value)) throw headerError('connect-timeout-ms', 'is not 1 to 10 digits');
    return Number(value);
  }
  return null;
}

/** A grpc-timeout value of at most eight digits, never longer than `timeoutMs` and never zero. */
export function grpcTimeout(timeoutMs: number): string {
  const micros = Math.max(1, Math.floor(timeoutMs * 1_000));
  if (micros < 1e8) return `${micros}u`;
  if (timeoutMs < 1e8) return `${Math.floor(timeoutMs)}m`;
  return `${Math.min(99_999_999, Math.floor(timeoutMs / 1_000))}S`;
}

/** Metadata that is about HTTP or gRPC itself and has no place in the answer's fields. */
const notReplied = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'proxy-authenticate',
  'proxy-connection',
  'date',
  'server',
  'x-http-code',
  'www-authenticate',
]);
const fieldPrefix = 'x-http-header-';

/**
 * The header fields that response metadata becomes. `x-http-header-NAME` is field NAME in every profile (RS5); the rest has
 * grpc-gateway's prefix there, and its own name elsewhere (HD6). Values are given on as they are, `-bin` in its base64 (HD7).
 */
export function responseFields(metadata: HeaderList, profile: Profile): HeaderList {
  return renamed(metadata, profile === 'grpc-gateway' ? 'Grpc-Metadata-' : '');
}

/** The HTTP trailer fields that gRPC trailers become; the status is not among them. */
export function trailerFields(trailers: HeaderList, profile: Profile): HeaderList {
  return renamed(trailers, profile === 'grpc-gateway' ? 'Grpc-Trailer-' : '');
}

function renamed(metadata: HeaderList, prefix: string): HeaderList {
  const fields: HeaderList = [];
  for (let i = 0; i < metadata.length; i += 2) {
    const name = (metadata[i] as string).toLowerCase();
    const value = metadata[i + 1] as string;
    if (name.startsWith(fieldPrefix)) {
      const plain = name.slice(fieldPrefix.length);
      if (/^[0-9a-z!#$%&'*+.^_`|~-]+$/.test(plain) && !notReplied.has(plain)) fields.push(plain, value);
      else if (plain === 'content-type') fields.push(plain, value);
    } else if (!name.startsWith('grpc-') && !notReplied.has(name)) {
      fields.push(prefix + name, value);
    }
  }
  return fields;
}

/** The HTTP status that metadata `x-http-code` asks for: 200 to 599, for calls that succeeded (RS3). */
export function statusOverride(headers: HeaderList, trailers: HeaderList): number | null {
  const text = headerValue(trailers, 'x-http-code') ?? headerValue(headers, 'x-http-code');
  return text !== undefined && /^[2-5][0-9]{2}$/.test(text) ? Number(text) : null;
}

function headerError(name: string, description: string): ProxyError {
  return new ProxyError('bad_argument', undefined, { violations: [{ field: `header ${name}`, description }] });
}
