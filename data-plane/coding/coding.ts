import type { Transform } from 'node:stream';
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createDeflate,
  createGunzip,
  createGzip,
  createInflate,
  createInflateRaw,
  deflate,
  gunzipSync,
  gzip,
  inflateSync,
  type BrotliOptions,
  type ZlibOptions,
} from 'node:zlib';
import type { BodySource } from '../body.js';
import { ProxyError } from '../errors.js';
import type { ContentCoding } from './accept.js';
import { TransformBody } from './transform-body.js';

export { chosenCoding, type ContentCoding } from './accept.js';
export { codingFor, encodedFields } from './answers.js';

/** For Accept-Encoding: what `decodedBody` knows. */
export const acceptedCodings = 'gzip, deflate, br';

/**
 * The body without its content coding (CP1), or null for a coding that is not known. Of a bomb no more is inflated than the sink
 * takes: it must have a limit of its own. A body that is not what the coding says fails with bad_request.
 */
export function decodedBody(coding: string, body: BodySource): BodySource | null {
  const make = decoders[coding.toLowerCase()];
  if (make === undefined) return null;
  const message = `The body is not ${coding.toLowerCase().slice(0, 10)}.`;
  return new TransformBody(body, {
    make,
    failure: (cause) => new ProxyError('bad_request', cause, { message }),
  });
}

const decoders: Readonly<Record<string, ((first: Uint8Array) => Transform) | undefined>> = {
  __proto__: null as never,
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  // RFC 9110 section 8.4.1.2: some senders leave out the zlib header, whose first byte says "deflate" in its low half.
  deflate: ([first = 0]) => ((first & 0x0f) === 8 ? createInflate() : createInflateRaw()),
  br: () => createBrotliDecompress(),
};

/** Brotli's own default is for files that are compressed once. */
const brotliOptions: BrotliOptions = {
  params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 18 },
};

/** The bytes in the coding. `done` is called later, off this turn. */
export function encodeBytes(
  coding: ContentCoding,
  bytes: Uint8Array,
  done: (error: Error | null, encoded: Uint8Array) => void,
): void {
  if (coding === 'gzip') gzip(bytes, done);
  else if (coding === 'deflate') deflate(bytes, done);
  else brotliCompress(bytes, brotliOptions, done);
}

/** The body in the coding, each chunk of it as soon as it comes. */
export function encodedBody(coding: ContentCoding, body: BodySource): BodySource {
  return new TransformBody(body, {
    make: () => encoder(coding),
    failure: (cause) => new ProxyError('internal', cause),
  });
}

function encoder(coding: ContentCoding): Transform {
  if (coding === 'gzip') return createGzip({ flush: constants.Z_SYNC_FLUSH });
  if (coding === 'deflate') return createDeflate({ flush: constants.Z_SYNC_FLUSH });
  return createBrotliCompress({ ...brotliOptions, flush: constants.BROTLI_OPERATION_FLUSH });
}

/** Inflates one gRPC message to at most `maxBytes`; throws upstream_too_large or upstream_malformed. */
export type InflateMessage = (message: Uint8Array, maxBytes: number) => Uint8Array;

/** For grpc-accept-encoding: what `messageInflater` knows. */
export const acceptedGrpcEncodings = 'identity,gzip,deflate';

/** How messages with this grpc-encoding are inflated (CP3); null when it is not known. */
export function messageInflater(encoding: string): InflateMessage | null {
  if (encoding === 'gzip') return (message, maxBytes) => inflated(gunzipSync, message, maxBytes);
  if (encoding === 'deflate') return (message, maxBytes) => inflated(inflateSync, message, maxBytes);
  return null;
}

function inflated(
  inflate: (bytes: Uint8Array, options: ZlibOptions) => Uint8Array,
  message: Uint8Array,
  maxBytes: number,
): Uint8Array {
  try {
    return inflate(message, { maxOutputLength: Math.max(1, maxBytes) });
  } catch (error) {
    const isTooLarge = error instanceof RangeError;
    throw new ProxyError(isTooLarge ? 'upstream_too_large' : 'upstream_malformed', error);
  }
}
