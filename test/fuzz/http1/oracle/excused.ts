import { METHODS } from 'node:http';
import { valuesOf } from './canonical.js';
import type { Message } from './reading.js';

/**
 * Why node may refuse a request that we forward, or null when it may not. Each excuse is as narrow as it can be, and in
 * docs/fuzzing.md with its reason. `raw` is what the client sent.
 */
export function excusedRefusal(message: Message, code: string, raw: string): string | null {
  switch (code) {
    case 'HPE_INVALID_METHOD':
    case 'HPE_INVALID_CONSTANT':
      return METHODS.includes(message.method) ? null : "RFC 9110 section 9.1: a method is any token; node knows a list of them, and of RTSP's";
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
      if (areEqualRepeats(valuesOf(message.fields, 'content-length'))) return 'RFC 9112 section 6.3, item 5: one length said twice is forwarded as said once';
      return framesInTrailers(message);
    case 'HPE_INVALID_CONTENT_LENGTH':
      return framesInTrailers(message);
    case 'HPE_INVALID_TRANSFER_ENCODING':
      return hasTabBehindCoding(raw) ? 'RFC 9110 section 5.5: a tab behind a value is not part of it' : framesInTrailers(message);
    default:
      return null;
  }
}

export function areEqualRepeats(lengths: readonly string[]): boolean {
  return lengths.length > 1 && lengths.every((length) => /^\d+$/.test(length) && Number(length) === Number(lengths[0]));
}

function framesInTrailers({ trailers }: Message): string | null {
  const framing = valuesOf(trailers, 'content-length').length + valuesOf(trailers, 'transfer-encoding').length;
  return framing > 0 ? 'RFC 9110 section 6.5.1: framing fields among trailers mean nothing and are dropped' : null;
}

/** RFC 9110 section 5.5 has blanks and tabs behind a value not be part of it; node takes the tab for a part of the coding's name. */
export function hasTabBehindCoding(raw: string): boolean {
  return /\ntransfer-encoding:[ \t]*chunked *\t[ \t]*\r\n/i.test(raw);
}
