import { findDuplicates } from '../../data-plane/router/router.js';

import type { RouteCriteria } from '../../data-plane/router/router.js';

/** Two routes between which only age would decide, as people never mean it. */
export interface Collision {
  readonly older: string;
  readonly younger: string;
  /** What both match, for people. */
  readonly text: string;
}

/** What a route matches, with the key by which equal ones are found. */
export interface Entry extends RouteCriteria {
  readonly key: string;
}

/** Two routes that collide in many bindings are reported once. */
export function findCollisions(entries: readonly Entry[]): Collision[] {
  const collisions = new Map<string, Collision>();
  for (const { first, second } of findDuplicates(entries, ({ key }) => key)) {
    // The bindings of one route are the transcoder's to tell apart.
    if (first.name === second.name) continue;
    const [older, younger] = isOlder(second, first) ? [second, first] : [first, second];
    const key = JSON.stringify([older.name, younger.name]);
    const collision = { older: older.name, younger: younger.name, text: describe(older, younger) };
    if (!collisions.has(key)) collisions.set(key, collision);
  }
  return [...collisions.values()];
}

function isOlder(a: RouteCriteria, b: RouteCriteria): boolean {
  return a.createdRevision === b.createdRevision ? a.ordinal < b.ordinal : a.createdRevision < b.createdRevision;
}

/** How the collision reads to the one of the two routes that is not `other`. */
export function collisionReason(other: string, text: string): string {
  return `has the same priority and matches the same as route "${other}"${text}`;
}

function describe(first: RouteCriteria, second: RouteCriteria): string {
  const [path] = second.paths;
  if (path?.kind !== 'template' || (first.detail === undefined && second.detail === undefined)) return '';
  const methods = new Set(
    [first, second].flatMap(({ detail }) => (detail === undefined ? [] : [detail.replace(/^\//, '')])),
  );
  return ` in ${second.methods[0] ?? 'any method'} ${path.text} (${[...methods].join(', ')})`;
}
