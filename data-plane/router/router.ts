import type { NoMatch, RouteEntry, RouteRequest, RouterProblem } from './contract.js';
import { compileEntry, type CompiledEntry } from './entry.js';
import { explain, type Explanation } from './explain.js';
import { maxHostLength, normalizeHost, type HostTable } from './host.js';
import { RouteMatch, type Match } from './match.js';
import { normalizePath } from './path.js';
import { Search } from './search.js';
import { buildTable, type HostRoutes } from './table.js';
import { Segments } from './template-tree.js';

export type {
  BadPath,
  Captures,
  HeaderRule,
  MethodNotAllowed,
  NoMatch,
  NoRoute,
  PathRule,
  PathTooLong,
  RouteCriteria,
  RouteEntry,
  RouteRequest,
  RouterProblem,
} from './contract.js';
export { criteriaKey, findDuplicates, type Duplicate } from './duplicates.js';
export { checkRoute } from './entry.js';
export type { Explanation, Loser, LoserReason } from './explain.js';
export { checkHost, normalizeHost } from './host.js';
export type { Match } from './match.js';
export { checkPathText, decodeVariable, hasDotSegment, normalizePath, type DecodeMode } from './path.js';
export { captureVariables } from './template-match.js';
export {
  canonicalTemplate,
  parseTemplate,
  type Template,
  type TemplateResult,
  type TemplateSegment,
  type TemplateVariable,
} from './template.js';

/** Finds the route for a request. Immutable once compiled; one instance serves all requests of a node. */
export interface Router<T> {
  /** The winner by the rules of docs/routing, or why there is none. Takes time by the length of the request, not by the number of routes. */
  match(request: RouteRequest): Match<T> | NoMatch;
  /** The same answer with its reasons: why each of the other routes did not win. Looks at every route, so not for every request. */
  explain(request: RouteRequest, limit?: number): Explanation<T>;
}

export interface CompiledRouter<T> {
  readonly router: Router<T>;
  /** What is wrong with the entries that were left out. */
  readonly problems: readonly RouterProblem[];
}

/**
 * Compiles a route table. A bad entry is left out and reported; the others take effect.
 * The router looks only at heads: it never reads a body, and never checks protocols, which is for its caller to do.
 */
export function compileRouter<T>(entries: readonly RouteEntry<T>[]): CompiledRouter<T> {
  const steps = compileSteps(entries);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Paths and hosts between two yields: a millisecond or two when all are regexes, otherwise far less. */
const sliceLength = 64;

/** As compileRouter(), in slices: after each `yield` the caller may serve requests before it goes on. */
export function* compileSteps<T>(entries: readonly RouteEntry<T>[]): Generator<void, CompiledRouter<T>> {
  const problems: RouterProblem[] = [];
  const compiled: CompiledEntry<T>[] = [];
  let work = 0;
  for (const entry of entries) {
    const result = compileEntry(entry);
    if ('entry' in result) compiled.push(result);
    else problems.push(...result);
    work += 1 + entry.hosts.length + entry.paths.length;
    if (work < sliceLength) continue;
    work = 0;
    yield;
  }
  const hosts = yield* buildTable(compiled);
  return { router: new TableRouter(compiled, hosts), problems };
}

class TableRouter<T> implements Router<T> {
  readonly #compiled: readonly CompiledEntry<T>[];
  readonly #hosts: HostTable<HostRoutes<T>>;
  readonly #hasRules: boolean;
  // Matching is synchronous and never re-entered, so one of each serves every request.
  readonly #search = new Search<T>();
  readonly #segments = new Segments();
  readonly #found: HostRoutes<T>[] = [];
  #foundCount = 0;
  /** The host that `#found` is for: requests of one connection name the same, and the look-up is 40 % of a match. */
  #foundHost: string | null = null;

  constructor(compiled: readonly CompiledEntry<T>[], hosts: HostTable<HostRoutes<T>>) {
    this.#compiled = compiled;
    this.#hosts = hosts;
    this.#hasRules = compiled.some(({ rule }) => rule);
  }

  match(request: RouteRequest): Match<T> | NoMatch {
    const normal = normalizePath(request.path);
    if (normal === null) return { kind: 'bad_path' };
    const search = this.#search;
    search.begin(request, normal);
    this.#findHost(request.host);
    this.#walk();
    const outcome = this.#outcome(request.path, normal);
    search.end();
    this.#segments.clear();
    return outcome;
  }

  explain(request: RouteRequest, limit = 100): Explanation<T> {
    return explain(this.#compiled, request, this.match(request), limit);
  }

  #outcome(raw: string, normal: string): Match<T> | NoMatch {
    const search = this.#search;
    if (search.best !== null && search.tooLong) return { kind: 'path_too_long' };
    if (search.best !== null) return new RouteMatch(search.best, raw, normal);
    if (!search.methodMissed) return { kind: 'no_route' };
    const allow = (search.allow = new Set<string>());
    this.#walk();
    return allow.size === 0 ? { kind: 'no_route' } : { kind: 'method_not_allowed', allow: [...allow].toSorted() };
  }

  #findHost(host: string): void {
    if (host === this.#foundHost) return;
    this.#foundCount = this.#hosts.find(normalizeHost(host), this.#found);
    this.#foundHost = host.length <= maxHostLength ? host : null;
  }

  #walk(): void {
    const search = this.#search;
    for (let i = 0; i < this.#foundCount; i += 1) (this.#found[i] as HostRoutes<T>).walk(search, this.#segments);
    if (!this.#hasRules) return;
    search.turnToRules();
    for (let i = 0; i < this.#foundCount; i += 1) (this.#found[i] as HostRoutes<T>).rules?.walk(search, this.#segments);
    search.decide();
  }
}
