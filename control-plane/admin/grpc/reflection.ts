import { create, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

import {
  ErrorResponseSchema,
  ExtensionNumberResponseSchema,
  FileDescriptorResponseSchema,
  ListServiceResponseSchema,
  ServerReflectionResponseSchema,
} from '../../../proto/gen/grpc/reflection/v1/reflection_pb.js';
import { code } from '../../errors.js';

import type { DescEnum, DescExtension, DescFile, DescMessage, DescService } from '@bufbuild/protobuf';
import type {
  ExtensionRequest,
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '../../../proto/gen/grpc/reflection/v1/reflection_pb.js';

type Answer = ServerReflectionResponse['messageResponse'];

/**
 * Answers the reflection protocol for `services` from the descriptors they were generated with, byte for byte, so that options
 * (http rules, validation rules) arrive whole. A file is answered with all its imports, itself first.
 */
export class Reflection {
  readonly #services: readonly string[];
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  /** By the extended message, then by field number. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();

  /** `files` hold what answers carry beyond the declared types, such as error details. */
  constructor(services: readonly DescService[], files: readonly DescFile[]) {
    this.#services = services.map(({ typeName }) => typeName);
    for (const file of [...services.map((service) => service.file), ...files]) this.#addFile(file);
  }

  answer(request: ServerReflectionRequest): ServerReflectionResponse {
    return create(ServerReflectionResponseSchema, {
      validHost: request.host,
      originalRequest: request,
      messageResponse: this.#answer(request.messageRequest),
    });
  }

  #answer(ask: ServerReflectionRequest['messageRequest']): Answer {
    switch (ask.case) {
      case 'listServices': {
        const service = this.#services.map((name) => ({ name }));
        return { case: 'listServicesResponse', value: create(ListServiceResponseSchema, { service }) };
      }
      case 'fileByFilename':
        return filesOf(this.#files.get(ask.value), `file ${ask.value}`);
      case 'fileContainingSymbol':
        return filesOf(this.#symbols.get(ask.value), `symbol ${ask.value}`);
      case 'fileContainingExtension':
        return filesOf(this.#extension(ask.value), `extension of ${ask.value.containingType}`);
      case 'allExtensionNumbersOfType':
        return this.#extensionNumbers(ask.value);
      case undefined:
        return refusal(code.invalidArgument, 'The request asks for nothing.');
    }
  }

  #extension({ containingType, extensionNumber }: ExtensionRequest): DescFile | undefined {
    return this.#extensions.get(containingType)?.get(extensionNumber);
  }

  #extensionNumbers(typeName: string): Answer {
    if (!this.#symbols.has(typeName)) return refusal(code.notFound, `There is no type ${typeName}.`);
    const extensionNumber = [...(this.#extensions.get(typeName)?.keys() ?? [])];
    const value = create(ExtensionNumberResponseSchema, { baseTypeName: typeName, extensionNumber });
    return { case: 'allExtensionNumbersResponse', value };
  }

  #addFile(file: DescFile): void {
    if (this.#files.has(file.proto.name)) return;
    this.#files.set(file.proto.name, file);
    for (const message of file.messages) this.#addMessage(message, file);
    for (const one of file.enums) this.#addEnum(one, file);
    for (const extension of file.extensions) this.#addExtension(extension, file);
    for (const service of file.services) {
      this.#symbols.set(service.typeName, file);
      for (const method of service.methods) this.#symbols.set(`${service.typeName}.${method.name}`, file);
    }
    for (const imported of file.dependencies) this.#addFile(imported);
  }

  #addMessage(message: DescMessage, file: DescFile): void {
    this.#symbols.set(message.typeName, file);
    for (const member of [...message.fields, ...message.oneofs])
      this.#symbols.set(`${message.typeName}.${member.name}`, file);
    for (const nested of message.nestedMessages) this.#addMessage(nested, file);
    for (const nested of message.nestedEnums) this.#addEnum(nested, file);
    for (const nested of message.nestedExtensions) this.#addExtension(nested, file);
  }

  #addEnum(one: DescEnum, file: DescFile): void {
    this.#symbols.set(one.typeName, file);
    // Enum values are named beside their enum, not within it.
    const scope = one.typeName.slice(0, one.typeName.lastIndexOf('.') + 1);
    for (const value of one.values) this.#symbols.set(scope + value.name, file);
  }

  #addExtension(extension: DescExtension, file: DescFile): void {
    this.#symbols.set(extension.typeName, file);
    const extended = extension.extendee.typeName;
    const byNumber = this.#extensions.get(extended) ?? new Map<number, DescFile>();
    this.#extensions.set(extended, byNumber.set(extension.number, file));
  }
}

function filesOf(file: DescFile | undefined, asked: string): Answer {
  if (file === undefined) return refusal(code.notFound, `There is no ${asked}.`);
  const fileDescriptorProto = withImports(file).map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: 'fileDescriptorResponse', value: create(FileDescriptorResponseSchema, { fileDescriptorProto }) };
}

/** Each file before all that it imports. */
function withImports(file: DescFile): DescFile[] {
  const seen = new Set<DescFile>();
  const importsFirst: DescFile[] = [];
  const visit = (next: DescFile): void => {
    if (seen.has(next)) return;
    seen.add(next);
    next.dependencies.forEach(visit);
    importsFirst.push(next);
  };
  visit(file);
  return importsFirst.toReversed();
}

function refusal(errorCode: number, errorMessage: string): Answer {
  return { case: 'errorResponse', value: create(ErrorResponseSchema, { errorCode, errorMessage }) };
}
