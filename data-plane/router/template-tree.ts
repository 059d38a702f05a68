import { decodeOctets, offsetOfOctet } from './path.js';
import type { Candidate, Search } from './search.js';
import type { Template, TemplateSegment } from './template.js';

const colon = 58;

class TemplateNode<T> {
  /** By decoded text. */
  literals: Map<string, TemplateNode<T>> | null = null;
  single: TemplateNode<T> | null = null;
  /** What follows `**`, by its number of segments: it is matched from the end of the path. */
  tails: Map<number, TemplateNode<T>> | null = null;
  candidates: Candidate<T>[] | null = null;
}

/**
 * All templates of one host, in a tree of segments per verb. Every node is visited at most once per reading of the path,
 * and there are no more readings than lengths of verbs, so neither many slashes nor many colons cost more than their length.
 */
export class TemplateTree<T> {
  readonly #roots = new Map<string, TemplateNode<T>>();
  /** Longest first. */
  #verbLengths: number[] = [];

  /** The candidates for a template's paths, to add to. */
  candidates(template: Template): Candidate<T>[] {
    let node = this.#root(template.verb);
    template.segments.forEach((segment, index) => {
      node = child(node, segment, template.segments.length - index - 1);
    });
    return (node.candidates ??= []);
  }

  #root(verb: string): TemplateNode<T> {
    let root = this.#roots.get(verb);
    if (root === undefined) {
      root = new TemplateNode<T>();
      this.#roots.set(verb, root);
      if (verb !== '') this.#verbLengths = [...new Set([...this.#verbLengths, verb.length])].toSorted((a, b) => b - a);
    }
    return root;
  }

  /** Offers every candidate whose template matches the raw path up to `end`, which does not end with a slash. */
  walk(search: Search<T>, path: Segments): void {
    const last = path.last;
    for (const length of this.#verbLengths) {
      const at = last.length - length - 1;
      if (at < 1 || last.charCodeAt(at) !== colon || !path.isRawInLast(at)) continue;
      const root = this.#roots.get(last.slice(at + 1));
      if (root === undefined) continue;
      path.last = last.slice(0, at);
      visit(root, 0, search, path);
    }
    path.last = last;
    const plain = this.#roots.get('');
    if (plain !== undefined) visit(plain, 0, search, path);
  }
}

function child<T>(node: TemplateNode<T>, segment: TemplateSegment, following: number): TemplateNode<T> {
  if (segment.kind === 'single') return (node.single ??= new TemplateNode());
  if (segment.kind === 'literal') return childIn((node.literals ??= new Map()), segment.text);
  return childIn((node.tails ??= new Map()), following);
}

function childIn<K, T>(children: Map<K, TemplateNode<T>>, key: K): TemplateNode<T> {
  let found = children.get(key);
  if (found === undefined) children.set(key, (found = new TemplateNode()));
  return found;
}

/** Recursion is as deep as the longest template, whatever the path. */
function visit<T>(node: TemplateNode<T>, index: number, search: Search<T>, path: Segments): void {
  if (index === path.count) {
    if (node.candidates !== null) search.offer(node.candidates);
  } else if (node.literals !== null || node.single !== null) {
    const text = path.segment(index);
    const literal = node.literals?.get(text);
    if (literal !== undefined) visit(literal, index + 1, search, path);
    if (node.single !== null && text !== '') visit(node.single, index + 1, search, path);
  }
  if (node.tails === null) return;
  for (const [length, tail] of node.tails) {
    if (path.count - index >= length) visit(tail, path.count - length, search, path);
  }
}

/** A raw path cut at its slashes, decoded one segment at a time when asked for. Made once per router and used again. */
export class Segments {
  count = 0;
  /** The last segment, decoded; what is left of it while it is read with a verb. */
  last = '';
  #path = '';
  #end = 0;
  #starts: number[] = [];
  #rawLast = '';

  /** Takes the path before `end`; `/` has no segments. */
  read(path: string, end: number): void {
    // The trees of plain routes and of rules are walked one after the other.
    if (path === this.#path && end === this.#end) return;
    this.#path = path;
    this.#end = end;
    this.count = 0;
    this.last = '';
    if (end <= 1) return;
    let at = 1;
    for (;;) {
      this.#starts[this.count] = at;
      this.count += 1;
      const next = path.indexOf('/', at);
      if (next === -1 || next >= end) break;
      at = next + 1;
    }
    this.#starts[this.count] = end + 1;
    this.#rawLast = path.slice(at, end);
    this.last = decodeOctets(this.#rawLast);
  }

  /** Lets go of the path, and of the room that a path of very many segments took. */
  clear(): void {
    this.#path = '';
    this.last = '';
    this.#rawLast = '';
    if (this.#starts.length > 256) this.#starts = [];
  }

  segment(index: number): string {
    if (index === this.count - 1) return this.last;
    const start = this.#starts[index] as number;
    return decodeOctets(this.#path.slice(start, (this.#starts[index + 1] as number) - 1));
  }

  /** Whether the octet at `index` of the decoded last segment was written as itself: `%3A` never begins a verb. */
  isRawInLast(index: number): boolean {
    if (this.#rawLast.length === this.last.length) return true;
    return this.#rawLast.charCodeAt(offsetOfOctet(this.#rawLast, index)) === colon;
  }
}
