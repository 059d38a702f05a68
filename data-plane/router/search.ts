import { isHeader } from '../headers.js';
import type { RouteRequest } from './contract.js';
import type { CompiledEntry, CompiledHeader, CompiledPath } from './entry.js';

/** One way that an entry can match: with one of its hosts and one of its paths. Ranks order all of them, lower first. */
export interface Candidate<T> {
  readonly compiled: CompiledEntry<T>;
  readonly path: CompiledPath | null;
  /** Rules 1 to 3. */
  readonly high: number;
  /** Rules 4 and 5. */
  readonly low: number;
  /** Of a plain route, the same as it is compared with a rule of a transcoded method; of a rule no other. */
  readonly highBesideRules: number;
  readonly lowBesideRules: number;
}

export function compareCandidates<T>(a: Candidate<T>, b: Candidate<T>): number {
  return a.high - b.high || a.low - b.low;
}

/**
 * The state of one search, made once per router and used again for every request, so that matching allocates nothing.
 * The trees show it every candidate whose host and path match; it keeps the best that also matches on the rest. Because
 * it sees them all, a better route that fails on its method or headers never shadows another.
 */
export class Search<T> {
  best: Candidate<T> | null = null;
  /** A candidate failed by its method, so that it is worth asking whether the answer is 405. */
  methodMissed = false;
  /** The best is a regex that cannot be tried on a path of this length. */
  tooLong = false;
  /** The path as sent, and its normal form. */
  raw = '';
  path = '';
  /** Not null while the methods for `Allow` are gathered; nothing is then kept as the best. */
  allow: Set<string> | null = null;
  #plain: Candidate<T> | null = null;
  #plainTooLong = false;
  #method = '';
  /** Asked for its headers only where a route looks at them. */
  #request: RouteRequest | null = null;
  #serverName: string | null = null;

  begin(request: RouteRequest, normalPath: string): void {
    this.best = null;
    this.methodMissed = false;
    this.tooLong = false;
    this.allow = null;
    this.raw = request.path;
    this.path = normalPath;
    this.#method = request.method;
    this.#request = request;
    this.#serverName = request.serverName ?? null;
  }

  /** Lets go of the request, which must not live as long as the router. */
  end(): void {
    this.best = null;
    this.raw = '';
    this.path = '';
    this.#request = null;
  }

  /** Puts the best plain route aside: what is offered from here on are rules of transcoded methods. */
  turnToRules(): void {
    this.#plain = this.best;
    this.#plainTooLong = this.tooLong;
    this.best = null;
    this.tooLong = false;
  }

  /** Leaves the better of the best rule and the best plain route. */
  decide(): void {
    const plain = this.#plain;
    const rule = this.best;
    if (plain !== null && (rule === null || goesBefore(plain, rule))) {
      this.best = plain;
      this.tooLong = this.#plainTooLong;
    }
    this.#plain = null;
  }

  /** `candidates` are in order of rank, and their host and path match. */
  offer(candidates: readonly Candidate<T>[]): void {
    for (let i = 0; i < candidates.length; i += 1) {
      const candidate = candidates[i] as Candidate<T>;
      if (!this.#improves(candidate)) return;
      if (this.#accepts(candidate.compiled)) {
        this.best = candidate;
        this.tooLong = false;
        return;
      }
    }
  }

  /** As offer(), for candidates whose regex has yet to be tried: it is the dearest criterion, so it goes last. */
  offerRegexes(candidates: readonly Candidate<T>[]): void {
    for (let i = 0; i < candidates.length; i += 1) {
      const candidate = candidates[i] as Candidate<T>;
      if (!this.#improves(candidate)) return;
      if (this.allow !== null) {
        if (this.#regexMatches(candidate)) this.#accepts(candidate.compiled);
      } else if (this.#accepts(candidate.compiled) && this.#regexMatches(candidate)) {
        this.best = candidate;
        return;
      }
    }
  }

  #improves(candidate: Candidate<T>): boolean {
    const best = this.best;
    return best === null || candidate.high < best.high || (candidate.high === best.high && candidate.low < best.low);
  }

  #regexMatches(candidate: Candidate<T>): boolean {
    const path = candidate.path;
    if (path === null || path.kind !== 'regex') return false;
    this.tooLong = this.path.length > path.regex.maxPathLength;
    return this.tooLong || path.regex.test(this.path);
  }

  #accepts(compiled: CompiledEntry<T>): boolean {
    const { methods } = compiled;
    if (methods !== null && !methods.includes(this.#method)) {
      this.methodMissed = true;
      if (this.allow !== null && this.#acceptsRest(compiled)) for (const method of methods) this.allow.add(method);
      return false;
    }
    return this.allow === null && this.#acceptsRest(compiled);
  }

  #acceptsRest(compiled: CompiledEntry<T>): boolean {
    if (compiled.headers !== null && !headersMatch(compiled.headers, this.#request?.headers ?? noHeaders)) return false;
    return compiled.snis === null || sniMatches(compiled.snis, compiled.httpsOnly, this.#serverName);
  }
}

function goesBefore<T>(plain: Candidate<T>, rule: Candidate<T>): boolean {
  return plain.highBesideRules < rule.high || (plain.highBesideRules === rule.high && plain.lowBesideRules < rule.low);
}

const noHeaders: readonly string[] = [];

/** Whether every rule finds one of its values in one of the field lines of its name. */
export function headersMatch(rules: readonly CompiledHeader[], headers: readonly string[]): boolean {
  for (let i = 0; i < rules.length; i += 1) {
    if (!headerMatches(rules[i] as CompiledHeader, headers)) return false;
  }
  return true;
}

export function headerMatches(rule: CompiledHeader, headers: readonly string[]): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    if (!isHeader(headers[i] as string, rule.lowerName)) continue;
    if (rule.lowerValues.includes((headers[i + 1] as string).toLowerCase())) return true;
  }
  return false;
}

/** On a plain connection an https-only route is let through, for the caller to answer 426. */
export function sniMatches(snis: readonly string[], httpsOnly: boolean, serverName: string | null): boolean {
  return serverName === null ? httpsOnly : snis.includes(serverName.toLowerCase());
}
