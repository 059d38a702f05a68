import { createFileRegistry, fromBinary, fromJsonString, toBinary, toJsonString } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import protobufjs from 'protobufjs';
import { loadSchema } from '../../../data-plane/transcoder/transcoder.js';
import { buildDescriptors } from '../../support/descriptors.js';
import { source, type Payload } from './payloads.js';

/** Bytes in, bytes of one's own out: what stands between a socket and another. */
export interface Codec {
  readonly toWire: (json: Buffer) => Uint8Array;
  readonly toJson: (wire: Uint8Array) => Uint8Array;
}

export interface CodecSystem {
  readonly name: string;
  codec(payload: Payload): Codec;
}

/** The transcoder's codecs, and what npm has besides, each used as its documentation has it. */
export function codecSystems(): readonly CodecSystem[] {
  const set = buildDescriptors({ 'bench.proto': source });
  return [sluice(set), protobufEs(set), protobufJs()];
}

function sluice(set: Uint8Array): CodecSystem {
  const { schema } = loadSchema(set);
  if (schema === null) throw new Error('the payloads do not load');
  return {
    name: 'sluice',
    codec({ type }) {
      const message = found(schema.message(type), type);
      const options = { ignoreUnknown: false, keepZeros: false };
      return {
        toWire: (json) => schema.codecs.read(message, json, options),
        toJson: (wire) => schema.codecs.print(message, wire, 'set'),
      };
    },
  };
}

function protobufEs(set: Uint8Array): CodecSystem {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
  return {
    name: 'protobuf-es',
    codec({ type }) {
      const desc = found(registry.getMessage(type), type);
      return {
        toWire: (json) => toBinary(desc, fromJsonString(desc, json.toString('utf8'))),
        toJson: (wire) => Buffer.from(toJsonString(desc, fromBinary(desc, wire))),
      };
    },
  };
}

function protobufJs(): CodecSystem {
  const { root } = protobufjs.parse(source);
  const printed = { json: true, longs: String, enums: String, bytes: String };
  return {
    name: 'protobufjs',
    codec({ type }) {
      const message = root.lookupType(type);
      return {
        toWire: (json) => message.encode(message.fromObject(JSON.parse(json.toString('utf8')) as object)).finish(),
        toJson: (wire) => Buffer.from(JSON.stringify(message.toObject(message.decode(wire), printed))),
      };
    },
  };
}

function found<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`there is no message ${name}`);
  return value;
}
