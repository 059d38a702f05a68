/**
 * Hosts: what a route may write, and which of all hosts written match a request, most specific first.
 */

/** Longer names cannot exist, and the bound keeps the search over wildcards short whatever a client sends. */
export const maxHostLength = 255;

const label = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/;

/** What is wrong with a route's host, or null. */
export function checkHost(host: string): string | null {
  if (host === '') return 'is empty';
  if (host === '*') return '"*" alone matches every host: leave hosts empty instead';
  if (host.startsWith('['))
    return /^\[[0-9a-f:.]+\]$/i.test(host) ? null : (portReason(host) ?? 'is not an IPv6 address in brackets');
  if (host.split(':').length > 2) return 'an IPv6 address is written in brackets';
  if (host.includes(':')) return 'has a port: hosts are compared without it';
  if (host.length > maxHostLength) return `is longer than ${maxHostLength} characters`;
  return checkLabels(host.toLowerCase().split('.'));
}

function portReason(host: string): string | null {
  return /\]:\d*$/.test(host) ? 'has a port: hosts are compared without it' : null;
}

function checkLabels(labels: readonly string[]): string | null {
  const stars = labels.filter((text) => text.includes('*'));
  if (stars.length > 1) return 'has more than one "*"';
  if (stars.length === 1) {
    if (stars[0] !== '*') return '"*" must be a whole label';
    if (labels[0] !== '*' && labels[labels.length - 1] !== '*')
      return '"*" must be the leftmost or the rightmost label';
  }
  const bad = labels.find((text) => text !== '*' && !label.test(text));
  if (bad === undefined) return null;
  return bad === '' ? 'has an empty label' : `has the label ${JSON.stringify(bad)}, which is not a host label`;
}

/** A request's host as it is compared: lower case, without port and without the dot that ends a rooted name. */
export function normalizeHost(host: string): string {
  let end = host.length;
  const colon = host.lastIndexOf(':');
  if (colon !== -1 && host.lastIndexOf(']') < colon) end = colon;
  if (end > 1 && host.charCodeAt(end - 1) === 46) end -= 1;
  return (end === host.length ? host : host.slice(0, end)).toLowerCase();
}

/** Orders host patterns, lower first: exact, then wildcards by length, left before right; no host at all last. Below 1024. */
export function hostRank(pattern: string | null): number {
  if (pattern === null) return 1023;
  if (!pattern.includes('*')) return 0;
  return 1 + (maxHostLength - pattern.length) * 2 + (pattern.startsWith('*') ? 0 : 1);
}

/** Whether one pattern, in lower case, matches a normalised host. */
export function hostMatches(pattern: string, host: string): boolean {
  if (pattern.startsWith('*'))
    return host.length > pattern.length - 1 && !host.startsWith('.') && host.endsWith(pattern.slice(1));
  if (pattern.endsWith('*'))
    return host.length > pattern.length - 1 && !host.endsWith('.') && host.startsWith(pattern.slice(0, -1));
  return pattern === host;
}

/** Something per host pattern, found by a request's host at a cost that does not depend on how many there are. */
export class HostTable<B> {
  readonly #exact = new Map<string, B>();
  /** By `.example.com` of `*.example.com`, and by `example.` of `example.*`. */
  readonly #left = new Map<string, B>();
  readonly #right = new Map<string, B>();
  #any: B | null = null;

  /** What is kept for a pattern (lower case; null for routes without hosts), made on first use. */
  entry(pattern: string | null, make: () => B): B {
    if (pattern === null) return (this.#any ??= make());
    const map = pattern.startsWith('*') ? this.#left : pattern.endsWith('*') ? this.#right : this.#exact;
    const key = pattern.replace('*', '');
    let found = map.get(key);
    if (found === undefined) map.set(key, (found = make()));
    return found;
  }

  *values(): Generator<B> {
    yield* this.#exact.values();
    yield* this.#left.values();
    yield* this.#right.values();
    if (this.#any !== null) yield this.#any;
  }

  /** Puts all that match a normalised host into `into`, from its start, and returns how many there are. */
  find(host: string, into: B[]): number {
    let count = 0;
    const exact = this.#exact.get(host);
    if (exact !== undefined) into[count++] = exact;
    if (host.length <= maxHostLength) {
      if (this.#left.size > 0) count = this.#findLeft(host, into, count);
      if (this.#right.size > 0) count = this.#findRight(host, into, count);
    }
    if (this.#any !== null) into[count++] = this.#any;
    return count;
  }

  #findLeft(host: string, into: B[], from: number): number {
    if (host.startsWith('.')) return from;
    let count = from;
    for (let at = host.indexOf('.'); at !== -1; at = host.indexOf('.', at + 1)) {
      const found = this.#left.get(host.slice(at));
      if (found !== undefined) into[count++] = found;
    }
    return count;
  }

  #findRight(host: string, into: B[], from: number): number {
    if (host.endsWith('.')) return from;
    let count = from;
    for (let at = host.lastIndexOf('.'); at > 0; at = host.lastIndexOf('.', at - 1)) {
      const found = this.#right.get(host.slice(0, at + 1));
      if (found !== undefined) into[count++] = found;
    }
    return count;
  }
}
