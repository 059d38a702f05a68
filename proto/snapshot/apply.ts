import { compareResources, keyOf, placeOf } from './order.js';

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
  const outcomes = new Map<string, Outcome>();
  for (const key of change.deletes) outcomes.set(keyOf(key), { key, resource: undefined });
  for (const resource of change.upserts) outcomes.set(keyOf(resource), { key: resource, resource });

  const applied: Resource[] = [];
  let next = 0;
  for (const { key, resource } of [...outcomes.values()].toSorted((a, b) => compareResources(a.key, b.key))) {
    const place = placeOf(resources, key, next);
    copy(resources, next, place, applied);
    const replaced = resources[place];
    next = replaced !== undefined && compareResources(replaced, key) === 0 ? place + 1 : place;
    if (resource !== undefined) applied.push(resource);
  }
  copy(resources, next, resources.length, applied);
  return applied;
}

interface Outcome {
  readonly key: Pick<ResourceKey, 'kind' | 'name'>;
  /** Undefined when the change takes it away. */
  readonly resource: Resource | undefined;
}

/** Without `push(...slice)`, which puts the whole slice on the stack. */
function copy(from: readonly Resource[], start: number, end: number, to: Resource[]): void {
  for (let index = start; index < end; index++) {
    const resource = from[index];
    if (resource !== undefined) to.push(resource);
  }
}
