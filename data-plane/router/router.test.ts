import { describe, expect, test } from 'vitest';
import { compileRouter, compileSteps, type Match, type NoMatch, type PathRule, type RouteEntry } from './router.js';

type Route = Partial<Omit<RouteEntry<string>, 'paths'>> & { readonly paths?: readonly (PathRule | string)[] };
type Table = Record<string, Route>;

/** Routes by name, in the order of the file; a path that is only text is a prefix. */
function entriesOf(routes: Table): RouteEntry<string>[] {
  return Object.entries(routes).map(([name, route], ordinal) => ({
    target: name,
    name,
    priority: 0,
    hosts: [],
    methods: [],
    headers: [],
    createdRevision: 1n,
    ordinal,
    ...route,
    paths: (route.paths ?? []).map((path) => (typeof path === 'string' ? prefix(path) : path)),
  }));
}

function routerOf(routes: Table) {
  const { router, problems } = compileRouter(entriesOf(routes));
  expect(problems).toEqual([]);
  return router;
}

/** `POST host/path`: the method is GET and the host `a.com` when left out. */
function ask(
  routes: Table,
  call: string,
  headers: string[] = [],
  serverName: string | null = null,
): Match<string> | NoMatch {
  const [, method = 'GET', host = 'a.com', path = ''] = /^(?:([A-Z]+) )?([^/]+)?(.*)$/s.exec(call) ?? [];
  return routerOf(routes).match({ method, host, path, headers, serverName });
}

/** The winner's name, `405 GET, POST`, or the kind of miss. */
function winner(routes: Table, call: string, headers: string[] = [], serverName: string | null = null): string {
  const outcome = ask(routes, call, headers, serverName);
  if (outcome.kind === 'match') return outcome.target;
  return outcome.kind === 'method_not_allowed' ? `405 ${outcome.allow.join(', ')}` : outcome.kind;
}

function matchOf(routes: Table, call: string): Match<string> {
  const outcome = ask(routes, call);
  if (outcome.kind !== 'match') throw new Error(`no match: ${outcome.kind}`);
  return outcome;
}

const prefix = (text: string): PathRule => ({ kind: 'prefix', text });
const exact = (text: string): PathRule => ({ kind: 'exact', text });
const segmentPrefix = (text: string): PathRule => ({ kind: 'segment_prefix', text });
const template = (text: string, trailingSlash: 'strict' | 'strip' = 'strict'): PathRule => ({
  kind: 'template',
  text,
  trailingSlash,
});
const regex = (pattern: string, priority = 0): PathRule => ({ kind: 'regex', pattern, priority });

describe('criteria', () => {
  test('all criteria that are set must match, and one value of each is enough', () => {
    const routes = {
      r: {
        hosts: ['a.com', 'b.com'],
        paths: ['/x', '/y'],
        methods: ['GET', 'PUT'],
        headers: [{ name: 'Env', values: ['one', 'two'] }],
      },
    };

    expect(winner(routes, 'PUT b.com/y', ['env', 'two'])).toBe('r');
    expect(winner(routes, 'PUT c.com/y', ['env', 'two'])).toBe('no_route');
    expect(winner(routes, 'PUT b.com/z', ['env', 'two'])).toBe('no_route');
    expect(winner(routes, 'POST b.com/y', ['env', 'two'])).toBe('405 GET, PUT');
    expect(winner(routes, 'PUT b.com/y', ['env', 'three'])).toBe('no_route');
  });

  test('header values compare case-insensitively, and of several field lines any one suffices', () => {
    const routes = { r: { headers: [{ name: 'X-Env', values: ['Canary'] }] } };

    expect(winner(routes, '/', ['x-env', 'stable', 'X-ENV', 'cANARY'])).toBe('r');
    expect(winner(routes, '/', ['x-env', 'stable'])).toBe('no_route');
    expect(winner(routes, '/', [])).toBe('no_route');
  });

  test('every header criterion must match', () => {
    const routes = {
      r: {
        headers: [
          { name: 'a', values: ['1'] },
          { name: 'b', values: ['2'] },
        ],
      },
    };

    expect(winner(routes, '/', ['a', '1', 'b', '2'])).toBe('r');
    expect(winner(routes, '/', ['a', '1'])).toBe('no_route');
  });

  test('GET does not imply HEAD', () => {
    expect(winner({ r: { paths: ['/'], methods: ['GET'] } }, 'HEAD a.com/')).toBe('405 GET');
  });

  test('methods compare case-sensitively', () => {
    const { router } = compileRouter(entriesOf({ r: { paths: ['/'], methods: ['GET'] } }));

    expect(router.match({ method: 'get', host: '', path: '/', headers: [] }).kind).toBe('method_not_allowed');
  });

  test('a route with only methods matches every path, and OPTIONS * matches routes without paths', () => {
    expect(winner({ r: { methods: ['DELETE'] } }, 'DELETE /any/where')).toBe('r');
    const { router } = compileRouter(entriesOf({ slash: { paths: ['/'] }, any: { hosts: ['a.com'] } }));
    expect(router.match({ method: 'OPTIONS', host: 'a.com', path: '*', headers: [] })).toMatchObject({ target: 'any' });
  });

  test('snis match the name of the handshake; on a plain connection only an https-only route is let through', () => {
    const sni = { paths: ['/'], snis: ['Secure.com'] };

    expect(winner({ r: sni }, '/', [], 'secure.COM')).toBe('r');
    expect(winner({ r: sni }, '/', [], 'other.com')).toBe('no_route');
    expect(winner({ r: sni }, '/', [], '')).toBe('no_route');
    expect(winner({ r: sni }, '/')).toBe('no_route');
    expect(winner({ r: { ...sni, httpsOnly: true } }, '/')).toBe('r');
    expect(winner({ r: { ...sni, httpsOnly: true } }, '/', [], 'other.com')).toBe('no_route');
  });
});

describe('hosts', () => {
  test.each([
    ['a.com', 'a.com', true],
    ['A.Com', 'a.cOM', true],
    ['a.com', 'a.com:8080', true],
    ['a.com', 'a.com.', true],
    ['a.com', 'b.a.com', false],
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'x.y.example.com', true],
    ['*.example.com', 'X.EXAMPLE.com:443', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', '.example.com', false],
    ['*.example.com', 'a.example.com.evil.org', false],
    ['*.example.com', 'aexample.com', false],
    ['example.*', 'example.com', true],
    ['example.*', 'example.co.uk', true],
    ['example.*', 'example', false],
    ['example.*', 'example.', false],
    ['example.*', 'www.example.com', false],
    ['[::1]', '[::1]', true],
    ['[::1]', '[::1]:8080', true],
    ['[2001:DB8::1]', '[2001:db8::1]:80', true],
    ['[::1]', '[::2]', false],
    ['127.0.0.1', '127.0.0.1:9000', true],
    ['a.com', '', false],
  ])('the host %s against %s: %s', (pattern, host, matches) => {
    const { router, problems } = compileRouter(entriesOf({ r: { hosts: [pattern] } }));

    expect(problems).toEqual([]);
    expect(router.match({ method: 'GET', host, path: '/', headers: [] }).kind).toBe(matches ? 'match' : 'no_route');
  });

  test('an exact host goes before a wildcard, a longer wildcard before a shorter, the left before the right, and any before none', () => {
    const routes = {
      none: { paths: ['/'] },
      right: { hosts: ['b.a.*'] },
      left: { hosts: ['*.a.b'] },
      short: { hosts: ['*.b'] },
      long: { hosts: ['*.b.a.b'] },
      exact: { hosts: ['c.b.a.b'] },
    };

    expect(winner(routes, 'c.b.a.b/')).toBe('exact');
    expect(winner(routes, 'd.b.a.b/')).toBe('long');
    expect(winner(routes, 'b.a.b/')).toBe('left');
    expect(winner(routes, 'x.b/')).toBe('short');
    expect(winner(routes, 'b.a.org/')).toBe('right');
    expect(winner(routes, 'zzz/')).toBe('none');
  });
});

describe('paths', () => {
  test('a prefix matches as in Kong, also inside a segment; a segment prefix does not', () => {
    expect(winner({ r: { paths: ['/service'] } }, '/service/resource')).toBe('r');
    expect(winner({ r: { paths: ['/service'] } }, '/services')).toBe('r');
    expect(winner({ r: { paths: ['/service'] } }, '/servic')).toBe('no_route');
    expect(winner({ r: { paths: [segmentPrefix('/service')] } }, '/services')).toBe('no_route');
    expect(winner({ r: { paths: [segmentPrefix('/service')] } }, '/service')).toBe('r');
    expect(winner({ r: { paths: [segmentPrefix('/service')] } }, '/service/x')).toBe('r');
    expect(winner({ r: { paths: [segmentPrefix('/service/')] } }, '/service')).toBe('no_route');
    expect(winner({ r: { paths: [segmentPrefix('/service/')] } }, '/service/x')).toBe('r');
    expect(winner({ r: { paths: [segmentPrefix('/')] } }, '/x')).toBe('r');
  });

  test('an exact path matches nothing longer', () => {
    expect(winner({ r: { paths: [exact('/a')] } }, '/a')).toBe('r');
    expect(winner({ r: { paths: [exact('/a')] } }, '/a/')).toBe('no_route');
  });

  test('a regex is anchored at the start, over every alternation, and not at the end', () => {
    const routes = { r: { paths: [regex('/a|/b')] } };

    expect(winner(routes, '/a/more')).toBe('r');
    expect(winner(routes, '/bbb')).toBe('r');
    expect(winner(routes, '/x/b')).toBe('no_route');
    expect(winner({ r: { paths: [regex('/(?i)status/\\d+$')] } }, '/STATUS/12')).toBe('r');
  });

  test.each([
    ['/a-b', '/a%2Db', true],
    ['/a%2db', '/a-b', true],
    ['/a%2fb', '/a%2Fb', true],
    ['/a%2Fb', '/a%2fb', true],
    ['/a%2Fb', '/a/b', false],
    ['/a/b', '/a%2Fb', false],
    ['/a:b', '/a%3Ab', false],
    ['/café', '/caf%c3%a9', true],
    ['/A', '/a', false],
    ['/a//b', '/a//b', true],
    ['/a//b', '/a/b', false],
  ])('path text is compared in normal form: %s against %s: %s', (text, path, matches) => {
    for (const rule of [prefix(text), exact(text), segmentPrefix(text)]) {
      expect(winner({ r: { paths: [rule] } }, path)).toBe(matches ? 'r' : 'no_route');
    }
  });

  test('a regex sees the normal form, and the hex case of its own escapes is ignored', () => {
    expect(winner({ r: { paths: [regex('/a%2fb/[a-z]-$')] } }, '/a%2Fb/%7a%2d')).toBe('r');
  });

  test.each([
    '/a/../b',
    '/..',
    '/a/.',
    '/./a',
    '/a/%2e%2E/b',
    '/a/.%2e',
    '/%2e',
    '/a/%zz',
    '/a%',
    '/a%2',
    '',
    'a',
    '../a',
    '/.',
  ])('the path %j is refused, whatever the routes', (path) => {
    const { router } = compileRouter(entriesOf({ r: { methods: ['GET'] } }));

    expect(router.match({ method: 'GET', host: 'a.com', path, headers: [] })).toEqual({ kind: 'bad_path' });
  });

  test.each(['/.well-known/x', '/a/...', '/a/..b', '/a/.b/c', '/a.', '/a/b..', '/a%2F..'])(
    'the path %j has no dot segment',
    (path) => {
      expect(winner({ r: { paths: ['/'] } }, path)).toBe('r');
    },
  );
});

describe('templates', () => {
  test.each([
    ['/users/{id}', '/users/7', true],
    ['/users/{id}', '/users/', false],
    ['/users/{id}', '/users/7/', false],
    ['/users/{id}', '/users/7/x', false],
    ['/users/{id}', '/users/a%2Fb', true],
    ['/users/*', '/users/7', true],
    ['/a/**', '/a', true],
    ['/a/**', '/a/b/c', true],
    ['/a/**', '/a/x/', false],
    ['/a/**', '/a/x//y', true],
    ['/**', '/', true],
    ['/', '/', true],
    ['/', '/x', false],
    ['/files/{path=**}/meta/{k}', '/files/meta/1', true],
    ['/files/{path=**}/meta/{k}', '/files/a/meta/meta/1', true],
    ['/files/{path=**}/meta/{k}', '/files/a/b', false],
    ['/v1/{n=a/*}/b', '/v1/a/x/b', true],
    ['/v1/{n=a/*}/b', '/v1/c/x/b', false],
    ['/v1/fixed/{shelf=100}', '/v1/fixed/100', true],
    ['/v1/fixed/{shelf=100}', '/v1/fixed/101', false],
    ['/a%2Db', '/a-b', true],
    ['/a-b', '/a%2Db', true],
    ['/a@b', '/a%40b', true],
    ['/a%2Fb', '/a%2fb', true],
    ['/a%2Fb', '/a/b', false],
    ['/Users/x', '/users/x', false],
    ['/a/{x}:get', '/a/1:get', true],
    ['/a/{x}:get', '/a/1:GET', false],
    ['/a/{x}:get', '/a/1%3Aget', false],
    ['/a/{x}:get', '/a/1:g%65t', true],
    ['/a/{x}:get', '/a/%31%3A:get', true],
    ['/a/{x}:get', '/a/:get', false],
    ['/a/{x}:get', '/a/1', false],
    ['/a/{x=**}:get', '/a/b/c:get', true],
    ['/a:get', '/a:get', true],
    ['/a/{x}:b:c', '/a/1:b:c', true],
    ['/a/{x}:b:c', '/a/1:c', false],
    ['/a/{x}', '/a/2020-01-01T00:00:00', true],
  ])('%s against %s: %s', (text, path, matches) => {
    expect(winner({ r: { paths: [template(text)] } }, path)).toBe(matches ? 'r' : 'no_route');
  });

  test('literal goes before {x}, and {x} before **, whatever the order of the file', () => {
    const routes = {
      deep: template('/v/**'),
      single: template('/v/{x}'),
      tail: template('/v/**/me'),
      literal: template('/v/me'),
    };
    const tables = [Object.entries(routes), Object.entries(routes).toReversed()].map((list) =>
      Object.fromEntries(list.map(([name, rule]) => [name, { paths: [rule] }])),
    );

    for (const table of tables) {
      expect(winner(table, '/v/me')).toBe('literal');
      expect(winner(table, '/v/you')).toBe('single');
      expect(winner(table, '/v/a/me')).toBe('tail');
      expect(winner(table, '/v/a/b')).toBe('deep');
    }
  });

  test('a literal that leads nowhere is backed out of', () => {
    const routes = {
      a: { paths: [template('/x/lit/b')] },
      b: { paths: [template('/x/{v}/c')] },
      c: { paths: [template('/x/**/d')] },
    };

    expect(winner(routes, '/x/lit/c')).toBe('b');
    expect(winner(routes, '/x/lit/d')).toBe('c');
  });

  test('a reading with a registered verb wins over one that takes the colon as data, even on a less specific route', () => {
    const routes = { data: { paths: [template('/v1/users/{id}')] }, verb: { paths: [template('/v1/{name=**}:get')] } };

    expect(winner(routes, '/v1/users/7:get')).toBe('verb');
    expect(winner(routes, '/v1/users/7:put')).toBe('data');
    expect(winner(routes, '/v1/users/7%3Aget')).toBe('data');
    expect(winner(routes, '/v1/users/:get')).toBe('data');
  });

  test('the longest verb goes first', () => {
    const routes = { short: { paths: [template('/a/{x}:c')] }, long: { paths: [template('/a/{x}:b:c')] } };

    expect(winner(routes, '/a/1:b:c')).toBe('long');
    expect(matchOf(routes, '/a/1:x:c').variables()).toEqual(['1:x']);
  });

  test('`strip` takes slashes at the end of a path', () => {
    const routes = { r: { paths: [template('/a/{x}', 'strip')] } };

    expect(winner(routes, '/a/1/')).toBe('r');
    expect(matchOf(routes, '/a/1//').variables()).toEqual(['1']);
    expect(winner(routes, '/a/')).toBe('no_route');
  });
});

describe('which route wins', () => {
  test('priority goes before everything', () => {
    const routes = {
      exact: { hosts: ['a.com'], paths: [exact('/x')], methods: ['GET'] },
      high: { paths: ['/'], priority: 1 },
    };

    expect(winner(routes, '/x')).toBe('high');
  });

  test('the route with more kinds of criteria goes first, even when its path is less specific', () => {
    const routes = { path: { paths: [exact('/x/y')] }, both: { paths: ['/x'], methods: ['GET'] } };

    expect(winner(routes, '/x/y')).toBe('both');
    expect(winner(routes, 'PUT /x/y')).toBe('path');
  });

  describe('beside HTTP rules of transcoded methods', () => {
    const rule = (text: string, methods: readonly string[] = ['GET']) => ({
      rule: true,
      paths: [template(text)],
      methods: [...methods],
    });

    test('the more specific path goes first, whether a plain route sets methods or not', () => {
      const routes = {
        all: { paths: ['/'] },
        gets: { paths: ['/'], methods: ['GET'] },
        rule: rule('/v1/books/{book}'),
        health: { paths: [exact('/v1/books/health')] },
        deep: rule('/v1/**'),
      };

      expect(winner(routes, '/v1/books/1')).toBe('rule');
      expect(winner(routes, '/v1/shelves/1')).toBe('deep');
      expect(winner(routes, 'PUT /v1/books/1')).toBe('all');
      expect(winner(routes, '/v2')).toBe('gets');
      const { gets: _, ...withoutGets } = routes;
      expect(winner(withoutGets, '/v1/books/health')).toBe('health');
    });

    test('a plain route that lost to another one does not come back', () => {
      const routes = {
        rule: rule('/v1/books/{book}'),
        health: { paths: [exact('/v1/books/health')] },
        gets: { paths: ['/v1'], methods: ['GET'] },
      };

      expect(winner(routes, '/v1/books/health')).toBe('rule');
      expect(winner(routes, 'POST /v1/books/health')).toBe('health');
    });

    test('hosts, headers and priority still go before the path', () => {
      const routes = {
        rule: rule('/v1/books/{book}'),
        host: { hosts: ['a.com'], paths: ['/v1'] },
        canary: { paths: ['/v1'], headers: [{ name: 'x-canary', values: ['1'] }] },
        high: { paths: ['/v1/books/9'], priority: 1 },
      };

      expect(winner(routes, 'b.com/v1/books/1')).toBe('rule');
      expect(winner(routes, 'a.com/v1/books/1')).toBe('host');
      expect(winner(routes, 'b.com/v1/books/1', ['x-canary', '1'])).toBe('canary');
      expect(winner(routes, '/v1/books/9')).toBe('high');
    });

    test('a rule for any method goes before a less specific one for the method, and after one of the same path', () => {
      const routes = {
        any: rule('/v1/me', []),
        one: rule('/v1/{user}'),
        get: rule('/v2/me'),
        other: rule('/v2/me', []),
      };

      expect(winner(routes, '/v1/me')).toBe('any');
      expect(winner(routes, '/v2/me')).toBe('get');
      expect(winner(routes, 'PUT /v2/me')).toBe('other');
    });
  });

  test('with as many kinds, a route that sets hosts goes before one that sets paths, and paths before headers', () => {
    const headers = [{ name: 'h', values: ['1'] }];
    const routes = { headers: { headers }, path: { paths: ['/'] }, host: { hosts: ['a.com'] } };

    expect(winner(routes, 'a.com/', ['h', '1'])).toBe('host');
    expect(winner(routes, 'b.com/', ['h', '1'])).toBe('path');
  });

  test('the order of Kong’s example: longer prefixes, then regexes by regex_priority', () => {
    const routes = {
      status: { paths: [regex('/status/\\d+', 0)] },
      version: { paths: [regex('/version/\\d+/status/\\d+', 6)] },
      short: { paths: ['/version'] },
      long: { paths: ['/version/any/'] },
    };

    expect(winner(routes, '/version/any/thing')).toBe('long');
    expect(winner(routes, '/version/1/status/2')).toBe('short');
    expect(winner(routes, '/status/2')).toBe('status');
    const { short: _, ...withoutShort } = routes;
    expect(winner(withoutShort, '/version/1/status/2')).toBe('version');
    expect(winner({ a: { paths: [regex('/s', 1)] }, b: { paths: [regex('/s.*', 2)] } }, '/s')).toBe('b');
  });

  test('for the same text: exact, then the segment prefix, then the prefix', () => {
    const routes = {
      prefix: { paths: ['/a'] },
      segment: { paths: [segmentPrefix('/a')] },
      exact: { paths: [exact('/a')] },
    };

    expect(winner(routes, '/a')).toBe('exact');
    expect(winner(routes, '/a/b')).toBe('segment');
    expect(winner(routes, '/ab')).toBe('prefix');
  });

  test('a prefix that ends inside a segment ranks as a literal there', () => {
    const routes = { template: { paths: [template('/{x}/d')] }, prefix: { paths: ['/ab'] } };

    expect(winner(routes, '/abc/d')).toBe('prefix');
  });

  test('a template goes before a prefix that ends where it goes on', () => {
    const routes = {
      slash: { paths: ['/a/'] },
      prefix: { paths: ['/a'] },
      single: { paths: [template('/a/{x}')] },
      deep: { paths: [template('/a/**')] },
    };

    expect(winner(routes, '/a/x')).toBe('single');
    expect(winner(routes, '/a/x/y')).toBe('deep');
    expect(winner(routes, '/a/x/')).toBe('slash');
  });

  test('the longer prefix goes before the template that is less specific', () => {
    expect(winner({ t: { paths: [template('/a/{x}')] }, p: { paths: ['/a/me'] } }, '/a/me')).toBe('p');
  });

  test('more header criteria go first, then the older route, then the order of the file', () => {
    const one = [{ name: 'a', values: ['1'] }];
    const two = [...one, { name: 'b', values: ['2'] }];
    const sent = ['a', '1', 'b', '2'];

    expect(winner({ one: { headers: one }, two: { headers: two, createdRevision: 9n } }, '/', sent)).toBe('two');
    expect(
      winner({ young: { paths: ['/'], createdRevision: 5n }, old: { paths: ['/'], createdRevision: 2n } }, '/'),
    ).toBe('old');
    expect(winner({ first: { paths: ['/'] }, second: { paths: ['/'] } }, '/')).toBe('first');
  });

  test('a route is ranked by the best of its hosts and paths that match', () => {
    const routes = {
      many: { hosts: ['*.com', 'b.a.com'], paths: ['/', '/x/y'] },
      wild: { hosts: ['*.a.com'], paths: [exact('/x/y')] },
    };

    expect(winner(routes, 'b.a.com/x/y')).toBe('many');
    expect(winner(routes, 'c.a.com/x/y')).toBe('wild');
  });

  test('a path of a losing route shadows neither the method, the headers nor the host of another', () => {
    const routes = {
      post: { paths: [exact('/a/b')], methods: ['POST'] },
      header: { paths: ['/a/b'], headers: [{ name: 'x', values: ['1'] }] },
      template: { paths: [template('/a/{x}')], methods: ['GET'] },
      fallback: { paths: ['/'] },
    };

    expect(winner(routes, 'GET /a/b')).toBe('template');
    expect(winner(routes, 'DELETE /a/b')).toBe('fallback');
    expect(winner(routes, 'GET /a/b', ['x', '1'])).toBe('header');
    expect(
      winner({ host: { hosts: ['b.a.com'], paths: ['/x'] }, any: { hosts: ['*.com'], paths: ['/'] } }, 'b.a.com/y'),
    ).toBe('any');
  });
});

describe('when nothing matches', () => {
  test('405 lists each method that some route takes here, once and sorted', () => {
    const routes = {
      a: { paths: [template('/u/{id}')], methods: ['PUT', 'GET'] },
      b: { paths: ['/u'], methods: ['PUT', 'DELETE'] },
      c: { hosts: ['a.com'], methods: ['OPTIONS'] },
      d: { paths: [regex('/u/\\d+')], methods: ['PATCH'] },
      elsewhere: { paths: ['/v'], methods: ['COPY'] },
      otherHost: { hosts: ['b.com'], paths: ['/u'], methods: ['LOCK'] },
      noRegex: { paths: [regex('/u/[a-z]+')], methods: ['MOVE'] },
    };

    expect(winner(routes, 'POST a.com/u/7')).toBe('405 DELETE, GET, OPTIONS, PATCH, PUT');
  });

  test('a route that fails on a header as well as its method is a 404', () => {
    const routes = { r: { paths: ['/'], methods: ['GET'], headers: [{ name: 'x', values: ['1'] }] } };

    expect(winner(routes, 'PUT /')).toBe('no_route');
    expect(winner(routes, 'PUT /', ['x', '1'])).toBe('405 GET');
  });

  test('an empty table answers no_route', () => {
    expect(winner({}, '/')).toBe('no_route');
  });
});

describe('what a match tells', () => {
  test.each<[PathRule, string, string]>([
    [prefix('/a'), '/a/b', '/a'],
    [prefix('/a-b'), '/a%2Db/c', '/a%2Db'],
    [prefix('/%7Ea/'), '/%7ea/c', '/%7ea/'],
    [segmentPrefix('/a%2fb'), '/a%2fb/c', '/a%2fb'],
    [exact('/a'), '/%61', '/%61'],
    [template('/a/{x}'), '/a/b%20c', '/a/b%20c'],
    [regex('/v(\\d+)'), '/v12/x', '/v12'],
    [regex('/v-(\\d+)'), '/v%2d1%32/x', '/v%2d1%32'],
  ])('the matched text of %j in %s is %s, as sent', (rule, path, text) => {
    const match = matchOf({ r: { paths: [rule] } }, path);

    expect(match.matchedText).toBe(text);
    expect(match.matchedLength).toBe(text.length);
    expect(match.rule).toEqual(rule);
  });

  test('a route without paths matches none of the path', () => {
    const match = matchOf({ r: { hosts: ['a.com'] } }, '/a/b');

    expect([match.matchedText, match.rule, match.captures().numbered]).toEqual(['', null, ['']]);
  });

  test('named and numbered groups of a regex are captured, and an unset group is empty', () => {
    const match = matchOf({ r: { paths: [regex('/(?P<v>v\\d)/(?<kind>[a-z]+)(/x)?')] } }, '/v1/%75sers/7');

    expect(match.captures().numbered).toEqual(['/v1/users', 'v1', 'users', '']);
    expect([...match.captures().named]).toEqual([
      ['v', 'v1'],
      ['kind', 'users'],
    ]);
  });

  test('variables of a template are captured raw, by name and in order', () => {
    const match = matchOf(
      { r: { paths: [template('/v1/{name=shelves/*}/books/{book.id}/{rest=**}:read')] } },
      '/v1/shelves/a%2Fb/books/7%3a/x/y:r%65ad',
    );

    expect(match.variables()).toEqual(['shelves/a%2Fb', '7%3a', 'x/y']);
    expect([...match.captures().named.keys()]).toEqual(['name', 'book.id', 'rest']);
    expect(match.template?.variables.map((variable) => variable.multiSegment)).toEqual([true, false, true]);
  });

  test('a `**` that takes nothing is captured as empty text, and what follows it from the end', () => {
    const routes = { r: { paths: [template('/a/{p=**}/z/{q}')] } };

    expect(matchOf(routes, '/a/z/1').variables()).toEqual(['', '1']);
    expect(matchOf(routes, '/a/b/z/z/1').variables()).toEqual(['b/z', '1']);
    expect(matchOf({ r: { paths: [template('/{p=a/**}')] } }, '/a').variables()).toEqual(['a']);
    expect(matchOf({ r: { paths: [template('/{p=**}')] } }, '/').variables()).toEqual(['']);
  });
});

describe('compiling', () => {
  test('a bad entry is left out and reported with its field; the others take effect', () => {
    const { router, problems } = compileRouter(
      entriesOf({ bad: { detail: 'pkg.Svc/Get', paths: ['/ok', regex('/a(')] }, good: { paths: ['/'] } }),
    );

    expect(problems).toEqual([
      { name: 'bad', detail: 'pkg.Svc/Get', field: 'paths[1].regex.pattern', reason: expect.stringContaining('RE2') },
    ]);
    expect(router.match({ method: 'GET', host: '', path: '/ok', headers: [] })).toMatchObject({ target: 'good' });
  });

  test('compiling in slices pauses often and gives the same router', () => {
    const entries = entriesOf(
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`r${i}`, { paths: [`/p${i}/`] }])),
    );
    const steps = compileSteps(entries);
    let pauses = 0;
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) pauses += 1;

    expect(pauses).toBeGreaterThan(20);
    expect(step.value.router.match({ method: 'GET', host: '', path: '/p77/x', headers: [] })).toMatchObject({
      target: 'r77',
    });
  });

  test('a match keeps nothing of the request that came before', () => {
    const { router } = compileRouter(entriesOf({ r: { paths: ['/a'], methods: ['GET'] } }));
    const get = router.match({ method: 'GET', host: '', path: '/a/1', headers: [] });

    expect(router.match({ method: 'GET', host: '', path: '/b', headers: [] })).toEqual({ kind: 'no_route' });
    expect(get).toMatchObject({ kind: 'match', matchedText: '/a' });
  });
});

describe('hostile requests take bounded time', () => {
  const routes: Table = {
    deep: { paths: [template('/a/**/b/{x}:get'), template('/**/z'), template('/{a}/{b}/**')] },
    verbs: { paths: [template('/v/{x}:a:b:c'), template('/v/{x}:c')] },
    strip: { paths: [template('/q/**/r', 'strip')] },
    regex: { paths: [regex('(/+)+$x'), regex('/(x+x+)+y')] },
    hosts: { hosts: ['*.x.y', 'x.*'], paths: ['/'] },
  };

  test.each([
    ['64,000 slashes', '/'.repeat(64_000)],
    ['64,000 segments', '/a'.repeat(32_000)],
    ['64,000 colons', `/v/${':'.repeat(64_000)}`],
    ['many verbs', `/v/${':c'.repeat(32_000)}`],
    ['64,000 escapes', `/v/${'%3A'.repeat(21_000)}`],
    ['dots', '/.a'.repeat(21_000)],
    ['a regex that backtracks elsewhere', `/${'x'.repeat(64_000)}`],
  ])('%s', (_, path) => {
    const { router } = compileRouter(entriesOf(routes));
    const started = performance.now();

    for (let i = 0; i < 3; i += 1) router.match({ method: 'GET', host: 'a.b'.repeat(20_000), path, headers: [] });

    expect(performance.now() - started).toBeLessThan(1000);
  });

  test('a regex that could be slow is not tried on a path too long for it, unless a better route matches', () => {
    const slow = { paths: [regex('/(a|b|ab)*.{400}(x|y)')] };
    const path = `/${'ab'.repeat(10_000)}`;

    expect(winner({ slow }, path)).toBe('path_too_long');
    expect(winner({ slow, better: { paths: ['/a'] } }, path)).toBe('better');
    expect(winner({ slow, other: { paths: ['/'], priority: -1 } }, path)).toBe('path_too_long');
  });
});
