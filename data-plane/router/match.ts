import type { Captures, PathRule, RouteEntry } from './contract.js';
import type { CompiledPath } from './entry.js';
import { rawLength } from './path.js';
import type { Candidate } from './search.js';
import type { Template } from './template.js';
import { captureVariables } from './template-match.js';

/** A route that won. Captures and lengths are computed when asked for. */
export interface Match<T> {
  readonly kind: 'match';
  readonly target: T;
  readonly entry: RouteEntry<T>;
  /** The path rule that matched; null for a route without paths. */
  readonly rule: PathRule | null;
  /** The template of a `template` rule, for the names and field paths of its variables; else null. */
  readonly template: Template | null;
  /** How much of the path as sent the rule matched: what strip_path removes. All of it for exact and template, 0 without a path. */
  readonly matchedLength: number;
  /** That part of the path, as sent. */
  readonly matchedText: string;
  /** The raw text of each variable, in the order of `template.variables`; [] for other rules. */
  variables(): readonly string[];
  /** Groups of a regex (of the normal form of the path), or variables of a template (raw), for rewrites. */
  captures(): Captures;
}

const noCaptures: ReadonlyMap<string, string> = new Map();

export class RouteMatch<T> implements Match<T> {
  readonly kind = 'match';
  readonly entry: RouteEntry<T>;
  readonly #path: CompiledPath | null;
  readonly #raw: string;
  readonly #normal: string;
  #captures: Captures | null = null;

  constructor(candidate: Candidate<T>, raw: string, normal: string) {
    this.entry = candidate.compiled.entry;
    this.#path = candidate.path;
    this.#raw = raw;
    this.#normal = normal;
  }

  get target(): T {
    return this.entry.target;
  }

  get rule(): PathRule | null {
    return this.#path?.rule ?? null;
  }

  get template(): Template | null {
    return this.#path?.kind === 'template' ? this.#path.template : null;
  }

  get matchedLength(): number {
    const path = this.#path;
    if (path === null) return 0;
    if (path.kind === 'exact' || path.kind === 'template') return this.#raw.length;
    const length = path.kind === 'regex' ? (this.captures().numbered[0] ?? '').length : path.text.length;
    return this.#raw.length === this.#normal.length ? length : rawLength(this.#raw, length);
  }

  get matchedText(): string {
    return this.#raw.slice(0, this.matchedLength);
  }

  variables(): readonly string[] {
    return this.#path?.kind === 'template' ? captureVariables(this.#path.template, this.#raw) : [];
  }

  captures(): Captures {
    return (this.#captures ??= this.#capture());
  }

  #capture(): Captures {
    const path = this.#path;
    if (path?.kind === 'regex') {
      const groups = path.regex.exec(this.#normal);
      if (groups !== null) return groups;
    }
    if (path?.kind !== 'template') return { numbered: [this.matchedText], named: noCaptures };
    const values = this.variables();
    const named = new Map(path.template.variables.map(({ name }, index) => [name, values[index] ?? '']));
    return { numbered: [this.#raw, ...values], named };
  }
}
