import { ProxyError } from '../../errors.js';
import type { InflateMessage } from './request.js';

/**
 * The one message of a unary reply, as a part of `body` where it is not compressed. Throws upstream_malformed for none or two
 * (ST15), for one that was cut short and for one that is compressed though nobody said how (SZ2).
 */
export function soleMessage(body: Uint8Array, inflate: InflateMessage | null, maxMessageBytes: number): Uint8Array {
  if (body.length === 0) throw malformed('no message');
  if (body.length < 5) throw malformed('a frame that was cut short');
  const isCompressed = body[0] !== 0;
  if (isCompressed && (body[0] !== 1 || inflate === null))
    throw malformed(body[0] === 1 ? 'a compressed message without grpc-encoding' : 'a frame with unknown flags');
  const end = 5 + lengthAt(body);
  if (end > body.length) throw malformed('a message that was cut short');
  if (end < body.length) throw malformed('more than one message');
  const message = body.subarray(5, end);
  return isCompressed && inflate !== null ? inflate(message, maxMessageBytes) : message;
}

function lengthAt(body: Uint8Array): number {
  const [, a = 0, b = 0, c = 0, d = 0] = body;
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}

function malformed(what: string): ProxyError {
  return new ProxyError('upstream_malformed', new Error(`the service sent ${what} to a unary call`));
}
