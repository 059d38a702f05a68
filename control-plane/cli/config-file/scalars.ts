import { ScalarType } from '@bufbuild/protobuf';
import { isScalar, Scalar } from 'yaml';

import type { Place } from './place.js';

export interface Range {
  readonly min: number;
  readonly max: number;
}

const ranges = {
  [ScalarType.INT32]: { min: -(2 ** 31), max: 2 ** 31 - 1 },
  [ScalarType.UINT32]: { min: 0, max: 2 ** 32 - 1 },
};

/** A single value of a field of this type. Reports what does not fit, and gives undefined for it: nothing is converted. */
export function readScalar(
  type: ScalarType,
  node: unknown,
  place: Place,
  range: Partial<Range>,
): string | boolean | number | undefined {
  const value: unknown = isScalar(node) ? node.value : undefined;
  switch (type) {
    case ScalarType.STRING:
      return readText(node, place);
    case ScalarType.BOOL:
      return typeof value === 'boolean' ? value : place.report(node, 'must be true or false');
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return readInteger(value, { ...ranges[type], ...range }, node, place);
    default:
      return place.report(node, 'cannot be written in a file');
  }
}

export function readText(node: unknown, place: Place): string | undefined {
  if (isScalar(node) && typeof node.value === 'string') return node.value;
  const quoted = isScalar(node) && node.value !== null ? `: put ${node.source ?? String(node.value)} in quotes` : '';
  return place.report(node, `must be a text${quoted}`);
}

function readInteger(value: unknown, { min, max }: Range, node: unknown, place: Place): number | undefined {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  return place.report(node, `must be a whole number from ${min} to ${max}`);
}

/** The key of a mapping; the parser makes every key a text. */
export function keyOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : '';
}

/** The value of a pair. In `{ key }` there is none, and an empty value stands where the key does. */
export function valueOf({ key, value }: { readonly key: unknown; readonly value: unknown }): unknown {
  if (value !== null) return value;
  const empty = new Scalar(null);
  if (isScalar(key) && key.range) empty.range = key.range;
  return empty;
}
