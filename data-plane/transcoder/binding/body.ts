import { ProxyError } from '../../errors.js';
import type { Codecs } from '../codec/codec.js';
import { ArgumentError } from '../codec/errors.js';
import type { WireWriter } from '../codec/writer.js';
import type { Habits } from '../habits.js';
import { isMessage, type Field, type MessageType } from '../schema/types.js';
import { bodyFormat } from './content.js';
import { checkRecords } from './records.js';
import { dottedName, lastOf, within, type FieldPath } from './fieldpath.js';

/** Writes the bytes of a request's body into the message: as the whole of it, or as one field. */
export class BodyPlan {
  readonly path: FieldPath;
  readonly #type: MessageType;
  readonly #codecs: Codecs;
  readonly #habits: Habits;
  /** The message that the body is, or null when it is something else. */
  readonly #content: MessageType | null;
  readonly isHttpBody: boolean;

  /** `path` is empty when the body is the whole message. */
  constructor(type: MessageType, path: FieldPath, codecs: Codecs, habits: Habits) {
    this.#type = type;
    this.path = path;
    this.#codecs = codecs;
    this.#habits = habits;
    const field = path[path.length - 1];
    this.#content = field === undefined ? type : isMessage(field) && !field.repeated ? field.message() : null;
    this.isHttpBody = this.#content?.name === 'google.api.HttpBody';
  }

  /**
   * Writes what the body gives; `keepZeros` makes its zero values win over what stands before them. False when there is no
   * body. Throws ArgumentError or unsupported_media_type.
   */
  write(body: Uint8Array, contentType: string, keepZeros: boolean, out: WireWriter): boolean {
    if (this.isHttpBody) {
      within(this.path, out, () => writeHttpBody(contentType, body, out));
      return true;
    }
    const format = bodyFormat(contentType, this.#habits.profile);
    if (format === 'protobuf') return this.#writeMessage(body, out);
    if (isBlank(body)) return false;
    const options = { ignoreUnknown: !this.#habits.rejectUnknownFields, keepZeros };
    if (this.path.length === 0) this.#codecs.readInto(out, this.#type, body, options);
    else if (this.path.length === 1) this.#readField(this.#type, body, options, out);
    else {
      const parents = this.path.slice(0, -1);
      within(parents, out, () => this.#readField(lastOf(parents).message(), body, options, out));
    }
    return true;
  }

  #writeMessage(body: Uint8Array, out: WireWriter): boolean {
    if (this.#content === null) throw new ProxyError('unsupported_media_type');
    checkRecords(body);
    if (body.length > 0) within(this.path, out, () => out.raw(body));
    return body.length > 0;
  }

  #readField(
    parent: MessageType,
    body: Uint8Array,
    options: { ignoreUnknown: boolean; keepZeros: boolean },
    out: WireWriter,
  ): void {
    const field: Field = lastOf(this.path);
    try {
      this.#codecs.readFieldInto(out, parent, field, body, options);
    } catch (error) {
      throw error instanceof ArgumentError ? error.within(dottedName(this.path)) : error;
    }
  }
}

/** Writes the fields of a google.api.HttpBody. */
export function writeHttpBody(contentType: string, data: Uint8Array, out: WireWriter): void {
  if (contentType !== '') {
    out.tag(1, 2);
    out.string(contentType);
  }
  if (data.length > 0) {
    out.tag(2, 2);
    out.bytes(data);
  }
}

/** A JSON body of blanks is an empty body (BD5). */
function isBlank(body: Uint8Array): boolean {
  for (const byte of body) {
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return false;
  }
  return true;
}
