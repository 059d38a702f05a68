import { ArgumentError } from '../codec/errors.js';
import type { Field } from '../schema/types.js';
import { dottedName, lastOf, type FieldPath } from './fieldpath.js';
import type { ParameterField } from './parameters.js';
import { findRecord } from './records.js';

/** Refuses two members of one oneof among parameters, whatever the order they came in (BD11). */
export function checkOneofs(fields: readonly ParameterField[]): void {
  const members = new Map<string, FieldPath>();
  for (const { path } of fields) {
    for (const [index, field] of path.entries()) {
      if (field.oneof < 0) continue;
      const parents = path.slice(0, index).map((it) => it.number);
      const key = `${parents.join('.')}/${field.oneof}`;
      const member = path.slice(0, index + 1);
      const other = members.get(key);
      if (other === undefined) members.set(key, member);
      else if (lastOf(other) !== field) refuse(member, dottedName(other));
    }
  }
}

/** Refuses a body, between two positions of `bytes`, that sets another member of a oneof than a parameter does (BD11). */
export function checkSiblings(fields: readonly ParameterField[], bytes: Uint8Array, start: number, end: number): void {
  for (const { path } of fields) {
    for (let index = 0; index < path.length; index++) {
      const field = path[index] as Field;
      if (field.oneof < 0) continue;
      const parents = path.slice(0, index);
      for (const sibling of siblingsOf(field)) {
        if (findRecord(bytes, start, end, [...parents, sibling]) === null) continue;
        refuse(path.slice(0, index + 1), dottedName([...parents, sibling]));
      }
    }
  }
}

function siblingsOf(field: Field): Field[] {
  return field.parent().fields.filter((it) => it.oneof === field.oneof && it !== field);
}

function refuse(member: FieldPath, other: string): never {
  throw new ArgumentError(dottedName(member), `cannot be given together with ${other}: only one of them may be set`);
}
