import { isDeepStrictEqual } from 'node:util';
import { fromBinary, fromJsonString, toBinary, toJson, type DescMessage, type FileRegistry } from '@bufbuild/protobuf';
import { ArgumentError } from '../../../data-plane/transcoder/codec/errors.js';
import { WireFault } from '../../../data-plane/transcoder/codec/wire-source.js';
import { hasForeignWireType } from './wire-types.js';

/** The codec of one message type. */
export interface Codec {
  print(wire: Uint8Array, emission: 'set' | 'implicit'): Uint8Array;
  read(json: Uint8Array, keepZeros: boolean): Uint8Array;
}

const text = new TextDecoder();
const strict = new TextDecoder('utf-8', { fatal: true });

/** Bytes that may be no message are refused with a WireFault, or mean what they mean to protobuf-es. */
export function checkWire(
  desc: DescMessage,
  codec: Codec,
  wire: Uint8Array,
  registry: FileRegistry,
): string | undefined {
  const printed = attempt(() => codec.print(wire, 'set'), WireFault);
  if (printed instanceof Error) return undefined;
  const message = attempt(() => fromBinary(desc, wire), Error);
  if (message instanceof Error) return undefined;
  const expected = attempt(() => toJson(desc, message, { registry }), Error);
  if (expected instanceof Error) return undefined;
  if (hasForeignWireType(desc, wire) || hasOtherPrefix(text.decode(printed))) return undefined;
  // Not all that is printed alike is read as it was: a comma in a path of a FieldMask, a NullValue of another number.
  if (isDeepStrictEqual(JSON.parse(text.decode(printed)), expected)) return undefined;
  const read = attempt(() => fromJsonString(desc, text.decode(printed), { registry }), Error);
  if (read instanceof Error) return `prints ${text.decode(printed)} for ${hex(wire)}: ${read.message}`;
  // The bits of a NaN are nobody's business.
  if (text.decode(printed).includes('NaN')) return undefined;
  const known = toBinary(desc, message, { writeUnknownFields: false });
  if (Buffer.compare(toBinary(desc, read), known) === 0) return undefined;
  return `prints ${text.decode(printed)} for ${hex(wire)}, protobuf-es ${JSON.stringify(expected)}`;
}

/** Text that may be no JSON is refused with an ArgumentError, or means what it means to protobuf-es. */
export function checkJson(
  desc: DescMessage,
  codec: Codec,
  json: Uint8Array,
  registry: FileRegistry,
): string | undefined {
  if (hasOtherPrefix(text.decode(json))) return undefined;
  const wire = attempt(() => codec.read(json, false), ArgumentError);
  const message = attempt(() => fromJsonString(desc, strict.decode(json), { registry }), Error);
  if (wire instanceof Error || message instanceof Error) {
    if (wire instanceof Error) return undefined;
    if (isExcused(message as Error, text.decode(json))) return undefined;
    return `takes ${text.decode(json)}, protobuf-es does not: ${(message as Error).message}`;
  }
  const ours = toBinary(desc, fromBinary(desc, wire));
  if (Buffer.compare(ours, toBinary(desc, message)) === 0 || /[0-9]{16}/.test(text.decode(json))) return undefined;
  return `reads ${text.decode(json)} as ${hex(wire)}, protobuf-es as ${hex(toBinary(desc, message))}`;
}

/** Whatever stands before the slash of a type URL, protobuf-es makes it type.googleapis.com. */
function hasOtherPrefix(json: string): boolean {
  return /@type":\s*"(?!type\.googleapis\.com\/[a-zA-Z0-9_.]+")/.test(json);
}

/** An integer may be written with an exponent, in quotes as well; protobuf-es takes no such text for a bigint. */
function isExcused({ message }: Error, json: string): boolean {
  return message.includes('expected bigint') && /[0-9][eE.][0-9+-]/.test(json);
}

/** What `work` gives, or the error that it may throw; any other is a fault of its own. */
function attempt<T>(work: () => T, expected: new (...args: never[]) => Error): T | Error {
  try {
    return work();
  } catch (error) {
    if (error instanceof expected) return error;
    throw error;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
