import type { NoMatch, PathRule, RouteEntry, RouteRequest } from './contract.js';
import type { CompiledEntry, CompiledHeader, CompiledPath } from './entry.js';
import { hostMatches, hostRank, normalizeHost } from './host.js';
import type { Match } from './match.js';
import { compareAges, compareAgesAfterMethods, compareTiers, compareTiersBesideMethods, pathKey } from './order.js';
import { depthOf, pathFault, type PathFault } from './path-fault.js';
import { normalizePath } from './path.js';
import { headerMatches, sniMatches } from './search.js';
import { templateMatches } from './template-match.js';

/** `failed` names the first criterion that did not match; `lost` the rule by which the winner goes before a route that matched. */
export type LoserReason =
  | { readonly kind: 'failed'; readonly by: 'hosts' | 'paths' | 'methods' | 'headers' | 'snis' }
  | {
      readonly kind: 'lost';
      readonly by: 'priority' | 'criteria' | 'host' | 'path' | 'regex_priority' | 'methods' | 'header_count' | 'age';
    };

export interface Loser<T> {
  readonly entry: RouteEntry<T>;
  readonly reason: LoserReason;
  /** The reason as a sentence, without its subject. Never repeats a header value that the request carried. */
  readonly text: string;
}

export interface Explanation<T> {
  readonly outcome: Match<T> | NoMatch;
  /** As they were compared; path is null when it was refused. */
  readonly host: string;
  readonly path: string | null;
  /**
   * Every other route that matched on host or path, the nearest first; and where nothing but a shorter prefix won, those whose
   * path begins as the request's does.
   */
  readonly losers: readonly Loser<T>[];
  /** How many more there are than the limit. */
  readonly omitted: number;
}

/** Says why each route did not win, by looking at them one by one: a second opinion on what the trees found. */
export function explain<T>(
  compiled: readonly CompiledEntry<T>[],
  request: RouteRequest,
  outcome: Match<T> | NoMatch,
  limit: number,
): Explanation<T> {
  const host = normalizeHost(request.host);
  const path = normalizePath(request.path);
  if (path === null) return { outcome, host, path, losers: [], omitted: 0 };
  const seen = { host, path, request };
  const winner = outcome.kind === 'match' ? outcome.entry : null;
  const views = compiled.map((entry) => look(entry, seen));
  const won = views.find((view) => view.compiled.entry === winner) ?? null;
  const depth = won === null ? 0 : depthOf(won.path);
  const losing = views.filter((view) => view !== won && isNear(view, depth)).toSorted(compareNearness);
  // A plain route that would go before a rule that won has lost to another plain route.
  const better = losing.filter((view) => view.failed === null && !view.compiled.rule).toSorted(compareViews)[0];
  const rivalOf = (view: View<T>) =>
    won?.compiled.rule === true && better !== undefined && compareViews(view, won) < 0 ? better : won;
  const losers = losing.slice(0, limit).map((view) => judge(view, rivalOf(view), won, seen));
  return { outcome, host, path, losers, omitted: losing.length - losers.length };
}

interface Seen {
  readonly host: string;
  readonly path: string;
  readonly request: RouteRequest;
}

/** How one route stands to the request: its best host and path that match (null when not set), and what failed first. */
interface View<T> {
  readonly compiled: CompiledEntry<T>;
  readonly host: string | null;
  readonly path: CompiledPath | null;
  readonly hostOk: boolean;
  readonly pathOk: boolean;
  /** Of the path that agrees longest, when none matches. */
  readonly fault: PathFault | null;
  readonly methodOk: boolean;
  readonly failed: (LoserReason & { kind: 'failed' })['by'] | null;
}

function look<T>(compiled: CompiledEntry<T>, seen: Seen): View<T> {
  const { methods, headers, snis, httpsOnly } = compiled;
  const host = least(
    compiled.hosts.filter((pattern) => hostMatches(pattern, seen.host)),
    hostRank,
  );
  const path = least(
    compiled.paths.filter((rule) => pathMatches(rule, seen)),
    pathKey,
  );
  const hostOk = compiled.hosts.length === 0 || host !== null;
  const pathOk = compiled.paths.length === 0 || path !== null;
  const methodOk = methods === null || methods.includes(seen.request.method);
  const header = headers === null || headers.every((rule) => headerMatches(rule, seen.request.headers));
  const sni = snis === null || sniMatches(snis, httpsOnly, seen.request.serverName ?? null);
  const failed = !hostOk
    ? 'hosts'
    : !pathOk
      ? 'paths'
      : !methodOk
        ? 'methods'
        : !header
          ? 'headers'
          : !sni
            ? 'snis'
            : null;
  const fault = pathOk ? null : longestFault(compiled.paths, seen);
  return { compiled, host, path, hostOk, pathOk, fault, methodOk, failed };
}

function longestFault(paths: readonly CompiledPath[], seen: Seen): PathFault | null {
  return least(
    paths.map((path) => pathFault(path, seen.request.path, seen.path)),
    ({ agreed }) => -agreed,
  );
}

function least<V>(values: readonly V[], rank: (value: V) => number | string): V | null {
  let best: V | null = null;
  for (const value of values) if (best === null || rank(value) < rank(best)) best = value;
  return best;
}

function pathMatches(path: CompiledPath, seen: Seen): boolean {
  const text = seen.path;
  switch (path.kind) {
    case 'exact':
      return text === path.text;
    case 'prefix':
      return text.startsWith(path.text);
    case 'segment_prefix':
      return (
        text === path.text ||
        (text.startsWith(path.text) && (path.text.endsWith('/') || text.charAt(path.text.length) === '/'))
      );
    case 'regex':
      return text.length <= path.regex.maxPathLength && path.regex.test(text);
    case 'template':
      return text.startsWith('/') && templateMatches(path.template, seen.request.path, path.strip);
  }
}

/**
 * Matched by a host or a path that it sets, or with a path that agrees for longer than the winner's; a route that sets neither
 * is near every request.
 */
function isNear<T>({ host, path, hostOk, pathOk, fault }: View<T>, depth: number): boolean {
  return host !== null || path !== null || (hostOk && (pathOk || (fault !== null && fault.agreed > depth)));
}

const nearness = [null, 'snis', 'headers', 'methods', 'paths', 'hosts'] as const;

function compareNearness<T>(a: View<T>, b: View<T>): number {
  return nearness.indexOf(a.failed) - nearness.indexOf(b.failed) || compareFaults(a, b) || compareViews(a, b);
}

/** The longer a path agrees the nearer it is; of those, the one that has the method. */
function compareFaults<T>(a: View<T>, b: View<T>): number {
  if (a.failed !== 'paths' || b.failed !== 'paths') return 0;
  return (b.fault?.agreed ?? 0) - (a.fault?.agreed ?? 0) || Number(b.methodOk) - Number(a.methodOk);
}

/** Rules 1 to 5 for two routes that match. */
function compareViews<T>(a: View<T>, b: View<T>): number {
  const besideRules = a.compiled.rule || b.compiled.rule;
  return (
    (besideRules ? compareTiersBesideMethods : compareTiers)(a.compiled, b.compiled) ||
    hostRank(a.host) - hostRank(b.host) ||
    comparePaths(a.path, b.path) ||
    (besideRules ? compareAgesAfterMethods : compareAges)(a.compiled, b.compiled)
  );
}

function comparePaths(a: CompiledPath | null, b: CompiledPath | null): number {
  const [left, right] = [pathKey(a), pathKey(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** `rival` is what it lost to: the winner, or a route that goes before it and itself lost to the winner. */
function judge<T>(view: View<T>, rival: View<T> | null, won: View<T> | null, seen: Seen): Loser<T> {
  const { entry } = view.compiled;
  if (view.failed !== null || rival === null) {
    const by = view.failed ?? 'paths';
    return { entry, reason: { kind: 'failed', by }, text: failureText(view, by, seen) };
  }
  const [by, text] = lossText(view, rival, rival === won ? 'the winner' : `route ${rival.compiled.entry.name}`);
  return { entry, reason: { kind: 'lost', by }, text };
}

function failureText<T>(view: View<T>, by: NonNullable<View<T>['failed']>, seen: Seen): string {
  const { compiled } = view;
  switch (by) {
    case 'hosts':
      return `host ${JSON.stringify(seen.host)} is not ${oneOf(compiled.hosts)}`;
    case 'paths':
      return `path ${JSON.stringify(seen.path)} does not match ${oneOf(compiled.paths.map((path) => describePath(path.rule)))}${faultText(view)}`;
    case 'methods':
      return `method ${seen.request.method} is not ${oneOf(compiled.methods ?? [])}`;
    case 'headers': {
      const rule = compiled.headers?.find((header) => !headerMatches(header, seen.request.headers)) as CompiledHeader;
      return `header ${rule.lowerName} is not ${oneOf(rule.lowerValues)}`;
    }
    case 'snis':
      return `the TLS server name is not ${oneOf(compiled.snis ?? [])}`;
  }
}

function faultText<T>({ compiled, fault }: View<T>): string {
  return compiled.paths.length > 1 || fault === null || fault.text === '' ? '' : `: ${fault.text}`;
}

function lossText<T>(view: View<T>, won: View<T>, name: string): [(LoserReason & { kind: 'lost' })['by'], string] {
  const [loser, winner] = [view.compiled, won.compiled];
  if (loser.entry.priority !== winner.entry.priority) {
    return ['priority', `priority ${loser.entry.priority} is below ${winner.entry.priority}`];
  }
  const besideRules = loser.rule || winner.rule;
  const kind = besideRules ? 'criteriaBesideMethods' : 'criteria';
  if (loser[kind] !== winner[kind]) {
    const counted = besideRules ? 'kinds of criteria beside methods' : 'kinds of criteria';
    return ['criteria', `sets ${loser[kind]} ${counted}, ${name} ${winner[kind]}`];
  }
  if (hostRank(view.host) !== hostRank(won.host)) {
    return ['host', `${describeHost(view.host)} is less specific than ${describeHost(won.host)}`];
  }
  if (comparePaths(view.path, won.path) !== 0) return pathLoss(view.path, won.path);
  if (besideRules && loser.methods === null && winner.methods !== null) {
    return ['methods', `takes any method, ${name} ${oneOf(winner.methods)}`];
  }
  const [fewer, more] = [loser.headers?.length ?? 0, winner.headers?.length ?? 0];
  if (fewer !== more) return ['header_count', `has ${fewer} header criteria, ${name} ${more}`];
  return [
    'age',
    `is equal in every other rule and newer (revision ${loser.entry.createdRevision}, ${name} ${winner.entry.createdRevision})`,
  ];
}

function pathLoss(path: CompiledPath | null, won: CompiledPath | null): ['path' | 'regex_priority', string] {
  if (path?.kind === 'regex' && won?.kind === 'regex') {
    return ['regex_priority', `regex_priority ${path.priority} is below ${won.priority}`];
  }
  return ['path', `${describePath(path?.rule ?? null)} goes after ${describePath(won?.rule ?? null)}`];
}

function describeHost(pattern: string | null): string {
  return pattern === null ? 'no host' : `host ${pattern}`;
}

function describePath(rule: PathRule | null): string {
  if (rule === null) return 'no path';
  return `${rule.kind} ${rule.kind === 'regex' ? rule.pattern : rule.text}`;
}

function oneOf(values: readonly string[]): string {
  const shown = values.slice(0, 5).join(', ');
  const more = values.length > 5 ? ` and ${values.length - 5} more` : '';
  return values.length === 1 ? shown : `one of ${shown}${more}`;
}
