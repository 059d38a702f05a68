import { ProxyError } from '../../errors.js';
import { ArgumentError } from '../codec/errors.js';
import type { Codecs, ReadOptions } from '../codec/codec.js';
import { WireWriter } from '../codec/writer.js';
import type { Profile } from '../profile.js';
import { isMessage, type Field, type MessageType } from '../schema/types.js';
import { bodyFormat, type BodyFormat } from './content.js';
import { dottedName, startsWith, writeAt, writeMessage, type FieldPath } from './fieldpath.js';
import type { ParameterField, Parameters } from './parameters.js';
import { decodeCapture, type KeptEscapes } from './percent.js';

/** A path variable and the field it gives. */
export interface BoundVariable {
  readonly path: FieldPath;
  readonly multiSegment: boolean;
}

/** Where the body goes: nowhere, the whole message, or one field. */
export type BodyTarget =
  { readonly kind: 'none' } | { readonly kind: 'whole' } | { readonly kind: 'field'; readonly path: FieldPath };

export interface RequestParts {
  /** Raw text of each path variable, in the order of the template. */
  readonly variables: readonly string[];
  /** Without its question mark. */
  readonly query: string;
  readonly body: Uint8Array;
  /** '' when the request has none. */
  readonly contentType: string;
}

/** Parameters that API clients add to any call; no profile refuses them (QP13). */
const ignored = /^(key|api_key|\$.*|utm_.*)$/;

/**
 * Makes the request message of one binding out of path, query and body. Its order on the wire decides who wins (BD9): query
 * values of single fields, body, query values of repeated fields, path; later values of a single field replace earlier ones.
 */
export class RequestPlan {
  readonly #type: MessageType;
  readonly #variables: readonly BoundVariable[];
  readonly #body: BodyTarget;
  readonly #parameters: Parameters;
  readonly #codecs: Codecs;
  readonly #profile: Profile;

  constructor(
    type: MessageType,
    variables: readonly BoundVariable[],
    body: BodyTarget,
    parameters: Parameters,
    codecs: Codecs,
    profile: Profile,
  ) {
    this.#type = type;
    this.#variables = variables;
    this.#body = body;
    this.#parameters = parameters;
    this.#codecs = codecs;
    this.#profile = profile;
  }

  /** Whether a request's body has any part in the message. */
  get usesBody(): boolean {
    return this.#body.kind !== 'none';
  }

  /** The message's wire bytes. Throws bad_argument naming each field that does not fit, or unsupported_media_type. */
  toMessage(parts: RequestParts): Uint8Array {
    try {
      return this.#assemble(parts);
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      const at = error.offset < 0 ? '' : ` (at byte ${error.offset} of the body)`;
      throw new ProxyError('bad_argument', error, {
        violations: [{ field: error.field, description: error.message + at }],
      });
    }
  }

  #assemble(parts: RequestParts): Uint8Array {
    const path = this.#readPath(parts.variables);
    const query = this.#body.kind === 'whole' || parts.query === '' ? [] : this.#readQuery(parts.query);
    checkOneofs([...path, ...query]);
    const out = new WireWriter(256);
    for (const { path: to, values } of query) if (!lastOf(to).repeated) writeAt(to, values, out);
    if (this.#body.kind !== 'none') this.#writeBody(this.#body, parts, query, out);
    for (const { path: to, values } of query) if (lastOf(to).repeated) writeAt(to, values, out);
    for (const { path: to, values } of path) writeAt(to, values, out);
    return out.copy();
  }

  #readPath(texts: readonly string[]): ParameterField[] {
    return this.#variables.map(({ path, multiSegment }, index) => {
      const name = dottedName(path);
      const text = decodeCapture(texts[index] ?? '', multiSegment ? this.#keptEscapes() : 'none');
      if (text === undefined) throw new ArgumentError(name, 'is not UTF-8 text without NUL');
      const field = lastOf(path);
      const pieces = field.repeated ? text.split(',') : [text];
      return { path, values: pieces.map((piece) => this.#parameters.encode(field, piece, name)) };
    });
  }

  #keptEscapes(): KeptEscapes {
    return this.#profile === 'envoy' ? 'reserved' : 'slash';
  }

  #readQuery(query: string): ParameterField[] {
    const refusesUnknown = this.#profile !== 'grpc-gateway';
    const fields = this.#parameters.read(query, (name) => {
      if (refusesUnknown && !ignored.test(name))
        throw new ArgumentError(name.slice(0, 200), 'is not a field of the request');
    });
    return fields.filter((field) => !this.#variables.some((variable) => startsWith(field.path, variable.path)));
  }

  #writeBody(
    target: BodyTarget & { kind: 'whole' | 'field' },
    { body, contentType }: RequestParts,
    query: readonly ParameterField[],
    out: WireWriter,
  ): void {
    const path = target.kind === 'field' ? target.path : [];
    const field = path[path.length - 1];
    const type = field === undefined ? this.#type : isMessage(field) && !field.repeated ? field.message() : null;
    if (type?.name === 'google.api.HttpBody') {
      writeValue(path, httpBody(contentType, body), out);
      return;
    }
    const format = bodyFormat(contentType, this.#profile);
    if (isBlank(body, format)) return;
    const options = {
      ignoreUnknown: this.#profile !== 'strict',
      keepZeros: query.some((given) => startsWith(given.path, path)),
    };
    if (format === 'protobuf') {
      if (type === null) throw new ProxyError('unsupported_media_type');
      writeValue(path, body, out);
    } else if (field === undefined) {
      out.raw(this.#codecs.read(this.#type, body, options));
    } else {
      const parent = path.length === 1 ? this.#type : (path[path.length - 2] as Field).message();
      writeValue(path.slice(0, -1), this.#readField(parent, field, path, body, options), out);
    }
  }

  #readField(parent: MessageType, field: Field, path: FieldPath, body: Uint8Array, options: ReadOptions): Uint8Array {
    try {
      return this.#codecs.readField(parent, field, body, options);
    } catch (error) {
      throw error instanceof ArgumentError ? error.within(dottedName(path)) : error;
    }
  }
}

/** Writes a message at `path`, the whole request when it is empty. */
function writeValue(path: FieldPath, wire: Uint8Array, out: WireWriter): void {
  if (path.length === 0) {
    out.raw(wire);
    return;
  }
  const inner = new WireWriter(wire.length + 16);
  writeMessage(lastOf(path), wire, inner);
  writeValue(path.slice(0, -1), inner.copy(), out);
}

/** Refuses two members of one oneof, whatever the order they came in (BD11). */
function checkOneofs(fields: readonly ParameterField[]): void {
  const members = new Map<string, FieldPath>();
  for (const { path } of fields) {
    for (const [index, field] of path.entries()) {
      if (field.oneof < 0) continue;
      const parent = path
        .slice(0, index)
        .map((it) => it.number)
        .join('.');
      const key = `${parent}/${field.oneof}`;
      const upTo = path.slice(0, index + 1);
      const other = members.get(key);
      if (other === undefined) members.set(key, upTo);
      else if (lastOf(other) !== field) {
        throw new ArgumentError(
          dottedName(upTo),
          `cannot be given together with ${dottedName(other)}: only one of them may be set`,
        );
      }
    }
  }
}

function httpBody(contentType: string, body: Uint8Array): Uint8Array {
  const out = new WireWriter(body.length + contentType.length + 16);
  if (contentType !== '') {
    out.tag(1, 2);
    out.string(contentType);
  }
  if (body.length > 0) {
    out.tag(2, 2);
    out.bytes(body);
  }
  return out.copy();
}

/** A JSON body of blanks is an empty body (BD5). */
function isBlank(body: Uint8Array, format: BodyFormat): boolean {
  if (format !== 'json') return body.length === 0;
  return body.every((byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
}

function lastOf(path: FieldPath): Field {
  return path[path.length - 1] as Field;
}
