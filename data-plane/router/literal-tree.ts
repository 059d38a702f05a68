import type { Candidate, Search } from './search.js';

const slash = 47;

/** A piece of text, and the rules whose text ends with it. */
export class LiteralNode<T> {
  label: string;
  children: Map<number, LiteralNode<T>> | null = null;
  prefix: Candidate<T>[] | null = null;
  segmentPrefix: Candidate<T>[] | null = null;
  exact: Candidate<T>[] | null = null;
  /** Regexes whose literal beginning ends here. */
  regex: Candidate<T>[] | null = null;

  constructor(label: string) {
    this.label = label;
  }
}

/**
 * A radix tree over the literal text of prefix, segment_prefix, exact and regex rules. One walk down the path meets every
 * rule that can match; its cost is the length of the path, not the number of rules.
 */
export class LiteralTree<T> {
  readonly #root = new LiteralNode<T>('');

  /** The node for a text, made when there is none. */
  node(text: string): LiteralNode<T> {
    let node = this.#root;
    let at = 0;
    while (at < text.length) {
      const children: Map<number, LiteralNode<T>> = (node.children ??= new Map());
      const child = children.get(text.charCodeAt(at));
      if (child === undefined) {
        const leaf = new LiteralNode<T>(text.slice(at));
        children.set(text.charCodeAt(at), leaf);
        return leaf;
      }
      const shared = sharedLength(child.label, text, at);
      if (shared < child.label.length) split(child, shared);
      node = child;
      at += shared;
    }
    return node;
  }

  /** Offers every candidate whose rule matches `search.path`. */
  walk(search: Search<T>): void {
    const path = search.path;
    let node: LiteralNode<T> | undefined = this.#root;
    let at = 0;
    for (;;) {
      if (node.prefix !== null) search.offer(node.prefix);
      if (node.segmentPrefix !== null && endsSegment(path, at)) search.offer(node.segmentPrefix);
      if (node.exact !== null && at === path.length) search.offer(node.exact);
      if (node.regex !== null) search.offerRegexes(node.regex);
      if (at === path.length || node.children === null) return;
      node = node.children.get(path.charCodeAt(at));
      if (node === undefined || !path.startsWith(node.label, at)) return;
      at += node.label.length;
    }
  }
}

function endsSegment(path: string, at: number): boolean {
  return at === path.length || path.charCodeAt(at) === slash || path.charCodeAt(at - 1) === slash;
}

function sharedLength(label: string, text: string, from: number): number {
  const most = Math.min(label.length, text.length - from);
  let length = 0;
  while (length < most && label.charCodeAt(length) === text.charCodeAt(from + length)) length += 1;
  return length;
}

/** Makes `node` end after `length` characters, with one child for the rest of what it was. */
function split<T>(node: LiteralNode<T>, length: number): void {
  const rest = new LiteralNode<T>(node.label.slice(length));
  rest.children = node.children;
  rest.prefix = node.prefix;
  rest.segmentPrefix = node.segmentPrefix;
  rest.exact = node.exact;
  rest.regex = node.regex;
  node.label = node.label.slice(0, length);
  node.children = new Map([[rest.label.charCodeAt(0), rest]]);
  node.prefix = null;
  node.segmentPrefix = null;
  node.exact = null;
  node.regex = null;
}
