import { METHODS } from 'node:http';
import { valuesOf } from './canonical.js';
import type { Message } from './reading.js';

/** Whether node may refuse a message that we forward. Each excuse is as narrow as it can be, and in docs/fuzzing.md with its reason. */
export function isExcused(message: Message, code: string): boolean {
  switch (code) {
    case 'HPE_INVALID_METHOD':
    case 'HPE_INVALID_CONSTANT':
      // RFC 9110 section 9.1: a method is any token. Node knows a list of them, and begins to read RTSP's.
      return !METHODS.includes(message.method);
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
      return hasEqualLengths(message) || framesInTrailers(message);
    case 'HPE_INVALID_CONTENT_LENGTH':
    case 'HPE_INVALID_TRANSFER_ENCODING':
    // What node says when it refuses anything of a request that asks for an upgrade.
    case 'bytes behind an upgrade':
      return framesInTrailers(message);
    default:
      return false;
  }
}

/** RFC 9112 section 6.3, item 5: one length said twice is forwarded as said once. */
export function hasEqualLengths({ fields }: Message): boolean {
  const lengths = valuesOf(fields, 'content-length');
  return lengths.length > 1 && lengths.every((length) => /^\d+$/.test(length) && Number(length) === Number(lengths[0]));
}

/** RFC 9110 section 6.5.1: framing fields among trailers mean nothing and are dropped. */
export function framesInTrailers({ trailers }: Message): boolean {
  return valuesOf(trailers, 'content-length').length + valuesOf(trailers, 'transfer-encoding').length > 0;
}
