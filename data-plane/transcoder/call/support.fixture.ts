import { readFileSync } from 'node:fs';
import { fromBinary, toBinary, createFileRegistry, toJson, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { buildDescriptors } from '../../../test/support/descriptors.js';
import { BufferedBody } from '../../body.js';
import * as codings from '../../coding/coding.js';
import { ProxyError } from '../../errors.js';
import { FieldBlock, type HeaderList } from '../../headers.js';
import {
  CallBlocks,
  habitsOf,
  loadSchema,
  prepareCall,
  readReply,
  schemaBindings,
  type Answer,
  type GrpcCall,
  type Profile,
  type TranscodedRequest,
} from '../transcoder.js';

const set = buildDescriptors({
  'library.proto': readFileSync(new URL('../fixtures/library.proto', import.meta.url), 'utf8'),
});
export const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
const schema = present(loadSchema(set).schema);
const ascii = new TextEncoder();

export function present<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('nothing there');
  return value;
}

/** A request to one binding of the library, as far as it differs from an empty one. */
export interface Sent {
  method: string;
  template: string;
  variables?: string[];
  query?: string;
  body?: string;
  headers?: HeaderList;
  profile?: Profile;
}

export function request({
  method,
  template,
  variables = [],
  query = '',
  body = '',
  headers = [],
  profile = 'grpc-gateway',
}: Sent): TranscodedRequest {
  const { bindings } = schemaBindings(schema, { services: [], habits: habitsOf(profile) });
  const binding = present(bindings.find((it) => it.httpMethod === method && it.template.text === template));
  const source = new BufferedBody(ascii.encode(body));
  return {
    binding,
    variables,
    method,
    target: `/x${query}`,
    headers,
    added: new FieldBlock(['X-Forwarded-For', '10.0.0.1', 'Via', '1.1 sluice']),
    blocks: new CallBlocks(),
    body: source,
    codings,
    clock: { pulse: () => ({ touch: () => {}, stop: () => {} }) },
    maxMessageBytes: 1_000,
    takesTrailers: headers.includes('TE'),
  };
}

export function callOf(sent: Sent): GrpcCall {
  let made: GrpcCall | undefined;
  prepareCall(request(sent), {
    ready: (call) => (made = call),
    failed: (error) => {
      throw error;
    },
  });
  return present(made);
}

/** The request message that the call carries, as canonical JSON. */
export function messageOf(sent: Sent): JsonValue {
  const { binding } = request(sent);
  const wire = (callOf(sent).body as BufferedBody).bytes;
  const type = present(registry.getMessage(binding.method.input().name));
  return toJson(type, fromBinary(type, wire.subarray(5)), { registry });
}

export function violationOf(sent: Sent): { field: string; description: string } {
  try {
    callOf(sent);
  } catch (error) {
    if (error instanceof ProxyError && error.detail.violations?.[0] !== undefined) return error.detail.violations[0];
    throw error;
  }
  throw new Error('the request was taken');
}

export function answerTo(
  sent: Sent,
  headers: HeaderList,
  body: Uint8Array,
  trailers: HeaderList | null,
  status = 200,
): Answer {
  let answer: Answer | undefined;
  readReply(request(sent), status, headers, new BufferedBody(body, trailers), {
    answered: (it) => (answer = it),
    failed: (error) => {
      throw error;
    },
  });
  return present(answer);
}

export function jsonOf(answer: Answer): unknown {
  return JSON.parse(new TextDecoder().decode((answer.body as BufferedBody).bytes));
}

export function frameMessage(message: Uint8Array): Uint8Array {
  const { length } = message;
  return Uint8Array.from([0, length >>> 24, length >>> 16, length >>> 8, length, ...message]);
}

export function framed(type: string, json: JsonValue): Uint8Array {
  const desc = present(registry.getMessage(type));
  return frameMessage(toBinary(desc, fromJson(desc, json, { registry })));
}

export const getBook: Sent = {
  method: 'GET',
  template: '/v1/{name=shelves/*/books/*}',
  variables: ['shelves/1/books/2'],
};
export const createBook: Sent = { method: 'POST', template: '/v1/shelves/{shelf}/books', variables: ['7'] };
export const listBooks: Sent = { method: 'GET', template: '/v1/shelves/{shelf}/books', variables: ['7'] };
export const grpcHead: HeaderList = ['content-type', 'application/grpc'];
export const ok: HeaderList = ['grpc-status', '0'];
