import { describe, expect, test } from 'vitest';
import { canonicalTemplate, captureVariables, decodeVariable, parseTemplate } from './router.js';

function parsed(text: string) {
  const result = parseTemplate(text);
  if (!result.ok) throw new Error(`${text}: column ${result.column}: ${result.reason}`);
  return result.template;
}

describe('the template grammar', () => {
  test.each([
    ['PT1', '', 1, 'begins with'],
    ['PT1', 'a/b', 1, 'begins with'],
    ['PT1', '//', 2, 'segment is empty'],
    ['PT1', '/a/', 4, 'segment is empty'],
    ['PT1', '/a//b', 4, 'segment is empty'],
    ['PT3', '/foo*', 5, 'whole segment'],
    ['PT3', '/***', 2, '"*" or "**"'],
    ['PT3', '/a{x}', 3, 'whole segment'],
    ['PT3', '/{x}a', 5, 'unexpected "a"'],
    ['PT3', '/*a', 3, 'unexpected "a"'],
    ['PT4', '/**/**', 5, 'only one "**"'],
    ['PT4', '/{a=**}/{b=**}', 12, 'only one "**"'],
    ['PT6', '/{a={b}/c}', 5, 'nested'],
    ['PT7', '/{1}', 3, 'not a field name'],
    ['PT7', '/{a.}', 5, 'not a field name'],
    ['PT7', '/{-}', 3, 'not a field name'],
    ['PT7', '/{}', 3, 'not a field name'],
    ['PT7', '/{a b}', 3, 'not a field name'],
    ['PT7', '/{x}/{x}', 7, 'occurs twice'],
    ['PT7', '/{x', 4, 'not closed'],
    ['PT7', '/{x=', 5, 'segment is empty'],
    ['PT7', '/{x=a', 6, 'not closed'],
    ['PT7', '/{x=}', 5, 'segment is empty'],
    ['PT7', '/{x=a:b}', 6, 'unexpected ":"'],
    ['PT7', '/x}', 3, 'unexpected "}"'],
    ['PT11', '/:v', 2, 'segment is empty'],
    ['PT11', '/a/:v', 4, 'segment is empty'],
    ['PT11', '/*:', 4, 'verb is empty'],
    ['PT11', '/{x}:', 6, 'verb is empty'],
    ['PT11', '/a:b:', 6, 'verb is empty'],
    ['PT11', '/a:b/c', 3, 'only at the end'],
    ['PT11', '/a:b*', 5, 'whole segment'],
    ['PT12', '/a%2', 3, 'escape'],
    ['PT12', '/a b', 3, 'unexpected " "'],
    ['PT12', '/a?b', 3, 'unexpected "?"'],
    ['PT12', '/é', 2, 'unexpected "é"'],
    ['RT5', '/a/../b', 4, 'no request path'],
    ['RT5', '/a/%2e', 4, 'no request path'],
  ])('%s: %j is refused at column %i: %s', (_, text, column, reason) => {
    expect(parseTemplate(text)).toEqual({ ok: false, column, reason: expect.stringContaining(reason) });
  });

  test.each([
    ['/', [], ''],
    ['/a/*/**', ['a', '*', '**'], ''],
    ['/v1/{name=shelves/*}/books', ['v1', 'shelves', '*', 'books'], ''],
    ['/{a=**}/b/{c}', ['**', 'b', '*'], ''],
    ['/a%2Db', ['a-b'], ''],
    ['/a:custom:custom', ['a'], 'custom:custom'],
    ['/{x}:v%65rb', ['*'], 'verb'],
    ["/$-_.+!'(),;=@&~", ["$-_.+!'(),;=@&~"], ''],
    ['/{x=a=b}', ['a=b'], ''],
  ])('%s is read as segments and verb', (text, segments, verb) => {
    const template = parsed(text);

    expect(template.segments.map((s) => (s.kind === 'literal' ? s.text : s.kind === 'single' ? '*' : '**'))).toEqual(
      segments,
    );
    expect(template.verb).toBe(verb);
  });

  test('PT5: {f} is {f=*}, and a variable may hold only literals', () => {
    expect(parsed('/{f}').segments).toEqual(parsed('/{f=*}').segments);
    expect(parsed('/v1/{shelf=100}').variables[0]).toMatchObject({ name: 'shelf', multiSegment: false });
  });

  test('PT7: a field path is dotted', () => {
    expect(parsed('/{a.b_c.d1}').variables[0]?.fieldPath).toEqual(['a', 'b_c', 'd1']);
  });

  test('UN3: more than one segment, or **, makes a variable multi-segment', () => {
    const kinds = ['/{a}', '/{a=*}', '/{a=x}', '/{a=**}', '/{a=x/*}', '/{a=x/**}'].map(
      (text) => parsed(text).variables[0]?.multiSegment,
    );

    expect(kinds).toEqual([false, false, false, true, true, true]);
  });

  test('RT2: two templates that match the same paths have one canonical form', () => {
    expect(canonicalTemplate(parsed('/a/{x}/{y=b/**}:v'))).toBe('/a/*/b/**:v');
    expect(canonicalTemplate(parsed('/a%2Db/{x=*}'))).toBe(canonicalTemplate(parsed('/a-b/{y}')));
    expect(canonicalTemplate(parsed('/a%2Ab'))).not.toBe(canonicalTemplate(parsed('/*')));
  });

  test('UN1: segments are cut before anything is decoded', () => {
    expect(captureVariables(parsed('/{a}/{b}'), '/x%2Fy/z')).toEqual(['x%2Fy', 'z']);
  });
});

describe('decoding of captured text', () => {
  test.each([
    ['UN2', 'a%2Fb%20c', false, 'except-slash', 'a/b c'],
    ['UN2', 'a%2Fb', false, 'except-reserved', 'a/b'],
    ['UN3', 'a%2Fb%2fc%20d%3A', true, 'except-slash', 'a%2Fb%2fc d:'],
    ['UN3', 'a%2fb%20c%3A%26%23', true, 'except-reserved', 'a%2fb c%3A%26%23'],
    ['UN3', 'a%2Fb/c', true, 'all', 'a/b/c'],
    ['UN4', '%2523', true, 'except-reserved', '%23'],
    ['UN5', 'a+b', false, 'all', 'a+b'],
    ['RT9', '%C3%A9', false, 'all', 'é'],
    ['RT9', '%EF%BB%BFa', false, 'all', '\uFEFFa'],
    ['RT9', '%C3', false, 'all', null],
    ['RT9', 'a%00', false, 'all', null],
    ['RT9', 'a\u00c3\u00a9', false, 'all', 'aé'],
  ] as const)('%s: %s (several segments: %s, %s) is %j', (_, raw, multi, mode, value) => {
    expect(decodeVariable(raw, multi, mode)).toBe(value);
  });
});
