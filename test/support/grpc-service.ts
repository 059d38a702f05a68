import {
  createFileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMethod,
  type JsonValue,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import {
  Server,
  ServerCredentials,
  type ServerOptions,
  type handleBidiStreamingCall,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

/** A gRPC server over any service of a descriptor set; its handlers see and send messages in their JSON form. */
export interface TestService {
  readonly port: number;
  /** Takes no calls any more, and resolves when those it has are complete. */
  drain(): Promise<void>;
  close(): void;
}

export type Handlers = Readonly<Record<string, UntypedServiceImplementation[string]>>;

export async function startGrpcService(
  descriptorSet: Uint8Array,
  name: string,
  handlers: Handlers,
  options: ServerOptions & { readonly port?: number } = {},
): Promise<TestService> {
  const { port: wantedPort = 0, ...serverOptions } = options;
  const server = new Server(serverOptions);
  const definition = definitionOf(descriptorSet, name);
  server.addService(definition, handlers as Record<string, handleBidiStreamingCall<JsonValue, JsonValue>>);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${wantedPort}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const drain = (): Promise<void> =>
    new Promise((resolve, reject) => server.tryShutdown((error) => (error ? reject(error) : resolve())));
  return { port, drain, close: () => server.forceShutdown() };
}

/** A service for servers and clients of grpc-js, whose messages are in their JSON form. */
export function definitionOf(descriptorSet: Uint8Array, name: string): Record<string, ServiceDefinition[string]> {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
  const service = registry.getService(name);
  if (service === undefined) throw new Error(`no service ${name}`);
  const read = (desc: DescMethod['input'], bytes: Buffer): JsonValue =>
    toJson(desc, fromBinary(desc, bytes), { registry });
  const write = (desc: DescMethod['input'], json: JsonValue): Buffer =>
    Buffer.from(toBinary(desc, fromJson(desc, json, { registry })));
  const definition: Record<string, ServiceDefinition[string]> = {};
  for (const { name: method, input, output, methodKind } of service.methods) {
    definition[method] = {
      path: `/${name}/${method}`,
      requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
      responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
      requestSerialize: (json: JsonValue) => write(input, json),
      requestDeserialize: (bytes: Buffer) => read(input, bytes),
      responseSerialize: (json: JsonValue) => write(output, json),
      responseDeserialize: (bytes: Buffer) => read(output, bytes),
    };
  }
  return definition;
}
