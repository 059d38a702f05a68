import { decodeOctets, escapedOctet, offsetOfOctet } from './path.js';

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

/**
 * The raw text of each variable of a template, in the order of `template.variables`, from a path that the template
 * matched. Raw means as the client sent it: decodeVariable() decodes.
 */
export function captureVariables(template: Template, path: string): string[] {
  if (template.variables.length === 0) return [];
  const starts = segmentStarts(path, contentEnd(template, path));
  const count = starts.length - 1;
  const grown = count - template.segments.length;
  return template.variables.map(({ first, end }) => {
    const from = template.deepAt !== -1 && first > template.deepAt ? first + grown : first;
    const to = template.deepAt !== -1 && end > template.deepAt ? end + grown : end;
    return to <= from ? '' : path.slice(starts[from], (starts[to] as number) - 1);
  });
}

/** Where the path ends that the segments matched: before slashes at its end, and before the verb. */
function contentEnd(template: Template, path: string): number {
  const end = trimmedEnd(path);
  return template.verb === '' ? end : verbStart(template.verb, path, end);
}

/** Where a path ends without the slashes at its end; 1 for the root. */
export function trimmedEnd(path: string): number {
  let end = path.length;
  while (end > 1 && path.charCodeAt(end - 1) === 47) end -= 1;
  return end;
}

/** Where the colon of a verb would stand in the raw path before `end`. */
function verbStart(verb: string, path: string, end: number): number {
  const last = path.lastIndexOf('/', end - 1) + 1;
  const segment = path.slice(last, end);
  return last + offsetOfOctet(segment, decodeOctets(segment).length - verb.length - 1);
}

/** Whether one template matches a raw path, for explaining; requests are matched by the tree of all templates. */
export function templateMatches(template: Template, path: string, strip: boolean): boolean {
  let end = trimmedEnd(path);
  if (end !== path.length && !strip) return false;
  if (template.verb !== '') {
    const colon = verbStart(template.verb, path, end);
    if (path.charAt(colon) !== ':' || decodeOctets(path.slice(colon + 1, end)) !== template.verb) return false;
    if (path.charAt(colon - 1) === '/') return false;
    end = colon;
  }
  const parts = end <= 1 ? [] : path.slice(1, end).split('/').map(decodeOctets);
  const { segments, deepAt } = template;
  const grown = parts.length - segments.length;
  if (deepAt === -1 ? grown !== 0 : grown < -1) return false;
  return segments.every((segment, index) => {
    if (segment.kind === 'deep') return true;
    const part = parts[deepAt !== -1 && index > deepAt ? index + grown : index];
    return segment.kind === 'single' ? part !== '' : part === segment.text;
  });
}

/** Where each segment begins, and one past the end of the last. */
function segmentStarts(path: string, end: number): number[] {
  const starts = [1];
  if (end <= 1) return starts;
  for (let at = path.indexOf('/', 1); at !== -1 && at < end; at = path.indexOf('/', at + 1)) starts.push(at + 1);
  starts.push(end + 1);
  return starts;
}
