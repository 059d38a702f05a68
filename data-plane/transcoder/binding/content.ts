import { ProxyError } from '../../errors.js';
import type { Profile } from '../profile.js';

export type BodyFormat = 'json' | 'protobuf';

const protobufTypes = new Set([
  'application/x-protobuf',
  'application/protobuf',
  'application/proto',
  'application/vnd.google.protobuf',
]);

/** What a Content-Type says of a body (CN1, CN2); grpc-gateway takes whatever else it is as JSON. */
export function bodyFormat(contentType: string, profile: Profile): BodyFormat {
  if (contentType === '' || contentType === 'application/json') return 'json';
  const [type = '', ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  if (protobufTypes.has(type)) return 'protobuf';
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '');
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii') {
    throw new ProxyError('unsupported_media_type', undefined, { message: 'The body must be UTF-8.' });
  }
  const isJsonType =
    type === 'application/json' || type.endsWith('+json') || (type === 'text/plain' && profile !== 'strict');
  if (isJsonType || profile === 'grpc-gateway') return 'json';
  throw new ProxyError('unsupported_media_type');
}

export function isForm(contentType: string): boolean {
  return contentType.length >= formType.length && contentType.slice(0, formType.length).toLowerCase() === formType;
}

const formType = 'application/x-www-form-urlencoded';

/** Whether an Accept takes anything that a transcoded method can answer (CN3). */
export function isAcceptable(accept: string, isStream: boolean): boolean {
  if (accept.trim() === '') return true;
  return accept.split(',').some((part) => {
    const [type = '', ...parameters] = part
      .toLowerCase()
      .split(';')
      .map((it) => it.trim());
    if (parameters.some((it) => /^q=0(\.0*)?$/.test(it))) return false;
    const isJsonType = type === '*/*' || type === 'application/*' || type === 'application/json';
    return isJsonType || (isStream ? streamTypes.has(type) : protobufTypes.has(type));
  });
}

const streamTypes = new Set(['text/event-stream', 'application/x-ndjson', 'application/ndjson', 'application/jsonl']);

/** Whether a body that has been taken was taken as JSON. */
export function isJson(contentType: string): boolean {
  return !protobufTypes.has((contentType.split(';')[0] ?? '').trim().toLowerCase());
}

/** The protobuf type that Accept names before any that JSON serves, or undefined. */
export function acceptedProtobuf(accept: string): string | undefined {
  if (!accept.includes('proto')) return undefined;
  for (const part of accept.split(',')) {
    const type = (part.split(';')[0] ?? '').trim().toLowerCase();
    if (protobufTypes.has(type)) return type;
    if (type === 'application/json' || type === '*/*' || type === 'application/*') return undefined;
  }
  return undefined;
}
