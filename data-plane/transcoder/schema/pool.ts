import { BinaryReader } from '@bufbuild/protobuf/wire';
import { fileFeatures, readFeatures, type Features } from './features.js';
import { knownTypeOf } from './known.js';
import { readEnum, readExtension, readMessage, readService, type Linker } from './read.js';
import { SchemaError, type EnumType, type Field, type MessageType, type ServiceType } from './types.js';

/** What a FileDescriptorProto says of itself, without its declarations. */
export interface FileInfo {
  readonly name: string;
  readonly package: string;
  readonly dependencies: readonly string[];
  readonly features: Features;
}

interface Declaration {
  readonly kind: 'message' | 'enum' | 'service';
  readonly name: string;
  readonly file: FileInfo;
  readonly features: Features;
  readonly bytes: Uint8Array;
}

interface ExtensionDeclaration {
  readonly scope: string;
  readonly file: FileInfo;
  readonly features: Features;
  readonly bytes: Uint8Array;
}

/** protoc refuses messages nested deeper than 32; nobody writes a tenth of it. */
const maxNesting = 32;
const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;
const packageName = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;

/**
 * The declarations of a set of files by full name. Adding a file only notes where each declaration stands in the bytes; types
 * are read and linked when first asked for, so that a large set costs what is used of it. Every method throws SchemaError
 * (or a RangeError of the wire reader) on bad bytes.
 */
export class Pool implements Linker {
  readonly files = new Map<string, FileInfo>();
  readonly #fallback: Pool | null;
  readonly #declarations = new Map<string, Declaration>();
  readonly #extensions = new Map<string, ExtensionDeclaration[]>();
  readonly #messages = new Map<string, MessageType>();
  readonly #enums = new Map<string, EnumType>();

  /** `fallback` answers for names that no file of this pool declares. */
  constructor(fallback: Pool | null) {
    this.#fallback = fallback;
  }

  /** Takes an encoded FileDescriptorProto. */
  add(bytes: Uint8Array): void {
    const file = readFile(bytes);
    if (this.files.has(file.name)) throw new SchemaError(file.name, '', 'the file stands twice in the set');
    this.files.set(file.name, file);
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      if (wireType !== 2) reader.skip(wireType, number);
      else if (number === 4) this.#addMessage(file, file.package, file.features, reader.bytes(), 0);
      else if (number === 5) this.#declare('enum', file, file.package, file.features, reader.bytes());
      else if (number === 6) this.#declare('service', file, file.package, file.features, reader.bytes());
      else if (number === 7) this.#addExtension(file, file.package, file.features, reader.bytes());
      else reader.skip(wireType, number);
    }
  }

  hasFile(name: string): boolean {
    return this.files.has(name) || (this.#fallback?.hasFile(name) ?? false);
  }

  /** Full names of the declared services, in the order of declaration. */
  serviceNames(): string[] {
    return [...this.#declarations.values()].filter((it) => it.kind === 'service').map((it) => it.name);
  }

  service(name: string): ServiceType | undefined {
    const found = this.#declarations.get(name);
    if (found?.kind !== 'service') return undefined;
    return readService(this, found.file.name, found.name, found.bytes);
  }

  message(name: string): MessageType | undefined {
    const known = this.#messages.get(name);
    if (known !== undefined) return known;
    const found = this.#declarations.get(name);
    // The codecs rely on the fields of these, whatever an upload says of them.
    if (found === undefined || knownTypeOf(name) !== 'none')
      return this.#fallback?.message(name) ?? this.#own(name, found);
    return this.#own(name, found);
  }

  #own(name: string, found: Declaration | undefined): MessageType | undefined {
    if (found?.kind !== 'message') return undefined;
    const made = readMessage(this, found.file.name, found.name, found.features, found.bytes);
    this.#messages.set(name, made);
    return made;
  }

  enumeration(name: string): EnumType | undefined {
    const known = this.#enums.get(name);
    if (known !== undefined) return known;
    const found = this.#declarations.get(name);
    if (found === undefined) return this.#fallback?.enumeration(name);
    if (found.kind !== 'enum') return undefined;
    const made = readEnum(found.file.name, found.name, found.features, found.bytes);
    this.#enums.set(name, made);
    return made;
  }

  extensionsOf(extendee: string): Field[] {
    const declared = this.#extensions.get(extendee) ?? [];
    const own = declared.map((it) => readExtension(this, it.file.name, it.scope, it.features, it.bytes));
    return this.#fallback === null ? own : [...own, ...this.#fallback.extensionsOf(extendee)];
  }

  #addMessage(file: FileInfo, scope: string, outer: Features, bytes: Uint8Array, depth: number): void {
    if (depth > maxNesting) throw new SchemaError(file.name, scope, `messages are nested deeper than ${maxNesting}`);
    const features = declaredFeatures(bytes, 7, 12, outer);
    const name = this.#declare('message', file, scope, features, bytes);
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      if (wireType !== 2) reader.skip(wireType, number);
      else if (number === 3) this.#addMessage(file, name, features, reader.bytes(), depth + 1);
      else if (number === 4) this.#declare('enum', file, name, features, reader.bytes());
      else if (number === 6) this.#addExtension(file, name, features, reader.bytes());
      else reader.skip(wireType, number);
    }
  }

  #declare(kind: Declaration['kind'], file: FileInfo, scope: string, features: Features, bytes: Uint8Array): string {
    const simple = firstString(bytes, 1);
    if (!identifier.test(simple)) {
      throw new SchemaError(file.name, scope, `${quote(simple)} is not a name that a ${kind} may have`);
    }
    const name = scope === '' ? simple : `${scope}.${simple}`;
    const before = this.#declarations.get(name);
    if (before !== undefined) throw new SchemaError(file.name, name, `is declared in ${before.file.name} as well`);
    const own = kind === 'enum' ? declaredFeatures(bytes, 3, 7, features) : features;
    this.#declarations.set(name, { kind, name, file, features: own, bytes });
    return name;
  }

  #addExtension(file: FileInfo, scope: string, features: Features, bytes: Uint8Array): void {
    const extendee = firstString(bytes, 2).replace(/^\./, '');
    const declared = this.#extensions.get(extendee);
    const declaration = { scope, file, features, bytes };
    if (declared === undefined) this.#extensions.set(extendee, [declaration]);
    else declared.push(declaration);
  }
}

function readFile(bytes: Uint8Array): FileInfo {
  const reader = new BinaryReader(bytes);
  const dependencies: string[] = [];
  let name = '';
  let scope = '';
  let syntax = '';
  let edition = 0;
  let options: Uint8Array | null = null;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1) name = reader.string();
    else if (number === 2) scope = reader.string();
    else if (number === 3) dependencies.push(reader.string());
    else if (number === 8) options = reader.bytes();
    else if (number === 12) syntax = reader.string();
    else if (number === 14) edition = reader.int32();
    else reader.skip(wireType, number);
  }
  if (name === '') throw new SchemaError('', '', 'a file of the set has no name');
  if (scope !== '' && !packageName.test(scope))
    throw new SchemaError(name, '', `${quote(scope)} is not a package name`);
  const defaults = fileFeatures(syntax, edition);
  if (defaults === null) {
    throw new SchemaError(
      name,
      '',
      syntax === 'editions' ? `edition ${edition} is not supported` : `syntax ${quote(syntax)} is not supported`,
    );
  }
  const features = options === null ? defaults : optionFeatures(options, 50, defaults);
  return { name, package: scope, dependencies, features };
}

/** The features that a declaration's options (field `optionsNumber`) set, on top of `outer`. */
function declaredFeatures(bytes: Uint8Array, optionsNumber: number, featuresNumber: number, outer: Features): Features {
  const reader = new BinaryReader(bytes);
  let features = outer;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === optionsNumber && wireType === 2) features = optionFeatures(reader.bytes(), featuresNumber, features);
    else reader.skip(wireType, number);
  }
  return features;
}

function optionFeatures(options: Uint8Array, featuresNumber: number, outer: Features): Features {
  const reader = new BinaryReader(options);
  let features = outer;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === featuresNumber && wireType === 2)
      features = readFeatures(new BinaryReader(reader.bytes()), features);
    else reader.skip(wireType, number);
  }
  return features;
}

function firstString(bytes: Uint8Array, wanted: number): string {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === wanted && wireType === 2) return reader.string();
    reader.skip(wireType, number);
  }
  return '';
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
