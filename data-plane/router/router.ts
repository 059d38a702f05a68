import type { NoMatch, RouteEntry, RouteRequest, RouterProblem } from './contract.js';
import { compileEntry, type CompiledEntry, type CompiledPath } from './entry.js';
import { explain, type Explanation } from './explain.js';
import { hostRank, HostTable, normalizeHost } from './host.js';
import { LiteralTree } from './literal-tree.js';
import { RouteMatch, type Match } from './match.js';
import { compareAges, compareTiers, pathKey } from './order.js';
import { normalizePath } from './path.js';
import { compareCandidates, Search, type Candidate } from './search.js';
import { trimmedEnd } from './template.js';
import { Segments, TemplateTree } from './template-tree.js';

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
export { findDuplicates, type Duplicate } from './duplicates.js';
export { checkRoute } from './entry.js';
export type { Explanation, Loser, LoserReason } from './explain.js';
export { checkHost, normalizeHost } from './host.js';
export type { Match } from './match.js';
export { checkPathText, decodeVariable, hasDotSegment, normalizePath, type DecodeMode } from './path.js';
export {
  canonicalTemplate,
  captureVariables,
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

/** Entries between two yields: well under a millisecond of work. */
const sliceLength = 64;

/** As compileRouter(), in slices: after each `yield` the caller may serve requests before it goes on. */
export function* compileSteps<T>(entries: readonly RouteEntry<T>[]): Generator<void, CompiledRouter<T>> {
  const problems: RouterProblem[] = [];
  const compiled: CompiledEntry<T>[] = [];
  for (const [index, entry] of entries.entries()) {
    const result = compileEntry(entry);
    if ('entry' in result) compiled.push(result);
    else problems.push(...result);
    if (index % sliceLength === sliceLength - 1) yield;
  }
  const ranks = rankEntries(compiled);
  yield;
  const table = new Table<T>();
  for (const [index, entry] of compiled.entries()) {
    table.add(entry, ranks);
    if (index % sliceLength === sliceLength - 1) yield;
  }
  table.sort();
  return { router: new TableRouter(compiled, table.hosts), problems };
}

/** The place of everything that decides, as whole numbers, lower first. */
interface Ranks<T> {
  readonly tiers: ReadonlyMap<CompiledEntry<T>, number>;
  readonly ages: ReadonlyMap<CompiledEntry<T>, number>;
  readonly paths: ReadonlyMap<string, number>;
}

function rankEntries<T>(compiled: readonly CompiledEntry<T>[]): Ranks<T> {
  const tiers = new Map<CompiledEntry<T>, number>();
  let tier = 0;
  let previous: CompiledEntry<T> | null = null;
  for (const entry of compiled.toSorted(compareTiers)) {
    if (previous !== null && compareTiers(previous, entry) !== 0) tier += 1;
    tiers.set(entry, tier);
    previous = entry;
  }
  const ages = new Map(compiled.toSorted(compareAges).map((entry, index) => [entry, index]));
  const keys = new Set([pathKey(null)]);
  for (const entry of compiled) for (const path of entry.paths) keys.add(pathKey(path));
  return { tiers, ages, paths: new Map([...keys].sort().map((key, index) => [key, index])) };
}

/** All that matches one host pattern. */
class HostRoutes<T> {
  readonly literals = new LiteralTree<T>();
  templates: TemplateTree<T> | null = null;
  /** Templates that also take slashes at the end of a path. */
  stripTemplates: TemplateTree<T> | null = null;
  pathless: Candidate<T>[] | null = null;

  candidates(path: CompiledPath | null): Candidate<T>[] {
    if (path === null) return (this.pathless ??= []);
    switch (path.kind) {
      case 'prefix':
        return (this.literals.node(path.text).prefix ??= []);
      case 'segment_prefix':
        return (this.literals.node(path.text).segmentPrefix ??= []);
      case 'exact':
        return (this.literals.node(path.text).exact ??= []);
      case 'regex':
        return (this.literals.node(path.regex.literalPrefix).regex ??= []);
      case 'template': {
        const tree = path.strip
          ? (this.stripTemplates ??= new TemplateTree())
          : (this.templates ??= new TemplateTree());
        return tree.candidates(path.template);
      }
    }
  }
}

class Table<T> {
  readonly hosts = new HostTable<HostRoutes<T>>();
  readonly #lists = new Set<Candidate<T>[]>();

  add(compiled: CompiledEntry<T>, ranks: Ranks<T>): void {
    const tier = ranks.tiers.get(compiled) ?? 0;
    const age = ranks.ages.get(compiled) ?? 0;
    const paths = compiled.paths.length === 0 ? [null] : compiled.paths;
    const lows = paths.map((path) => (ranks.paths.get(pathKey(path)) ?? 0) * ranks.ages.size + age);
    for (const host of compiled.hosts.length === 0 ? [null] : compiled.hosts) {
      const routes = this.hosts.entry(host, () => new HostRoutes<T>());
      const high = tier * 1024 + hostRank(host);
      paths.forEach((path, index) => {
        const list = routes.candidates(path);
        list.push({ compiled, path, high, low: lows[index] as number });
        if (list.length > 1) this.#lists.add(list);
      });
    }
  }

  sort(): void {
    for (const list of this.#lists) list.sort(compareCandidates);
  }
}

class TableRouter<T> implements Router<T> {
  readonly #compiled: readonly CompiledEntry<T>[];
  readonly #hosts: HostTable<HostRoutes<T>>;
  // Matching is synchronous and never re-entered, so one of each serves every request.
  readonly #search = new Search<T>();
  readonly #segments = new Segments();
  readonly #found: HostRoutes<T>[] = [];

  constructor(compiled: readonly CompiledEntry<T>[], hosts: HostTable<HostRoutes<T>>) {
    this.#compiled = compiled;
    this.#hosts = hosts;
  }

  match(request: RouteRequest): Match<T> | NoMatch {
    const normal = normalizePath(request.path);
    if (normal === null) return { kind: 'bad_path' };
    const search = this.#search;
    search.begin(request, normal);
    const count = this.#hosts.find(normalizeHost(request.host), this.#found);
    this.#walk(count);
    const outcome = this.#outcome(count, request.path, normal);
    search.end();
    this.#segments.clear();
    return outcome;
  }

  explain(request: RouteRequest, limit = 100): Explanation<T> {
    return explain(this.#compiled, request, this.match(request), limit);
  }

  #outcome(count: number, raw: string, normal: string): Match<T> | NoMatch {
    const search = this.#search;
    if (search.best !== null && search.tooLong) return { kind: 'path_too_long' };
    if (search.best !== null) return new RouteMatch(search.best, raw, normal);
    if (!search.methodMissed) return { kind: 'no_route' };
    const allow = (search.allow = new Set<string>());
    this.#walk(count);
    return allow.size === 0 ? { kind: 'no_route' } : { kind: 'method_not_allowed', allow: [...allow].sort() };
  }

  #walk(count: number): void {
    for (let i = 0; i < count; i += 1) this.#walkHost(this.#found[i] as HostRoutes<T>);
  }

  #walkHost(routes: HostRoutes<T>): void {
    const search = this.#search;
    if (search.path.charCodeAt(0) === 47) {
      routes.literals.walk(search);
      if (routes.templates !== null) this.#walkTemplates(routes.templates, false);
      if (routes.stripTemplates !== null) this.#walkTemplates(routes.stripTemplates, true);
    }
    if (routes.pathless !== null) search.offer(routes.pathless);
  }

  #walkTemplates(tree: TemplateTree<T>, strip: boolean): void {
    const { raw } = this.#search;
    const end = trimmedEnd(raw);
    if (end !== raw.length && !strip) return;
    this.#segments.read(raw, end);
    tree.walk(this.#search, this.#segments);
  }
}
