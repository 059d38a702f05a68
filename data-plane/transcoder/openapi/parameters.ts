import { takesText } from '../codec/text.js';
import { startsWith, type FieldPath } from '../binding/fieldpath.js';
import { maxParameterDepth } from '../binding/parameters.js';
import { knownTypeOf } from '../schema/known.js';
import { isMap, isMessage, type Field, type MessageType } from '../schema/types.js';

/** A field of the request that a parameter of the query gives. */
export interface QueryField {
  readonly path: FieldPath;
  /** In JSON names. */
  readonly name: string;
}

export interface QueryLimits {
  /** Fields that path and body give. */
  readonly bound: readonly FieldPath[];
  /** A field that is filled in where nobody gives it. */
  readonly filled: Field | undefined;
}

/** A request with more is a 400. */
const maxParameters = 1_000;
/** Messages may fan out to more fields than there are atoms; nobody reads past these. */
const maxEntered = 1_000;

/**
 * Every field that the query of a call may give, in the order of declaration: those of messages within the message by their
 * dotted names, save what path and body give and the other members of their oneofs. Messages that hold themselves are entered
 * once. Of two fields of one JSON name the first is meant.
 */
export function queryFields(type: MessageType, { bound, filled }: QueryLimits): QueryField[] {
  const found: QueryField[] = [];
  const excluded = bound.map((path) => path.map(({ number }) => number).join('.'));
  const names = new Set<string>();
  let entered = 0;
  const enter = (message: MessageType, path: FieldPath, within: readonly string[]): void => {
    if (++entered > maxEntered) return;
    for (const field of message.fields) {
      const here = [...path, field];
      if (found.length >= maxParameters || field === filled) continue;
      if (excluded.includes(here.map(({ number }) => number).join('.'))) continue;
      if (bound.some((other) => isSibling(here, other))) continue;
      const name = here.map(({ jsonName }) => jsonName).join('.');
      if (names.has(name)) continue;
      names.add(name);
      if (isParameter(field)) found.push({ path: here, name });
      else if (canEnter(field, here, within)) enter(field.message(), here, [...within, field.message().name]);
    }
  };
  enter(type, [], [type.name]);
  return found;
}

/** Text, a list of texts, or a map of texts. */
export function isParameter(field: Field): boolean {
  if (!isMap(field)) return takesText(field, false);
  return takesText(field.message().fields[1] as Field, false);
}

function canEnter(field: Field, path: FieldPath, within: readonly string[]): boolean {
  if (!isMessage(field) || field.repeated || path.length >= maxParameterDepth) return false;
  const { name } = field.message();
  return knownTypeOf(name) === 'none' && !within.includes(name);
}

/** Whether a parameter here would set another member of a oneof than the bound field does. */
function isSibling(path: FieldPath, bound: FieldPath): boolean {
  const last = path[path.length - 1] as Field;
  const other = bound[path.length - 1];
  if (other === undefined || other === last || last.oneof < 0 || other.oneof !== last.oneof) return false;
  return startsWith(bound, path.slice(0, -1));
}
