import { create, toJson } from '@bufbuild/protobuf';

import { FieldChangeSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { sha256 } from '../../proto/snapshot/snapshot.js';
import { toCompare } from './secrets.js';

import type { JsonValue } from '@bufbuild/protobuf';
import type { FieldChange } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { ConfigMessage, ResourceKind } from './convert.js';

const maxJsonLength = 1024;

type Json = JsonValue | undefined;

/** The fields that differ between two states of one resource, Meta left aside. Lists of plain values are one field. */
export function diffFields(row: ResourceKind, before: ConfigMessage, after: ConfigMessage): FieldChange[] {
  const changes: FieldChange[] = [];
  compare('', readable(row, before), readable(row, after), changes);
  return changes;
}

/** As JSON in proto names, without keys. Descriptor sets stand there by size and hash: their base64 tells people nothing. */
function readable(row: ResourceKind, message: ConfigMessage): JsonValue {
  const { meta: _, ...content } = toCompare(message);
  if (!('descriptorSet' in content)) return toJson(row.schema, content, { useProtoFieldName: true });
  const { descriptorSet } = content;
  const others = toJson(row.schema, { ...content, descriptorSet: new Uint8Array(0) }, { useProtoFieldName: true });
  if (descriptorSet.length === 0 || !isObject(others)) return others;
  const hash = Buffer.from(sha256(descriptorSet).subarray(0, 8)).toString('hex');
  return { ...others, descriptor_set: `${descriptorSet.length} bytes, sha256 ${hash}…` };
}

function compare(path: string, before: Json, after: Json, changes: FieldChange[]): void {
  if (isObject(before) && isObject(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(path === '' ? key : `${path}.${key}`, before[key], after[key], changes);
    }
  } else if (isObjectList(before) && isObjectList(after)) {
    for (let i = 0; i < Math.max(before.length, after.length); i++)
      compare(`${path}[${i}]`, before[i], after[i], changes);
  } else {
    const [was, is] = [text(before), text(after)];
    if (was !== is) changes.push(create(FieldChangeSchema, { path, before: cut(was), after: cut(is) }));
  }
}

function isObject(value: Json): value is Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isObjectList(value: Json): value is JsonValue[] {
  return Array.isArray(value) && value.length > 0 && value.every(isObject);
}

function text(value: Json): string {
  return value === undefined ? '' : JSON.stringify(value);
}

function cut(json: string): string {
  return json.length <= maxJsonLength ? json : `${json.slice(0, maxJsonLength - 1)}…`;
}
