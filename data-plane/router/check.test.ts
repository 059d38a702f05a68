import { describe, expect, test } from 'vitest';
import { checkRoute, findDuplicates, type PathRule, type RouteCriteria } from './router.js';

const base: RouteCriteria = {
  name: 'r',
  priority: 0,
  hosts: [],
  paths: [],
  methods: [],
  headers: [],
  createdRevision: 1n,
  ordinal: 0,
};

function faults(route: Partial<RouteCriteria>): string[] {
  return checkRoute({ ...base, ...route }).map(({ field, reason }) => `${field}: ${reason}`);
}

describe('what a route may not say', () => {
  test('a route needs at least one criterion', () => {
    expect(faults({})).toEqual([': needs at least one of hosts, paths, methods, headers, snis']);
  });

  test.each([
    ['*', 'leave hosts empty'],
    ['*.*.com', 'more than one'],
    ['*.com.*', 'more than one'],
    ['a*.com', 'whole label'],
    ['a.*.com', 'leftmost or the rightmost'],
    ['a.com:80', 'port'],
    ['[::1]:80', 'port'],
    ['::1', 'brackets'],
    ['[zz]', 'IPv6'],
    ['a..com', 'empty label'],
    ['a.com.', 'empty label'],
    ['-a.com', 'not a host label'],
    ['a b.com', 'not a host label'],
    ['http://a.com', 'port'],
    ['exämple.com', 'not a host label'],
    ['', 'empty'],
  ])('the host %j is refused: %s', (host, reason) => {
    expect(faults({ hosts: ['ok.com', host] })).toEqual([
      expect.stringMatching(new RegExp(`^hosts\\[1\\]: .*${reason}`)),
    ]);
  });

  test.each([
    'a.com',
    '*.example.com',
    'example.*',
    'localhost',
    '[::1]',
    '10.0.0.1',
    'a_b.c-d.com',
    'xn--bcher-kva.example',
  ])('the host %s is accepted', (host) => {
    expect(faults({ hosts: [host] })).toEqual([]);
  });

  test.each<[PathRule, string]>([
    [{ kind: 'prefix', text: 'a' }, 'paths[0].prefix: must begin with "/"'],
    [{ kind: 'exact', text: '/a/../b' }, 'paths[0].exact: has a "." or ".." segment, which no request can have'],
    [
      { kind: 'segment_prefix', text: '/a/%2e' },
      'paths[0].segment_prefix: has a "." or ".." segment, which no request can have',
    ],
    [{ kind: 'prefix', text: '/a%2' }, 'paths[0].prefix: has a malformed percent escape'],
    [{ kind: 'prefix', text: '/a?b' }, 'paths[0].prefix: has "?" at column 3, which must be percent-encoded'],
    [{ kind: 'prefix', text: '/a b' }, 'paths[0].prefix: has " " at column 3, which must be percent-encoded'],
    [{ kind: 'prefix', text: '/\ud800' }, 'paths[0].prefix: has half a character'],
    [{ kind: 'template', text: '/a/{x' }, 'paths[0].template: column 6: the variable is not closed with "}"'],
    [
      { kind: 'regex', pattern: '/(a', priority: 0 },
      'paths[0].regex.pattern: is not RE2 syntax: missing closing ): `/(a`',
    ],
    [
      { kind: 'regex', pattern: '/a)|(b', priority: 0 },
      'paths[0].regex.pattern: is not RE2 syntax: unexpected ): `/a)|(b`',
    ],
    [
      { kind: 'regex', pattern: '/(?=a)', priority: 0 },
      'paths[0].regex.pattern: is not RE2 syntax: invalid or unsupported Perl syntax: `(?=`',
    ],
    [
      { kind: 'regex', pattern: '/(a)\\1', priority: 0 },
      'paths[0].regex.pattern: is not RE2 syntax: invalid escape sequence: `\\1`',
    ],
  ])('the path %j is refused with its field', (rule, fault) => {
    expect(faults({ paths: [rule] })).toEqual([fault]);
  });

  test.each(['((a{100}){100}){10}', '(.{30}){30}', '(a?){1000}a{1000}'])(
    'the regex %s is refused for its cost',
    (pattern) => {
      expect(faults({ paths: [{ kind: 'regex', pattern, priority: 0 }] })[0]).toMatch(
        /^paths\[0\]\.regex\.pattern: (is too costly|is not RE2 syntax)/,
      );
    },
  );

  test('a quoted parenthesis is no fault', () => {
    expect(faults({ paths: [{ kind: 'regex', pattern: '/\\Qa)b\\E', priority: 0 }] })).toEqual([]);
  });

  test('methods, headers and names of TLS servers are checked', () => {
    const route = { methods: ['GET', 'G T', '*'], headers: [{ name: 'a b', values: [] }], snis: ['*.a.com', 'a.com'] };

    expect(faults(route)).toEqual([
      'methods[1]: "G T" is not a method',
      'methods[2]: leave methods empty to match any method',
      'headers[0].name: "a b" is not a header name',
      'headers[0].values: needs at least one value',
      'snis[0]: is a full name, without "*"',
    ]);
  });
});

function pairs(routes: readonly Partial<RouteCriteria>[]): string[] {
  const named = routes.map((route, index) => ({ ...base, name: `r${index}`, ...route }));
  return findDuplicates(named).map(({ first, second }) => `${first.name}=${second.name}`);
}

const path = (text: string): PathRule => ({ kind: 'prefix', text });
const template = (text: string): PathRule => ({ kind: 'template', text });

describe('duplicates', () => {
  test('two routes of equal priority with equal value sets in every criterion are found, both named', () => {
    const one = {
      hosts: ['a.com', 'b.com'],
      paths: [path('/x'), path('/y%2f')],
      methods: ['GET', 'PUT'],
      headers: [{ name: 'H', values: ['1', 'A'] }],
    };
    const other = {
      hosts: ['B.com', 'a.com'],
      paths: [path('/y%2F'), path('/%78')],
      methods: ['PUT', 'GET'],
      headers: [{ name: 'h', values: ['a', '1'] }],
    };

    expect(pairs([one, other, other])).toEqual(['r0=r1', 'r0=r2']);
  });

  test.each([
    ['another priority', { priority: 1 }],
    ['a partial overlap of hosts', { hosts: ['a.com', 'c.com'] }],
    ['another kind of path', { paths: [{ kind: 'exact' as const, text: '/x' }] }],
    ['another method', { methods: ['PUT'] }],
    ['another header value', { headers: [{ name: 'h', values: ['2'] }] }],
    ['a server name', { snis: ['a.com'] }],
  ])('%s is no duplicate', (_, change) => {
    const route = { hosts: ['a.com'], paths: [path('/x')], methods: ['GET'], headers: [{ name: 'h', values: ['1'] }] };

    expect(pairs([route, { ...route, ...change }])).toEqual([]);
  });

  test('templates that differ only in the names of variables are duplicates', () => {
    expect(
      pairs([{ paths: [template('/u/{id}')] }, { paths: [template('/u/{name=*}')] }, { paths: [template('/u/**')] }]),
    ).toEqual(['r0=r1']);
  });
});
