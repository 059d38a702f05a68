import { fromBinary, toBinary } from '@bufbuild/protobuf';

import { AdminError, code } from '../../errors.js';
import { toServiceError } from './status.js';

import type { DescMessage, DescMethod, DescService, MessageShape } from '@bufbuild/protobuf';
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
  Server,
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  ServiceError,
} from '@grpc/grpc-js';

/**
 * Serves protobuf-es services on a @grpc/grpc-js server. Requests arrive as bytes and are decoded here, so that malformed ones
 * are the caller's error (INVALID_ARGUMENT) and not the library's INTERNAL. Whatever a handler throws goes through `Boundary`.
 * This room knows nothing of resources.
 */
export interface CallContext {
  /** Aborts when the client goes away or its deadline passes. */
  readonly signal: AbortSignal;
  readonly peer: string;
}

export interface Boundary {
  /** Before each handler: may refuse the message by throwing an AdminError. */
  admit(schema: DescMessage, message: MessageShape<DescMessage>): void;
  /** Turns what a handler threw into what the caller may see. */
  toAdminError(error: unknown, method: string): AdminError;
}

/** One function per rpc, by the name that generated code gives it. A bidirectional stream is answered message by message. */
export type Handlers<S extends DescService> = { readonly [M in keyof S['method']]: MethodHandler<S['method'][M]> };

type MethodHandler<M> = M extends {
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
  methodKind: infer K;
}
  ? K extends 'server_streaming'
    ? (request: MessageShape<I>, call: CallContext) => AsyncIterable<MessageShape<O>>
    : (request: MessageShape<I>, call: CallContext) => Promise<MessageShape<O>>
  : never;

type AnyMessage = MessageShape<DescMessage>;
type AnyHandlers = Readonly<
  Record<
    string,
    ((request: AnyMessage, call: CallContext) => Promise<AnyMessage> | AsyncIterable<AnyMessage>) | undefined
  >
>;
type Serve = (bytes: Buffer, call: CallContext) => Promise<AnyMessage> | AsyncIterable<AnyMessage>;

/** Adds `service` under its own name, or under `typeName` for a protocol that has two names. */
export function serve<S extends DescService>(
  server: Server,
  service: S,
  handlers: Handlers<S>,
  boundary: Boundary,
  typeName: string = service.typeName,
): void {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: Record<string, Implementation> = {};
  for (const method of service.methods) {
    // The mapped type above ties every handler to its method; TypeScript cannot follow that through the loop.
    const handler = (handlers as unknown as AnyHandlers)[method.localName];
    if (handler === undefined) throw new Error(`${method.name} has no handler`);
    definition[method.name] = methodDefinition(method, typeName);
    implementation[method.name] = implement(method, boundary, (bytes, call) => {
      const request = decode(method.input, bytes);
      boundary.admit(method.input, request);
      return handler(request, call);
    });
  }
  server.addService(definition, implementation);
}

type Implementation =
  handleUnaryCall<Buffer, Buffer> | handleServerStreamingCall<Buffer, Buffer> | handleBidiStreamingCall<Buffer, Buffer>;

function methodDefinition(method: DescMethod, typeName: string): ServiceDefinition[string] {
  return {
    path: `/${typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

function same(bytes: Buffer): Buffer {
  return bytes;
}

interface Method {
  readonly run: Serve;
  readonly encode: (message: AnyMessage) => Buffer;
  readonly fail: (error: unknown) => ServiceError;
}

function implement(desc: DescMethod, boundary: Boundary, run: Serve): Implementation {
  const method: Method = {
    run,
    encode: (message) => asBuffer(toBinary(desc.output, message)),
    fail: (error) => toServiceError(boundary.toAdminError(error, desc.name)),
  };
  switch (desc.methodKind) {
    case 'unary':
      return (call, callback) => void answer(method, call, callback);
    case 'server_streaming':
      return (call: ServerWritableStream<Buffer, Buffer>) => void stream(method, call);
    case 'bidi_streaming':
      return (call: ServerDuplexStream<Buffer, Buffer>) => converse(method, call);
    case 'client_streaming':
      throw new Error(`${desc.name}: client streams are not served`);
  }
}

async function answer(
  { run, encode, fail }: Method,
  call: ServerUnaryCall<Buffer, Buffer>,
  callback: sendUnaryData<Buffer>,
): Promise<void> {
  const result = await settle(async () => encode(await one(run(call.request, contextOf(call)))));
  if ('error' in result) callback(fail(result.error));
  else callback(null, result.value);
}

async function stream({ run, encode, fail }: Method, call: ServerWritableStream<Buffer, Buffer>): Promise<void> {
  const context = contextOf(call);
  const result = await settle(() => pump(run(call.request, context), call, encode, context.signal));
  if ('error' in result) call.emit('error', fail(result.error));
  else call.end();
}

function converse({ run, encode, fail }: Method, call: ServerDuplexStream<Buffer, Buffer>): void {
  const context = contextOf(call);
  const reply = async (request: Buffer): Promise<void> => {
    call.pause();
    const result = await settle(async () => write(call, encode(await one(run(request, context))), context.signal));
    if ('error' in result) call.emit('error', fail(result.error));
    else call.resume();
  };
  call.on('data', (request: Buffer) => void reply(request));
  call.on('end', () => call.end());
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

type Settled<T> = { readonly value: T } | { readonly error: unknown };

async function settle<T>(work: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}

function decode(schema: DescMessage, bytes: Uint8Array): AnyMessage {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new AdminError(
      code.invalidArgument,
      'MALFORMED_MESSAGE',
      `The request is not a ${schema.typeName}.`,
      [],
      error,
    );
  }
}

function contextOf(call: {
  getPeer(): string;
  cancelled: boolean;
  on(event: 'cancelled', heard: () => void): unknown;
}): CallContext {
  const abort = new AbortController();
  if (call.cancelled) abort.abort();
  call.on('cancelled', () => abort.abort());
  return { signal: abort.signal, peer: call.getPeer() };
}

async function one(result: Promise<AnyMessage> | AsyncIterable<AnyMessage>): Promise<AnyMessage> {
  if (Symbol.asyncIterator in result) throw new Error('a stream where one message was expected');
  return result;
}

async function pump(
  messages: Promise<AnyMessage> | AsyncIterable<AnyMessage>,
  call: ServerWritableStream<Buffer, Buffer>,
  encode: (message: AnyMessage) => Buffer,
  signal: AbortSignal,
): Promise<void> {
  if (!(Symbol.asyncIterator in messages)) throw new Error('one message where a stream was expected');
  for await (const message of messages) {
    if (signal.aborted) return;
    await write(call, encode(message), signal);
  }
}

/** Resolves when the stream takes more, or when nobody reads it any more. */
function write(
  call: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<void> {
  if (call.write(bytes) || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.on('drain', done);
    signal.addEventListener('abort', done);
  });
}
