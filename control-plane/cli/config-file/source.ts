import { isAlias, isCollection, isMap, isPair, LineCounter, parseAllDocuments } from 'yaml';

import type { Alias, Document, Node, YAMLError } from 'yaml';

/** A parsed config file that knows on which line each value stands. */
export interface SourceFile {
  readonly name: string;
  /** Null when the file says nothing. No alias is left in it: what an alias names stands in its place. */
  readonly contents: Node | null;
  readonly lines: LineCounter;
}

/** A fault in what the user wrote, with the place where it stands. */
export interface FileProblem {
  readonly file: string;
  /** From 1; 0 when no line is known. */
  readonly line: number;
  /** As `route "orders"`, or '' when it is none of a resource. */
  readonly resource: string;
  /** Path in the names of the file; '' for the whole. */
  readonly field: string;
  readonly reason: string;
}

/** More than anyone writes by hand; a bound on what a small file can grow to. */
const maxAliases = 10_000;

const tooDeep = 'is nested too deeply';

/** Reads YAML (of which JSON is a part). A file that does not parse gives problems and no document. */
export function parseSource(name: string, bytes: Uint8Array): { file: SourceFile | null; problems: FileProblem[] } {
  const lines = new LineCounter();
  const fail = (offset: number, reason: string): FileProblem => ({
    file: name,
    line: lines.lineStarts.length === 0 ? 0 : lines.linePos(offset).line,
    resource: '',
    field: '',
    reason,
  });
  const text = decode(bytes);
  if (text === null) return { file: null, problems: [fail(0, 'is not UTF-8 text')] };
  const documents = parse(text, lines);
  if (documents === null) return { file: null, problems: [fail(0, tooDeep)] };
  const faults = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]);
  const problems = worthReading(faults).map((fault) => fail(fault.pos[0], inWords(fault, text, lines)));
  const [document, second] = documents;
  if (second !== undefined)
    problems.push(fail(second.range[0], 'begins a second YAML document; put each into a file of its own'));
  if (problems.length === 0 && document !== undefined)
    problems.push(...new AliasResolver().resolve(document).map(({ node, reason }) => fail(offsetOf(node), reason)));
  if (problems.length > 0) return { file: null, problems };
  return { file: { name, contents: document?.contents ?? null, lines }, problems };
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Null when the parser runs out of stack. */
function parse(text: string, lineCounter: LineCounter): Document.Parsed[] | null {
  try {
    return [...parseAllDocuments(text, { lineCounter, prettyErrors: false, stringKeys: true, version: '1.2' })];
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Of the faults of syntax only the first, as it is the cause of most that follow; every key that is there twice. */
function worthReading(faults: readonly YAMLError[]): YAMLError[] {
  const [first] = faults.filter(({ code }) => code !== 'DUPLICATE_KEY');
  return faults.filter((fault) => fault === first || fault.code === 'DUPLICATE_KEY');
}

function inWords(fault: YAMLError, text: string, lines: LineCounter): string {
  const [offset] = fault.pos;
  if (fault.code === 'DUPLICATE_KEY') {
    const key = /^("[^"]*"|'[^']*'|[^\s:]*)/.exec(text.slice(offset, offset + 200))?.[0] ?? '';
    return `${key.replaceAll(/^["']|["']$/g, '')}: stands twice in the same mapping`;
  }
  if (fault.code === 'RESOURCE_EXHAUSTION') return tooDeep;
  const message = fault.code === 'NON_STRING_KEY' ? 'a key must be a text' : fault.message;
  return `column ${lines.linePos(offset).col}: ${message}`;
}

interface AliasFault {
  readonly node: Node;
  readonly reason: string;
}

/** Puts in place of each alias the node that it names, as it is: nothing is copied. */
class AliasResolver {
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  readonly #faults: AliasFault[] = [];
  #aliases = 0;

  resolve(document: Document.Parsed): readonly AliasFault[] {
    if (document.contents !== null) this.#enter(document.contents);
    return this.#faults;
  }

  /** In the order of the text, since an anchor holds until the next one of its name. */
  #enter(node: Node): void {
    if (!isAlias(node) && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (!isCollection(node)) return;
    this.#open.add(node);
    if (isMap(node)) for (const pair of node.items) pair.value = this.#child(pair.value);
    else for (const [i, item] of node.items.entries()) if (!isPair(item)) node.items[i] = this.#child(item);
    this.#open.delete(node);
  }

  #child(child: unknown): Node | null {
    const node = child as Node | null;
    if (node === null) return null;
    if (isAlias(node)) return this.#target(node);
    this.#enter(node);
    return node;
  }

  #target(alias: Alias): Node {
    this.#aliases += 1;
    const target = this.#anchors.get(alias.source);
    const fault =
      target === undefined
        ? `*${alias.source} names no anchor before it`
        : this.#open.has(target)
          ? `*${alias.source} stands within what it names`
          : this.#aliases > maxAliases
            ? `there are more than ${maxAliases} aliases`
            : null;
    if (fault === null) return target ?? alias;
    if (this.#aliases <= maxAliases + 1) this.#faults.push({ node: alias, reason: fault });
    return alias;
  }
}

function offsetOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0;
}

export function lineOf({ lines }: SourceFile, node: unknown): number {
  return (node as Node | null)?.range ? lines.linePos(offsetOf(node)).line : 0;
}
