import { Buffer } from 'node:buffer';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { ProxyError } from '../../errors.js';
import type { Codecs } from '../codec/codec.js';
import type { Emission } from '../codec/wire-to-json.js';
import type { Habits } from '../habits.js';
import { isMessage, type MessageType } from '../schema/types.js';
import { acceptedProtobuf } from './content.js';
import type { FieldPath } from './fieldpath.js';

export interface ResponseContent {
  readonly contentType: string;
  readonly body: Uint8Array;
}

/** What is all of an answer; a string is latin1 text. */
export interface AnswerContent {
  readonly contentType: string;
  readonly body: Uint8Array | string;
}

/** Makes the answer's body out of a response message. */
export class ResponsePlan {
  readonly #type: MessageType;
  readonly #field: FieldPath;
  readonly #codecs: Codecs;
  readonly #emission: Emission;
  readonly #isMessage: boolean;
  /** The message is passed on as the bytes that it holds (HB2). */
  readonly isHttpBody: boolean;
  /** There is nothing to say, and the status is to say so (RS2). */
  readonly isNoContent: boolean;

  /** `field` is what response_body names; empty for the whole message. */
  constructor(type: MessageType, field: FieldPath, codecs: Codecs, habits: Habits) {
    this.#type = type;
    this.#field = field;
    this.#codecs = codecs;
    this.#emission = habits.unsetFields;
    const leaf = field[field.length - 1];
    const content = leaf === undefined ? type : isMessage(leaf) && !leaf.repeated ? leaf.message() : null;
    this.#isMessage = content !== null;
    this.isHttpBody = content?.name === 'google.api.HttpBody';
    this.isNoContent = habits.emptyAsNoContent && content?.name === 'google.protobuf.Empty';
  }

  /**
   * A client whose Accept has a protobuf type, and no JSON before it, gets the message's own bytes (CN4). Throws upstream_malformed when the bytes are not a message of the method's type, or cannot be printed.
   */
  toContent(message: Uint8Array, accept: string): ResponseContent {
    try {
      return this.#asItIs(message, accept) ?? { contentType: 'application/json', body: this.#print(message) };
    } catch (error) {
      throw new ProxyError('upstream_malformed', error);
    }
  }

  /** The same for an answer of its own, which has nothing in common with the memory of `message`. */
  toAnswer(message: Uint8Array, accept: string): AnswerContent {
    try {
      const asItIs = accept === '' && !this.isHttpBody ? null : this.#asItIs(message, accept);
      if (asItIs !== null) return { ...asItIs, body: Buffer.from(asItIs.body) };
      return { contentType: 'application/json', body: this.#printShort(message) };
    } catch (error) {
      throw new ProxyError('upstream_malformed', error);
    }
  }

  #printShort(message: Uint8Array): string | Uint8Array {
    return this.#field.length === 0
      ? this.#codecs.printShort(this.#type, message, this.#emission)
      : this.#codecs.printField(this.#type, this.#field, message, this.#emission);
  }

  #print(message: Uint8Array): Uint8Array {
    return this.#field.length === 0
      ? this.#codecs.print(this.#type, message, this.#emission)
      : this.#codecs.printField(this.#type, this.#field, message, this.#emission);
  }

  /** What is passed on without being printed. */
  #asItIs(message: Uint8Array, accept: string): ResponseContent | null {
    if (this.isHttpBody) return readHttpBody(this.#codecs.messageAt(this.#type, this.#field, message));
    const contentType = accept === '' || !this.#isMessage ? undefined : acceptedProtobuf(accept);
    if (contentType === undefined) return null;
    return { contentType, body: this.#codecs.messageAt(this.#type, this.#field, message) ?? new Uint8Array(0) };
  }

  /** The JSON of a packed Any, or undefined when its bytes are not what its type says. */
  printAny(typeUrl: string, value: Uint8Array): string | undefined {
    try {
      return new TextDecoder().decode(this.#codecs.printAny(typeUrl, value, this.#emission));
    } catch {
      return undefined;
    }
  }
}

function readHttpBody(message: Uint8Array | null): ResponseContent {
  const reader = new BinaryReader(message ?? new Uint8Array(0));
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
