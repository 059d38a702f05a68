import { ProxyError } from '../../errors.js';
import { parseTimeout } from '../../grpc/grpc.js';
import { headerValue, isHeader, safeValue, type HeaderList } from '../../headers.js';
import { decodeBase64, encodeBase64 } from '../codec/base64.js';

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
  'last-event-id',
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
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'x-server-timeout',
  'connect-timeout-ms',
  'connect-protocol-version',
]);
const metadataName = /^[0-9a-z_.-]+$/;

/** Under which names a field goes on as metadata; none when it does not. */
type Naming = readonly string[];
const dropped: Naming = [];

/** The naming of the fields that nearly every request has, by their usual spellings, so that few names are looked at closely. */
const usual: Readonly<Record<'prefixed' | 'plain', ReadonlyMap<string, Naming>>> = {
  prefixed: new Map(
    spellings([...permanent, ...gatewayFields, ...ownFields]).map((name) => [name, prefixedNaming(name)]),
  ),
  plain: new Map(spellings([...permanent, ...gatewayFields, ...ownFields]).map((name) => [name, plainNaming(name)])),
};

/** `x-request-id` and `X-Request-Id`. */
function spellings(lowerNames: readonly string[]): string[] {
  return lowerNames.flatMap((name) => [name, name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())]);
}

/**
 * The request metadata that header fields become: the fields must be free of hop-by-hop ones. Names that are no metadata names and values that are not ASCII are left out (HD2); a `-bin` value
 * that is not base64 is a bad_argument (HD3). Content-Type, TE and grpc-* are the call's and are not in the answer.
 */
export function addRequestMetadata(fields: HeaderList, plainNames: boolean, metadata: HeaderList): void {
  const isPrefixed = !plainNames;
  const known = isPrefixed ? usual.prefixed : usual.plain;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const names = known.get(name) ?? (isPrefixed ? prefixedNaming(name) : plainNaming(name));
    for (let n = 0; n < names.length; n++) push(metadata, names[n] as string, fields[i + 1] as string);
  }
}

function plainNaming(name: string): Naming {
  const lower = name.toLowerCase();
  return isCallers(lower) ? [lower] : dropped;
}

function prefixedNaming(name: string): Naming {
  const lower = name.toLowerCase();
  if (gatewayFields.has(lower)) return [lower];
  if (lower.startsWith('grpc-metadata-')) return plainNaming(lower.slice('grpc-metadata-'.length));
  if (!permanent.has(lower)) return dropped;
  return lower === 'authorization' ? [`grpcgateway-${lower}`, lower] : [`grpcgateway-${lower}`];
}

/** Whether callers may set metadata of this name. */
function isCallers(lowerName: string): boolean {
  return !lowerName.startsWith('grpc-') && !ownFields.has(lowerName) && metadataName.test(lowerName);
}

function push(metadata: HeaderList, name: string, value: string): void {
  if (name.endsWith('-bin')) {
    const parts = value.split(',').map((part) => rebased(name, part.trim()));
    metadata.push(name, parts.join(','));
  } else if (isAscii(value)) {
    metadata.push(name, value);
  }
}

/** Printable. Most values are short, and for those a regular expression takes three times as long. */
function isAscii(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

function rebased(name: string, value: string): string {
  const bytes = decodeBase64(value);
  if (bytes === undefined) throw headerError(name, 'is not base64');
  return encodeBase64(bytes, false);
}

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
    const timeoutMs = parseTimeout(value);
    if (timeoutMs === null) throw headerError('grpc-timeout', 'is not 1 to 8 digits and one of H, M, S, m, u, n');
    return timeoutMs;
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

/** What becomes of fields that many replies have, by prefix: null when they are dropped. */
const usualReplies = new Map(
  ['', 'Grpc-Metadata-', 'Grpc-Trailer-'].map((prefix) => {
    const names = [...notReplied, 'grpc-status', 'grpc-message', 'etag', 'last-modified', 'accept-ranges', 'vary'];
    return [prefix, new Map(names.map((name) => [name, replyName(name, prefix)]))];
  }),
);

function replyName(lowerName: string, prefix: string): string | null {
  return lowerName.startsWith('grpc-') || notReplied.has(lowerName) ? null : prefix + lowerName;
}

/**
 * The header fields of an answer: its Content-Type, and what response metadata becomes. `x-http-header-NAME` is field NAME in every profile (RS5); the rest has
 * grpc-gateway's prefix there, and its own name elsewhere (HD6). Values are given on as they are, `-bin` in its base64 (HD7).
 */
export function responseFields(metadata: HeaderList, plainNames: boolean, contentType: string): HeaderList {
  // That of an HttpBody is the service's text.
  const fields = ['Content-Type', contentType === 'application/json' ? contentType : safeValue(contentType)];
  rename(metadata, plainNames ? '' : 'Grpc-Metadata-', fields);
  return fields;
}

/** The HTTP trailer fields that gRPC trailers become; the status is not among them. */
export function trailerFields(trailers: HeaderList, plainNames: boolean): HeaderList {
  const fields: HeaderList = [];
  rename(trailers, plainNames ? '' : 'Grpc-Trailer-', fields);
  return fields;
}

function rename(metadata: HeaderList, prefix: string, fields: HeaderList): void {
  const usualNames = usualReplies.get(prefix);
  for (let i = 0; i < metadata.length; i += 2) {
    const value = metadata[i + 1] as string;
    const usualName = usualNames?.get(metadata[i] as string);
    if (usualName === undefined) renameUnusual((metadata[i] as string).toLowerCase(), value, prefix, fields);
    else if (usualName !== null) fields.push(usualName, value);
  }
}

function renameUnusual(name: string, value: string, prefix: string, fields: HeaderList): void {
  const replied = replyName(name, prefix);
  if (name.startsWith(fieldPrefix)) renameField(name.slice(fieldPrefix.length), value, fields);
  else if (replied !== null) fields.push(replied, value);
}

/** `x-http-header-content-type` takes the place of the type that the answer would have. */
function renameField(name: string, value: string, fields: HeaderList): void {
  if (name === 'content-type' && fields[0] === 'Content-Type') fields[1] = value;
  else if (/^[0-9a-z!#$%&'*+.^_`|~-]+$/.test(name) && !notReplied.has(name)) fields.push(name, value);
}

/** The HTTP status that metadata `x-http-code` asks for: 200 to 599, for calls that succeeded (RS3). */
export function statusOverride(headers: HeaderList, trailers: HeaderList): number | null {
  const text = headerValue(trailers, 'x-http-code') ?? headerValue(headers, 'x-http-code');
  return text !== undefined && /^[2-5][0-9]{2}$/.test(text) ? Number(text) : null;
}

function headerError(name: string, description: string): ProxyError {
  return new ProxyError('bad_argument', undefined, { violations: [{ field: `header ${name}`, description }] });
}
