import { plainName } from './limits.js';
import { fieldKind, SchemaError, type EnumType, type Field, type FieldKind, type MessageType } from './types.js';

/** Where linked types come from. */
export interface Linker {
  /** The full name of what `name`, written without a dot in front, means in a scope; `name` itself when nothing is found. */
  resolve(name: string, scope: string): string;
  message(name: string): MessageType | undefined;
  enumeration(name: string): EnumType | undefined;
  extensionsOf(extendee: string): readonly Field[];
}

/** Where a declaration stands, for whoever must find its fault. */
export interface Place {
  readonly linker: Linker;
  readonly file: string;
  /** Full name of the message, service or, for extensions, the scope. */
  readonly name: string;
}

/** The full name of a type: descriptors of protoc write it with a dot in front, those of protobufjs relative to where it stands. */
export function fullName({ linker, name: scope }: Place, written: string): string {
  if (written.startsWith('.')) return written.slice(1);
  return written === '' ? '' : linker.resolve(written, scope);
}

/** With fewer fields, looking at each is quicker than a map, and a schema has very many messages. */
const minIndexed = 12;

/** A message that finds the types of its fields when asked for them. */
export class LinkedMessage implements MessageType {
  readonly fields: readonly LinkedField[];
  readonly oneofs: readonly string[];
  readonly mapEntry: boolean;
  readonly #place: Place;
  #byName: Map<string, Field> | null = null;
  #byJsonName: Map<string, Field> | null = null;

  /** Throws SchemaError when the fields contradict each other. */
  constructor(place: Place, fields: readonly LinkedField[], oneofs: readonly string[], mapEntry: boolean) {
    this.#place = place;
    this.fields = fields;
    this.oneofs = oneofs;
    this.mapEntry = mapEntry;
    this.#check();
  }

  get name(): string {
    return this.#place.name;
  }

  get file(): string {
    return this.#place.file;
  }

  field(name: string): Field | undefined {
    if (this.fields.length < minIndexed) return this.fields.find((field) => field.name === name);
    this.#byName ??= new Map(this.fields.map((field) => [field.name, field]));
    return this.#byName.get(name);
  }

  /** Two fields of one JSON name are legal in proto2: the first has it. */
  jsonField(name: string): Field | undefined {
    if (this.fields.length < minIndexed) return this.fields.find((field) => field.jsonName === name);
    this.#byJsonName ??= new Map(this.fields.toReversed().map((field) => [field.jsonName, field]));
    return this.#byJsonName.get(name);
  }

  extensions(): readonly Field[] {
    return this.#place.linker.extensionsOf(this.name);
  }

  #check(): void {
    const { fields } = this;
    const seen = fields.length < minIndexed ? null : new Set<string | number>();
    for (let index = 0; index < fields.length; index++) {
      const { name, number, oneof } = fields[index] as LinkedField;
      if (seen === null ? this.#hasBefore(index, number) : !isNew(seen, number))
        this.#fail(`field number ${number} is used twice`);
      if (seen === null ? this.#hasBefore(index, name) : !isNew(seen, name)) this.#fail(`field ${name} stands twice`);
      if (oneof >= this.oneofs.length) this.#fail(`field ${name} is in a oneof that does not exist`);
    }
    if (this.mapEntry && !isEntry(fields)) this.#fail('a map entry needs a key and a value');
  }

  #hasBefore(index: number, taken: string | number): boolean {
    for (let at = 0; at < index; at++) {
      const field = this.fields[at] as LinkedField;
      if (field.number === taken || field.name === taken) return true;
    }
    return false;
  }

  #fail(reason: string): never {
    throw new SchemaError(this.file, this.name, reason);
  }
}

function isNew(seen: Set<string | number>, value: string | number): boolean {
  const { size } = seen;
  return seen.add(value).size > size;
}

const keyless: readonly FieldKind[] = [
  fieldKind.double,
  fieldKind.float,
  fieldKind.bytes,
  fieldKind.message,
  fieldKind.group,
  fieldKind.enum,
];

function isEntry([key, value, ...others]: readonly Field[]): boolean {
  if (key?.number !== 1 || value?.number !== 2 || others.length > 0) return false;
  return !key.repeated && !value.repeated && !keyless.includes(key.kind);
}

export type FieldShape = Omit<Field, 'parent' | 'message' | 'enumeration'>;

export class LinkedField implements Field {
  readonly number: number;
  readonly name: string;
  readonly jsonName: string;
  readonly kind: FieldKind;
  readonly typeName: string;
  readonly repeated: boolean;
  readonly packed: boolean;
  readonly presence: boolean;
  readonly delimited: boolean;
  readonly oneof: number;
  readonly extension: boolean;
  readonly synthetic: boolean;
  readonly #place: Place;

  constructor(place: Place, shape: FieldShape) {
    this.#place = place;
    this.number = shape.number;
    this.name = shape.name;
    this.jsonName = shape.jsonName;
    this.kind = shape.kind;
    this.typeName = shape.typeName;
    this.repeated = shape.repeated;
    this.packed = shape.packed;
    this.presence = shape.presence;
    this.delimited = shape.delimited;
    this.oneof = shape.oneof;
    this.extension = shape.extension;
    this.synthetic = shape.synthetic;
  }

  parent(): MessageType {
    return this.#found(this.#place.linker.message(this.#place.name), this.#place.name);
  }

  message(): MessageType {
    return this.#found(this.#place.linker.message(this.typeName), this.typeName);
  }

  enumeration(): EnumType {
    return this.#found(this.#place.linker.enumeration(this.typeName), this.typeName);
  }

  #found<T>(type: T | undefined, name: string): T {
    if (type !== undefined) return type;
    const { file, name: scope } = this.#place;
    throw new SchemaError(file, `${scope}.${this.name}`, `its type ${plainName(name)} is not in the set`);
  }
}
