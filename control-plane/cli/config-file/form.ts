import { getOption } from '@bufbuild/protobuf';

import { field as fieldRules, oneof as oneofRules } from '../../../proto/gen/buf/validate/validate_pb.js';
import { outputOnly, sugarOf } from './sugar.js';

import type { DescField, DescMessage } from '@bufbuild/protobuf';
import type { FieldRules } from '../../../proto/gen/buf/validate/validate_pb.js';
import type { Range } from './scalars.js';
import type { Spelling } from './sugar.js';

/** What may stand under a key. */
export interface FieldForm {
  readonly desc: DescField;
  /** The oneof's name for a field of one: of all fields of a group only one may be written. */
  readonly group: string;
  /** The keys of the group. */
  readonly alternatives: readonly string[];
  readonly spelling: Spelling | undefined;
  /** What the rules of the proto allow in a field of whole numbers, or in each item of a list of them. */
  readonly range: Partial<Range>;
}

/** How a message is written as a mapping. */
export interface MessageForm {
  readonly keys: ReadonlyMap<string, FieldForm>;
  /** The groups that the rules of the proto demand, each with what is said where it is missing. */
  readonly required: ReadonlyMap<string, string>;
}

/** The forms of messages, each made when it is first met: the rules in the protos take longer to look up than a file to read. */
export class Forms {
  readonly #forms = new Map<string, MessageForm>();

  of(desc: DescMessage): MessageForm {
    const known = this.#forms.get(desc.typeName);
    if (known !== undefined) return known;
    const form = formOf(desc);
    this.#forms.set(desc.typeName, form);
    return form;
  }
}

function formOf(desc: DescMessage): MessageForm {
  const { hidden = [], spellings = new Map<string, Spelling>() } = sugarOf(desc) ?? {};
  const fields = desc.fields.filter(({ name }) => !outputOnly.has(name));
  const own = fields.filter(({ name }) => !hidden.includes(name)).map((field) => [field.name, field] as const);
  const others = [...spellings].flatMap(([key, { of }]) =>
    fields.filter(({ name }) => name === of).map((field) => [key, field] as const),
  );
  const all = [...own, ...others];
  const keysOf = (group: string): string[] => all.filter(([, field]) => groupOf(field) === group).map(([key]) => key);
  const keys = new Map(
    all.map(([key, field]): [string, FieldForm] => {
      const group = groupOf(field);
      return [
        key,
        { desc: field, group, alternatives: keysOf(group), spelling: spellings.get(key), range: rangeOf(field) },
      ];
    }),
  );
  const required = new Map([
    ...fields.filter(isRequired).map(({ name }) => [name, `needs ${keysOf(name).join(' or ')}`] as const),
    ...desc.oneofs
      .filter((oneof) => getOption(oneof, oneofRules).required)
      .map(({ name }) => [name, `needs one of ${keysOf(name).join(', ')}`] as const),
  ]);
  return { keys, required };
}

function groupOf({ oneof, name }: DescField): string {
  return oneof?.name ?? name;
}

function isRequired(field: DescField): boolean {
  return field.oneof === undefined && getOption(field, fieldRules).required;
}

function rangeOf(field: DescField): Partial<Range> {
  const { type } = getOption(field, fieldRules);
  return rangeIn(type.case === 'repeated' ? type.value.items?.type : type);
}

function rangeIn(type: FieldRules['type'] | undefined): Partial<Range> {
  if (type?.case !== 'int32' && type?.case !== 'uint32') return {};
  const { greaterThan, lessThan } = type.value;
  return {
    ...(greaterThan.case === 'gte' ? { min: greaterThan.value } : {}),
    ...(lessThan.case === 'lte' ? { max: lessThan.value } : {}),
  };
}
