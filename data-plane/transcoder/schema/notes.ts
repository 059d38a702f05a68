import { Cursor } from './cursor.js';
import { SchemaError } from './types.js';

/** What people wrote of a declaration, beyond what calls need. */
export interface Note {
  /** Of the source, where the set has source_code_info; else ''. */
  readonly comment: string;
  readonly deprecated: boolean;
  /** Of a field: proto2's `required`, or google.api.field_behavior REQUIRED. */
  readonly required: boolean;
  /** google.api.field_behavior OUTPUT_ONLY. */
  readonly outputOnly: boolean;
  /** google.api.field_behavior INPUT_ONLY. */
  readonly inputOnly: boolean;
}

const noNote: Note = { comment: '', deprecated: false, required: false, outputOnly: false, inputOnly: false };

/** Extension 1052 of FieldOptions, packed or not, whether or not the set declares it. */
const behaviorTag = 1052 * 8;
const behaviorOf = { required: 2, outputOnly: 3, inputOnly: 4 } as const;

/**
 * Comments and options of the declarations of a descriptor set, read file by file when first asked for. Made for one
 * description of a schema and dropped with it: nobody else needs them, and they can be most of a set. What cannot be read is
 * as if nobody had written it.
 */
export class Notes {
  readonly #files = new Map<string, Cursor>();
  readonly #notes = new Map<string, ReadonlyMap<string, Note>>();

  constructor(descriptorSet: Uint8Array) {
    forgiving(() => {
      const cursor = new Cursor(descriptorSet);
      for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
        if (tag !== 0x0a) cursor.skip(tag);
        else {
          const file = cursor.part();
          this.#files.set(nameOf(file), file);
        }
      }
    });
  }

  /** Of a service, method, message, field or enum by its full name; of an enum value by that of its enum, a dot and its own. */
  of(file: string, name: string): Note {
    let notes = this.#notes.get(file);
    if (notes === undefined) {
      const part = this.#files.get(file);
      const reader = new FileReader();
      if (part !== undefined) forgiving(() => reader.file(part));
      notes = reader.notes;
      this.#notes.set(file, notes);
    }
    return notes.get(name) ?? noNote;
  }
}

function forgiving(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Numbers of the fields that hold nested declarations, by what holds them. */
const children = {
  file: { 4: 'message', 5: 'enum', 6: 'service' },
  message: { 2: 'field', 3: 'message', 4: 'enum' },
  enum: { 2: 'value' },
  service: { 2: 'method' },
  field: {},
  value: {},
  method: {},
} as const;
type DeclarationKind = keyof typeof children;

const optionsNumber: Readonly<Record<DeclarationKind, number>> = {
  file: 8,
  message: 7,
  enum: 3,
  service: 3,
  field: 8,
  value: 3,
  method: 4,
};
const deprecatedNumber: Readonly<Record<DeclarationKind, number>> = {
  file: 23,
  message: 3,
  enum: 3,
  service: 33,
  field: 3,
  value: 1,
  method: 33,
};

class FileReader {
  readonly notes = new Map<string, Note>();
  /** By the path of the declaration in its file, `4,0,2,1`. */
  readonly #comments = new Map<string, string>();

  file(file: Cursor): void {
    let scope = '';
    const cursor = file.again();
    for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
      if (tag === 0x12) scope = cursor.string();
      else if (tag === 0x4a) this.#readComments(cursor.part());
      else cursor.skip(tag);
    }
    this.#readChildren('file', file.again(), scope, '');
  }

  #readChildren(kind: DeclarationKind, cursor: Cursor, scope: string, path: string): void {
    const within: Readonly<Record<number, DeclarationKind>> = children[kind];
    const counts = new Map<number, number>();
    for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
      const number = tag >>> 3;
      const child = (tag & 7) === 2 ? within[number] : undefined;
      if (child === undefined) {
        cursor.skip(tag);
        continue;
      }
      const index = counts.get(number) ?? 0;
      counts.set(number, index + 1);
      this.#readDeclaration(child, cursor.part(), scope, `${path}${path === '' ? '' : ','}${number},${index}`);
    }
  }

  #readDeclaration(kind: DeclarationKind, part: Cursor, scope: string, path: string): void {
    const simple = nameOf(part);
    const name = scope === '' ? simple : `${scope}.${simple}`;
    const note: Writable<Note> = { ...noNote, comment: this.#comments.get(path) ?? '' };
    readOptions(kind, part.again(), note);
    this.notes.set(name, note);
    this.#readChildren(kind, part.again(), name, path);
  }

  #readComments(info: Cursor): void {
    for (let tag = info.tag(); tag !== 0; tag = info.tag()) {
      if (tag === 0x0a) this.#readLocation(info.part());
      else info.skip(tag);
    }
  }

  #readLocation(location: Cursor): void {
    let path: number[] = [];
    let leading = '';
    let trailing = '';
    for (let tag = location.tag(); tag !== 0; tag = location.tag()) {
      if (tag === 0x0a) path = varints(location.bytes());
      else if (tag === 0x1a) leading = location.string();
      else if (tag === 0x22) trailing = location.string();
      else location.skip(tag);
    }
    const comment = cleaned(leading === '' ? trailing : leading);
    if (comment !== '') this.#comments.set(path.join(','), comment);
  }
}

function readOptions(kind: DeclarationKind, part: Cursor, note: Writable<Note>): void {
  const optionsTag = optionsNumber[kind] * 8 + 2;
  for (let tag = part.tag(); tag !== 0; tag = part.tag()) {
    if (kind === 'field' && tag === 0x20) note.required = part.varint() === 2;
    else if (tag === optionsTag) readEachOption(kind, part.part(), note);
    else part.skip(tag);
  }
}

function readEachOption(kind: DeclarationKind, options: Cursor, note: Writable<Note>): void {
  for (let tag = options.tag(); tag !== 0; tag = options.tag()) {
    if (tag === deprecatedNumber[kind] * 8) note.deprecated = options.varint() !== 0;
    else if (kind === 'field' && tag === behaviorTag) addBehavior(options.varint(), note);
    else if (kind === 'field' && tag === behaviorTag + 2) {
      for (const behavior of varints(options.bytes())) addBehavior(behavior, note);
    } else options.skip(tag);
  }
}

function addBehavior(behavior: number, note: Writable<Note>): void {
  if (behavior === behaviorOf.required) note.required = true;
  else if (behavior === behaviorOf.outputOnly) note.outputOnly = true;
  else if (behavior === behaviorOf.inputOnly) note.inputOnly = true;
}

function nameOf(part: Cursor): string {
  const cursor = part.again();
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === 0x0a) return cursor.string();
    cursor.skip(tag);
  }
  return '';
}

/** The numbers of a packed field; all are small here. */
function varints(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const byte of bytes) {
    value |= (byte & 0x7f) << shift;
    shift += 7;
    if (byte >= 0x80) continue;
    numbers.push(value);
    value = 0;
    shift = 0;
  }
  return numbers;
}

/** Without the blank that follows `//`, notes for tools, and what people write to each other as `(-- … --)`. */
function cleaned(comment: string): string {
  return comment
    .replace(/\(--[^]*?--\)/g, '')
    .split('\n')
    .map((line) => line.replace(/^ /, '').trimEnd())
    .filter((line) => !/^\s*buf:lint:ignore\b/.test(line))
    .join('\n')
    .trim();
}
