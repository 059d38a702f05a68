import type { Captures } from '../router/router.js';

type Part = { readonly text: string } | { readonly group: number } | { readonly name: string };

/**
 * A route's `rewrite`: `$1` and `${name}` stand for what the path captured, `$$` for a dollar sign. A group that is not there
 * is empty.
 */
export class Rewrite {
  readonly #parts: readonly Part[];

  constructor(template: string) {
    this.#parts = parse(template);
  }

  expand(captures: Captures): string {
    return this.#parts
      .map((part) => {
        if ('text' in part) return part.text;
        return ('group' in part ? captures.numbered[part.group] : captures.named.get(part.name)) ?? '';
      })
      .join('');
  }
}

function parse(template: string): Part[] {
  return [...template.matchAll(/\$(?:(\$)|(\d+)|\{(\d+)\}|\{([^}]+)\})|[^$]+|\$/g)].map(
    ([whole, dollar, group, braced, name]) => {
      if (dollar !== undefined) return { text: '$' };
      if (group !== undefined || braced !== undefined) return { group: Number(group ?? braced) };
      return name === undefined ? { text: whole } : { name };
    },
  );
}
