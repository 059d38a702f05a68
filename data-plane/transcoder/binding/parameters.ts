import { isMap, isMessage, type Field, type MessageType } from '../schema/types.js';
import { ArgumentError } from '../codec/errors.js';
import { takesText, textWriter, wireTypeOf, type JsonToWire, type TextWriter } from '../codec/text.js';
import { WireWriter } from '../codec/writer.js';
import { dottedName, lastOf, type FieldPath } from './fieldpath.js';
import { decodeQuery } from './percent.js';

/** The values that parameters give one field, each encoded without tag. */
export interface ParameterField {
  readonly path: FieldPath;
  readonly values: Uint8Array[];
}

const maxParameters = 1_000;
export const maxParameterDepth = 32;

/**
 * Turns names and texts from paths, queries and forms into field values of one message type. Made once per type; writers are
 * compiled when a field is first named, so what it keeps is bounded by the type.
 */
export class Parameters {
  readonly #type: MessageType;
  readonly #toWire: JsonToWire;
  readonly #writers = new Map<Field, TextWriter>();
  readonly #scratch = new WireWriter(256);

  constructor(type: MessageType, toWire: JsonToWire) {
    this.#type = type;
    this.#toWire = toWire;
  }

  /** Encodes one text as a value of the field; throws ArgumentError naming `name`. */
  encode(field: Field, text: string, name: string): Uint8Array {
    let writer = this.#writers.get(field);
    if (writer === undefined) {
      writer = textWriter(field, this.#toWire);
      this.#writers.set(field, writer);
    }
    const scratch = this.#scratch;
    scratch.pos = 0;
    let reason: string | undefined;
    try {
      reason = writer(text, scratch);
    } catch (error) {
      // Its offset is one within the parameter.
      if (error instanceof ArgumentError) throw new ArgumentError(error.within(name).field, error.message);
      throw error;
    }
    if (reason !== undefined) throw new ArgumentError(name, reason);
    return scratch.copy();
  }

  /**
   * Reads a query or form: `a=1&b.c=2&b.c=3`. Unknown names are handed to `unknown`. Throws ArgumentError for a value that
   * does not fit, a singular field given twice, a field given beside a part of it, or one that cannot be given as text.
   */
  read(query: string, unknown: (name: string) => void): ParameterField[] {
    const fields = new Map<string, ParameterField>();
    let count = 0;
    for (const part of query.split('&', maxParameters + 2)) {
      if (part === '') continue;
      if (++count > maxParameters) throw new ArgumentError('', `there are more than ${maxParameters} query parameters`);
      const equals = part.indexOf('=');
      const rawName = equals < 0 ? part : part.slice(0, equals);
      const text = decodeQuery(equals < 0 ? '' : part.slice(equals + 1));
      if (!this.#readOne(fields, rawName, text)) unknown(decodeQuery(rawName) ?? rawName);
    }
    for (const { path } of fields.values()) if (path.length > 1) refuseWithWhole(path, fields);
    return [...fields.values()];
  }

  #readOne(fields: Map<string, ParameterField>, rawName: string, text: string | undefined): boolean {
    const decodedName = decodeQuery(rawName);
    const resolved = this.#resolve(rawName) ?? (decodedName === undefined ? undefined : this.#resolve(decodedName));
    if (resolved === undefined) return false;
    const { path, mapKey } = resolved;
    const leaf = path[path.length - 1] as Field;
    const name = mapKey === null ? dottedName(path) : `${dottedName(path)}[${JSON.stringify(mapKey)}]`;
    if (text === undefined) throw new ArgumentError(name, 'has a malformed escape or is not UTF-8');
    const key = keyOf(path) + (mapKey === null ? '' : `[${mapKey}`);
    const before = fields.get(key);
    if (before !== undefined && (!leaf.repeated || mapKey !== null))
      throw new ArgumentError(name, 'is given more than once');
    const value = mapKey === null ? this.#encodeLeaf(leaf, text, name) : this.#encodeEntry(leaf, mapKey, text, name);
    if (before === undefined) fields.set(key, { path, values: [value] });
    else before.values.push(value);
    return true;
  }

  #encodeLeaf(leaf: Field, text: string, name: string): Uint8Array {
    if (isMap(leaf)) throw new ArgumentError(name, `is a map: give it as ${name}[key]=value`);
    if (!takesText(leaf, false))
      throw new ArgumentError(name, 'is a message and cannot be a parameter; name a field of it');
    return this.encode(leaf, text, name);
  }

  #encodeEntry(field: Field, mapKey: string, text: string, name: string): Uint8Array {
    const [key, value] = field.message().fields as [Field, Field];
    if (!takesText(value, false)) throw new ArgumentError(name, 'is a message and cannot be a parameter');
    const keyBytes = this.encode(key, mapKey, name);
    const valueBytes = this.encode(value, text, name);
    const out = this.#scratch;
    out.pos = 0;
    out.tag(1, wireTypeOf[key.kind]);
    out.raw(keyBytes);
    out.tag(2, wireTypeOf[value.kind]);
    out.raw(valueBytes);
    const entry = out.copy();
    out.pos = 0;
    out.bytes(entry);
    return out.copy();
  }

  /** The field that a name leads to; undefined when it leads to none, or to an entry of a map. */
  fieldNamed(name: string): Field | undefined {
    const found = this.#resolve(name);
    return found === undefined || found.mapKey !== null ? undefined : lastOf(found.path);
  }

  /** Undefined when the name leads to no field. */
  #resolve(name: string): { path: FieldPath; mapKey: string | null } | undefined {
    const path: Field[] = [];
    let type = this.#type;
    let rest = name;
    for (;;) {
      // A custom json_name may hold dots and brackets itself.
      const whole = type.jsonField(rest);
      if (whole !== undefined) return { path: [...path, whole], mapKey: null };
      const end = rest.search(/[.[]/);
      const first = end < 0 ? rest : rest.slice(0, end);
      const field = type.jsonField(first) ?? type.field(first);
      if (field === undefined) return undefined;
      path.push(field);
      if (end < 0) return { path, mapKey: null };
      if (path.length >= maxParameterDepth)
        throw new ArgumentError(dottedName(path), `goes deeper than ${maxParameterDepth} fields`);
      if (isMap(field)) return mapEntryName(path, rest.slice(end));
      if (rest[end] === '[' || !isMessage(field) || field.repeated) {
        throw new ArgumentError(dottedName(path), 'has no fields that a parameter could name');
      }
      type = field.message();
      rest = rest.slice(end + 1);
    }
  }
}

/** `time=…&time.seconds=5`: the order of the parameters would decide (QP15). */
function refuseWithWhole(path: FieldPath, fields: ReadonlyMap<string, ParameterField>): void {
  for (let length = 1; length < path.length; length++) {
    const whole = fields.get(keyOf(path.slice(0, length)));
    if (whole === undefined) continue;
    throw new ArgumentError(
      dottedName(path),
      `cannot be given together with ${dottedName(whole.path)}, which holds it`,
    );
  }
}

function keyOf(path: FieldPath): string {
  return path.map((field) => field.number).join('.');
}

/** `[key]` or `.key` behind the name of a map. */
function mapEntryName(path: FieldPath, suffix: string): { path: FieldPath; mapKey: string } {
  if (suffix.startsWith('.')) return { path, mapKey: suffix.slice(1) };
  if (!suffix.endsWith(']')) throw new ArgumentError(dottedName(path), 'is a map: give it as name[key]=value');
  return { path, mapKey: suffix.slice(1, -1) };
}
