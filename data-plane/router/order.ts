import type { CompiledEntry, CompiledPath } from './entry.js';

/**
 * Which route wins, as keys: lower first. A request may match one route by several of its hosts and paths, so the order
 * is over (entry, host, path). It does not depend on the request, so that matching compares numbers made at compile time.
 *
 * There are two orders. Between plain routes the number of kinds of criteria goes before the path. Where an HTTP rule of a
 * transcoded method is compared, methods are no kind. The two do not make one order, so the best plain route and the best rule
 * are found apart, and then compared by the second.
 */

/** Rules 1 and 2: priority, then the number of kinds of criteria. */
export function compareTiers<T>(a: CompiledEntry<T>, b: CompiledEntry<T>): number {
  return b.entry.priority - a.entry.priority || b.criteria - a.criteria;
}

/** Rule 5: more header criteria, then the older route. */
export function compareAges<T>(a: CompiledEntry<T>, b: CompiledEntry<T>): number {
  const headers = (b.headers?.length ?? 0) - (a.headers?.length ?? 0);
  if (headers !== 0) return headers;
  const [left, right] = [a.entry.createdRevision, b.entry.createdRevision];
  if (left !== right) return left < right ? -1 : 1;
  return a.entry.ordinal - b.entry.ordinal;
}

/** Rules 1 and 2 where a rule of a transcoded method is compared: methods do not count. */
export function compareTiersBesideMethods<T>(a: CompiledEntry<T>, b: CompiledEntry<T>): number {
  return b.entry.priority - a.entry.priority || b.criteriaBesideMethods - a.criteriaBesideMethods;
}

/** Rule 5 there: of equal paths, the one that sets methods. */
export function compareAgesAfterMethods<T>(a: CompiledEntry<T>, b: CompiledEntry<T>): number {
  return Number(a.methods === null) - Number(b.methods === null) || compareAges(a, b);
}

/**
 * Rule 4 as text that sorts: exact; templates read with a verb, longer verbs first; then prefixes and templates by their
 * segments; regexes by priority; no path.
 */
export function pathKey(path: CompiledPath | null): string {
  if (path === null) return '5';
  switch (path.kind) {
    case 'exact':
      return '1';
    case 'template': {
      const { verb } = path.template;
      return (verb === '' ? '3' : `2${descending(verb.length)}`) + templateKey(path);
    }
    case 'segment_prefix':
    case 'prefix':
      return `3${prefixKey(path.text)}${path.kind === 'prefix' ? 'b' : 'a'}`;
    case 'regex':
      return `4${descending(path.priority)}`;
  }
}

/** A segment at a time: literal, `{x}`, the end of a template, `**`, the open end of a prefix. */
const step = { literal: 'a', single: 'b', end: 'c', deep: 'd', open: 'e' } as const;

function templateKey(path: CompiledPath & { kind: 'template' }): string {
  return path.template.segments.map((segment) => step[segment.kind]).join('') + step.end;
}

/** The text of a segment that a prefix begins counts as a literal; of prefixes with as many, the longer goes first. */
function prefixKey(text: string): string {
  const segments = text.split('/').length - (text.endsWith('/') ? 2 : 1);
  return step.literal.repeat(segments) + step.open + descending(text.length);
}

/** Any int32 as ten digits that sort the other way round. */
function descending(value: number): string {
  return String(2_147_483_647 - value).padStart(10, '0');
}
