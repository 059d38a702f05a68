import {
  create,
  createFileRegistry,
  createRegistry,
  fromBinary,
  fromJsonString,
  toBinary,
  toJson,
  type DescMessage,
  type Registry,
} from '@bufbuild/protobuf';
import { AnySchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { builtinFiles } from '../schema/builtin.js';
import type { MessageType } from '../schema/types.js';
import { ArgumentError } from './errors.js';

export class Codecs {
  readonly #registry: Registry;
  constructor(descriptorSet: Uint8Array) {
    const set = fromBinary(FileDescriptorSetSchema, descriptorSet);
    const builtin = new Set(builtinFiles.map((file) => file.proto.name));
    set.file = [...builtinFiles.map((file) => file.proto), ...set.file.filter((file) => !builtin.has(file.name))];
    this.#registry = createRegistry(createFileRegistry(set));
  }

  printAny(typeUrl: string, value: Uint8Array): string | undefined {
    try {
      return JSON.stringify(
        toJson(AnySchema, create(AnySchema, { typeUrl, value }), {
          alwaysEmitImplicit: true,
          registry: this.#registry,
        }),
      );
    } catch {
      return undefined;
    }
  }

  parse(type: MessageType, json: string, ignoreUnknownFields: boolean): Uint8Array {
    const desc = this.#desc(type);
    try {
      return toBinary(desc, fromJsonString(desc, json, { ignoreUnknownFields, registry: this.#registry }));
    } catch {
      throw new ArgumentError('', `is not the JSON form of ${type.name}`);
    }
  }

  print(type: MessageType, wire: Uint8Array): unknown {
    const desc = this.#desc(type);
    return toJson(desc, fromBinary(desc, wire), { alwaysEmitImplicit: true, registry: this.#registry });
  }

  #desc(type: MessageType): DescMessage {
    const desc = this.#registry.getMessage(type.name);
    if (desc === undefined) throw new Error(type.name);
    return desc;
  }
}
