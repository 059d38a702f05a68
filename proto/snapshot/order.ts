import type { Resource, ResourceKey } from '../gen/sluice/v1/snapshot_pb.js';

type Named = Pick<ResourceKey, 'kind' | 'name'>;

/** Identifies a resource within a config; for maps, not for people. */
export function keyOf(resource: Named): string {
  return `${resource.kind}:${resource.name}`;
}

/** The order of every list of resources: by kind, then by name in code point order, in every process and locale the same. */
export function compareResources(a: Named, b: Named): number {
  return a.kind - b.kind || compareNames(a.name, b.name);
}

/** Code point order. `<` compares UTF-16 units, which puts U+E000–U+FFFF after the characters beyond U+FFFF. */
export function compareNames(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA !== unitB) return rank(unitA) - rank(unitB);
  }
  return a.length - b.length;
}

/** Surrogates, which begin the characters beyond U+FFFF, come after every other unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** `resources` in order, as a new array; of two with one kind and name the later one stays. */
export function sortResources(resources: Iterable<Resource>): Resource[] {
  const byKey = new Map<string, Resource>();
  for (const resource of resources) byKey.set(keyOf(resource), resource);
  return [...byKey.values()].toSorted(compareResources);
}

/** The resource of that kind and name among `resources`, which must be sorted. */
export function findResource(resources: readonly Resource[], key: Named): Resource | undefined {
  const found = resources[placeOf(resources, key)];
  return found !== undefined && compareResources(found, key) === 0 ? found : undefined;
}

/** The index of the first of sorted `resources`, from `start` on, that does not come before `key`. */
export function placeOf(resources: readonly Resource[], key: Named, start = 0): number {
  let [low, high] = [start, resources.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const candidate = resources[middle];
    if (candidate !== undefined && compareResources(candidate, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
