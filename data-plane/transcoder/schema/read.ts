import { BinaryReader } from '@bufbuild/protobuf/wire';
import { readFeatures, type Features } from './features.js';
import {
  fieldKind,
  SchemaError,
  type EnumType,
  type Field,
  type FieldKind,
  type MessageType,
  type Method,
  type ServiceType,
} from './types.js';

/** Where linked types come from. */
export interface Linker {
  message(name: string): MessageType | undefined;
  enumeration(name: string): EnumType | undefined;
  extensionsOf(extendee: string): readonly Field[];
}

const maxFieldNumber = 536_870_911;
const fieldName = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;

/** Reads a DescriptorProto. Nested declarations are the pool's; types of fields are linked when asked for. */
export function readMessage(
  linker: Linker,
  file: string,
  name: string,
  features: Features,
  bytes: Uint8Array,
): MessageType {
  const reader = new BinaryReader(bytes);
  const declared: Uint8Array[] = [];
  const oneofs: string[] = [];
  let mapEntry = false;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 2 && wireType === 2) declared.push(reader.bytes());
    else if (number === 8 && wireType === 2) oneofs.push(readName(reader.bytes()));
    else if (number === 7 && wireType === 2) mapEntry = readBool(reader.bytes(), 7) || mapEntry;
    else reader.skip(wireType, number);
  }
  // Maps are never in group encoding, whatever the file says.
  const scope = mapEntry ? { ...features, delimited: false } : features;
  const fields = declared.map((field) => readField(linker, file, name, scope, field, null));
  return new LinkedMessage(linker, file, name, fields, oneofs, mapEntry);
}

/** Reads a FieldDescriptorProto that declares an extension in `scope`. */
export function readExtension(
  linker: Linker,
  file: string,
  scope: string,
  features: Features,
  bytes: Uint8Array,
): Field {
  return readField(linker, file, scope, features, bytes, scope);
}

/** Reads an EnumDescriptorProto. */
export function readEnum(file: string, name: string, features: Features, bytes: Uint8Array): EnumType {
  const reader = new BinaryReader(bytes);
  const names = new Map<number, string>();
  const numbers = new Map<string, number>();
  let first: number | undefined;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number !== 2 || wireType !== 2) {
      reader.skip(wireType, number);
      continue;
    }
    const value = readEnumValue(reader.bytes());
    first ??= value.number;
    if (!names.has(value.number)) names.set(value.number, value.name);
    numbers.set(value.name, value.number);
  }
  if (first === undefined) throw new SchemaError(file, name, 'the enum has no value');
  return { name, open: features.openEnum, first, names, numbers };
}

/** Reads a ServiceDescriptorProto. */
export function readService(linker: Linker, file: string, name: string, bytes: Uint8Array): ServiceType {
  const reader = new BinaryReader(bytes);
  const methods: Method[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 2 && wireType === 2) methods.push(readMethod(linker, file, name, reader.bytes()));
    else reader.skip(wireType, number);
  }
  return { name, file, methods };
}

class LinkedMessage implements MessageType {
  readonly name: string;
  readonly file: string;
  readonly fields: readonly LinkedField[];
  readonly oneofs: readonly string[];
  readonly mapEntry: boolean;
  readonly #linker: Linker;
  readonly #byName = new Map<string, Field>();
  readonly #byJsonName = new Map<string, Field>();

  constructor(
    linker: Linker,
    file: string,
    name: string,
    fields: readonly LinkedField[],
    oneofs: readonly string[],
    mapEntry: boolean,
  ) {
    this.#linker = linker;
    this.file = file;
    this.name = name;
    this.fields = fields;
    this.oneofs = oneofs;
    this.mapEntry = mapEntry;
    const numbers = new Set<number>();
    for (const field of fields) {
      if (numbers.has(field.number)) throw new SchemaError(file, name, `field number ${field.number} is used twice`);
      if (this.#byName.has(field.name)) throw new SchemaError(file, name, `field ${field.name} stands twice`);
      if (field.oneof >= oneofs.length)
        throw new SchemaError(file, name, `field ${field.name} is in a oneof that does not exist`);
      numbers.add(field.number);
      this.#byName.set(field.name, field);
      // Two fields of one JSON name are legal in proto2 with a warning: the first has it.
      if (!this.#byJsonName.has(field.jsonName)) this.#byJsonName.set(field.jsonName, field);
    }
    if (mapEntry && !isEntry(fields)) throw new SchemaError(file, name, 'a map entry needs a key and a value');
  }

  field(name: string): Field | undefined {
    return this.#byName.get(name);
  }

  jsonField(name: string): Field | undefined {
    return this.#byJsonName.get(name);
  }

  extensions(): readonly Field[] {
    return this.#linker.extensionsOf(this.name);
  }
}

function isEntry([key, value, ...others]: readonly LinkedField[]): boolean {
  if (key?.number !== 1 || value?.number !== 2 || others.length > 0 || key.repeated || value.repeated) return false;
  const { double, float, bytes, message, group } = fieldKind;
  return ![double, float, bytes, message, group, fieldKind.enum].some((kind) => kind === key.kind);
}

interface FieldShape extends Omit<Field, 'parent' | 'message' | 'enumeration'> {
  readonly typeName: string;
}

class LinkedField implements Field {
  readonly number: number;
  readonly name: string;
  readonly jsonName: string;
  readonly kind: FieldKind;
  readonly repeated: boolean;
  readonly packed: boolean;
  readonly presence: boolean;
  readonly delimited: boolean;
  readonly oneof: number;
  readonly extension: boolean;
  readonly synthetic: boolean;
  readonly defaultText: string | undefined;
  readonly #linker: Linker;
  readonly #file: string;
  readonly #scope: string;
  readonly #symbol: string;
  readonly #typeName: string;

  constructor(linker: Linker, file: string, scope: string, shape: FieldShape) {
    this.#linker = linker;
    this.#file = file;
    this.#scope = scope;
    this.#symbol = `${scope}.${shape.name}`;
    this.#typeName = shape.typeName;
    this.number = shape.number;
    this.name = shape.name;
    this.jsonName = shape.jsonName;
    this.kind = shape.kind;
    this.repeated = shape.repeated;
    this.packed = shape.packed;
    this.presence = shape.presence;
    this.delimited = shape.delimited;
    this.oneof = shape.oneof;
    this.extension = shape.extension;
    this.synthetic = shape.synthetic;
    this.defaultText = shape.defaultText;
  }

  parent(): MessageType {
    const found = this.#linker.message(this.#scope);
    if (found === undefined) throw new SchemaError(this.#file, this.#symbol, 'its message is not in the set');
    return found;
  }

  message(): MessageType {
    const found = this.#linker.message(this.#typeName);
    if (found === undefined) throw this.#missing('message');
    return found;
  }

  enumeration(): EnumType {
    const found = this.#linker.enumeration(this.#typeName);
    if (found === undefined) throw this.#missing('enum');
    return found;
  }

  #missing(kind: string): SchemaError {
    return new SchemaError(this.#file, this.#symbol, `its type, ${kind} ${this.#typeName}, is not in the set`);
  }
}

interface RawField {
  name: string;
  number: number;
  label: number;
  kind: number;
  typeName: string;
  defaultText: string | undefined;
  jsonName: string | undefined;
  oneof: number;
  optional: boolean;
  packed: boolean | undefined;
  features: Features;
}

function readField(
  linker: Linker,
  file: string,
  scope: string,
  outer: Features,
  bytes: Uint8Array,
  extensionScope: string | null,
): LinkedField {
  const raw = readRawField(bytes, outer);
  if (!fieldName.test(raw.name))
    throw new SchemaError(file, scope, `${JSON.stringify(raw.name.slice(0, 80))} is not a field name`);
  if (raw.number < 1 || raw.number > maxFieldNumber)
    throw new SchemaError(file, scope, `field ${raw.name} has number ${raw.number}`);
  if (raw.kind < 1 || raw.kind > 18) throw new SchemaError(file, scope, `field ${raw.name} has no known type`);
  const kind = raw.kind as FieldKind;
  const repeated = raw.label === 3;
  const isMessageKind = kind === fieldKind.message || kind === fieldKind.group;
  const extension = extensionScope !== null;
  const fullName = extensionScope === null || extensionScope === '' ? raw.name : `${extensionScope}.${raw.name}`;
  return new LinkedField(linker, file, scope, {
    number: raw.number,
    name: extension ? `[${fullName}]` : raw.name,
    jsonName: extension ? `[${fullName}]` : (raw.jsonName ?? camelCase(raw.name)),
    kind,
    repeated,
    packed: repeated && isPackable(kind) && (raw.packed ?? raw.features.packed),
    presence: !repeated && (isMessageKind || extension || raw.oneof >= 0 || raw.features.presence !== 'implicit'),
    delimited: kind === fieldKind.group || (kind === fieldKind.message && raw.features.delimited),
    // A proto3 optional stands in a oneof of its own, which nobody wrote.
    oneof: raw.optional || extension ? -1 : raw.oneof,
    extension,
    synthetic: raw.optional,
    defaultText: raw.defaultText,
    typeName: raw.typeName.replace(/^\./, ''),
  });
}

function readRawField(bytes: Uint8Array, outer: Features): RawField {
  const reader = new BinaryReader(bytes);
  const raw: RawField = {
    name: '',
    number: 0,
    label: 1,
    kind: 0,
    typeName: '',
    defaultText: undefined,
    jsonName: undefined,
    oneof: -1,
    optional: false,
    packed: undefined,
    features: outer,
  };
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    switch (number) {
      case 1:
        raw.name = reader.string();
        break;
      case 3:
        raw.number = reader.int32();
        break;
      case 4:
        raw.label = reader.int32();
        break;
      case 5:
        raw.kind = reader.int32();
        break;
      case 6:
        raw.typeName = reader.string();
        break;
      case 7:
        raw.defaultText = reader.string();
        break;
      case 8:
        readFieldOptions(reader.bytes(), raw);
        break;
      case 9:
        raw.oneof = reader.int32();
        break;
      case 10:
        raw.jsonName = reader.string();
        break;
      case 17:
        raw.optional = reader.bool();
        break;
      default:
        reader.skip(wireType, number);
    }
  }
  return raw;
}

function readFieldOptions(bytes: Uint8Array, raw: RawField): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 2 && wireType === 0) raw.packed = reader.bool();
    else if (number === 21 && wireType === 2)
      raw.features = readFeatures(new BinaryReader(reader.bytes()), raw.features);
    else reader.skip(wireType, number);
  }
}

function readMethod(linker: Linker, file: string, service: string, bytes: Uint8Array): Method {
  const reader = new BinaryReader(bytes);
  let name = '';
  let input = '';
  let output = '';
  let clientStreaming = false;
  let serverStreaming = false;
  let httpRule: Uint8Array | null = null;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    switch (number) {
      case 1:
        name = reader.string();
        break;
      case 2:
        input = reader.string().replace(/^\./, '');
        break;
      case 3:
        output = reader.string().replace(/^\./, '');
        break;
      case 4:
        httpRule = readHttpOption(reader.bytes(), httpRule);
        break;
      case 5:
        clientStreaming = reader.bool();
        break;
      case 6:
        serverStreaming = reader.bool();
        break;
      default:
        reader.skip(wireType, number);
    }
  }
  if (!fieldName.test(name))
    throw new SchemaError(file, service, `${JSON.stringify(name.slice(0, 80))} is not a method name`);
  const resolve = (typeName: string): MessageType => {
    const found = linker.message(typeName);
    if (found === undefined)
      throw new SchemaError(file, `${service}.${name}`, `its message ${typeName} is not in the set`);
    return found;
  };
  return {
    name,
    service,
    file,
    path: `/${service}/${name}`,
    clientStreaming,
    serverStreaming,
    httpRule,
    input: () => resolve(input),
    output: () => resolve(output),
  };
}

/** Extension 72295728 of MethodOptions is google.api.http, whether or not the set declares it. */
const httpOption = 72295728;

function readHttpOption(options: Uint8Array, before: Uint8Array | null): Uint8Array | null {
  const reader = new BinaryReader(options);
  let rule = before;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === httpOption && wireType === 2) rule = rule === null ? reader.bytes() : joined(rule, reader.bytes());
    else reader.skip(wireType, number);
  }
  return rule;
}

/** Joined encodings of a message are the encoding of the merged message. */
function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function readEnumValue(bytes: Uint8Array): { name: string; number: number } {
  const reader = new BinaryReader(bytes);
  let name = '';
  let value = 0;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1) name = reader.string();
    else if (number === 2) value = reader.int32();
    else reader.skip(wireType, number);
  }
  return { name, number: value };
}

function readName(bytes: Uint8Array): string {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1 && wireType === 2) return reader.string();
    reader.skip(wireType, number);
  }
  return '';
}

function readBool(bytes: Uint8Array, wanted: number): boolean {
  const reader = new BinaryReader(bytes);
  let value = false;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === wanted && wireType === 0) value = reader.bool();
    else reader.skip(wireType, number);
  }
  return value;
}

function isPackable(kind: FieldKind): boolean {
  return (
    kind !== fieldKind.string && kind !== fieldKind.bytes && kind !== fieldKind.message && kind !== fieldKind.group
  );
}

/** protoc's rule for the JSON name: underscores go, and the letter after one is raised. */
function camelCase(name: string): string {
  let camel = '';
  let raise = false;
  for (const char of name) {
    if (char === '_') raise = true;
    else {
      camel += raise ? char.toUpperCase() : char;
      raise = false;
    }
  }
  return camel;
}
