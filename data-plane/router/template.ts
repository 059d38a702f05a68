import { decodeOctets, escapedOctet } from './path.js';

export type TemplateSegment =
  /** `text` is decoded, one latin1 character per byte. */
  { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'single' } | { readonly kind: 'deep' };

export interface TemplateVariable {
  /** The field path as written, `a.b.c`, and its parts. */
  readonly name: string;
  readonly fieldPath: readonly string[];
  /** The segments of the template that it takes: from `first`, before `end`. */
  readonly first: number;
  readonly end: number;
  /** More than one segment, or `**`: decoded by the rule for several segments even when it took one. */
  readonly multiSegment: boolean;
}

/** A google.api.http path template, parsed. */
export interface Template {
  readonly text: string;
  readonly segments: readonly TemplateSegment[];
  /** Without its colon, decoded; '' when there is none. */
  readonly verb: string;
  readonly variables: readonly TemplateVariable[];
  /** Where `**` stands, or -1. */
  readonly deepAt: number;
}

export type TemplateResult =
  | { readonly ok: true; readonly template: Template }
  /** `column` counts from 1. */
  | { readonly ok: false; readonly column: number; readonly reason: string };

/**
 * Parses `/v1/{name=shelves/*}/books/**:verb`: the grammar of google/api/http.proto, with one `**` allowed anywhere (what
 * follows it has a fixed length) and `/` accepted as the root. A fault is a result with its column, never an exception.
 */
export function parseTemplate(text: string): TemplateResult {
  try {
    return { ok: true, template: new Parser(text).parse() };
  } catch (error) {
    if (error instanceof TemplateError) return { ok: false, column: error.at + 1, reason: error.message };
    throw error;
  }
}

class TemplateError extends Error {
  readonly at: number;

  constructor(at: number, reason: string) {
    super(reason);
    this.at = at;
  }
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** The pchars of RFC 3986 that may stand in a literal: `*` and `:` have a meaning of their own. */
const literalChar = /[A-Za-z0-9\-._~!$&'()+,;=@]/;

class Parser {
  readonly #text: string;
  readonly #segments: TemplateSegment[] = [];
  readonly #variables: TemplateVariable[] = [];
  #at = 0;
  #deepAt = -1;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Template {
    if (this.#peek() !== '/') this.#fail('a template begins with "/"');
    this.#at += 1;
    if (this.#at < this.#text.length) this.#parseSegments(false);
    const verb = this.#peek() === ':' ? this.#parseVerb() : '';
    if (this.#at < this.#text.length) this.#failHere();
    return {
      text: this.#text,
      segments: this.#segments,
      verb,
      variables: this.#variables,
      deepAt: this.#deepAt,
    };
  }

  #parseSegments(inVariable: boolean): void {
    for (;;) {
      this.#parseSegment(inVariable);
      if (this.#peek() !== '/') return;
      this.#at += 1;
    }
  }

  #parseSegment(inVariable: boolean): void {
    const char = this.#peek();
    if (char === '{') {
      if (inVariable) this.#fail('variables cannot be nested');
      this.#parseVariable();
    } else if (char === '*') {
      this.#parseWildcard();
    } else {
      this.#parseLiteral();
    }
    const next = this.#peek();
    const ends = next === '' || next === '/' || (inVariable ? next === '}' : next === ':');
    if (!ends) this.#failHere();
  }

  #parseWildcard(): void {
    const at = this.#at;
    while (this.#peek() === '*') this.#at += 1;
    const length = this.#at - at;
    if (length > 2) this.#fail('a wildcard is "*" or "**"', at);
    if (length === 1) {
      this.#segments.push({ kind: 'single' });
      return;
    }
    if (this.#deepAt !== -1) this.#fail('only one "**" is allowed', at);
    this.#deepAt = this.#segments.length;
    this.#segments.push({ kind: 'deep' });
  }

  #parseLiteral(): void {
    const at = this.#at;
    const raw = this.#literalText(false);
    if (raw === '') this.#fail(this.#missing('a segment'), at);
    const text = decodeOctets(raw);
    if (text === '.' || text === '..') this.#fail(`no request path has the segment ${JSON.stringify(text)}`, at);
    this.#segments.push({ kind: 'literal', text });
  }

  #literalText(withColons: boolean): string {
    const from = this.#at;
    for (;;) {
      const char = this.#peek();
      if (char === '%') {
        if (escapedOctet(this.#text, this.#at) === -1) this.#fail('malformed percent escape');
        this.#at += 3;
      } else if (char !== '' && (literalChar.test(char) || (withColons && char === ':'))) {
        this.#at += 1;
      } else {
        return this.#text.slice(from, this.#at);
      }
    }
  }

  #parseVariable(): void {
    const open = this.#at;
    const first = this.#segments.length;
    this.#at += 1;
    const name = this.#parseFieldPath();
    if (this.#variables.some((variable) => variable.name === name)) {
      this.#fail(`the variable ${JSON.stringify(name)} occurs twice`, open + 1);
    }
    if (this.#peek() === '=') {
      this.#at += 1;
      this.#parseSegments(true);
    } else {
      this.#segments.push({ kind: 'single' });
    }
    if (this.#peek() !== '}')
      this.#fail(this.#peek() === '' ? 'the variable is not closed with "}"' : this.#unexpected());
    this.#at += 1;
    const end = this.#segments.length;
    const multiSegment = end - first > 1 || this.#segments[first]?.kind === 'deep';
    this.#variables.push({ name, fieldPath: name.split('.'), first, end, multiSegment });
  }

  #parseFieldPath(): string {
    const from = this.#at;
    while (!['', '=', '}', '/', '{'].includes(this.#peek())) this.#at += 1;
    const name = this.#text.slice(from, this.#at);
    let at = from;
    for (const part of name.split('.')) {
      if (!identifier.test(part)) this.#fail(`${JSON.stringify(part)} is not a field name`, at);
      at += part.length + 1;
    }
    return name;
  }

  #parseVerb(): string {
    const at = this.#at;
    this.#at += 1;
    const raw = this.#literalText(true);
    if (raw.split(':').includes('')) this.#fail(this.#missing('a verb'), this.#at);
    if (this.#segments.length === 0) this.#fail('a verb follows a segment', at);
    if (this.#peek() === '/') this.#fail('a verb stands only at the end; write ":" in a segment as "%3A"', at);
    return decodeOctets(raw);
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  #missing(what: string): string {
    const char = this.#peek();
    return char === '' || char === '/' || char === ':' || char === '}' ? `${what} is empty` : this.#unexpected();
  }

  #unexpected(): string {
    const char = this.#peek();
    if (char === '*') return '"*" must be a whole segment';
    if (char === '{') return 'a variable must be a whole segment';
    return `unexpected ${JSON.stringify(char)}`;
  }

  #failHere(): never {
    return this.#fail(this.#unexpected());
  }

  #fail(reason: string, at = this.#at): never {
    throw new TemplateError(at, reason);
  }
}

/** The template with its variables' names left out: equal for two templates that match the same paths. */
export function canonicalTemplate(template: Template): string {
  const parts = template.segments.map((segment) => {
    if (segment.kind === 'literal') return encodeURIComponent(segment.text);
    return segment.kind === 'single' ? '*' : '**';
  });
  return `/${parts.join('/')}${template.verb === '' ? '' : `:${encodeURIComponent(template.verb)}`}`;
}
