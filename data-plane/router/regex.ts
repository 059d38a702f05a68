import { RE2JS, RE2JSException } from 're2js';

/** A larger program is refused: the engine's worst case is program size × path length. */
const maxProgramSize = 500;
/** Size × length that a single regex may cost: some 40 ms in the engine's slowest mode, which ordinary patterns never see. */
const maxSteps = 4_000_000;

/**
 * An RE2 regex, anchored at the start of the path and not at its end. The engine is linear in time, so no path can stall
 * a node; re2js measured 75–300 ns for patterns as routes have them.
 */
export interface PathRegex {
  /** Every path that matches begins with this text. */
  readonly literalPrefix: string;
  /** A longer path costs too much to try. */
  readonly maxPathLength: number;
  test(path: string): boolean;
  /** The matched text and the groups; null when the path does not match. */
  exec(path: string): RegexGroups | null;
}

export interface RegexGroups {
  readonly numbered: readonly string[];
  readonly named: ReadonlyMap<string, string>;
}

/** Compiles a pattern, or says what is wrong with it. Hex digits of escapes are compared as the normal form writes them. */
export function compileRegex(pattern: string): PathRegex | string {
  const text = upperCaseEscapes(pattern);
  const engine = compileRe2(`\\A(?:${text})`);
  // Between the parentheses that anchor it `a)|(b` is well-formed, and other faults are told with text that nobody wrote.
  if (typeof engine === 'string' || outline(text).unbalanced) {
    const alone = compileRe2(pattern);
    if (typeof alone === 'string') return alone;
  }
  if (typeof engine === 'string') return engine;
  const size = engine.programSize();
  if (size > maxProgramSize) return `is too costly: it compiles to ${size} steps, of at most ${maxProgramSize}`;
  return new Regex(engine, literalPrefix(text), Math.floor(maxSteps / size));
}

function compileRe2(pattern: string): RE2JS | string {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (error instanceof RE2JSException) return error.message.replace(/^error parsing regexp: /, 'is not RE2 syntax: ');
    throw error;
  }
}

class Regex implements PathRegex {
  readonly literalPrefix: string;
  readonly maxPathLength: number;
  readonly #engine: RE2JS;

  constructor(engine: RE2JS, prefix: string, maxPathLength: number) {
    this.#engine = engine;
    this.literalPrefix = prefix;
    this.maxPathLength = maxPathLength;
  }

  test(path: string): boolean {
    return this.#engine.test(path);
  }

  exec(path: string): RegexGroups | null {
    const matcher = this.#engine.matcher(path);
    if (!matcher.lookingAt()) return null;
    const numbered: string[] = [];
    for (let group = 0; group <= matcher.groupCount(); group += 1) numbered.push(matcher.group(group) ?? '');
    const named = new Map<string, string>();
    for (const [name, index] of Object.entries(this.#engine.namedGroups())) named.set(name, numbered[index] ?? '');
    return { numbered, named };
  }
}

/** An escape, a class, or one character. */
const tokens = /\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|%[0-9a-fA-F]{2}|[^]/g;

/** `%2f` and `%2F` are the same octet, and the normal form has the latter. Classes are left alone. */
function upperCaseEscapes(pattern: string): string {
  return pattern.includes('%')
    ? pattern.replace(tokens, (token) => (token.startsWith('%') ? token.toUpperCase() : token))
    : pattern;
}

/** What the parentheses say; quoting can make `unbalanced` true of a good pattern, never the reverse. */
function outline(pattern: string): { readonly unbalanced: boolean; readonly alternation: boolean } {
  let depth = 0;
  let unbalanced = false;
  let alternation = false;
  for (const [token] of pattern.matchAll(tokens)) {
    if (token === '(') depth += 1;
    else if (token === ')') depth -= 1;
    else if (token === '|' && depth === 0) alternation = true;
    unbalanced ||= depth < 0;
  }
  return { unbalanced, alternation };
}

/**
 * The literal text that a pattern begins with, so that it is tried only on paths that begin so. It may be shorter than it
 * could be, never wrong: with an alternation at the top level, or quoting, it is ''.
 */
function literalPrefix(pattern: string): string {
  if (pattern.includes('\\Q') || outline(pattern).alternation) return '';
  let at = pattern.startsWith('^') ? 1 : 0;
  let prefix = '';
  while (at < pattern.length) {
    const escaped = pattern.charAt(at) === '\\';
    const char = pattern.charAt(escaped ? at + 1 : at);
    if (escaped ? !/[^A-Za-z0-9\s]/.test(char) : !/[A-Za-z0-9/_~%:@!&=,;'"<>#-]/.test(char)) break;
    const next = at + (escaped ? 2 : 1);
    if (/[*?+{]/.test(pattern.charAt(next))) break;
    prefix += char;
    at = next;
  }
  return prefix;
}
