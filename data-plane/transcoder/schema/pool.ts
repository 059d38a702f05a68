import type { Cursor } from './cursor.js';
import { fileFeatures, readFeatures, type Features } from './features.js';
import { knownTypeOf } from './known.js';
import { limits, plainName, quote } from './limits.js';
import { fullName, type Linker, type Place } from './linked.js';
import { readEnum, readExtension, readMessage } from './read.js';
import { readService } from './read-service.js';
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
  readonly file: FileInfo;
  readonly features: Features;
  readonly part: Cursor;
}

interface ExtensionDeclaration {
  /** As it is written. */
  readonly extendee: string;
  readonly scope: string;
  readonly file: FileInfo;
  readonly features: Features;
  readonly part: Cursor;
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,254}$/;
/** No terminal should do what the name of a file says. */
const fileName = /^[^\x00-\x1f\x7f]{1,1024}$/;
const packageName = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;

/**
 * The declarations of a set of files by full name. Adding a file only notes where each declaration stands in the bytes; types
 * are read and linked when first asked for, so that a large set costs what is used of it. Every method throws SchemaError on
 * bad bytes.
 */
export class Pool implements Linker {
  readonly files = new Map<string, FileInfo>();
  readonly #fallback: Pool | null;
  readonly #declarations = new Map<string, Declaration>();
  readonly #services: string[] = [];
  readonly #extensions: ExtensionDeclaration[] = [];
  /** Made when first asked for: only then every name that an extension may extend is known. */
  #byExtendee: Map<string, ExtensionDeclaration[]> | null = null;
  readonly #messages = new Map<string, MessageType>();
  readonly #enums = new Map<string, EnumType>();
  readonly #checked = new Set<string>();

  /** `fallback` answers for names that no file of this pool declares. */
  constructor(fallback: Pool | null) {
    this.#fallback = fallback;
  }

  /** Takes an encoded FileDescriptorProto. */
  add(part: Cursor): void {
    const file = readFile(part);
    if (this.files.has(file.name)) throw new SchemaError(file.name, '', 'the file stands twice in the set');
    this.files.set(file.name, file);
    const cursor = part.again();
    for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
      if (tag === 0x22) this.#addMessage(file, file.package, file.features, cursor.part(), 0);
      else if (tag === 0x2a) this.#declare('enum', file, file.package, file.features, cursor.part());
      else if (tag === 0x32)
        this.#services.push(this.#declare('service', file, file.package, file.features, cursor.part()));
      else if (tag === 0x3a) this.#addExtension(file, file.package, file.features, cursor.part());
      else cursor.skip(tag);
    }
  }

  hasFile(name: string): boolean {
    return this.files.has(name) || (this.#fallback?.hasFile(name) ?? false);
  }

  /** Full names of the declared services, in the order of declaration. */
  get serviceNames(): readonly string[] {
    return this.#services;
  }

  service(name: string): ServiceType | undefined {
    const found = this.#declarations.get(name);
    if (found?.kind !== 'service') return undefined;
    return readService(this.#place(found.file, name), found.part.again());
  }

  /** From the scope outwards, as protoc looks names up. */
  resolve(name: string, scope: string): string {
    for (let around = scope; ; around = around.slice(0, Math.max(around.lastIndexOf('.'), 0))) {
      const full = around === '' ? name : `${around}.${name}`;
      if (around === '' || this.#kindOf(full) !== undefined) return full;
    }
  }

  message(name: string): MessageType | undefined {
    const known = this.#messages.get(name);
    if (known !== undefined) return known;
    const made = this.#read(name);
    if (made !== undefined) this.#messages.set(name, made);
    return made;
  }

  enumeration(name: string): EnumType | undefined {
    const known = this.#enums.get(name);
    if (known !== undefined) return known;
    const found = this.#declarations.get(name);
    if (found === undefined) return this.#fallback?.enumeration(name);
    if (found.kind !== 'enum') return undefined;
    const made = readEnum(this.#place(found.file, name), found.features, found.part.again());
    this.#enums.set(name, made);
    return made;
  }

  extensionsOf(extendee: string): Field[] {
    this.#byExtendee ??= this.#indexExtensions();
    const declared = this.#byExtendee.get(extendee) ?? [];
    const own = declared.map((it) => readExtension(this.#place(it.file, it.scope), it.features, it.part.again()));
    return this.#fallback === null ? own : [...own, ...this.#fallback.extensionsOf(extendee)];
  }

  /** Reads a message and all that its fields lead to, to find faults; what need not be kept is not. */
  check(name: string): void {
    const open = [name];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (this.#checked.has(next)) continue;
      this.#checked.add(next);
      const type = this.#messages.get(next) ?? this.#read(next);
      for (const field of type === undefined ? [] : [...type.fields, ...type.extensions()]) {
        const needed = field.typeName;
        if (needed === '') continue;
        const kind = this.#kindOf(needed);
        if (kind === undefined)
          throw new SchemaError(
            type?.file ?? '',
            `${next}.${field.name}`,
            `its type ${plainName(needed)} is not in the set`,
          );
        if (kind === 'message') open.push(needed);
        else this.#checkEnum(needed);
      }
    }
  }

  #checkEnum(name: string): void {
    const found = this.#declarations.get(name);
    if (found === undefined || this.#checked.has(name)) return;
    this.#checked.add(name);
    readEnum(this.#place(found.file, name), found.features, found.part.again());
  }

  #place(file: FileInfo, name: string): Place {
    return { linker: this, file: file.name, name };
  }

  #kindOf(name: string): Declaration['kind'] | undefined {
    const found = this.#declarations.get(name)?.kind;
    if (found !== undefined || this.#fallback === null) return found;
    return this.#fallback.#kindOf(name);
  }

  #read(name: string): MessageType | undefined {
    const found = this.#declarations.get(name);
    // The codecs rely on the fields of the well-known types, whatever an upload says of them.
    const fallback = found === undefined || knownTypeOf(name) !== 'none' ? this.#fallback?.message(name) : undefined;
    if (fallback !== undefined || found?.kind !== 'message') return fallback;
    return readMessage(this.#place(found.file, name), found.features, found.part.again());
  }

  #addMessage(file: FileInfo, scope: string, outer: Features, part: Cursor, depth: number): void {
    if (depth > limits.nesting)
      throw new SchemaError(file.name, scope, `messages are nested deeper than ${limits.nesting}`);
    const features = declaredFeatures(part.again(), 0x3a, 12, outer);
    const name = this.#declare('message', file, scope, features, part);
    const cursor = part.again();
    for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
      if (tag === 0x1a) this.#addMessage(file, name, features, cursor.part(), depth + 1);
      else if (tag === 0x22) this.#declare('enum', file, name, features, cursor.part());
      else if (tag === 0x32) this.#addExtension(file, name, features, cursor.part());
      else cursor.skip(tag);
    }
  }

  #declare(kind: Declaration['kind'], file: FileInfo, scope: string, outer: Features, part: Cursor): string {
    const simple = firstString(part.again(), 0x0a);
    if (!identifier.test(simple)) {
      throw new SchemaError(file.name, scope, `${quote(simple)} is not a name that a ${kind} may have`);
    }
    const name = scope === '' ? simple : `${scope}.${simple}`;
    const before = this.#declarations.get(name);
    if (before !== undefined) throw new SchemaError(file.name, name, `is declared in ${before.file.name} as well`);
    const features = kind === 'enum' ? declaredFeatures(part.again(), 0x1a, 7, outer) : outer;
    if (this.#declarations.size >= limits.declarations)
      throw new SchemaError(file.name, '', `the set has more than ${limits.declarations} messages, enums and services`);
    this.#declarations.set(name, { kind, file, features, part });
    return name;
  }

  #addExtension(file: FileInfo, scope: string, features: Features, part: Cursor): void {
    if (this.#extensions.length >= limits.extensions)
      throw new SchemaError(file.name, '', `the set has more than ${limits.extensions} extensions`);
    this.#extensions.push({ extendee: firstString(part.again(), 0x12), scope, file, features, part });
    this.#byExtendee = null;
  }

  #indexExtensions(): Map<string, ExtensionDeclaration[]> {
    const index = new Map<string, ExtensionDeclaration[]>();
    for (const declaration of this.#extensions) {
      const extendee = fullName(this.#place(declaration.file, declaration.scope), declaration.extendee);
      const declared = index.get(extendee);
      if (declared === undefined) index.set(extendee, [declaration]);
      else declared.push(declaration);
    }
    return index;
  }
}

function readFile(part: Cursor): FileInfo {
  const cursor = part.again();
  const dependencies: string[] = [];
  let name = '';
  let scope = '';
  let syntax = '';
  let edition = 0;
  let options: Cursor | null = null;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === 0x0a) name = cursor.string();
    else if (tag === 0x12) scope = cursor.string();
    else if (tag === 0x1a) dependencies.push(cursor.string());
    else if (tag === 0x42) options = cursor.part();
    else if (tag === 0x62) syntax = cursor.string();
    else if (tag === 0x70) edition = cursor.varint();
    else cursor.skip(tag);
  }
  if (name === '') throw new SchemaError('', '', 'a file of the set has no name');
  if (!fileName.test(name)) throw new SchemaError('', '', `${quote(name)} is not a name that a file may have`);
  if (dependencies.length > limits.imports) throw new SchemaError(name, '', `has more than ${limits.imports} imports`);
  if (scope !== '' && !isPackage(scope)) throw new SchemaError(name, '', `${quote(scope)} is not a package name`);
  const defaults = fileFeatures(syntax, edition);
  if (defaults === null) {
    const what = syntax === 'editions' ? `edition ${edition}` : `syntax ${quote(syntax)}`;
    throw new SchemaError(name, '', `${what} is not supported`);
  }
  const features = options === null ? defaults : optionFeatures(options, 50, defaults);
  return { name, package: scope, dependencies, features };
}

function isPackage(name: string): boolean {
  return packageName.test(name) && name.length <= 512 && name.split('.').length <= limits.packageNames;
}

/** The features that the options of a declaration (behind `optionsTag`) set, on top of `outer`. */
function declaredFeatures(cursor: Cursor, optionsTag: number, featuresNumber: number, outer: Features): Features {
  let features = outer;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === optionsTag) features = optionFeatures(cursor.part(), featuresNumber, features);
    else cursor.skip(tag);
  }
  return features;
}

function optionFeatures(options: Cursor, featuresNumber: number, outer: Features): Features {
  let features = outer;
  for (let tag = options.tag(); tag !== 0; tag = options.tag()) {
    if (tag === ((featuresNumber << 3) | 2)) features = readFeatures(options.part(), features);
    else options.skip(tag);
  }
  return features;
}

function firstString(cursor: Cursor, wanted: number): string {
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === wanted) return cursor.string();
    cursor.skip(tag);
  }
  return '';
}
