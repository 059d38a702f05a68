import { readFileSync } from 'node:fs';
import { createFileRegistry, fromBinary, type MessageInitShape } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { Metadata, ServerOptions, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { afterEach } from 'vitest';
import { Protocol, type TranscodeProfile, type TranscodeSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { buildDescriptors } from './descriptors.js';
import { startGateway, type GatewayConfig, type TestGateway } from './gateway.js';
import { startGrpcService, type Handlers } from './grpc-service.js';
import { TestClient } from './load.js';

export type Json = Record<string, unknown>;

/** A call as the service saw it. */
export interface SeenCall {
  readonly method: string;
  readonly message: Json;
  readonly metadata: Metadata;
}

export interface TranscodedService {
  readonly url: string;
  readonly gateway: TestGateway;
  /** Unary and server-streaming calls that no handler of the test took, in order. */
  readonly calls: SeenCall[];
  /** The ports of the gateway and of the service. */
  readonly port: number;
  readonly servicePort: number;
}

export interface ServiceOptions {
  readonly profile?: TranscodeProfile;
  readonly transcode?: Partial<Exclude<MessageInitShape<typeof TranscodeSchema>, { $typeName: string }>>;
  readonly handlers?: Handlers;
  /** Of the gRPC server. */
  readonly server?: ServerOptions;
  /** What methods without a handler answer. */
  readonly answer?: Json;
}

export const libraryProto = readFileSync(
  new URL('../../data-plane/transcoder/fixtures/library.proto', import.meta.url),
  'utf8',
);

/**
 * Starts a gateway before a gRPC server with one service of `proto`, for the test that is running. Methods without a handler of
 * the test note their calls and answer `{}` (a server stream: one message of it).
 */
export class TranscodedServices {
  readonly client = new TestClient();
  readonly #closing: (() => Promise<void> | void)[] = [];
  readonly #built = new Map<string, Uint8Array>();

  constructor() {
    afterEach(() => this.close());
  }

  descriptors(proto: string): Uint8Array {
    const built = this.#built.get(proto) ?? buildDescriptors({ 'test.proto': proto });
    this.#built.set(proto, built);
    return built;
  }

  async start(proto: string, service: string, options: ServiceOptions = {}): Promise<TranscodedService> {
    const descriptorSet = this.descriptors(proto);
    const calls: SeenCall[] = [];
    const handlers = { ...noting(descriptorSet, service, calls, options.answer ?? {}), ...options.handlers };
    const server = await startGrpcService(descriptorSet, service, handlers, options.server);
    this.#closing.push(() => server.close());
    const transcode = {
      schema: 's',
      services: [service],
      ...(options.profile === undefined ? {} : { profile: options.profile }),
      ...options.transcode,
    };
    const gateway = await startGateway({
      services: [{ name: 's', protocol: Protocol.GRPC }],
      schemas: [{ name: 's', descriptorSet }],
      routes: [{ name: 's', service: 's', transcode }],
      endpoints: { s: [server.port] },
    });
    this.#closing.push(() => gateway.close());
    return { url: gateway.url, gateway, calls, port: gateway.port, servicePort: server.port };
  }

  library(options: ServiceOptions = {}): Promise<TranscodedService> {
    return this.start(libraryProto, 'library.v1.Library', options);
  }

  /** A gateway of the test's own config. */
  async gateway(config: GatewayConfig): Promise<TestGateway> {
    const gateway = await startGateway(config);
    this.#closing.push(() => gateway.close());
    return gateway;
  }

  /** Closes this when the test is over. */
  defer(close: () => Promise<void> | void): void {
    this.#closing.push(close);
  }

  async close(): Promise<void> {
    this.client.close();
    for (const close of this.#closing.splice(0).toReversed()) await close();
  }
}

function noting(descriptorSet: Uint8Array, service: string, calls: SeenCall[], answer: Json): Handlers {
  const handlers: Record<string, Handlers[string]> = {};
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet));
  for (const { name: method, methodKind } of registry.getService(service)?.methods ?? []) {
    if (methodKind === 'unary') {
      handlers[method] = (call: ServerUnaryCall<Json, Json>, done: (error: null, value: Json) => void) => {
        calls.push({ method, message: call.request, metadata: call.metadata });
        done(null, answer);
      };
    } else if (methodKind === 'server_streaming') {
      handlers[method] = (call: ServerWritableStream<Json, Json>) => {
        calls.push({ method, message: call.request, metadata: call.metadata });
        call.write(answer);
        call.end();
      };
    }
  }
  return handlers;
}
