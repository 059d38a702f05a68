import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';

import {
  Protocol,
  RouteProtocol,
  RouteSchema,
  SchemaSchema,
  ServiceSchema,
} from '../../proto/gen/sluice/v1/config_pb.js';
import { Kind, ResourceSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { bookSet, get } from '../../test/support/http-rules.js';
import { build, checkState } from './snapshot.js';

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';

type ServiceInit = MessageInitShape<typeof ServiceSchema>;
type RouteInit = MessageInitShape<typeof RouteSchema>;

function resource(kind: Kind, name: string, body: Uint8Array): Resource {
  return create(ResourceSchema, { kind, name, body });
}

const here = { source: { case: 'static' as const, value: { endpoints: [{ address: '127.0.0.1', port: 80 }] } } };

function service(init: ServiceInit = {}): Resource {
  const message = create(ServiceSchema, Object.assign({ name: 'web', discovery: here }, init));
  return resource(Kind.SERVICE, message.name, toBinary(ServiceSchema, message));
}

function route(init: RouteInit = {}, ordinal = 0): Resource {
  const defaults = { name: 'r', service: 'web', hosts: ['a.example'], meta: { createdRevision: 1n, ordinal } };
  const message = create(RouteSchema, Object.assign(defaults, init));
  return resource(Kind.ROUTE, message.name, toBinary(RouteSchema, message));
}

function schema(descriptorSet: Uint8Array, name = 'books'): Resource {
  return resource(Kind.SCHEMA, name, toBinary(SchemaSchema, create(SchemaSchema, { name, descriptorSet })));
}

const books = schema(bookSet(get('/v1/books/{id}')));
const grpc = service({ name: 'grpc', protocol: Protocol.GRPC });
const bookRoute = (init: RouteInit = {}, ordinal = 0) =>
  route(Object.assign({ name: 'books', service: 'grpc', transcode: { schema: 'books' } }, init), ordinal);
const calls = (init: RouteInit = {}) =>
  route(
    Object.assign(
      { name: 'calls', service: 'grpc', grpc: [{ service: 'a.B' }, { service: 'a.C', method: 'D' }] },
      init,
    ),
  );
const prefix = (value: string) => ({ kind: { case: 'prefix' as const, value } });
const regex = (pattern: string) => ({ kind: { case: 'regex' as const, value: { pattern } } });
const httpProbe = (path: string) => ({ probe: { case: 'http' as const, value: { path } } });
const template = (value: string) => ({ kind: { case: 'template' as const, value } });

describe('a config that works has no problem', () => {
  test.each<[string, Resource[]]>([
    ['nothing at all', []],
    ['a route to its service', [service(), route()]],
    ['a transcoded route', [grpc, books, bookRoute()]],
    [
      'gRPC calls by service, by method, and by path',
      [grpc, calls(), calls({ name: 'paths', grpc: [], paths: [prefix('/a.')] })],
    ],
    ['gRPC calls beside their transcoding', [grpc, books, bookRoute(), calls({ hosts: [] })]],
    [
      'a rewrite by names and numbers',
      [service(), route({ paths: [regex('/(?<a>x)/(y)'), template('/t/{b.c}')], rewrite: '/$$/${a}/$2/${b.c}/$0' })],
    ],
    ['two routes on one host with other paths', [service(), route(), route({ name: 's', paths: [prefix('/x')] })]],
    ['equal routes of which one is disabled', [service(), route(), route({ name: 's', enabled: false }, 1)]],
    ['equal routes of other priority', [service(), route(), route({ name: 's', priority: 1 }, 1)]],
    ['one schema on two hosts', [grpc, books, bookRoute(), bookRoute({ name: 'b', hosts: ['b.example'] }, 1)]],
    ['a probe of a path with a query', [service({ health: { active: httpProbe('/health?of=/../all') } })]],
    [
      'a redirect of a route that is https alone',
      [service(), route({ httpsRedirect: 301, protocols: [RouteProtocol.HTTPS] })],
    ],
  ])('%s', (_, resources) => {
    expect(checkState(resources)).toEqual([]);
  });
});

describe('a fault is reported with its resource, its field and the reason', () => {
  test.each<[string, Resource[], string, string, RegExp]>([
    ['a missing service', [route()], 'r', 'service', /no service "web"/],
    ['a missing schema', [grpc, bookRoute()], 'books', 'transcode.schema', /no schema "books"/],
    ['gRPC methods of an http service', [service(), calls({ service: 'web' })], 'calls', 'grpc', /does not speak grpc/],
    ['gRPC methods with paths', [grpc, calls({ paths: [prefix('/x')] })], 'calls', 'paths', /gives the paths/],
    [
      'gRPC methods without their path',
      [grpc, calls({ stripPath: true })],
      'calls',
      'strip_path',
      /name of the method/,
    ],
    ['gRPC methods with methods', [grpc, calls({ methods: ['POST'] })], 'calls', 'methods', /calls are POST/],
    [
      'a gRPC method twice',
      [grpc, calls({ grpc: [{ service: 'a.B' }, { service: 'a.B', method: 'C' }, { service: 'a.B' }] })],
      'calls',
      'grpc[2]',
      /same as grpc\[0\]/,
    ],
    [
      'gRPC methods with transcode',
      [grpc, books, bookRoute({ grpc: [{ service: 'a.B' }] })],
      'books',
      'grpc',
      /http rules/,
    ],
    [
      'transcode to an http service',
      [service(), books, bookRoute({ service: 'web' })],
      'books',
      'service',
      /does not speak grpc/,
    ],
    ['transcode with paths', [grpc, books, bookRoute({ paths: [prefix('/x')] })], 'books', 'paths', /http rules/],
    ['transcode with methods', [grpc, books, bookRoute({ methods: ['GET'] })], 'books', 'methods', /http rules/],
    [
      'transcode of an unknown gRPC service',
      [grpc, books, bookRoute({ transcode: { schema: 'books', services: ['books.v1.Books', 'x.Y'] } })],
      'books',
      'transcode.services[1]',
      /no service x\.Y/,
    ],
    [
      'transcode of a schema without rules',
      [grpc, schema(bookSet(null)), bookRoute()],
      'books',
      'transcode.schema',
      /no service .* has http rules/,
    ],
    ['nothing to match', [service(), route({ hosts: [] })], 'r', '', /at least one of/],
    [
      'a bad host',
      [service(), route({ hosts: ['ok.example', 'a.*.b'] })],
      'r',
      'hosts[1]',
      /leftmost or the rightmost/,
    ],
    ['a bad regex', [service(), route({ paths: [regex('(')] })], 'r', 'paths[0].regex.pattern', /RE2/],
    ['a bad template', [service(), route({ paths: [template('/a/{b')] })], 'r', 'paths[0].template', /column/],
    [
      'a rewrite by a group that no path has',
      [service(), route({ paths: [regex('/(a)')], rewrite: '/$2' })],
      'r',
      'rewrite',
      /\$2/,
    ],
    [
      'a rewrite by a name that no path has',
      [service(), route({ paths: [prefix('/x')], rewrite: '/${id}' })],
      'r',
      'rewrite',
      /\$\{id\}/,
    ],
    [
      'a lone dollar in a rewrite',
      [service(), route({ paths: [prefix('/x')], rewrite: '/a$' })],
      'r',
      'rewrite',
      /\$\$/,
    ],
    ['a redirect on plain http', [service(), route({ httpsRedirect: 301 })], 'r', 'https_redirect', /https alone/],
    [
      "per_try longer than the service's request",
      [service({ timeouts: { request: { seconds: 1n } } }), route({ timeouts: { perTry: { seconds: 2n } } })],
      'r',
      'timeouts.per_try',
      /longer than request/,
    ],
    [
      'connect longer than request',
      [service({ timeouts: { connect: { seconds: 3n }, request: { seconds: 1n } } })],
      'web',
      'timeouts.connect',
      /3000 ms.*1000 ms/,
    ],
    [
      'an endpoint named twice',
      [
        service({
          discovery: {
            source: {
              case: 'static',
              value: {
                endpoints: [
                  { address: 'A', port: 1 },
                  { address: 'a', port: 1 },
                ],
              },
            },
          },
        }),
      ],
      'web',
      'discovery.static.endpoints[1]',
      /endpoints\[0\]/,
    ],
    ['tls on a plain service', [service({ tls: { skipVerify: true } })], 'web', 'tls', /https or grpcs/],
    [
      'a certificate that is none',
      [service({ protocol: Protocol.HTTPS, tls: { caPem: 'x' } })],
      'web',
      'tls.ca_pem',
      /PEM/,
    ],
    [
      'an http probe of a gRPC service',
      [service({ protocol: Protocol.GRPC, health: { active: httpProbe('/healthz') } })],
      'web',
      'health.active.http',
      /http or https; use grpc or tcp/,
    ],
    [
      'a grpc probe of an http service',
      [service({ health: { active: { probe: { case: 'grpc', value: {} } } } })],
      'web',
      'health.active.grpc',
      /grpc or grpcs; use http or tcp/,
    ],
    [
      'a probe of a path with a dot segment',
      [service({ health: { active: httpProbe('/a/../b?c=/../') } })],
      'web',
      'health.active.http.path',
      /segment/,
    ],
    [
      'a probe that may take longer than its interval',
      [service({ health: { active: { ...httpProbe('/'), timeout: { seconds: 6n } } } })],
      'web',
      'health.active.timeout',
      /interval \(5000 ms\)/,
    ],
    [
      'a descriptor set that is none',
      [schema(Uint8Array.of(0x0a, 0x7f))],
      'books',
      'descriptor_set',
      /FileDescriptorSet/,
    ],
    [
      'a bad http rule',
      [schema(bookSet(get('/v1/{id')))],
      'books',
      'descriptor_set',
      /books\.proto: books\.v1\.Books\.Get1: template "\/v1\/\{id": column \d+/,
    ],
    ['a body that cannot be decoded', [resource(Kind.ROUTE, 'r', Uint8Array.of(0xff))], 'r', '', /decoded/],
    ['a body of another name', [resource(Kind.ROUTE, 'other', route().body)], 'other', '', /decoded/],
  ])('%s', (_, resources, name, field, reason) => {
    const problems = checkState(resources);

    expect(problems).toEqual([{ kind: expect.any(Number), name, field, reason: expect.stringMatching(reason) }]);
  });
});

describe('of two routes that match the same', () => {
  test('both are named by checkState, and the younger is left out of the build', () => {
    const resources = [service(), route({ name: 'young' }, 2), route({ name: 'old' }, 1)];

    const built = build(resources);

    expect(checkState(resources)).toMatchObject([
      { name: 'old', reason: expect.stringContaining('"young"') },
      { name: 'young', reason: expect.stringContaining('"old"') },
    ]);
    expect(built.resources.map(({ name }) => name)).toEqual(['web', 'old']);
  });

  test('two transcoded routes are reported once, with the binding', () => {
    const problems = checkState([grpc, books, bookRoute(), bookRoute({ name: 'copy' }, 1)]);

    expect(problems.map(({ name }) => name)).toEqual(['books', 'copy']);
    expect(problems[1]?.reason).toContain('GET /v1/books/{id} (books.v1.Books/Get1)');
  });

  test('a transcoded binding and a plain template route collide', () => {
    const plain = route({ name: 'plain', paths: [template('/v1/books/{other}')], methods: ['GET'] }, 1);

    expect(checkState([service(), grpc, books, bookRoute(), plain]).map(({ name }) => name)).toEqual([
      'books',
      'plain',
    ]);
  });
});

describe('the build', () => {
  test('leaves out what refers to what is left out, and says why', () => {
    const resources = [grpc, schema(bookSet(get('no slash'))), bookRoute(), service(), route()];

    const built = build(resources);

    expect(built.resources.map(({ name }) => name)).toEqual(['grpc', 'web', 'r']);
    expect(built.problems).toMatchObject([
      { kind: Kind.SCHEMA, name: 'books', field: 'descriptor_set' },
      { kind: Kind.ROUTE, name: 'books', field: 'transcode.schema', reason: expect.stringContaining('left out') },
    ]);
  });

  test('is the same for any order of the resources', () => {
    const resources = [
      service(),
      grpc,
      books,
      bookRoute(),
      route(),
      route({ name: 's' }, 1),
      route({ name: 't', service: 'gone' }),
    ];

    const forwards = build(resources);
    const backwards = build(resources.toReversed());

    expect(backwards.resources).toEqual(forwards.resources);
    expect(backwards.problems).toEqual(forwards.problems);
  });

  test('hands on the very bytes that it was given', () => {
    const only = route();

    expect(build([service(), only]).resources[1]).toBe(only);
  });
});
