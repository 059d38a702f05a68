import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkRoute, compileRouter, parseTemplate, type PathRule, type RouteEntry } from './router.js';

const pieces = (...parts: string[]) =>
  fc.string({ unit: fc.oneof(fc.constantFrom(...parts), fc.string({ unit: 'binary', maxLength: 1 })), maxLength: 24 });
const pathText = pieces('/', '/a', '.', '%2f', '%', '%41', ':', '*');
const rule: fc.Arbitrary<PathRule> = fc.oneof(
  fc.record({ kind: fc.constantFrom('prefix' as const, 'exact' as const, 'segment_prefix' as const), text: pathText }),
  fc.record({
    kind: fc.constant('regex' as const),
    pattern: pieces(
      '/',
      'a',
      '(',
      ')',
      '(?P<n>',
      '(?i)',
      '[',
      ']',
      '[[:alpha:]',
      '\\',
      '\\Q',
      '\\E',
      '|',
      '*',
      '+',
      '{2,9}',
      '.',
      '^',
      '$',
      '\\pL',
      '%2f',
    ),
    priority: fc.integer({ min: -2147483648, max: 2147483647 }),
  }),
  fc.record({
    kind: fc.constant('template' as const),
    text: pieces('/', '*', '**', '{a}', '{a.b=', '}', ':', 'x', '%2F'),
  }),
);
const entry: fc.Arbitrary<RouteEntry<null>> = fc.record({
  target: fc.constant(null),
  name: fc.string(),
  priority: fc.integer({ min: -2147483648, max: 2147483647 }),
  hosts: fc.array(pieces('a', '.', '*', '*.', ':', '[', ']'), { maxLength: 2 }),
  paths: fc.array(rule, { maxLength: 2 }),
  methods: fc.array(pieces('GET', '*'), { maxLength: 1 }),
  headers: fc.array(fc.record({ name: pieces('x', '-'), values: fc.array(fc.string(), { maxLength: 2 }) }), {
    maxLength: 1,
  }),
  createdRevision: fc.bigInt(0n, 9n),
  ordinal: fc.nat(),
});

test('no entry and no request makes the router throw, and a route that passes the check takes effect', () => {
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 6 }),
      fc.tuple(pathText, pieces('a', '.', ':', ']')),
      (entries, [path, host]) => {
        const { router, problems } = compileRouter(entries);
        const request = { method: 'GET', path, host, headers: ['x', 'y'] };

        expect(problems).toEqual(entries.flatMap((each) => checkRoute(each)));
        const outcome = router.match(request);
        expect(outcome.kind !== 'match' || path.startsWith(outcome.matchedText)).toBe(true);
        expect(router.explain(request).outcome.kind).toBe(outcome.kind);
      },
    ),
    { numRuns: 1000 },
  );
});

test('a template is parsed, or refused at a column within it or just after', () => {
  fc.assert(
    fc.property(pieces('/', '*', '{a}', '{b=', '}', ':', 'x', '%2F'), (text) => {
      const result = parseTemplate(text);

      expect(result.ok || (result.column >= 1 && result.column <= text.length + 1 && result.reason !== '')).toBe(true);
    }),
    { numRuns: 1000 },
  );
});
