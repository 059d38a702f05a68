import {
  createFileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  type Registry,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import {
  Metadata,
  type handleUnaryCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

/** A unary method that takes and gives ProtoJSON; throws a grpc-js ServiceError-like `{ code, details }` to fail. */
export type JsonMethod = (request: JsonObject) => JsonObject;

export interface JsonService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/**
 * A grpc-js service made from a descriptor set instead of generated code, with handlers by method name. Every answer carries
 * `x-instance` metadata, so that balancing can be seen.
 */
export function jsonService(
  descriptorSet: Uint8Array,
  serviceName: string,
  instance: string,
  methods: Readonly<Record<string, JsonMethod>>,
): JsonService {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
  const service = registry.getService(serviceName);
  if (service === undefined) throw new Error(`the descriptor set has no service ${serviceName}`);
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const method of service.methods) {
    definition[method.name] = {
      path: `/${service.typeName}/${method.name}`,
      requestStream: false,
      responseStream: false,
      requestSerialize: serializer(method.input),
      requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
      responseSerialize: serializer(method.output),
      responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
    };
    implementation[method.name] = unary(method.input, method.output, methods[method.name], instance, registry);
  }
  return { definition, implementation };
}

const serializer = (type: DescMessage) => (message: MessageShape<DescMessage>) => Buffer.from(toBinary(type, message));

function unary(
  input: DescMessage,
  output: DescMessage,
  method: JsonMethod | undefined,
  instance: string,
  registry: Registry,
): handleUnaryCall<MessageShape<DescMessage>, MessageShape<DescMessage>> {
  return (call, callback) => {
    const metadata = new Metadata();
    metadata.set('x-instance', instance);
    call.sendMetadata(metadata);
    try {
      if (method === undefined)
        throw Object.assign(new Error('not implemented'), { code: 12, details: 'not implemented' });
      const answer = method(toJson(input, call.request, { registry, alwaysEmitImplicit: true }) as JsonObject);
      callback(null, fromJson(output, answer as JsonValue, { registry }));
    } catch (error) {
      callback(error as Error);
    }
  };
}
