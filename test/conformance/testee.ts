import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, createFileRegistry, fromBinary, toBinary, type DescMessage, type Message } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { ArgumentError } from '../../data-plane/transcoder/codec/errors.js';
import { WireFault } from '../../data-plane/transcoder/codec/wire-source.js';
import { loadSchema, type Schema } from '../../data-plane/transcoder/schema/schema.js';
import type { MessageType } from '../../data-plane/transcoder/schema/types.js';
import { packageFile } from '../../deploy/package-file.js';

const utf8 = new TextEncoder();
const text = new TextDecoder();
/** conformance.WireFormat */
const [PROTOBUF, JSON_FORMAT] = [1, 2];
/** conformance.TestCategory */
const JSON_IGNORE_UNKNOWN = 3;

interface Request extends Message {
  readonly payload: { readonly case: string; readonly value: string | Uint8Array };
  readonly requestedOutputFormat: number;
  readonly messageType: string;
  readonly testCategory: number;
}

/**
 * The conformance tests' testee, made of the transcoder's codecs: it reads JSON to wire and prints wire as JSON. Wire to wire,
 * which the transcoder never does, and text format are skipped.
 */
export class Testee {
  readonly #request: DescMessage;
  readonly #response: DescMessage;
  readonly #failures: DescMessage;
  readonly #schema: Schema;

  /** `protos` is the folder of the package's protos. */
  constructor(protos: string) {
    const set = compile(protos);
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
    const message = (name: string): DescMessage => {
      const found = registry.getMessage(`conformance.${name}`);
      if (found === undefined) throw new Error(`conformance.proto has no message ${name}`);
      return found;
    };
    this.#request = message('ConformanceRequest');
    this.#response = message('ConformanceResponse');
    this.#failures = message('FailureSet');
    const { schema, problems } = loadSchema(set);
    if (schema === null) throw new Error(`the conformance protos do not load: ${JSON.stringify(problems)}`);
    this.#schema = schema;
  }

  /** Answers a serialized ConformanceRequest with a serialized ConformanceResponse. */
  answer(bytes: Uint8Array): Uint8Array {
    const request = fromBinary(this.#request, bytes) as Request;
    return toBinary(this.#response, create(this.#response, { result: this.#result(request) }));
  }

  #result({ payload, requestedOutputFormat, messageType, testCategory }: Request): object {
    if (messageType === 'conformance.FailureSet')
      return { case: 'protobufPayload', value: toBinary(this.#failures, create(this.#failures)) };
    const isJson = payload.case === 'jsonPayload';
    const isAsked = isJson
      ? requestedOutputFormat === PROTOBUF || requestedOutputFormat === JSON_FORMAT
      : payload.case === 'protobufPayload' && requestedOutputFormat === JSON_FORMAT;
    if (!isAsked) return { case: 'skipped', value: 'nothing that the transcoder does' };
    const type = this.#schema.message(messageType);
    if (type === undefined) return { case: 'runtimeError', value: `there is no message ${messageType}` };
    const { value } = payload;
    return this.#convert(type, value, requestedOutputFormat, testCategory === JSON_IGNORE_UNKNOWN);
  }

  #convert(type: MessageType, payload: string | Uint8Array, format: number, ignoreUnknown: boolean): object {
    const { codecs } = this.#schema;
    try {
      const options = { ignoreUnknown, keepZeros: false };
      const wire = typeof payload === 'string' ? codecs.read(type, utf8.encode(payload), options) : payload;
      if (format === PROTOBUF) return { case: 'protobufPayload', value: wire };
      return { case: 'jsonPayload', value: text.decode(codecs.print(type, wire, 'set')) };
    } catch (error) {
      if (error instanceof ArgumentError) return { case: 'parseError', value: error.message };
      if (error instanceof WireFault) return { case: 'serializeError', value: error.message };
      return { case: 'runtimeError', value: String(error) };
    }
  }
}

function compile(protos: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-conformance-'));
  try {
    const set = join(folder, 'set.binpb');
    const args = ['build', protos, '--as-file-descriptor-set', '-o', set];
    execFileSync(packageFile('node_modules/.bin/buf'), args, { stdio: 'pipe' });
    return readFileSync(set);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
