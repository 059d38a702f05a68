import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';
import { definitionOf, type Handlers } from './grpc-service.js';

import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';

type Response = ServerReflectionResponse['messageResponse'];
export type ReflectionVersion = 'v1' | 'v1alpha';

/** A gRPC server that describes itself with the bytes of its descriptor set, as servers of Go, Java and C++ do. */
export interface ReflectingService {
  readonly port: number;
  /** Questions that were put to it. */
  readonly asked: string[];
  /** Lets calls finish. */
  stop(): Promise<void>;
  /** Ends it, with its connections. */
  close(): void;
}

export interface ReflectingOptions {
  readonly descriptorSet: Uint8Array;
  readonly service: string;
  readonly handlers: Handlers;
  readonly port?: number;
  readonly versions?: readonly ReflectionVersion[];
  /** In place of the true answers. */
  readonly answer?: (request: ServerReflectionRequest['messageRequest']) => Response | undefined;
  readonly credentials?: ServerCredentials;
}

export async function startReflecting(options: ReflectingOptions): Promise<ReflectingService> {
  const { descriptorSet, service, handlers, port: wanted = 0, versions = ['v1', 'v1alpha'] } = options;
  const server = new Server();
  server.addService(definitionOf(descriptorSet, service), handlers as never);
  const asked: string[] = [];
  for (const version of versions)
    server.addService(reflectionDefinition(version), {
      serverReflectionInfo: (call: ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>) => {
        const describe = describer(descriptorSet);
        call.on('data', ({ messageRequest }: ServerReflectionRequest) => {
          asked.push(`${messageRequest.case} ${String(messageRequest.value)}`);
          const messageResponse = options.answer?.(messageRequest) ?? describe(messageRequest);
          call.write(create(ServerReflectionResponseSchema, { messageResponse }));
        });
        call.on('end', () => call.end());
        call.on('error', () => undefined);
      },
    });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      `127.0.0.1:${wanted}`,
      options.credentials ?? ServerCredentials.createInsecure(),
      (error, bound) => (error === null ? resolve(bound) : reject(error)),
    );
  });
  const stop = (): Promise<void> => new Promise((resolve) => server.tryShutdown(() => resolve()));
  return { port, asked, stop, close: () => server.forceShutdown() };
}

function reflectionDefinition(version: ReflectionVersion) {
  return {
    serverReflectionInfo: {
      path: `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      requestStream: true,
      responseStream: true,
      requestSerialize: (message: ServerReflectionRequest) =>
        Buffer.from(toBinary(ServerReflectionRequestSchema, message)),
      requestDeserialize: (bytes: Buffer) => fromBinary(ServerReflectionRequestSchema, bytes),
      responseSerialize: (message: ServerReflectionResponse) =>
        Buffer.from(toBinary(ServerReflectionResponseSchema, message)),
      responseDeserialize: (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
    },
  } as const;
}

/** Answers for one stream: a file that was sent on it is not sent again, as the protocol allows. */
function describer(descriptorSet: Uint8Array): (request: ServerReflectionRequest['messageRequest']) => Response {
  const files = fromBinary(FileDescriptorSetSchema, descriptorSet).file;
  const sent = new Set<string>();
  const withImports = (file: FileDescriptorProto): FileDescriptorProto[] => {
    if (sent.has(file.name)) return [];
    sent.add(file.name);
    return [file, ...files.filter(({ name }) => file.dependency.includes(name)).flatMap(withImports)];
  };
  const found = (file: FileDescriptorProto | undefined, name: string): Response =>
    file === undefined
      ? {
          case: 'errorResponse',
          value: { $typeName: 'grpc.reflection.v1.ErrorResponse', errorCode: 5, errorMessage: `no ${name}` },
        }
      : {
          case: 'fileDescriptorResponse',
          value: {
            $typeName: 'grpc.reflection.v1.FileDescriptorResponse',
            fileDescriptorProto: withImports(file).map((each) => toBinary(FileDescriptorProtoSchema, each)),
          },
        };
  return (request) => {
    switch (request.case) {
      case 'listServices': {
        const names = files.flatMap((file) => file.service.map(({ name }) => `${file.package}.${name}`));
        const service = [...names, 'grpc.reflection.v1.ServerReflection'].map((name) => ({
          $typeName: 'grpc.reflection.v1.ServiceResponse' as const,
          name,
        }));
        return {
          case: 'listServicesResponse',
          value: { $typeName: 'grpc.reflection.v1.ListServiceResponse', service },
        };
      }
      case 'fileContainingSymbol': {
        const file = files.find((each) => each.service.some(({ name }) => `${each.package}.${name}` === request.value));
        return found(file, request.value);
      }
      case 'fileByFilename':
        return found(
          files.find(({ name }) => name === request.value),
          request.value,
        );
      default:
        return found(undefined, String(request.case));
    }
  };
}
