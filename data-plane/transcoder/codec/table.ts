import { knownTypeOf, type KnownType } from '../schema/known.js';
import {
  fieldKind,
  isMap,
  isMessage,
  type EnumType,
  type Field,
  type FieldKind,
  type MessageType,
} from '../schema/types.js';
import { is64 } from './integer.js';
import { NameTable } from './name-table.js';
import { wordsOf, type Words } from './plain-word.js';
import { wireTypeOf } from './text.js';

/**
 * What the codecs need of a message, in the form they need it. Tables hold descriptor text only as bytes to compare with or to
 * write; no code is made of it.
 */
export class MessageTable {
  readonly type: MessageType;
  readonly known: KnownType;
  /** In the order of declaration, extensions behind. */
  readonly fields: readonly FieldTable[];
  /** Both names of each field → its place in `fields`. */
  readonly names: NameTable;
  /** Marks for fields and oneofs seen, in 32-bit words. */
  readonly seenWords: number;
  /** Two places per field and one per oneof. */
  readonly placeCount: number;
  readonly oneofCount: number;
  readonly #dense: Int32Array;
  readonly #sparse: ReadonlyMap<number, number>;

  constructor(type: MessageType, tables: Tables) {
    this.type = type;
    this.known = knownTypeOf(type.name);
    const all = [...type.fields, ...type.extensions()];
    this.seenWords = (all.length + type.oneofs.length + 31) >>> 5;
    this.fields = all.map((field, index) => new FieldTable(field, index, all.length, this.seenWords, tables));
    // JSON names first, so that one wins over another field's proto name (QP2).
    this.names = new NameTable([
      ...all.map((field, index) => [field.jsonName, index] as const),
      ...all.map((field, index) => [field.name, index] as const),
    ]);
    this.oneofCount = type.oneofs.length;
    this.placeCount = all.length * 2 + type.oneofs.length;
    this.#dense = new Int32Array(
      Math.min(
        maxDense,
        all.reduce((max, field) => Math.max(max, field.number + 1), 0),
      ),
    ).fill(-1);
    const sparse = new Map<number, number>();
    for (const [index, { number }] of all.entries()) {
      if (number < maxDense) this.#dense[number] = index;
      else sparse.set(number, index);
    }
    this.#sparse = sparse;
  }

  of(field: Field): FieldTable {
    return this.fields[this.indexOf(field.number)] as FieldTable;
  }

  /** The place in `fields` of a field number, or -1. */
  indexOf(number: number): number {
    if (number < this.#dense.length) return this.#dense[number] as number;
    return number < maxDense ? -1 : (this.#sparse.get(number) ?? -1);
  }
}

const maxDense = 512;
const utf8 = new TextEncoder();

export class FieldTable {
  readonly field: Field;
  readonly index: number;
  readonly kind: FieldKind;
  readonly repeated: boolean;
  readonly packed: boolean;
  readonly isMap: boolean;
  /** A message or group. */
  readonly isMessage: boolean;
  /** A list of which one record may hold many values. */
  readonly isPackable: boolean;
  /** An enum whose unknown numbers count as unknown fields. */
  readonly isClosedEnum: boolean;
  readonly is64: boolean;
  /** A single field without presence: its zero value is not sent. */
  readonly implicit: boolean;
  /** A message in group encoding. */
  readonly delimited: boolean;
  /** The mark of its oneof among the message's marks, or -1. */
  readonly oneofMark: number;
  /** How many words of marks its message needs. */
  readonly marks: number;
  /** The tag of one value. */
  readonly tag: number;
  /** `"jsonName"` with its quotes, as the usual writers of JSON spell it. */
  readonly quotedName: Words;
  /** `,"jsonName":` as 32-bit words, of which `keyLength` bytes count. */
  readonly keyWords: Int32Array;
  readonly keyLength: number;
  readonly #tables: Tables;
  #message: MessageTable | null = null;
  #enum: EnumTable | null = null;

  constructor(field: Field, index: number, fieldCount: number, marks: number, tables: Tables) {
    this.marks = marks;
    this.field = field;
    this.index = index;
    this.#tables = tables;
    this.kind = field.kind;
    this.repeated = field.repeated;
    this.packed = field.packed;
    this.isMap = isMap(field);
    this.isMessage = isMessage(field);
    this.isPackable = field.repeated && isPackable(field.kind);
    this.isClosedEnum = field.kind === fieldKind.enum && !field.enumeration().open;
    this.is64 = is64(field.kind);
    this.implicit = !field.repeated && !field.presence;
    this.delimited = isMessage(field) && field.delimited && !this.isMap;
    this.oneofMark = field.oneof < 0 ? -1 : fieldCount + field.oneof;
    this.tag = ((field.number << 3) | (this.delimited ? 3 : isMessage(field) ? 2 : wireTypeOf[field.kind])) >>> 0;
    const quoted = JSON.stringify(field.jsonName);
    this.quotedName = wordsOf(utf8.encode(quoted));
    const key = wordsOf(utf8.encode(`,${quoted}:`));
    this.keyLength = key.length;
    this.keyWords = key.words;
  }

  /** Of a message or map field. */
  message(): MessageTable {
    return (this.#message ??= this.#tables.message(this.field.message()));
  }

  enumeration(): EnumTable {
    return (this.#enum ??= this.#tables.enumeration(this.field.enumeration()));
  }
}

export class EnumTable {
  readonly type: EnumType;
  readonly names: NameTable;
  /** google.protobuf.NullValue is `null` in JSON. */
  readonly isNull: boolean;
  readonly #quoted = new Map<number, Uint8Array>();

  constructor(type: EnumType) {
    this.type = type;
    this.isNull = type.name === 'google.protobuf.NullValue';
    this.names = new NameTable(type.numbers);
    for (const [number, name] of type.names) this.#quoted.set(number, utf8.encode(JSON.stringify(name)));
  }

  /** The name with its quotes, or undefined for a number without one. */
  quoted(number: number): Uint8Array | undefined {
    return this.#quoted.get(number);
  }
}

/** The tables of one schema, made when first asked for and kept: as many as the schema has types. */
export class Tables {
  readonly #messages = new Map<MessageType, MessageTable>();
  readonly #enums = new Map<EnumType, EnumTable>();

  message(type: MessageType): MessageTable {
    let table = this.#messages.get(type);
    if (table === undefined) {
      table = new MessageTable(type, this);
      this.#messages.set(type, table);
    }
    return table;
  }

  enumeration(type: EnumType): EnumTable {
    let table = this.#enums.get(type);
    if (table === undefined) {
      table = new EnumTable(type);
      this.#enums.set(type, table);
    }
    return table;
  }
}

function isPackable(kind: FieldKind): boolean {
  const wireType = wireTypeOf[kind];
  return wireType !== 2 && wireType !== 3;
}

/** google.protobuf.NullValue and google.protobuf.Value take `null` as a value; elsewhere it is an absent field. */
export function takesNull(field: FieldTable): boolean {
  if (field.kind === fieldKind.enum) return field.enumeration().isNull;
  return field.kind === fieldKind.message && !field.isMap && field.message().known === 'value';
}
