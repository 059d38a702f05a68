import type { HeaderRule, PathRule, RouteCriteria, RouteEntry, RouterProblem } from './contract.js';
import { checkHost } from './host.js';
import { checkPathText, normalPathText } from './path.js';
import { compileRegex, type PathRegex } from './regex.js';
import { parseTemplate, type Template } from './template.js';

/** A path rule in the form that it is matched in. */
export type CompiledPath =
  | { readonly kind: 'prefix' | 'exact' | 'segment_prefix'; readonly rule: PathRule; readonly text: string }
  | { readonly kind: 'regex'; readonly rule: PathRule; readonly regex: PathRegex; readonly priority: number }
  | { readonly kind: 'template'; readonly rule: PathRule; readonly template: Template; readonly strip: boolean };

export interface CompiledHeader {
  readonly lowerName: string;
  readonly lowerValues: readonly string[];
}

/** An entry in the form that it is matched in: hosts and header rules in lower case, null for a criterion that is not set. */
export interface CompiledEntry<T> {
  readonly entry: RouteEntry<T>;
  readonly hosts: readonly string[];
  readonly paths: readonly CompiledPath[];
  readonly methods: readonly string[] | null;
  readonly headers: readonly CompiledHeader[] | null;
  readonly snis: readonly string[] | null;
  readonly httpsOnly: boolean;
  readonly rule: boolean;
  /** How many kinds of criteria are set. */
  readonly criteria: number;
  /** The same without the methods: what counts where a rule is compared. */
  readonly criteriaBesideMethods: number;
}

export type EntryResult<E> = { readonly entry: E; readonly problems: readonly RouterProblem[] };

/** Everything that is wrong with one route, field by field: the same check that compileRouter() makes. */
export function checkRoute(route: RouteCriteria): RouterProblem[] {
  return checkCriteria(route).problems;
}

/** Compiles one entry, or says everything that is wrong with it. */
export function compileEntry<T>(entry: RouteEntry<T>): CompiledEntry<T> | readonly RouterProblem[] {
  const { problems, paths } = checkCriteria(entry);
  if (problems.length > 0) return problems;
  const snis = entry.snis ?? [];
  const besideMethods = [entry.hosts, entry.paths, entry.headers, snis].filter((list) => list.length > 0).length;
  return {
    entry,
    hosts: [...new Set(entry.hosts.map((host) => host.toLowerCase()))],
    paths,
    methods: entry.methods.length === 0 ? null : [...new Set(entry.methods)],
    headers: entry.headers.length === 0 ? null : entry.headers.map(compileHeader),
    snis: snis.length === 0 ? null : snis.map((name) => name.toLowerCase()),
    httpsOnly: entry.httpsOnly ?? false,
    rule: entry.rule ?? false,
    criteria: besideMethods + (entry.methods.length > 0 ? 1 : 0),
    criteriaBesideMethods: besideMethods,
  };
}

export function compileHeader(rule: HeaderRule): CompiledHeader {
  return {
    lowerName: rule.name.toLowerCase(),
    lowerValues: [...new Set(rule.values.map((value) => value.toLowerCase()))],
  };
}

class Faults {
  readonly problems: RouterProblem[] = [];
  readonly #route: RouteCriteria;

  constructor(route: RouteCriteria) {
    this.#route = route;
  }

  add(field: string, reason: string | null): void {
    if (reason === null) return;
    const { name, detail } = this.#route;
    this.problems.push(detail === undefined ? { name, field, reason } : { name, detail, field, reason });
  }
}

function checkCriteria(route: RouteCriteria): { problems: RouterProblem[]; paths: CompiledPath[] } {
  const faults = new Faults(route);
  const paths: CompiledPath[] = [];
  const snis = route.snis ?? [];
  if ([route.hosts, route.paths, route.methods, route.headers, snis].every((list) => list.length === 0)) {
    faults.add('', 'needs at least one of hosts, paths, methods, headers, snis');
  }
  route.hosts.forEach((host, index) => faults.add(`hosts[${index}]`, checkHost(host)));
  route.paths.forEach((rule, index) => {
    const path = compilePath(rule);
    if ('reason' in path) faults.add(`paths[${index}].${path.field}`, path.reason);
    else paths.push(path);
  });
  route.methods.forEach((method, index) => faults.add(`methods[${index}]`, checkMethod(method)));
  route.headers.forEach((rule, index) => checkHeader(rule, `headers[${index}]`, faults));
  snis.forEach((name, index) => faults.add(`snis[${index}]`, checkSni(name)));
  return { problems: faults.problems, paths };
}

/** Compiles one path rule, or says which field of it is wrong, and why. */
export function compilePath(rule: PathRule): CompiledPath | { readonly field: string; readonly reason: string } {
  switch (rule.kind) {
    case 'prefix':
    case 'exact':
    case 'segment_prefix': {
      const reason = checkPathText(rule.text);
      return reason === null
        ? { kind: rule.kind, rule, text: normalPathText(rule.text) ?? rule.text }
        : { field: rule.kind, reason };
    }
    case 'regex': {
      const regex = compileRegex(rule.pattern);
      return typeof regex === 'string'
        ? { field: 'regex.pattern', reason: regex }
        : { kind: 'regex', rule, regex, priority: rule.priority };
    }
    case 'template': {
      const result = parseTemplate(rule.text);
      return result.ok
        ? { kind: 'template', rule, template: result.template, strip: rule.trailingSlash === 'strip' }
        : { field: 'template', reason: `column ${result.column}: ${result.reason}` };
    }
  }
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function checkMethod(method: string): string | null {
  if (method === '*') return 'leave methods empty to match any method';
  return token.test(method) ? null : `${JSON.stringify(method)} is not a method`;
}

function checkHeader(rule: HeaderRule, field: string, faults: Faults): void {
  if (!token.test(rule.name)) faults.add(`${field}.name`, `${JSON.stringify(rule.name)} is not a header name`);
  if (rule.values.length === 0) faults.add(`${field}.values`, 'needs at least one value');
}

function checkSni(name: string): string | null {
  return name.includes('*') || name.includes('[') ? 'is a full name, without "*"' : checkHost(name);
}
