import { findDuplicates } from '../../data-plane/router/router.js';

import type { RouteCriteria } from '../../data-plane/router/router.js';

/** Two routes between which only age would decide, as people never mean it. */
export interface Collision {
  readonly older: string;
  readonly younger: string;
  /** What both match, for people. */
  readonly text: string;
}

/** `entries` are of routes from old to young. Two routes that collide in many bindings are reported once. */
export function findCollisions(entries: readonly RouteCriteria[]): Collision[] {
  const collisions = new Map<string, Collision>();
  for (const { first, second } of findDuplicates(entries)) {
    // The bindings of one route are the transcoder's to tell apart.
    if (first.name === second.name) continue;
    const key = JSON.stringify([first.name, second.name]);
    if (!collisions.has(key))
      collisions.set(key, { older: first.name, younger: second.name, text: describe(first, second) });
  }
  return [...collisions.values()];
}

/** How the collision reads to the one of the two routes that is not `other`. */
export function collisionReason(other: string, text: string): string {
  return `has the same priority and matches the same as route "${other}"${text}`;
}

function describe(first: RouteCriteria, second: RouteCriteria): string {
  const [path] = second.paths;
  if (path?.kind !== 'template' || (first.detail === undefined && second.detail === undefined)) return '';
  const methods = [...new Set([first.detail, second.detail])].filter((detail) => detail !== undefined);
  return ` in ${second.methods[0] ?? 'any method'} ${path.text} (${methods.join(', ')})`;
}
