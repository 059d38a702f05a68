import type { RouteEntry } from '../../../data-plane/router/router.js';

/** Route tables of one shape: route `i`, and a request that it wins. */
export interface Kind {
  route(i: number): RouteEntry<number>;
  request(i: number): {
    readonly method: string;
    readonly host: string;
    readonly path: string;
    readonly headers: readonly string[];
  };
  /** Beyond that the table takes too long to compile for a bench. */
  readonly maxRoutes: number;
}

const noLimit = Number.MAX_SAFE_INTEGER;
const methods = ['GET', 'PUT', 'DELETE', 'PATCH'];

const prefixes: Kind = {
  route: (i) => entry(i, { hosts: ['api.example.com'], paths: [{ kind: 'prefix', text: `/service-${i}/v1` }] }),
  request: (i) => ({
    method: 'GET',
    host: 'api.example.com:443',
    path: `/service-${i}/v1/users/42`,
    headers: ['accept', '*/*'],
  }),
  maxRoutes: noLimit,
};

const hosts: Kind = {
  route: (i) => entry(i, { hosts: [`tenant-${i}.example.com`], paths: [{ kind: 'prefix', text: '/' }] }),
  request: (i) => ({ method: 'GET', host: `tenant-${i}.example.com`, path: '/users/42', headers: [] }),
  maxRoutes: noLimit,
};

const wildcards: Kind = {
  route: (i) => entry(i, { hosts: [`*.tenant-${i}.example.com`], paths: [{ kind: 'prefix', text: '/' }] }),
  request: (i) => ({ method: 'GET', host: `www.tenant-${i}.example.com`, path: '/users/42', headers: [] }),
  maxRoutes: noLimit,
};

/** Four methods for each template. */
const templates: Kind = {
  route: (i) =>
    entry(i, {
      paths: [{ kind: 'template', text: `/v1/collection-${i >> 2}/{id}/items/{item}` }],
      methods: [methods[i & 3] ?? ''],
    }),
  request: (i) => ({
    method: methods[i & 3] ?? '',
    host: 'localhost',
    path: `/v1/collection-${i >> 2}/42/items/7`,
    headers: [],
  }),
  maxRoutes: noLimit,
};

const regexes: Kind = {
  route: (i) => entry(i, { paths: [{ kind: 'regex', pattern: `/service${i}/v(\\d+)/users`, priority: 0 }] }),
  request: (i) => ({ method: 'GET', host: 'localhost', path: `/service${i}/v1/users/7`, headers: [] }),
  maxRoutes: 10_000,
};

const mixed: Kind = {
  route: (i) => partOfMix(i).route(i),
  request: (i) => partOfMix(i).request(i),
  maxRoutes: noLimit,
};

export const kinds = { prefixes, hosts, wildcards, templates, regexes, mixed };

function partOfMix(i: number): Kind {
  switch (i % 10) {
    case 0:
    case 1:
      return hosts;
    case 2:
    case 3:
      return templates;
    default:
      return prefixes;
  }
}

function entry(i: number, criteria: Partial<RouteEntry<number>>): RouteEntry<number> {
  const unset = { priority: 0, hosts: [], paths: [], methods: [], headers: [] };
  return { name: `route-${i}`, target: i, createdRevision: BigInt(i), ordinal: 0, ...unset, ...criteria };
}
