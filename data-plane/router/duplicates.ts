import type { PathRule, RouteCriteria } from './contract.js';
import { normalPathText } from './path.js';
import { canonicalTemplate, parseTemplate } from './template.js';

export interface Duplicate<E> {
  /** The one that comes first in the list. */
  readonly first: E;
  readonly second: E;
}

/**
 * Pairs of routes of equal priority that set every criterion to the same set of values, so that only their age would
 * decide. Each later one is reported once, with the first that it repeats. Whoever checks a large table often keeps the keys.
 */
export function findDuplicates<E extends RouteCriteria>(
  entries: readonly E[],
  keyOf: (entry: E) => string = criteriaKey,
): Duplicate<E>[] {
  const seen = new Map<string, E>();
  const duplicates: Duplicate<E>[] = [];
  for (const entry of entries) {
    const key = keyOf(entry);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, entry);
    else duplicates.push({ first, second: entry });
  }
  return duplicates;
}

/** Equal for two routes between which only age would decide. */
export function criteriaKey(route: RouteCriteria): string {
  return JSON.stringify([
    route.priority,
    set(route.hosts.map((host) => host.toLowerCase())),
    set(route.paths.map(pathIdentity)),
    set(route.methods),
    set(
      route.headers.map((rule) =>
        JSON.stringify([rule.name.toLowerCase(), set(rule.values.map((value) => value.toLowerCase()))]),
      ),
    ),
    set((route.snis ?? []).map((name) => name.toLowerCase())),
  ]);
}

function set(values: readonly string[]): string[] {
  return [...new Set(values)].toSorted();
}

/** Two rules that match the same paths with the same rank have one identity, whatever their variables are called. */
function pathIdentity(rule: PathRule): string {
  switch (rule.kind) {
    case 'regex':
      return JSON.stringify([rule.kind, rule.pattern, rule.priority]);
    case 'template': {
      const result = parseTemplate(rule.text);
      return JSON.stringify([
        rule.kind,
        result.ok ? canonicalTemplate(result.template) : rule.text,
        rule.trailingSlash ?? 'strict',
      ]);
    }
    case 'prefix':
    case 'exact':
    case 'segment_prefix':
      return JSON.stringify([rule.kind, normalPathText(rule.text) ?? rule.text]);
  }
}
