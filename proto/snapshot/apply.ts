import { compareResources, keyOf } from './order.js';

import type { Resource, ResourceKey } from '../gen/sluice/v1/snapshot_pb.js';

export interface ResourceChanges {
  readonly upserts: readonly Resource[];
  readonly deletes: readonly ResourceKey[];
}

/**
 * `resources` (sorted) after `change`, sorted, as a new array that shares the resources themselves. Deletes come first,
 * then upserts in their order; deleting what is not there changes nothing.
 */
export function applyChange(resources: readonly Resource[], change: ResourceChanges): Resource[] {
  const changed = new Set<string>(change.deletes.map(keyOf));
  const upserts = new Map<string, Resource>();
  for (const resource of change.upserts) {
    changed.add(keyOf(resource));
    upserts.set(keyOf(resource), resource);
  }
  if (changed.size === 0) return [...resources];
  const kept = resources.filter((resource) => !changed.has(keyOf(resource)));
  return merge(kept, [...upserts.values()].toSorted(compareResources));
}

function merge(a: readonly Resource[], b: readonly Resource[]): Resource[] {
  const merged: Resource[] = [];
  let next = 0;
  for (const resource of a) {
    for (let other = b[next]; other !== undefined && compareResources(other, resource) < 0; other = b[++next])
      merged.push(other);
    merged.push(resource);
  }
  merged.push(...b.slice(next));
  return merged;
}
