import { knownTypeOf } from '../schema/known.js';
import type { Note, Notes } from '../schema/notes.js';
import type { Schema } from '../schema/schema.js';
import { isMap, isMessage, type EnumType, type Field, type MessageType } from '../schema/types.js';
import { scalarSchema, type Dialect } from './dialect.js';
import { compareText, keyedObject, present, type JsonObject } from './json.js';

/** A schema of the config, and what its authors wrote. */
export interface Source {
  /** Its name in the config. */
  readonly name: string;
  readonly schema: Schema;
  readonly notes: Notes;
}

interface Component {
  readonly source: Source;
  /** The full name of its message or enum. */
  readonly name: string;
  readonly make: () => JsonObject;
  body: JsonObject;
  readonly references: Reference[];
}

interface Reference {
  /** Its `$ref` is the full name until the names of components are settled. */
  readonly object: JsonObject;
  readonly to: Component;
}

const plainRemarks = { description: '', deprecated: false, readOnly: false, writeOnly: false };
const durationPattern = '^-?[0-9]+(\\.[0-9]{1,9})?s$';

/**
 * The messages and enums that a document speaks of, as JSON schemas. One is made when something refers to it, so nothing is in
 * the document that nothing refers to; messages may hold themselves.
 */
export class Components {
  readonly #dialect: Dialect;
  /** Messages that are not set are printed as null. */
  readonly #printsNull: boolean;
  readonly #bySource = new Map<Source, Map<string, Component>>();
  readonly #pending: Component[] = [];
  /** Those made for no component, as in parameters. */
  readonly #loose: Reference[] = [];
  #within: Component | null = null;

  constructor(dialect: Dialect, printsNull: boolean) {
    this.#dialect = dialect;
    this.#printsNull = printsNull;
  }

  /** The JSON form of a message as a whole. */
  message(type: MessageType, source: Source): JsonObject {
    return this.#known(type) ?? this.#reference(source, type.name, () => this.#messageBody(type, source, noFields));
  }

  /** The same as an object of its own, without some of its fields. */
  messageWithout(type: MessageType, source: Source, left: ReadonlySet<Field>): JsonObject {
    return this.#messageBody(type, source, left);
  }

  /** The JSON form of a field's value, a list or a map included, without remarks. */
  field(field: Field, source: Source): JsonObject {
    if (isMap(field)) {
      const value = field.message().fields[1] as Field;
      return { type: 'object', additionalProperties: this.value(value, source) };
    }
    return field.repeated ? { type: 'array', items: this.value(field, source) } : this.value(field, source);
  }

  /** The JSON form of one value of a field. */
  value(field: Field, source: Source): JsonObject {
    if (isMessage(field)) return this.message(field.message(), source);
    if (field.typeName === 'google.protobuf.NullValue') return this.#dialect.nothing;
    if (field.typeName === '') return scalarSchema(field.kind, this.#dialect);
    const type = field.enumeration();
    return this.#reference(source, type.name, () => this.enumBody(type, source));
  }

  enumBody(type: EnumType, source: Source): JsonObject {
    const { comment, deprecated } = source.notes.of(type.file, type.name);
    const names = [...type.numbers.keys()];
    const values = names.flatMap((name) => {
      const note = source.notes.of(type.file, `${type.name}.${name}`);
      const words = `${note.comment.replaceAll(/\s+/g, ' ')}${note.deprecated ? ' Deprecated.' : ''}`.trim();
      return words === '' ? [] : [`- \`${name}\`: ${words}`];
    });
    const description = [comment, values.join('\n')].filter((text) => text !== '').join('\n\n');
    return this.#dialect.remark({ type: 'string', enum: names }, { ...plainRemarks, description, deprecated });
  }

  /** Every component by its name in the document, sorted. Call it last: references have their names from then on. */
  settle(): JsonObject {
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      this.#within = next;
      next.body = next.make();
    }
    this.#within = null;
    const components = [...this.#bySource.values()].flatMap((byName) => [...byName.values()]);
    const names = this.#names(components);
    for (const { object, to } of [...this.#loose, ...components.flatMap(({ references }) => references)]) {
      object['$ref'] = this.#dialect.refPrefix + (names.get(to) as string);
    }
    const entries = components.map((component) => [names.get(component) as string, component.body] as const);
    return keyedObject(entries.toSorted(([a], [b]) => compareText(a, b)));
  }

  /**
   * The full name, for all schemas in which it means the same; where two mean something else by it, the name of the schema goes
   * behind it.
   */
  #names(components: readonly Component[]): Map<Component, string> {
    const differing = this.#bySource.size < 2 ? new Set<Component>() : findDiffering(components);
    const taken = new Set(components.filter((it) => !differing.has(it)).map(({ name }) => name));
    const names = new Map<Component, string>();
    for (const component of components) {
      if (!differing.has(component)) {
        names.set(component, component.name);
        continue;
      }
      const base = `${component.name}-${component.source.name.replaceAll(/[^A-Za-z0-9._-]/g, '-')}`;
      let name = base;
      for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
      taken.add(name);
      names.set(component, name);
    }
    return names;
  }

  #reference(source: Source, name: string, make: () => JsonObject): JsonObject {
    const byName = this.#bySource.get(source) ?? new Map<string, Component>();
    this.#bySource.set(source, byName);
    let to = byName.get(name);
    if (to === undefined) {
      to = { source, name, make, body: {}, references: [] };
      byName.set(name, to);
      this.#pending.push(to);
    }
    const object: JsonObject = { $ref: name };
    (this.#within?.references ?? this.#loose).push({ object, to });
    return object;
  }

  #messageBody(type: MessageType, source: Source, left: ReadonlySet<Field>): JsonObject {
    const note = source.notes.of(type.file, type.name);
    const fields = type.fields
      .filter((field) => !left.has(field))
      .map((field) => ({ field, note: noteOf(field, source) }));
    const required = fields.filter((it) => it.note.required && !it.note.outputOnly).map(({ field }) => field.jsonName);
    const oneofs = type.oneofs
      .map((_, index) => fields.filter(({ field }) => field.oneof === index).map(({ field }) => field.jsonName))
      .filter((members) => members.length > 1);
    const inWords = oneofs.map((members) => `At most one of ${members.map((name) => `\`${name}\``).join(', ')}.`);
    const description = [note.comment, ...inWords].filter((text) => text !== '').join('\n\n');
    const schema = present({
      type: 'object',
      properties: keyedObject(fields.map((it) => [it.field.jsonName, this.#property(it.field, it.note, source)])),
      required: required.length === 0 ? undefined : [...new Set(required)],
    });
    const remarks = { ...plainRemarks, description, deprecated: note.deprecated };
    return this.#dialect.remark({ ...schema, ...this.#dialect.exclusive(oneofs) }, remarks);
  }

  #property(field: Field, { comment, deprecated, outputOnly, inputOnly }: Note, source: Source): JsonObject {
    const schema = this.field(field, source);
    const isNull = this.#printsNull && isMessage(field) && !field.repeated && field.oneof < 0 && !field.synthetic;
    const remarks = { description: comment, deprecated, readOnly: outputOnly, writeOnly: inputOnly };
    return this.#dialect.remark(isNull ? this.#dialect.nullable(schema) : schema, remarks);
  }

  /** Messages with a JSON form of their own. */
  #known(type: MessageType): JsonObject | null {
    switch (knownTypeOf(type.name)) {
      case 'timestamp':
        return { type: 'string', format: 'date-time' };
      case 'duration':
        return { type: 'string', pattern: durationPattern };
      case 'field-mask':
        return { type: 'string', format: 'field-mask' };
      case 'struct':
        return { type: 'object', additionalProperties: true };
      case 'value':
        return {};
      case 'list-value':
        return { type: 'array', items: {} };
      case 'any':
        return { type: 'object', properties: { '@type': { type: 'string' } }, additionalProperties: true };
      case 'wrapper':
        return this.#dialect.nullable(scalarSchema((type.fields[0] as Field).kind, this.#dialect));
      case 'none':
        return type.name === 'google.protobuf.Empty' ? { type: 'object' } : null;
    }
  }
}

const noFields: ReadonlySet<Field> = new Set();

/** What stands with a field in its source. */
export function noteOf(field: Field, source: Source): Note {
  const parent = field.parent();
  return source.notes.of(parent.file, `${parent.name}.${field.name}`);
}

/** Components that share their name with one that is not the same, and those that refer to such. */
function findDiffering(components: readonly Component[]): Set<Component> {
  const byName = new Map<string, Component[]>();
  for (const component of components) {
    const same = byName.get(component.name);
    if (same === undefined) byName.set(component.name, [component]);
    else same.push(component);
  }
  const shared = [...byName.values()].filter((same) => same.length > 1);
  const differing = new Set<Component>();
  for (const same of shared) {
    if (new Set(same.map(({ body }) => JSON.stringify(body))).size > 1) for (const it of same) differing.add(it);
  }
  for (let before = -1; before !== differing.size;) {
    before = differing.size;
    for (const same of shared) {
      if (same.some(({ references }) => references.some(({ to }) => differing.has(to))))
        for (const it of same) differing.add(it);
    }
  }
  return differing;
}
