import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  Client,
  credentials,
  Metadata,
  type CallOptions,
  type ChannelOptions,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  type MethodDefinition,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerOptions,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
} from '@grpc/grpc-js';
import { packageFile } from '../../../deploy/package-file.js';
import { buildDescriptors } from '../descriptors.js';
import { definitionOf, startGrpcService, type TestService } from '../grpc-service.js';

/** A message in its JSON form. */
export type Json = Record<string, unknown>;

export const testService = 'grpc.testing.TestService';
export const unimplementedService = 'grpc.testing.UnimplementedService';

const source = readFileSync(packageFile('test/support/interop/interop.proto'), 'utf8');
export const descriptorSet = buildDescriptors({ 'grpc/testing/interop.proto': source });
const definitions = { ...definitionOf(descriptorSet, testService) };
const unimplemented = definitionOf(descriptorSet, unimplementedService);

/** The server of the gRPC interoperability tests, on grpc-js, which also tells what it sees. */
export interface InteropServer extends TestService {
  /** Of every call so far. */
  readonly metadata: readonly Metadata[];
  /**
   * Streams from clients that are over: grpc-js says of every call that it is cancelled then. Of one whose client has not said all,
   * it means just that.
   */
  readonly cancelled: number;
}

export async function startInteropServer(
  options: ServerOptions & { readonly port?: number } = {},
): Promise<InteropServer> {
  const seen = { metadata: [] as Metadata[], cancelled: 0 };
  const enter = (call: AnyServerCall): void => {
    seen.metadata.push(call.metadata);
    const initial = call.metadata.get('x-grpc-test-echo-initial');
    const first = new Metadata();
    for (const value of initial) first.add('x-grpc-test-echo-initial', value);
    if (initial.length > 0) call.sendMetadata(first);
  };
  const enterStream = (call: AnyServerCall): void => {
    enter(call);
    call.once('cancelled', () => seen.cancelled++);
  };
  const service = await startGrpcService(
    descriptorSet,
    testService,
    {
      EmptyCall: (call: ServerUnaryCall<Json, Json>, answer: sendUnaryData<Json>) => {
        enter(call);
        answer(null, {}, trailersFor(call.metadata));
      },
      UnaryCall: (call: ServerUnaryCall<Json, Json>, answer: sendUnaryData<Json>) => {
        enter(call);
        const wanted = statusIn(call.request);
        if (wanted !== null) answer({ ...wanted, metadata: trailersFor(call.metadata) });
        else answer(null, payload(Number(call.request['responseSize'] ?? 0)), trailersFor(call.metadata));
      },
      StreamingOutputCall: (call: ServerWritableStream<Json, Json>) => {
        enter(call);
        for (const size of sizesIn(call.request)) call.write(payload(size));
        call.end(trailersFor(call.metadata));
      },
      StreamingInputCall: (call: ServerReadableStream<Json, Json>, answer: sendUnaryData<Json>) => {
        enterStream(call);
        let bytes = 0;
        call.on('data', (message: Json) => (bytes += bytesIn(message)));
        call.on('end', () => answer(null, { aggregatedPayloadSize: bytes }, trailersFor(call.metadata)));
      },
      FullDuplexCall: (call: ServerDuplexStream<Json, Json>) => {
        enterStream(call);
        call.on('data', (message: Json) => {
          const wanted = statusIn(message);
          if (wanted !== null) return void call.emit('error', { ...wanted, metadata: trailersFor(call.metadata) });
          for (const size of sizesIn(message)) call.write(payload(size));
        });
        call.on('end', () => call.end(trailersFor(call.metadata)));
      },
    },
    options,
  );
  return Object.assign(seen, service);
}

type AnyServerCall = EventEmitter & { readonly metadata: Metadata; sendMetadata(metadata: Metadata): void };

function trailersFor(metadata: Metadata): Metadata {
  const trailers = new Metadata();
  for (const value of metadata.get('x-grpc-test-echo-trailing-bin'))
    trailers.add('x-grpc-test-echo-trailing-bin', value);
  return trailers;
}

function statusIn({ responseStatus }: Json): { code: number; details: string } | null {
  if (responseStatus === undefined) return null;
  const { code, message } = responseStatus as { code: number; message: string };
  return { code, details: message };
}

function sizesIn({ responseParameters }: Json): number[] {
  return ((responseParameters ?? []) as { size?: number }[]).map(({ size = 0 }) => size);
}

/** As the tests have it: zeros. */
export function payload(bytes: number): Json {
  return { payload: { body: Buffer.alloc(bytes).toString('base64') } };
}

export function bytesIn(message: Json): number {
  return Buffer.from(String((message['payload'] as Json | undefined)?.['body'] ?? ''), 'base64').length;
}

/** How a call ended, in full. */
export interface Outcome {
  readonly status: StatusObject;
  readonly initial: Metadata;
  /** Null when there was none. */
  readonly response: Json | null;
}

/** A client of the interoperability tests' services, on grpc-js, with one connection. */
export class InteropClient {
  readonly #client: Client;

  constructor(port: number, options: ChannelOptions = {}) {
    const own = { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_retries': 0 };
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { ...own, ...options });
  }

  /** Resolves with whatever outcome there is. */
  unary(method: string, request: Json = {}, metadata = new Metadata(), options: CallOptions = {}): Promise<Outcome> {
    const { path, requestSerialize, responseDeserialize } = definition(method);
    return new Promise((resolve) => {
      let response: Json | null = null;
      let initial = new Metadata();
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
        options,
        (_error, message) => (response = message ?? null),
      );
      call.on('metadata', (received) => (initial = received));
      // The status may come before the callback of the same turn.
      call.on('status', (status) => setImmediate(() => resolve({ status, initial, response })));
    });
  }

  serverStream(method: string, request: Json, options: CallOptions = {}): ClientReadableStream<Json> {
    const { path, requestSerialize, responseDeserialize } = definition(method);
    return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, options);
  }

  clientStream(
    method: string,
    answer: (error: Error | null, response?: Json) => void,
    metadata = new Metadata(),
  ): ClientWritableStream<Json> {
    const { path, requestSerialize, responseDeserialize } = definition(method);
    return this.#client.makeClientStreamRequest(path, requestSerialize, responseDeserialize, metadata, answer);
  }

  duplex(method: string, metadata = new Metadata(), options: CallOptions = {}): ClientDuplexStream<Json, Json> {
    const { path, requestSerialize, responseDeserialize } = definition(method);
    return this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, options);
  }

  close(): void {
    this.#client.close();
  }
}

/** By the name of the method, with that of its service in front where it is not the test service's. */
function definition(method: string): MethodDefinition<Json, Json> {
  const found = method.startsWith('Unimplemented.') ? unimplemented['UnimplementedCall'] : definitions[method];
  if (found === undefined) throw new Error(`no method ${method}`);
  return found as MethodDefinition<Json, Json>;
}

/** An answer of the method as it is on the wire. */
export function messageBytes(method: string, message: Json): Buffer {
  return definition(method).responseSerialize(message);
}

/** Resolves with the status of a stream that is read by others. */
export function statusOf(call: ClientReadableStream<Json> | ClientDuplexStream<Json, Json>): Promise<StatusObject> {
  call.on('error', () => {});
  return new Promise((resolve) => call.on('status', resolve));
}
