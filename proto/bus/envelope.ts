import { promisify } from 'node:util';
import { brotliCompress, brotliCompressSync, brotliDecompress, brotliDecompressSync, constants } from 'node:zlib';

import { create, fromBinary, toBinary } from '@bufbuild/protobuf';

import { Codec, EnvelopeSchema } from '../gen/sluice/v1/snapshot_pb.js';

import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Envelope } from '../gen/sluice/v1/snapshot_pb.js';

export const protocolVersion = 1;

/** What a sealed message may grow to when opened; a larger one is refused, whatever it claims to be. */
export const maxEnvelopeBytes = 256 * 1024 * 1024;

/** Bodies below this do not shrink enough to be worth the time. */
const compressFromBytes = 1024;
/** Quality 1 beats gzip at any level on configs, in size and in time. */
const fast = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const limited = { maxOutputLength: maxEnvelopeBytes };

const compressAsync = promisify(brotliCompress);
const decompressAsync = promisify(brotliDecompress);

/** The message, or a sentence that says why it cannot be had: bad input from the wire is data, never an exception. */
export type Opened<T> = { readonly message: T } | { readonly fault: string };

/** Bytes for the bus. For messages up to some tens of kB: it compresses on the spot. */
export function seal<D extends DescMessage>(schema: D, message: MessageShape<D>): Uint8Array {
  const body = toBinary(schema, message);
  if (body.length < compressFromBytes) return wrap(schema, Codec.IDENTITY, body);
  return wrap(schema, Codec.BROTLI, brotliCompressSync(body, fast));
}

/** As `seal`, for a message whose content is compressed already. */
export function sealPlain<D extends DescMessage>(schema: D, message: MessageShape<D>): Uint8Array {
  return wrap(schema, Codec.IDENTITY, toBinary(schema, message));
}

/** As `seal`, compressing off the event loop. */
export async function sealLarge<D extends DescMessage>(schema: D, message: MessageShape<D>): Promise<Uint8Array> {
  const body = toBinary(schema, message);
  if (body.length < compressFromBytes) return wrap(schema, Codec.IDENTITY, body);
  return wrap(schema, Codec.BROTLI, await compressAsync(body, fast));
}

/** The message of a sealed one, if it is a `schema`. */
export function open<D extends DescMessage>(schema: D, bytes: Uint8Array): Opened<MessageShape<D>> {
  try {
    const envelope = unwrap(schema, bytes);
    const body = envelope.codec === Codec.BROTLI ? plain(brotliDecompressSync(envelope.body, limited)) : envelope.body;
    return { message: fromBinary(schema, body) };
  } catch (error) {
    return { fault: faultOf(schema, error) };
  }
}

/** As `open`, decompressing off the event loop. */
export async function openLarge<D extends DescMessage>(schema: D, bytes: Uint8Array): Promise<Opened<MessageShape<D>>> {
  try {
    const envelope = unwrap(schema, bytes);
    const body = envelope.codec === Codec.BROTLI ? plain(await decompressAsync(envelope.body, limited)) : envelope.body;
    return { message: fromBinary(schema, body) };
  } catch (error) {
    return { fault: faultOf(schema, error) };
  }
}

function wrap(schema: DescMessage, codec: Codec, body: Uint8Array): Uint8Array {
  return toBinary(EnvelopeSchema, create(EnvelopeSchema, { protocolVersion, codec, type: schema.typeName, body }));
}

function unwrap(schema: DescMessage, bytes: Uint8Array): Envelope {
  const envelope = fromBinary(EnvelopeSchema, bytes);
  if (envelope.protocolVersion !== protocolVersion) {
    throw new Error(`protocol version ${envelope.protocolVersion} is not spoken here, only ${protocolVersion}`);
  }
  if (envelope.type !== schema.typeName) throw new Error(`it holds a ${envelope.type || 'message without a type'}`);
  if (envelope.codec !== Codec.IDENTITY && envelope.codec !== Codec.BROTLI) {
    throw new Error(`codec ${envelope.codec} is not known here`);
  }
  return envelope;
}

/** The fields of a message are views of what it was read from: views of a Buffer would be Buffers. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

function faultOf(schema: DescMessage, error: unknown): string {
  return `not a readable ${schema.typeName}: ${error instanceof Error ? error.message : String(error)}`;
}
