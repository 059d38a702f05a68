import { Buffer } from 'node:buffer';
import { ProxyError } from '../../errors.js';
import { ArgumentError } from '../codec/errors.js';
import { WireFault } from '../codec/wire-source.js';
import type { WireWriter } from '../codec/writer.js';
import type { Habits } from '../habits.js';
import { isMessage, type Field, type MessageType } from '../schema/types.js';
import type { BodyPlan } from './body.js';
import { isJson } from './content.js';
import { dottedName, lastOf, startsWith, writeAt, type FieldPath } from './fieldpath.js';
import { checkOneofs, checkSiblings } from './oneofs.js';
import type { Part } from './multipart.js';
import type { ParameterField, Parameters } from './parameters.js';
import { maskOf, writeMask } from './patch-mask.js';
import { decodeCapture } from './percent.js';
import { findRecord, withoutRecords } from './records.js';

/** A path variable and the field it gives. */
export interface BoundVariable {
  readonly path: FieldPath;
  /** The path in proto names. */
  readonly name: string;
  readonly multiSegment: boolean;
}

/** What path and query give, ready to be joined with a body. */
export interface BoundParameters {
  readonly path: readonly ParameterField[];
  readonly query: readonly ParameterField[];
}

/** The mask that a PATCH without one gets of its JSON body, and the message that the body is. */
export interface PatchMask {
  readonly field: Field;
  readonly type: MessageType;
}

const noFields: readonly ParameterField[] = [];
const nothingBound: BoundParameters = { path: noFields, query: noFields };
const headerBytes = 5;
const bytesKind = 12;
const utf8 = new TextDecoder('utf-8', { fatal: true });
/** Parameters that API clients add to any call; no profile refuses them (QP13). */
const ignored = /^(key|api_key|\$.*|utm_.*)$/;

/**
 * Makes the request message of one binding out of path, query and body. The parts are joined on the wire, where later values of
 * a single field replace earlier ones, so their order decides who wins (BD9, BD10): query values of single fields, body, query
 * values of repeated fields, path.
 */
export class RequestPlan {
  readonly #variables: readonly BoundVariable[];
  readonly #body: BodyPlan | null;
  readonly #parameters: Parameters;
  readonly #habits: Habits;
  readonly #out: WireWriter;
  readonly #patchMask: PatchMask | null;

  /** `out` is shared by all plans; a frame is made in one go. */
  constructor(
    variables: readonly BoundVariable[],
    body: BodyPlan | null,
    parameters: Parameters,
    habits: Habits,
    out: WireWriter,
    patchMask: PatchMask | null,
  ) {
    this.#variables = variables;
    this.#body = body;
    this.#parameters = parameters;
    this.#habits = habits;
    this.#out = out;
    this.#patchMask = patchMask;
  }

  /** Whether a request's body has any part in the message. */
  get usesBody(): boolean {
    return this.#body !== null;
  }

  /** The body is the whole message, so that nothing is left to parameters. */
  get isWholeBody(): boolean {
    return this.#body !== null && this.#body.path.length === 0;
  }

  /** The body is passed on as the bytes that it is (HB1). */
  get isHttpBody(): boolean {
    return this.#body?.isHttpBody ?? false;
  }

  /**
   * Reads the raw texts of the path variables, in the order of the template, and the query without its question mark. Throws
   * bad_argument naming the field that does not fit.
   */
  bind(variables: readonly string[], query: string): BoundParameters {
    if (variables.length === 0 && query === '') return nothingBound;
    try {
      const path = this.#readPath(variables);
      return checkedOf(path, query === '' || !this.#takesQuery(query) ? noFields : this.#readQuery(query, path));
    } catch (error) {
      throw asBadArgument(error);
    }
  }

  /**
   * The same with the parts of a multipart body (BD15): they are parameters, a file for a field of bytes or of HttpBody. A binding
   * whose body is the whole message has all of it from them.
   */
  bindParts(variables: readonly string[], query: string, parts: readonly Part[]): BoundParameters {
    try {
      const path = this.#readPath(variables);
      const texts = parts.flatMap((part) => this.#parametersOf(part));
      if (query !== '' && !this.isWholeBody) texts.unshift(query);
      return checkedOf(path, this.#readQuery(texts.join('&'), path));
    } catch (error) {
      throw asBadArgument(error);
    }
  }

  /** A part as parameters. */
  #parametersOf({ name, contentType, data }: Part): string[] {
    const field = this.#parameters.fieldNamed(name);
    const escaped = encodeURIComponent(name);
    if (field?.kind === bytesKind) return [`${escaped}=${base64Of(data)}`];
    if (field === undefined || !isMessage(field) || field.message().name !== 'google.api.HttpBody') {
      return [`${escaped}=${encodeURIComponent(textOf(data, name))}`];
    }
    return [`${escaped}.data=${base64Of(data)}`, `${escaped}.content_type=${encodeURIComponent(contentType)}`];
  }

  /**
   * The message in its gRPC frame. Throws bad_argument naming the field that does not fit, or unsupported_media_type. The
   * later messages of a stream are made with `bound` null (ST8).
   */
  frame(bound: BoundParameters | null, body: Uint8Array, contentType: string): Uint8Array {
    this.#write(bound ?? nothingBound, body, contentType);
    const frame = this.#out.copy();
    this.#out.release();
    return frame;
  }

  /** The same for a call of its own: latin1 text when it is short. */
  frameShort(bound: BoundParameters, body: Uint8Array, contentType: string): string | Uint8Array {
    this.#write(bound, body, contentType);
    const frame = this.#out.copyShort();
    this.#out.release();
    return frame;
  }

  #write(bound: BoundParameters, body: Uint8Array, contentType: string): void {
    const out = this.#out;
    out.pos = headerBytes;
    try {
      this.#assemble(bound, body, contentType, out);
    } catch (error) {
      throw asBadArgument(error);
    }
    const length = out.pos - headerBytes;
    const { buf } = out;
    buf[0] = 0;
    buf[1] = length >>> 24;
    buf[2] = length >>> 16;
    buf[3] = length >>> 8;
    buf[4] = length;
  }

  #assemble(bound: BoundParameters, body: Uint8Array, contentType: string, out: WireWriter): void {
    const { path, query } = bound;
    const plan = this.#body;
    if (plan === null) {
      for (const field of query) writeAt(field.path, field.values, out);
    } else if (query.length === 0) {
      this.#writeBody(plan, bound, this.#habits.rejectCollisions, body, contentType, out);
    } else {
      const late = query.filter((field) => lastOf(field.path).repeated || isMessage(lastOf(field.path)));
      for (const field of query) if (!late.includes(field)) writeAt(field.path, field.values, out);
      const start = out.pos;
      const keepZeros = this.#habits.rejectCollisions || query.some((field) => startsWith(field.path, plan.path));
      this.#writeBody(plan, bound, keepZeros, body, contentType, out);
      const end = out.pos;
      for (const field of late) {
        // Of a message the body's fields would mix with the query's.
        const isTaken = !lastOf(field.path).repeated && findRecord(out.buf, start, end, field.path) !== null;
        if (!isTaken) writeAt(field.path, field.values, out);
      }
    }
    for (const field of path) writeAt(field.path, field.values, out);
  }

  #writeBody(
    plan: BodyPlan,
    { path, query }: BoundParameters,
    keepZeros: boolean,
    body: Uint8Array,
    contentType: string,
    out: WireWriter,
  ): void {
    const start = out.pos;
    if (!plan.write(body, contentType, keepZeros, out)) return;
    this.#settle(start, path, query, out);
    if (this.#patchMask !== null && isJson(contentType)) this.#fillMask(this.#patchMask, plan.path, query, body, out);
  }

  #fillMask(
    { field, type }: PatchMask,
    bodyPath: FieldPath,
    query: readonly ParameterField[],
    body: Uint8Array,
    out: WireWriter,
  ): void {
    if (query.some(({ path, values }) => path[0] === field && values.some((value) => value.length > 1))) return;
    try {
      writeMask(field, maskOf(type, body), out);
    } catch (error) {
      throw error instanceof ArgumentError ? error.within(dottedName(bodyPath)) : error;
    }
  }

  /** Settles what the body, written from `start` on, has in common with path and query. */
  #settle(start: number, path: readonly ParameterField[], query: readonly ParameterField[], out: WireWriter): void {
    if (path.length === 0 && query.length === 0) return;
    checkSiblings(path, out.buf, start, out.pos);
    checkSiblings(query, out.buf, start, out.pos);
    if (this.#habits.rejectCollisions) this.#refuseOther([...path, ...query], start, out);
    for (const field of path) {
      const leaf = lastOf(field.path);
      if (!leaf.repeated && !isMessage(leaf)) continue;
      if (findRecord(out.buf, start, out.pos, field.path) === null) continue;
      const kept = withoutRecords(out.buf.slice(start, out.pos), field.path);
      out.pos = start;
      out.raw(kept);
    }
  }

  #refuseOther(fields: readonly ParameterField[], start: number, out: WireWriter): void {
    for (const { path, values } of fields) {
      const found = findRecord(out.buf, start, out.pos, path);
      if (found === null || lastOf(path).repeated) continue;
      if (!isSame(out.buf.subarray(found.start, found.end), values[0] as Uint8Array, lastOf(path))) {
        throw new ArgumentError(dottedName(path), 'has another value in the body');
      }
    }
  }

  #readPath(texts: readonly string[]): ParameterField[] {
    const fields: ParameterField[] = [];
    for (let i = 0; i < this.#variables.length; i++) {
      fields.push(this.#readVariable(this.#variables[i] as BoundVariable, texts[i] ?? ''));
    }
    return fields;
  }

  #readVariable({ path, name, multiSegment }: BoundVariable, raw: string): ParameterField {
    const kept = !multiSegment ? 'none' : this.#habits.profile === 'envoy' ? 'reserved' : 'slash';
    const text = decodeCapture(raw, kept);
    if (text === undefined) throw new ArgumentError(name, 'is not UTF-8 text without NUL');
    const field = lastOf(path);
    if (!field.repeated) return { path, values: [this.#parameters.encode(field, text, name)] };
    return { path, values: text.split(',').map((piece) => this.#parameters.encode(field, piece, name)) };
  }

  /** A body that is the whole message leaves nothing to the query (BD1); strict says so. */
  #takesQuery(query: string): boolean {
    if (!this.isWholeBody) return true;
    if (!this.#habits.rejectCollisions) return false;
    const [first] = this.#readFields(query);
    if (first === undefined) return false;
    throw new ArgumentError(dottedName(first.path), 'is a parameter, but the body is the whole request');
  }

  #readFields(query: string): ParameterField[] {
    return this.#parameters.read(query, (name) => {
      if (!this.#habits.rejectUnknownParameters || ignored.test(name)) return;
      if (this.#habits.prettyPrint && name === 'pretty') return;
      throw new ArgumentError(name.slice(0, 200), 'is not a field of the request');
    });
  }

  /** The fields of the query, without those that the path gives. */
  #readQuery(query: string, bound: readonly ParameterField[]): ParameterField[] {
    const isStrict = this.#habits.rejectCollisions;
    const fields = this.#readFields(query);
    return fields.filter((field) => {
      const same = bound.find((other) => startsWith(field.path, other.path));
      if (same === undefined) return true;
      if (isStrict && !isEqual(field.values[0] as Uint8Array, same.values[0] as Uint8Array)) {
        throw new ArgumentError(dottedName(field.path), 'has another value in the path');
      }
      return false;
    });
  }
}

/** In the alphabet of URLs, of which a query leaves every letter as it is. */
function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url');
}

function textOf(bytes: Uint8Array, name: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ArgumentError(name.slice(0, 200), 'is not UTF-8 text');
  }
}

/** A value that does not fit is a bad_argument. A protobuf body may be no message at all. */
function asBadArgument(error: unknown): unknown {
  if (error instanceof WireFault) {
    return new ProxyError('bad_argument', error, {
      violations: [{ field: '', description: 'is not a protobuf message' }],
    });
  }
  if (!(error instanceof ArgumentError)) return error;
  const at = error.offset < 0 ? '' : ` (at byte ${error.offset} of the body)`;
  return new ProxyError('bad_argument', error, {
    violations: [{ field: error.field, description: error.message + at }],
  });
}

function checkedOf(path: readonly ParameterField[], query: readonly ParameterField[]): BoundParameters {
  if (path.length + query.length > 1) checkOneofs([...path, ...query]);
  return { path, query };
}

/** Whether a record's value is the encoded one, which has its length in front where the record's has been taken off. */
function isSame(value: Uint8Array, encoded: Uint8Array, field: Field): boolean {
  return isEqual(value, isLengthPrefixed(field) ? encoded.subarray(encoded.length - value.length) : encoded);
}

function isLengthPrefixed(field: Field): boolean {
  return field.kind === 9 || field.kind === 12 || (isMessage(field) && !field.delimited);
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
