import type { Binding } from '../binding/binding.js';
import { lastOf, resolvePath, startsWith, type FieldPath } from '../binding/fieldpath.js';
import { maskField } from '../binding/patch-mask.js';
import { knownTypeOf } from '../schema/known.js';
import { isMap, isMessage, type Field, type MessageType } from '../schema/types.js';
import { noteOf, type Components, type Source } from './components.js';
import type { Dialect } from './dialect.js';
import { errorContent, statusSchema } from './errors.js';
import type { JsonObject } from './json.js';
import { queryFields, type QueryField } from './parameters.js';
import { variableText, type DocumentPath, type PathParameter } from './path.js';

/** One operation of a document, as both versions of OpenAPI can be written from. */
export interface Operation {
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly description: string;
  readonly deprecated: boolean;
  readonly parameters: readonly Parameter[];
  readonly body: Content | null;
  readonly reply: Reply;
  /** Of every status that is an error. */
  readonly error: Content;
}

export interface Reply extends Content {
  readonly status: 200 | 204;
}

export interface Parameter {
  readonly in: 'path' | 'query';
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  readonly deprecated: boolean;
  /** Of one value. */
  readonly schema: JsonObject;
  /** How several values are written: joined by commas, by repeating the name, by a key each; `json` is one value as JSON text. */
  readonly many: 'one' | 'commas' | 'repeated' | 'keyed' | 'json';
}

/** What a body may be; the first is what one gets unless one asks for another. */
export interface Content {
  readonly description: string;
  readonly media: readonly { readonly type: string; readonly schema: JsonObject }[];
}

export interface OperationParts {
  readonly binding: Binding;
  readonly source: Source;
  readonly path: DocumentPath;
  readonly id: string;
  /** Other calls that a document cannot tell from this one. */
  readonly also: readonly string[];
}

/** Describes a call by one binding. */
export function describeOperation(parts: OperationParts, components: Components, dialect: Dialect): Operation {
  const { binding, source } = parts;
  const { method } = binding;
  const note = source.notes.of(method.file, `${method.service}.${method.name}`);
  const { summary, description } = inBrief(note.comment);
  const writer = new OperationWriter(parts, components, dialect);
  return {
    id: parts.id,
    tag: method.service,
    summary,
    description: [description, anyMethod(binding), alsoHere(parts.also)].filter((text) => text !== '').join('\n\n'),
    deprecated: note.deprecated,
    parameters: [...writer.pathParameters(), ...writer.queryParameters()],
    body: writer.body(),
    reply: writer.reply(),
    error: errorContent(binding.habits.errorFormat, source, components, dialect),
  };
}

function anyMethod({ httpMethod }: Binding): string {
  return httpMethod === '*' ? 'Takes any HTTP method.' : '';
}

function alsoHere(also: readonly string[]): string {
  return also.length === 0 ? '' : `Other calls of this shape: ${also.map((call) => `\`${call}\``).join(', ')}.`;
}

/** A comment of one short sentence is the summary; of another the first sentence is, where it is short. */
function inBrief(comment: string): { summary: string; description: string } {
  const [first = ''] = /^[^]*?[.!?](?=\s|$)/.exec(comment) ?? [comment];
  const summary = first.replaceAll(/\s+/g, ' ').replace(/\.$/, '');
  if (summary.length > 120) return { summary: '', description: comment };
  return { summary, description: first.length === comment.length ? '' : comment };
}

class OperationWriter {
  readonly #parts: OperationParts;
  readonly #components: Components;
  readonly #dialect: Dialect;
  readonly #input: MessageType;
  readonly #variables: readonly FieldPath[];
  /** Null without a body; empty when it is the whole message. */
  readonly #bodyPath: FieldPath | null;

  constructor(parts: OperationParts, components: Components, dialect: Dialect) {
    const { rule, method, template } = parts.binding;
    this.#parts = parts;
    this.#components = components;
    this.#dialect = dialect;
    this.#input = method.input();
    this.#variables = template.variables.map(({ name }) => fieldsOf(this.#input, name));
    this.#bodyPath = rule.body === '' ? null : rule.body === '*' ? [] : fieldsOf(this.#input, rule.body);
  }

  pathParameters(): Parameter[] {
    return this.#parts.path.parameters.map((parameter) => this.#pathParameter(parameter));
  }

  #pathParameter({ name, variable, whole, deep }: PathParameter): Parameter {
    const several = deep ? 'Any number of path segments.' : '';
    const plain = { in: 'path', name, required: true, deprecated: false, many: 'one' } as const;
    if (variable === null) return { ...plain, description: several, schema: { type: 'string' } };
    const { binding, source, path } = this.#parts;
    const field = lastOf(fieldsOf(this.#input, variable.name));
    const { comment } = noteOf(field, source);
    if (!whole) {
      const part = `Part of \`${variable.name}\`, which is \`${variableText(binding.template, variable, path)}\`.`;
      const description = [part, several, comment].filter((text) => text !== '').join('\n\n');
      return { ...plain, description, schema: { type: 'string' } };
    }
    const description = [comment, several].filter((text) => text !== '').join('\n\n');
    return { ...plain, description, schema: this.#textValue(field), many: field.repeated ? 'commas' : 'one' };
  }

  queryParameters(): Parameter[] {
    const { binding } = this.#parts;
    if (this.#bodyPath?.length === 0) return [];
    const bound = this.#bodyPath === null ? this.#variables : [...this.#variables, this.#bodyPath];
    return queryFields(this.#input, { bound, filled: filledMask(binding, this.#input, this.#bodyPath) }).map((field) =>
      this.#queryParameter(field),
    );
  }

  #queryParameter({ path, name }: QueryField): Parameter {
    const field = lastOf(path);
    const note = noteOf(field, this.#parts.source);
    const isJson = isJsonText(field) && !field.repeated;
    const many = isMap(field) ? 'keyed' : field.repeated ? 'repeated' : isJson ? 'json' : 'one';
    const value = isMap(field) ? (field.message().fields[1] as Field) : field;
    return {
      in: 'query',
      name,
      description: note.comment,
      // A field of a message that is not given is not missed.
      required: note.required && path.length === 1,
      deprecated: note.deprecated,
      schema: isJson ? this.#components.value(value, this.#parts.source) : this.#textValue(value),
      many,
    };
  }

  /** One value as the text of a parameter, where nothing is null. */
  #textValue(field: Field): JsonObject {
    if (isMessage(field)) {
      const type = field.message();
      if (knownTypeOf(type.name) === 'wrapper') return this.#textValue(type.fields[0] as Field);
      if (isJsonText(field)) return { type: 'string', format: 'json' };
    } else if (field.typeName !== '') {
      // In version 2.0 a parameter refers to nothing, and no text is null.
      const isWritten = this.#dialect.version === '2.0' || field.typeName === 'google.protobuf.NullValue';
      if (isWritten) return { type: 'string', enum: [...field.enumeration().numbers.keys()] };
    }
    return this.#components.value(field, this.#parts.source);
  }

  body(): Content | null {
    const { binding, source } = this.#parts;
    const path = this.#bodyPath;
    if (path === null) return null;
    const description = path.length === 0 ? '' : noteOf(lastOf(path), source).comment;
    if (binding.request.isHttpBody) return { description, media: [{ type: '*/*', schema: this.#dialect.binary }] };
    const schema = this.#bodySchema(path);
    if (!binding.method.clientStreaming) return { description, media: [{ type: 'application/json', schema }] };
    const stream = 'A stream: a JSON array, or values one after the other.';
    return {
      description: [description, stream].filter((text) => text !== '').join('\n\n'),
      media: [
        { type: 'application/json', schema: { type: 'array', items: schema } },
        { type: 'application/x-ndjson', schema },
      ],
    };
  }

  /** What the path gives is not asked for again. */
  #bodySchema(path: FieldPath): JsonObject {
    const { source } = this.#parts;
    const leaf = path[path.length - 1];
    if (leaf !== undefined && (leaf.repeated || !isMessage(leaf))) return this.#components.field(leaf, source);
    const type = leaf === undefined ? this.#input : leaf.message();
    const given = this.#variables.filter((it) => it.length === path.length + 1 && startsWith(it, path)).map(lastOf);
    if (given.length === 0 || knownTypeOf(type.name) !== 'none') return this.#components.message(type, source);
    return this.#components.messageWithout(type, source, new Set(given));
  }

  reply(): Reply {
    const { binding } = this.#parts;
    if (binding.response.isNoContent) return { status: 204, description: 'Done', media: [] };
    const { description, media } = this.#replyContent();
    return { status: 200, description, media };
  }

  #replyContent(): Content {
    const { binding } = this.#parts;
    if (binding.response.isHttpBody) return { description: '', media: [{ type: '*/*', schema: this.#dialect.binary }] };
    const schema = this.#replySchema();
    if (!binding.method.serverStreaming) return { description: '', media: [{ type: 'application/json', schema }] };
    const lines = { type: 'application/x-ndjson', schema };
    const events = { type: 'text/event-stream', schema };
    switch (binding.habits.streamFormat) {
      case 'lines':
        return { description: 'A stream, a message a line.', media: [lines, events] };
      case 'events':
        return { description: 'A stream, an event for each message.', media: [events, lines] };
      case 'array': {
        const array = { type: 'application/json', schema: { type: 'array', items: schema } };
        return { description: 'A stream, as a JSON array.', media: [array, lines, events] };
      }
      case 'wrapped': {
        const error = statusSchema(this.#parts.source, this.#components);
        const line: JsonObject = { type: 'object', properties: { result: schema, error } };
        const media = [{ type: 'application/json', schema: line }, lines, events];
        return { description: 'A stream, an object a line; an error ends it.', media };
      }
    }
  }

  #replySchema(): JsonObject {
    const { binding, source } = this.#parts;
    const output = binding.method.output();
    const { responseBody } = binding.rule;
    if (responseBody === '') return this.#components.message(output, source);
    const leaf = lastOf(fieldsOf(output, responseBody));
    const schema = this.#components.field(leaf, source);
    return isMessage(leaf) && !leaf.repeated ? this.#dialect.nullable(schema) : schema;
  }
}

const jsonTexts: ReadonlySet<string> = new Set(['struct', 'value', 'list-value']);

/** A value that a parameter gives as JSON. */
function isJsonText(field: Field): boolean {
  return isMessage(field) && jsonTexts.has(knownTypeOf(field.message().name));
}

/** The mask that a PATCH fills in by itself. */
function filledMask(
  { habits, httpMethod }: Binding,
  input: MessageType,
  bodyPath: FieldPath | null,
): Field | undefined {
  const body = bodyPath?.[bodyPath.length - 1];
  if (!habits.fillUpdateMask || httpMethod !== 'PATCH' || body === undefined) return undefined;
  return isMessage(body) && !body.repeated ? maskField(input) : undefined;
}

/** The compile of the binding has found every path to lead somewhere. */
function fieldsOf(type: MessageType, dotted: string): FieldPath {
  const path = resolvePath(type, dotted);
  if (typeof path === 'string') throw new Error(path);
  return path;
}
