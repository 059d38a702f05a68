import { expect, test } from 'vitest';
import { compileRouter, type RouteEntry } from './router.js';

type Route = Partial<RouteEntry<string>>;

const request = { method: 'POST', host: 'B.a.com:80', path: '/x/%79', headers: ['env', 'secret-value'] };

function explain(routes: Record<string, Route>, limit?: number, more: Partial<typeof request> = {}) {
  const entries = Object.entries(routes).map(([name, route], ordinal): RouteEntry<string> => ({
    target: name,
    name,
    priority: 0,
    hosts: [],
    paths: [],
    methods: [],
    headers: [],
    createdRevision: 3n,
    ordinal,
    ...route,
  }));
  const { outcome, host, path, losers, omitted } = compileRouter(entries).router.explain(
    { ...request, ...more },
    limit,
  );
  const reasons = losers.map(({ entry, reason, text }) => `${entry.name}: ${reason.kind} by ${reason.by}: ${text}`);
  return { winner: outcome.kind === 'match' ? outcome.target : outcome.kind, host, path, reasons, omitted };
}

const prefix = (text: string) => ({ kind: 'prefix' as const, text });
const regex = (pattern: string, priority: number) => ({ kind: 'regex' as const, pattern, priority });

test('each route that matched on host or path is listed with the first criterion it failed, the nearest first', () => {
  const { winner, host, path, reasons } = explain({
    hosts: { hosts: ['c.com'], paths: [prefix('/x')] },
    paths: { hosts: ['b.a.com'], paths: [prefix('/y'), prefix('/z')] },
    methods: { paths: [prefix('/x')], methods: ['GET', 'PUT'] },
    headers: { paths: [prefix('/x')], headers: [{ name: 'Env', values: ['Canary'] }] },
    snis: { paths: [prefix('/x')], snis: ['b.a.com'] },
    far: { hosts: ['c.com'], paths: [prefix('/y')] },
  });

  expect([host, path]).toEqual(['b.a.com', '/x/y']);
  expect(winner).toBe('method_not_allowed');
  expect(reasons).toEqual([
    'snis: failed by snis: the TLS server name is not b.a.com',
    'headers: failed by headers: header env is not canary',
    'methods: failed by methods: method POST is not one of GET, PUT',
    'paths: failed by paths: path "/x/y" does not match one of prefix /y, prefix /z',
    'hosts: failed by hosts: host "b.a.com" is not c.com',
  ]);
});

test.each<[string, Record<string, Route>, string]>([
  ['priority', { w: { paths: [prefix('/')], priority: 7 }, l: { paths: [prefix('/x')] } }, 'priority 0 is below 7'],
  [
    'criteria',
    { w: { paths: [prefix('/')], methods: ['POST'] }, l: { paths: [prefix('/x')] } },
    'sets 1 kinds of criteria, the winner 2',
  ],
  ['host', { w: { hosts: ['*.a.com'] }, l: { hosts: ['*.com'] } }, 'host *.com is less specific than host *.a.com'],
  ['host', { w: { hosts: ['*.com'] }, l: { paths: [prefix('/x')] } }, 'no host is less specific than host *.com'],
  ['path', { w: { paths: [prefix('/x')] }, l: { paths: [prefix('/')] } }, 'prefix / goes after prefix /x'],
  [
    'path',
    { w: { paths: [{ kind: 'template', text: '/x/{a}' }] }, l: { paths: [regex('/x', 9)] } },
    'regex /x goes after template /x/{a}',
  ],
  [
    'regex_priority',
    { w: { paths: [regex('/x', 2)] }, l: { paths: [regex('/x/', 1)] } },
    'regex_priority 1 is below 2',
  ],
  [
    'header_count',
    {
      w: {
        headers: [
          { name: 'env', values: ['secret-value'] },
          { name: 'ENV', values: ['secret-value'] },
        ],
      },
      l: { headers: [{ name: 'env', values: ['secret-value'] }] },
    },
    'has 1 header criteria, the winner 2',
  ],
  [
    'age',
    { l: { paths: [prefix('/x')], createdRevision: 9n }, w: { paths: [prefix('/x')] } },
    'is equal in every other rule and newer (revision 9, the winner 3)',
  ],
  [
    'methods',
    {
      w: { rule: true, paths: [{ kind: 'template', text: '/x/y' }], methods: ['POST'] },
      l: { rule: true, paths: [{ kind: 'template', text: '/x/y' }] },
    },
    'takes any method, the winner POST',
  ],
  [
    'path',
    {
      w: { paths: [{ kind: 'exact', text: '/x/y' }] },
      l: { rule: true, paths: [{ kind: 'template', text: '/x/{a}' }], methods: ['POST'] },
    },
    'template /x/{a} goes after exact /x/y',
  ],
])('a route that matched is listed with the rule it lost by: %s', (by, routes, text) => {
  expect(explain(routes)).toMatchObject({ winner: 'w', reasons: [`l: lost by ${by}: ${text}`] });
});

test('a plain route that would go before the HTTP rule that won is told which plain route it lost to', () => {
  const { winner, reasons } = explain({
    rule: { rule: true, paths: [{ kind: 'template', text: '/x/{a}' }], methods: ['POST'] },
    exact: { paths: [{ kind: 'exact', text: '/x/y' }] },
    posts: { paths: [prefix('/')], methods: ['POST'] },
  });

  expect(winner).toBe('rule');
  expect(reasons.toSorted()).toEqual([
    'exact: lost by criteria: sets 1 kinds of criteria, route posts 2',
    'posts: lost by path: prefix / goes after template /x/{a}',
  ]);
});

test.each([
  ['/v1/shelfs/1', '/v1/shelves/{shelf}', 'segment 2 is "shelfs", not "shelves"'],
  ['/v1/shelves', '/v1/shelves/{shelf}', 'it has 2 segments, the template 3'],
  ['/v1/shelves/1/books', '/v1/shelves/{shelf}', 'it has 4 segments, the template 3'],
  ['/v1/shelves//books', '/v1/shelves/{shelf}/books', 'segment 3 is empty'],
  ['/v1/shelves/1/', '/v1/shelves/{shelf}', 'it ends in a slash'],
  ['/v1/shelves/1:join', '/v1/shelves/{shelf}:merge', 'it lacks the verb ":merge"'],
  ['/v1/shelf:merge', '/v1/shelves:merge', 'segment 2 is "shelf", not "shelves"'],
  ['/v1/files/a/b', '/v1/files/**/meta', 'what follows is not as the template has it'],
])('a template that %s does not match says where they go apart', (path, text, fault) => {
  const reasons = explain({ r: { paths: [{ kind: 'template', text }] } }, undefined, { path }).reasons;

  expect(reasons).toEqual([
    `r: failed by paths: path ${JSON.stringify(path)} does not match template ${text}: ${fault}`,
  ]);
});

test('where no more than a shorter prefix wins, routes whose path begins as the request does are listed, the longest first', () => {
  const routes: Record<string, Route> = {
    fallback: { paths: [prefix('/')] },
    shelves: { paths: [{ kind: 'template', text: '/v1/shelves/{shelf}' }], methods: ['GET'] },
    books: { paths: [{ kind: 'template', text: '/v1/shelves/{shelf}/books/{book}' }], methods: ['POST'] },
    other: { paths: [{ kind: 'template', text: '/v2/shelves/{shelf}' }] },
    elsewhere: { hosts: ['c.com'], paths: [{ kind: 'template', text: '/v1/shelves/{shelf}' }] },
  };

  const { reasons } = explain(routes, undefined, { path: '/v1/shelves/1/boks/2' });

  expect(reasons.map((reason) => reason.split(':')[0])).toEqual(['books', 'shelves']);
});

test('a value that the request carried in a header is never repeated', () => {
  const { reasons } = explain({ r: { paths: [prefix('/')], headers: [{ name: 'env', values: ['x'] }] } });

  expect(reasons.join()).not.toContain('secret-value');
});

test('more losers than the limit are counted, and the nearest are kept', () => {
  const far = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`far${i}`, { hosts: ['c.com'], paths: [prefix('/x')] }]),
  );

  const { reasons, omitted } = explain(
    { ...far, near: { paths: [prefix('/')] }, winner: { paths: [prefix('/x')] } },
    2,
  );

  expect(reasons[0]).toBe('near: lost by path: prefix / goes after prefix /x');
  expect([reasons.length, omitted]).toEqual([2, 19]);
});

test('a path that was refused explains itself', () => {
  const { router } = compileRouter<string>([]);

  expect(router.explain({ ...request, path: '/..' })).toMatchObject({
    outcome: { kind: 'bad_path' },
    path: null,
    losers: [],
  });
});
