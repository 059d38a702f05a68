import type { CompiledEntry, CompiledPath } from './entry.js';
import { hostRank, HostTable } from './host.js';
import { LiteralTree } from './literal-tree.js';
import { compareAges, compareAgesAfterMethods, compareTiers, compareTiersBesideMethods, pathKey } from './order.js';
import { compareCandidates, type Candidate, type Search } from './search.js';
import { trimmedEnd } from './template-match.js';
import { TemplateTree, type Segments } from './template-tree.js';

const slash = 47;
/** Candidates between two yields: well under a millisecond of work. */
const sliceLength = 256;

/** Builds what matching walks: for each host pattern its paths, for each path its candidates in order of rank. */
export function* buildTable<T>(compiled: readonly CompiledEntry<T>[]): Generator<void, HostTable<HostRoutes<T>>> {
  const ranks = rankEntries(compiled);
  yield;
  const table = new Table<T>(ranks);
  let work = 0;
  for (const entry of compiled) {
    const paths = table.paths(entry);
    for (const host of entry.hosts.length === 0 ? [null] : entry.hosts) {
      table.add(entry, host, paths);
      work += paths.length;
      if (work < sliceLength) continue;
      work = 0;
      yield;
    }
  }
  table.sort();
  return table.hosts;
}

type Compare<T> = (a: CompiledEntry<T>, b: CompiledEntry<T>) => number;

/** The places of entries as whole numbers, lower first. */
interface EntryRanks<T> {
  readonly tiers: ReadonlyMap<CompiledEntry<T>, number>;
  readonly ages: ReadonlyMap<CompiledEntry<T>, number>;
}

/** The place of everything that decides: between plain routes, where a rule is compared, and of paths. */
interface Ranks<T> {
  readonly plain: EntryRanks<T>;
  readonly besideRules: EntryRanks<T>;
  readonly paths: ReadonlyMap<string, number>;
}

function rankEntries<T>(compiled: readonly CompiledEntry<T>[]): Ranks<T> {
  const keys = new Set([pathKey(null)]);
  for (const entry of compiled) for (const path of entry.paths) keys.add(pathKey(path));
  const plain = rankBy(compiled, compareTiers<T>, compareAges<T>);
  return {
    plain,
    besideRules: compiled.some((entry) => entry.rule)
      ? rankBy(compiled, compareTiersBesideMethods<T>, compareAgesAfterMethods<T>)
      : plain,
    paths: new Map([...keys].toSorted().map((key, index) => [key, index])),
  };
}

function rankBy<T>(compiled: readonly CompiledEntry<T>[], byTier: Compare<T>, byAge: Compare<T>): EntryRanks<T> {
  const tiers = new Map<CompiledEntry<T>, number>();
  let tier = 0;
  let previous: CompiledEntry<T> | null = null;
  for (const entry of compiled.toSorted(byTier)) {
    if (previous !== null && byTier(previous, entry) !== 0) tier += 1;
    tiers.set(entry, tier);
    previous = entry;
  }
  return { tiers, ages: new Map(compiled.toSorted(byAge).map((entry, index) => [entry, index])) };
}

interface RankedPath {
  readonly path: CompiledPath | null;
  readonly low: number;
  readonly lowBesideRules: number;
}

class Table<T> {
  readonly hosts = new HostTable<HostRoutes<T>>();
  readonly #lists = new Set<Candidate<T>[]>();
  readonly #ranks: Ranks<T>;

  constructor(ranks: Ranks<T>) {
    this.#ranks = ranks;
  }

  paths(compiled: CompiledEntry<T>): readonly RankedPath[] {
    const { plain, besideRules, paths: pathRanks } = this.#ranks;
    const age = (compiled.rule ? besideRules : plain).ages.get(compiled) ?? 0;
    const ageBesideRules = besideRules.ages.get(compiled) ?? 0;
    const paths = compiled.paths.length === 0 ? [null] : compiled.paths;
    return paths.map((path) => {
      const base = (pathRanks.get(pathKey(path)) ?? 0) * plain.ages.size;
      return { path, low: base + age, lowBesideRules: base + ageBesideRules };
    });
  }

  add(compiled: CompiledEntry<T>, host: string | null, paths: readonly RankedPath[]): void {
    const { plain, besideRules } = this.#ranks;
    const ofHost = this.hosts.entry(host, () => new HostRoutes<T>());
    const routes = compiled.rule ? (ofHost.rules ??= new HostRoutes<T>()) : ofHost;
    const place = hostRank(host);
    const high = ((compiled.rule ? besideRules : plain).tiers.get(compiled) ?? 0) * 1024 + place;
    const highBesideRules = (besideRules.tiers.get(compiled) ?? 0) * 1024 + place;
    for (const { path, low, lowBesideRules } of paths) {
      const list = routes.candidates(path);
      list.push({ compiled, path, high, low, highBesideRules, lowBesideRules });
      if (list.length > 1) this.#lists.add(list);
    }
  }

  sort(): void {
    for (const list of this.#lists) list.sort(compareCandidates);
  }
}

/** All that matches one host pattern: plain routes, and apart from them the rules of transcoded methods. */
export class HostRoutes<T> {
  rules: HostRoutes<T> | null = null;
  #literals: LiteralTree<T> | null = null;
  templates: TemplateTree<T> | null = null;
  /** Templates that also take slashes at the end of a path. */
  stripTemplates: TemplateTree<T> | null = null;
  pathless: Candidate<T>[] | null = null;

  candidates(path: CompiledPath | null): Candidate<T>[] {
    if (path === null) return (this.pathless ??= []);
    switch (path.kind) {
      case 'prefix':
        return (this.#literalNode(path.text).prefix ??= []);
      case 'segment_prefix':
        return (this.#literalNode(path.text).segmentPrefix ??= []);
      case 'exact':
        return (this.#literalNode(path.text).exact ??= []);
      case 'regex':
        return (this.#literalNode(path.regex.literalPrefix).regex ??= []);
      case 'template': {
        const tree = path.strip
          ? (this.stripTemplates ??= new TemplateTree())
          : (this.templates ??= new TemplateTree());
        return tree.candidates(path.template);
      }
    }
  }

  #literalNode(text: string): ReturnType<LiteralTree<T>['node']> {
    return (this.#literals ??= new LiteralTree()).node(text);
  }

  /** Offers every plain candidate whose path matches `search.path`. */
  walk(search: Search<T>, segments: Segments): void {
    if (search.path.charCodeAt(0) === slash) {
      this.#literals?.walk(search);
      if (this.templates !== null) walkTemplates(this.templates, false, search, segments);
      if (this.stripTemplates !== null) walkTemplates(this.stripTemplates, true, search, segments);
    }
    if (this.pathless !== null) search.offer(this.pathless);
  }
}

function walkTemplates<T>(tree: TemplateTree<T>, strip: boolean, search: Search<T>, segments: Segments): void {
  const end = trimmedEnd(search.raw);
  if (end !== search.raw.length && !strip) return;
  segments.read(search.raw, end);
  tree.walk(search, segments);
}
