import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ProxyError } from '../../errors.js';
import type { Codecs } from '../codec/codec.js';
import type { MessageType } from '../schema/types.js';
import { type FieldPath } from './fieldpath.js';

export interface ResponseContent {
  readonly contentType: string;
  readonly body: Uint8Array;
}

const utf8 = new TextEncoder();

/** Makes the answer's body out of a response message. */
export class ResponsePlan {
  readonly #type: MessageType;
  readonly #field: FieldPath;
  readonly #codecs: Codecs;

  /** `field` is what response_body names; empty for the whole message. */
  constructor(type: MessageType, field: FieldPath, codecs: Codecs) {
    this.#type = type;
    this.#field = field;
    this.#codecs = codecs;
  }

  /** Throws upstream_malformed when the bytes are not a message of the method's type. */
  toContent(message: Uint8Array): ResponseContent {
    try {
      if (this.#type.name === 'google.api.HttpBody') return readHttpBody(message);
      let value = this.#codecs.print(this.#type, message);
      for (const field of this.#field) {
        value =
          typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field.jsonName] : undefined;
      }
      return { contentType: 'application/json', body: utf8.encode(JSON.stringify(value ?? null)) };
    } catch (error) {
      throw new ProxyError('upstream_malformed', error);
    }
  }

  /** The JSON of a packed Any, or undefined when its type is not in the schema or its bytes do not fit. */
  printAny(typeUrl: string, value: Uint8Array): string | undefined {
    return this.#codecs.printAny(typeUrl, value);
  }
}

function readHttpBody(message: Uint8Array): ResponseContent {
  const reader = new BinaryReader(message);
  let contentType = '';
  let body: Uint8Array = new Uint8Array(0);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1 && wireType === 2) contentType = reader.string();
    else if (number === 2 && wireType === 2) body = reader.bytes();
    else reader.skip(wireType, number);
  }
  return {
    contentType: /^[\x21-\x7e][\x20-\x7e]*$/.test(contentType) ? contentType : 'application/octet-stream',
    body,
  };
}
