import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RouteEntry, RouteRequest } from './router.js';
import { compileRouter } from './router.js';

/**
 * A second router, written straight from routing.md and sharing no code with the first: it tries every route, template
 * rules as native regular expressions, and sorts what matched. The two must agree on every table and request.
 */
type Entry = RouteEntry<number>;
type Rule = Entry['paths'][number];
interface Candidate {
  readonly entry: Entry;
  readonly key: readonly (number | bigint)[];
  /** Where a rule of a transcoded method is compared. */
  readonly keyBesideRules: readonly (number | bigint)[];
}
type Answer = number | readonly string[] | 'bad' | null;

function reference(entries: readonly Entry[], request: RouteRequest): Answer {
  const path = decodeUnreserved(request.path);
  if (path === null || path.split('/').some((part) => part === '.' || part === '..')) return 'bad';
  const host = request.host.toLowerCase().replace(/:\d+$/, '');
  const candidates: Candidate[] = [];
  const allow = new Set<string>();
  for (const entry of entries) {
    const hosts = entry.hosts.length === 0 ? [null] : entry.hosts.filter((pattern) => hostFits(pattern, host));
    const paths = entry.paths.length === 0 ? [null] : entry.paths.filter((rule) => pathFits(rule, path, request.path));
    if (hosts.length === 0 || paths.length === 0 || !headersFit(entry, request)) continue;
    if (entry.methods.length > 0 && !entry.methods.includes(request.method)) {
      for (const method of entry.methods) allow.add(method);
      continue;
    }
    for (const pattern of hosts)
      for (const path of paths) {
        const keyBesideRules = sortKey(entry, pattern, path, true);
        candidates.push({ entry, key: sortKey(entry, pattern, path, false), keyBesideRules });
      }
  }
  const plain = candidates.filter(({ entry }) => entry.rule !== true).toSorted((a, b) => compareKeys(a.key, b.key));
  const finalists = [...plain.slice(0, 1), ...candidates.filter(({ entry }) => entry.rule === true)];
  finalists.sort((a, b) => compareKeys(a.keyBesideRules, b.keyBesideRules));
  return finalists[0]?.entry.target ?? (allow.size > 0 ? [...allow].toSorted() : null);
}

function decodeUnreserved(path: string): string | null {
  if (/%(?![0-9a-f]{2})/i.test(path)) return null;
  return path.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const char = String.fromCharCode(parseInt(escape.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : escape.toUpperCase();
  });
}

function hostFits(pattern: string, host: string): boolean {
  const source = pattern
    .toLowerCase()
    .split('.')
    .map((label) => (label === '*' ? '[^.]+(\\.[^.]+)*' : label))
    .join('\\.');
  return new RegExp(`^${source}$`).test(host);
}

function pathFits(rule: Rule, path: string, raw: string): boolean {
  switch (rule.kind) {
    case 'prefix':
      return path.startsWith(rule.text);
    case 'exact':
      return path === rule.text;
    case 'segment_prefix':
      return rule.text.endsWith('/') ? path.startsWith(rule.text) : `${path}/`.startsWith(`${rule.text}/`);
    case 'regex':
      return new RegExp(`^(?:${rule.pattern})`).test(path);
    case 'template':
      return templateRegex(rule.text, rule.trailingSlash === 'strip').test(octets(raw));
  }
}

/** Every octet but a raw slash and a raw colon as two hex digits, so that one regular expression compares decoded text. */
function octets(text: string): string {
  return text.replace(/%[0-9a-f]{2}|[^/:]/gi, (part) =>
    part.length === 3 ? part.slice(1).toLowerCase() : part.charCodeAt(0).toString(16).padStart(2, '0'),
  );
}

function templateRegex(text: string, strip: boolean): RegExp {
  const parts = shape(text);
  const verb = verbOf(text);
  const body = parts
    .map((part) => {
      if (part === '**') return '(?:/[^/]*)*';
      return part === '*' ? '/[^/]+' : `/${literal(part)}`;
    })
    .join('');
  const end = strip ? '/*$' : '$';
  if (parts.length === 0) return new RegExp(`^/${end}`);
  if (verb !== '') return new RegExp(`^${body}(?<=[^/]):${literal(verb)}${end}`);
  // A template's path has no empty last segment, save that `**` alone takes the root.
  return new RegExp(`^(?:${body}(?<=[^/])${body === '(?:/[^/]*)*' ? '|/' : ''})${end}`);
}

/** Literals compare decoded: a colon in one is found raw or encoded. */
function literal(text: string): string {
  return octets(text).replace(/:|3a/g, '(?::|3a)');
}

function verbOf(template: string): string {
  const verb = /:(?![^{]*\})(.*)$/.exec(template)?.[1] ?? '';
  return decodeURIComponent(verb);
}

/** The segments of a template with `*` and `**` for its variables, without its verb. */
function shape(text: string): string[] {
  const flat = text.replace(/\{[^=}]*=([^}]*)\}/g, '$1').replace(/\{[^}]*\}/g, '*');
  return (
    flat
      .slice(1)
      .split(':')[0]
      ?.split('/')
      .filter((part) => part !== '') ?? []
  );
}

function headersFit(entry: Entry, request: RouteRequest): boolean {
  return entry.headers.every((rule) =>
    request.headers.some(
      (name, at) =>
        at % 2 === 0 &&
        name.toLowerCase() === rule.name.toLowerCase() &&
        rule.values.some((value) => value.toLowerCase() === request.headers[at + 1]?.toLowerCase()),
    ),
  );
}

function sortKey(
  entry: Entry,
  host: string | null,
  rule: Rule | null,
  besideRules: boolean,
): readonly (number | bigint)[] {
  const counted = [entry.hosts, entry.paths, entry.headers, besideRules ? [] : entry.methods];
  const kinds = counted.filter((list) => list.length > 0).length;
  return [
    -entry.priority,
    -kinds,
    ...(host === null ? [2, 0, 0] : host.includes('*') ? [1, -host.length, host.startsWith('*') ? 0 : 1] : [0, 0, 0]),
    ...pathSortKey(rule),
    besideRules && entry.methods.length === 0 ? 1 : 0,
    -entry.headers.length,
    entry.createdRevision,
    entry.ordinal,
  ];
}

const depth = 12;

/** [class, verb, one number per segment …, length, kind, regex priority]. */
function pathSortKey(rule: Rule | null): number[] {
  if (rule === null) return pathNumbers(9, {});
  if (rule.kind === 'exact') return pathNumbers(0, {});
  if (rule.kind === 'regex') return pathNumbers(3, { regex: -rule.priority });
  if (rule.kind === 'template') {
    const verb = verbOf(rule.text);
    const steps = shape(rule.text).map((part) => (part === '**' ? 4 : part === '*' ? 2 : 1));
    return pathNumbers(verb === '' ? 2 : 1, { verb: -verb.length, steps: [...steps, 3] });
  }
  const segments = rule.text.slice(1).split('/');
  if (segments.at(-1) === '') segments.pop();
  const steps = [...segments.map(() => 1), 5];
  return pathNumbers(2, { steps, length: -rule.text.length, tie: rule.kind === 'prefix' ? 1 : 0 });
}

interface PathNumbers {
  readonly verb?: number;
  readonly steps?: readonly number[];
  readonly length?: number;
  readonly tie?: number;
  readonly regex?: number;
}

function pathNumbers(kind: number, { verb = 0, steps = [], length = 0, tie = 0, regex = 0 }: PathNumbers): number[] {
  return [kind, verb, ...Array.from({ length: depth }, (_, at) => steps[at] ?? 9), length, tie, regex];
}

function compareKeys(a: readonly (number | bigint)[], b: readonly (number | bigint)[]): number {
  for (const [at, value] of a.entries()) {
    const other = b[at] as number | bigint;
    if (value !== other) return value < other ? -1 : 1;
  }
  return 0;
}

// Few words, so that random routes and requests meet.
const word = fc.constantFrom('a', 'b', 'ab', 'abc', 'v1', 'x');
const literalPath = fc
  .tuple(
    fc.array(
      fc.oneof({ weight: 8, arbitrary: word }, { weight: 1, arbitrary: fc.constantFrom('', 'a:get', 'a%2Fb', 'b-c') }),
      { maxLength: 4 },
    ),
    fc.boolean(),
  )
  .map(([words, slash]) => `/${words.join('/')}${slash && words.length > 0 ? '/' : ''}`);
const templateText = fc
  .tuple(
    fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'ab', 'v1', 'a%2db', 'a%2Fb', 'a%3Aget') },
        { weight: 2, arbitrary: fc.constantFrom('*', '{}', '{=*}') },
      ),
      { maxLength: 3 },
    ),
    fc.option(fc.tuple(fc.constantFrom('**', '{=**}', '{=a/**}'), fc.nat({ max: 3 }))),
    fc.constantFrom('', '', '', ':get', ':x:get', ':g%65t'),
  )
  .map(([words, deep, verb]) => {
    const parts: string[] = [...words];
    if (deep !== null) parts.splice(Math.min(deep[1], parts.length), 0, deep[0]);
    let count = 0;
    const named = parts.map((part) => part.replace('{', () => `{f${(count += 1)}`));
    return `/${named.join('/')}${parts.length > 0 ? verb : ''}`;
  });
const rule: fc.Arbitrary<Rule> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('prefix' as const, 'exact' as const, 'segment_prefix' as const),
    text: literalPath,
  }),
  fc.record({
    kind: fc.constant('template' as const),
    text: templateText,
    trailingSlash: fc.constantFrom('strict' as const, 'strict' as const, 'strip' as const),
  }),
  fc.record({
    kind: fc.constant('regex' as const),
    pattern: fc.constantFrom(
      '/a',
      '/a/[^/]+',
      '/a|/b',
      '/(a|b)/x',
      '/a?b',
      '^/v1',
      '/v\\d+/ab?',
      '.*/x$',
      '/ab{2}',
      '/a\\.?',
    ),
    priority: fc.constantFrom(0, 0, 1, -1),
  }),
);
const host = fc.constantFrom(
  'a.com',
  'b.a.com',
  'c.b.a.com',
  'a.org',
  '*.a.com',
  '*.com',
  'a.*',
  'b.*',
  'b.a.*',
  '*.b.a.com',
);
const header = fc.record({
  name: fc.constantFrom('x-a', 'X-B'),
  values: fc.uniqueArray(fc.constantFrom('1', 'Two', '3'), { minLength: 1, maxLength: 2 }),
});
const methods = ['GET', 'POST', 'PUT'];
const criteria = fc
  .record({
    priority: fc.constantFrom(0, 0, 0, 0, 1),
    hosts: fc.oneof(fc.constant([]), fc.uniqueArray(host, { maxLength: 3 })),
    paths: fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 6, arbitrary: fc.array(rule, { minLength: 1, maxLength: 3 }) },
    ),
    methods: fc.oneof(fc.constant([]), fc.uniqueArray(fc.constantFrom(...methods), { maxLength: 2 })),
    headers: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(header, { maxLength: 2 }) },
    ),
    createdRevision: fc.bigInt(1n, 3n),
  })
  .filter((entry) => entry.hosts.length + entry.paths.length + entry.methods.length + entry.headers.length > 0);
const numbered = (list: readonly Omit<Entry, 'name' | 'target' | 'ordinal'>[]) =>
  list.map((entry, index): Entry => ({ ...entry, name: `r${index}`, target: index, ordinal: index }));
const plainTable = fc.array(criteria, { minLength: 1, maxLength: 30 }).map(numbered);
/** As a transcoded route has them: one template, and one method or any. */
const httpRule = fc
  .tuple(criteria, templateText, fc.constantFrom('strict' as const, 'strip' as const), fc.constantFrom('', ...methods))
  .map(([entry, text, trailingSlash, method]) => ({
    ...entry,
    rule: true,
    paths: [{ kind: 'template' as const, text, trailingSlash }],
    methods: method === '' ? [] : [method],
  }));
const table = fc.array(fc.oneof(criteria, httpRule), { minLength: 1, maxLength: 30 }).map(numbered);
const segment = fc.oneof(
  { weight: 8, arbitrary: word },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '',
      'a:get',
      'b:x:get',
      ':get',
      'a%3aget',
      'a%2fb',
      'a%2Fb',
      'a-b',
      'a%2Db',
      '%61',
      'a:g%65t',
      '.',
      '%2e%2E',
      '%zz',
      '.a',
      'b-c',
    ),
  },
);
const request: fc.Arbitrary<RouteRequest> = fc.record({
  method: fc.constantFrom(...methods, 'DELETE'),
  path: fc.array(segment, { maxLength: 5 }).map((parts) => `/${parts.join('/')}`),
  host: fc.constantFrom('a.com', 'A.com:8080', 'b.a.com', 'c.b.a.com', 'd.c.b.a.com', 'a.org', 'b.net', 'b.a.org', ''),
  headers: fc.constantFrom([], ['X-A', '1'], ['x-a', '3', 'x-b', 'two'], ['x-b', '9', 'x-b', 'TWO', 'x-a', '1']),
});

test('the compiled router agrees with trying every route, on any table and request', () => {
  fc.assert(
    fc.property(table, fc.array(request, { minLength: 20, maxLength: 20 }), (entries, requests) => {
      const { router, problems } = compileRouter(entries);
      expect(problems).toEqual([]);
      for (const each of requests) {
        const outcome = router.match(each);
        const answer: Answer =
          outcome.kind === 'match'
            ? outcome.target
            : outcome.kind === 'method_not_allowed'
              ? outcome.allow
              : outcome.kind === 'bad_path'
                ? 'bad'
                : null;
        expect([each, answer]).toEqual([each, reference(entries, each)]);
      }
    }),
    { numRuns: 1000 },
  );
});

test('explain finds the same winner, and says of every other route that matches by which rule it lost', () => {
  fc.assert(
    fc.property(plainTable, request, (entries, each) => {
      const { outcome, losers } = compileRouter(entries).router.explain(each);
      const lost = losers.filter(({ reason }) => reason.kind === 'lost').map(({ entry }) => entry);

      const ranked = outcome.kind === 'match' ? [outcome.entry, ...lost] : lost;
      const matching = entries.filter((entry) => reference([entry], each) === entry.target);

      expect(ranked).toEqual(matching.toSorted((a, b) => (reference([a, b], each) === a.target ? -1 : 1)));
    }),
    { numRuns: 1000 },
  );
});

test('explain finds the same winner beside rules of transcoded methods', () => {
  fc.assert(
    fc.property(table, request, (entries, each) => {
      const { outcome, losers } = compileRouter(entries).router.explain(each);
      const lost = losers.filter(({ reason }) => reason.kind === 'lost').map(({ entry }) => entry.target);

      const found = new Set(outcome.kind === 'match' ? [outcome.target, ...lost] : lost);
      const matching = entries.filter((entry) => reference([entry], each) === entry.target);

      expect(found).toEqual(new Set(matching.map(({ target }) => target)));
    }),
    { numRuns: 500 },
  );
});
