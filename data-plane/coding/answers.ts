import { headerValue, isHeader, type HeaderList } from '../headers.js';
import { chosenCoding, type ContentCoding } from './accept.js';

/** Below this a compressed answer is hardly shorter, and may be longer. */
const minBytes = 1_024;

/**
 * The coding that an answer is to have (CP2): one that the client takes, where the answer is text, and long enough or of a length
 * that nobody knows yet (`length` null). Null for none.
 */
export function codingFor(
  status: number,
  headers: HeaderList,
  length: number | null,
  requestFields: HeaderList,
): ContentCoding | null {
  if (length !== null && length < minBytes) return null;
  const accepted = headerValue(requestFields, 'accept-encoding');
  if (accepted === undefined || status === 204 || status === 206 || status === 304) return null;
  if (!isText(headerValue(headers, 'content-type') ?? '')) return null;
  if (/\bno-transform\b/i.test(headerValue(headers, 'cache-control') ?? '')) return null;
  return chosenCoding(accepted);
}

function isText(contentType: string): boolean {
  return /^(text\/|application\/(json|x-ndjson|ndjson|jsonl|xml|javascript)\b|[^;]+\+(json|xml)\b|image\/svg)/i.test(
    contentType,
  );
}

/** The fields of an answer in the coding. A strong ETag, which says that the bytes are the same, becomes a weak one (RFC 9110 section 8.8.1). */
export function encodedFields(headers: HeaderList, coding: ContentCoding): HeaderList {
  const fields = headers.map((text, i) => {
    const isStrong = i % 2 === 1 && isHeader(headers[i - 1] as string, 'etag') && !text.startsWith('W/');
    return isStrong ? `W/${text}` : text;
  });
  fields.push('Content-Encoding', coding, 'Vary', 'Accept-Encoding');
  return fields;
}
