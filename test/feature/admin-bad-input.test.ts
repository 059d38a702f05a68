import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { code } from '../../control-plane/errors.js';
import { Admin, ApplyRequestSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { Protocol, RouteProtocol } from '../../proto/gen/sluice/v1/config_pb.js';
import {
  bookRoute,
  bookSchema,
  grpcService,
  httpService,
  prefixRoute,
  staticEndpoints,
} from '../support/admin-config.js';
import { refusalOf, startAdmin } from '../support/admin.js';
import { bookFile, bookSet, descriptorSet, get } from '../support/http-rules.js';

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AdminFixture } from '../support/admin.js';

type Methods = (typeof Admin)['method'];
type Init<K extends keyof Methods> = MessageInitShape<Methods[K]['input']>;
type ServicePatch = Partial<Extract<NonNullable<Init<'createService'>['service']>, { $typeName?: never }>>;
type RoutePatch = Partial<Extract<NonNullable<Init<'createRoute'>['route']>, { $typeName?: never }>>;

let admin: AdminFixture;
let before: { readonly revision: bigint; readonly digest: Uint8Array };

/** What every row finds: services orders, secure and library, the schema books, and the routes orders-read and books. */
const stored = {
  services: [httpService(), { ...httpService('secure', 9443), protocol: Protocol.HTTPS }, grpcService()],
  schemas: [bookSchema(), { name: 'no-rules', descriptorSet: bookSet(null) }],
  routes: [prefixRoute(), bookRoute()],
};

beforeAll(async () => {
  admin = await startAdmin();
});

beforeEach(async () => {
  await admin.client.call('apply', { ...stored, prune: true });
  before = await state();
  admin.logged.length = 0;
});

afterAll(() => admin.close());

async function state() {
  const { version } = await admin.store.read();
  return { revision: version.revision, digest: version.digest };
}

/** What a bad call ended with: the refusal as far as `field` is concerned ('' is none), and what it left behind. */
async function outcome(call: Promise<unknown>, field: string) {
  const { code: status, message, fields, descriptions } = await refusalOf(call);
  const reasons = descriptions.filter((_, i) => fields[i] === field);
  return {
    status,
    field: field === '' || fields.includes(field) ? field : fields.join(', '),
    reason: field === '' ? message : reasons.join('; '),
    config: await state(),
    logged: [...admin.logged],
  };
}

/** Refused for this reason, the config as it was, and nothing of it our fault. */
function refused(status: number, field: string, reason: RegExp) {
  return { status, field, reason: expect.stringMatching(reason) as unknown, config: before, logged: [] };
}

const mebi = 'x'.repeat(1024 * 1024);
const endpoint = (more: object) => ({
  source: { case: 'static' as const, value: { endpoints: [{ address: '127.0.0.1', port: 80, ...more }] } },
});
const consul = (more: object) => ({ source: { case: 'consul' as const, value: { service: 'web', ...more } } });
/** An enum value of a newer client. */
const unknownEnum = (value: number) => value as Protocol & RouteProtocol;
const staticField = 'service.discovery.static.endpoints[0]';
const outOfDuration = /greater than 0s and less than or equal to 86400s/;
const badName = /does not match|at most 128/;

const badServices: [string, ServicePatch, string, RegExp][] = [
  ['no name', { name: '' }, 'service.name', /required/],
  ['a name of 1 MiB', { name: mebi }, 'service.name', /128/],
  ['a name with a space', { name: 'a b' }, 'service.name', badName],
  ['a name with a slash', { name: 'a/b' }, 'service.name', badName],
  ['a name that begins with a dot', { name: '.a' }, 'service.name', badName],
  ['a name that ends with a dash', { name: 'a-' }, 'service.name', badName],
  ['a name with a line break', { name: 'a\nb' }, 'service.name', badName],
  ['a name that ends with a line break', { name: 'a\n' }, 'service.name', badName],
  ['a name with a NUL', { name: 'a\0b' }, 'service.name', badName],
  ['a name in Cyrillic', { name: 'зaказы' }, 'service.name', badName],
  ['a name with a zero-width space', { name: 'a\u200bb' }, 'service.name', badName],
  ['a name of 129 characters', { name: 'a'.repeat(129) }, 'service.name', /128/],
  ['an unknown protocol', { protocol: unknownEnum(99) }, 'service.protocol', /defined enum/],
  ['a negative protocol', { protocol: unknownEnum(-1) }, 'service.protocol', /defined enum/],
  ['no discovery', { discovery: undefined }, 'service.discovery', /required/],
  ['a discovery without a source', { discovery: {} }, 'service.discovery.source', /exactly one/],
  ['no static endpoint', { discovery: staticEndpoints() }, 'service.discovery.static.endpoints', /at least 1/],
  ['an endpoint without an address', { discovery: endpoint({ address: '' }) }, `${staticField}.address`, /required/],
  [
    'an address with a port',
    { discovery: endpoint({ address: '10.0.0.1:80' }) },
    `${staticField}.address`,
    /IP address or a host name/,
  ],
  [
    'an address in brackets',
    { discovery: endpoint({ address: '[::1]' }) },
    `${staticField}.address`,
    /IP address or a host name/,
  ],
  [
    'an address with a scheme',
    { discovery: endpoint({ address: 'http://a' }) },
    `${staticField}.address`,
    /IP address or a host name/,
  ],
  [
    'an address with a space',
    { discovery: endpoint({ address: 'a b' }) },
    `${staticField}.address`,
    /IP address or a host name/,
  ],
  [
    'an IPv4 address out of range',
    { discovery: endpoint({ address: '10.0.0.256' }) },
    `${staticField}.address`,
    /IP address or a host name/,
  ],
  [
    'an address with an underscore',
    { discovery: endpoint({ address: 'a_b' }) },
    `${staticField}.address`,
    /IP address or a host name/,
  ],
  [
    'an address with a line break',
    { discovery: endpoint({ address: 'a\r\nb' }) },
    `${staticField}.address`,
    /IP address or a host name/,
  ],
  ['an address of 1 MiB', { discovery: endpoint({ address: mebi }) }, `${staticField}.address`, /253/],
  ['port 0', { discovery: endpoint({ port: 0 }) }, `${staticField}.port`, /1 and less than or equal to 65535/],
  ['port 65536', { discovery: endpoint({ port: 65536 }) }, `${staticField}.port`, /65535/],
  ['port 2^32 - 1', { discovery: endpoint({ port: 4294967295 }) }, `${staticField}.port`, /65535/],
  ['a negative weight', { discovery: endpoint({ weight: -1 }) }, `${staticField}.weight`, /greater than or equal to 0/],
  [
    'the least weight',
    { discovery: endpoint({ weight: -2147483648 }) },
    `${staticField}.weight`,
    /greater than or equal to 0/,
  ],
  ['a weight of 65536', { discovery: endpoint({ weight: 65536 }) }, `${staticField}.weight`, /65535/],
  ['a huge weight', { discovery: endpoint({ weight: 2147483647 }) }, `${staticField}.weight`, /65535/],
  ['an empty tag', { discovery: endpoint({ tags: [''] }) }, `${staticField}.tags[0]`, /at least 1/],
  ['a tag of 1 MiB', { discovery: endpoint({ tags: ['a', mebi] }) }, `${staticField}.tags[1]`, /256/],
  [
    '65 tags',
    { discovery: endpoint({ tags: Array.from({ length: 65 }, (_, i) => `${i}`) }) },
    `${staticField}.tags`,
    /64/,
  ],
  [
    'a tag with a control character',
    { discovery: endpoint({ tags: ['a\u0007'] }) },
    `${staticField}.tags[0]`,
    /control/,
  ],
  [
    'the same endpoint twice',
    { discovery: staticEndpoints(80, 81, 80) },
    'service.discovery.static.endpoints[2]',
    /endpoints\[0\]/,
  ],
  [
    '10,001 endpoints',
    { discovery: staticEndpoints(...Array.from({ length: 10_001 }, (_, i) => i + 1)) },
    'service.discovery.static.endpoints',
    /10000/,
  ],
  ['consul without a service', { discovery: consul({ service: '' }) }, 'service.discovery.consul.service', /required/],
  [
    'a consul service with a space',
    { discovery: consul({ service: 'a b' }) },
    'service.discovery.consul.service',
    /does not match/,
  ],
  [
    'a consul service with a query',
    { discovery: consul({ service: 'a?x=1' }) },
    'service.discovery.consul.service',
    /does not match/,
  ],
  [
    'a consul service that climbs',
    { discovery: consul({ service: '../kv/x' }) },
    'service.discovery.consul.service',
    /does not match/,
  ],
  ['a consul service of 1 MiB', { discovery: consul({ service: mebi }) }, 'service.discovery.consul.service', /256/],
  [
    'an empty consul tag',
    { discovery: consul({ tags: ['v1', ''] }) },
    'service.discovery.consul.tags[1]',
    /at least 1/,
  ],
  [
    'the same consul tag twice',
    { discovery: consul({ tags: ['v1', 'v1'] }) },
    'service.discovery.consul.tags',
    /unique/,
  ],
  [
    'a consul tag with a line break',
    { discovery: consul({ tags: ['a\nb'] }) },
    'service.discovery.consul.tags[0]',
    /control/,
  ],
  [
    'a datacenter with a slash',
    { discovery: consul({ datacenter: 'a/b' }) },
    'service.discovery.consul.datacenter',
    /does not match/,
  ],
  ['a path without a slash', { path: 'x' }, 'service.path', /does not match/],
  ['a path with a query', { path: '/x?a=1' }, 'service.path', /does not match/],
  ['a path with a fragment', { path: '/x#a' }, 'service.path', /does not match/],
  ['a path with a space', { path: '/a b' }, 'service.path', /does not match/],
  ['a path with dot segments', { path: '/a/../b' }, 'service.path', /segment/],
  ['a path with an encoded dot segment', { path: '/a/%2e%2E' }, 'service.path', /segment/],
  ['a path with half an escape', { path: '/a%2' }, 'service.path', /escape/],
  ['a path with a control character', { path: '/a\u0001' }, 'service.path', /control/],
  ['a path that is not ASCII', { path: '/ä' }, 'service.path', /ASCII/],
  ['a path of 1 MiB', { path: `/${mebi}` }, 'service.path', /2048/],
  ['a host with a scheme', { host: 'http://a' }, 'service.host', /does not match/],
  ['a host with a line break', { host: 'a\r\nx: y' }, 'service.host', /does not match/],
  ['a host with a wildcard', { host: '*.example.com' }, 'service.host', /does not match/],
  ['a host with port 0', { host: 'a:0' }, 'service.host', /port/],
  ['a host with port 65536', { host: 'a:65536' }, 'service.host', /port/],
  ['a host of 1 MiB', { host: mebi }, 'service.host', /261/],
  [
    'an unknown balancing policy',
    { balancing: { policy: unknownEnum(77) } },
    'service.balancing.policy',
    /defined enum/,
  ],
  ['connect of zero', { timeouts: { connect: {} } }, 'service.timeouts.connect', outOfDuration],
  ['a negative read', { timeouts: { read: { seconds: -1n } } }, 'service.timeouts.read', outOfDuration],
  [
    'write of more than a day',
    { timeouts: { write: { seconds: 86_400n, nanos: 1 } } },
    'service.timeouts.write',
    outOfDuration,
  ],
  [
    'request of 292 years',
    { timeouts: { request: { seconds: 9_223_372_036n } } },
    'service.timeouts.request',
    outOfDuration,
  ],
  [
    'request of the greatest int64',
    { timeouts: { request: { seconds: 2n ** 63n - 1n } } },
    'service.timeouts.request',
    outOfDuration,
  ],
  ['a negative per_try in nanos', { timeouts: { perTry: { nanos: -5 } } }, 'service.timeouts.per_try', outOfDuration],
  ['nanos of the other sign', { timeouts: { read: { seconds: 2n, nanos: -1 } } }, 'service.timeouts.read', /nanos/],
  ['nanos of more than a second', { timeouts: { read: { nanos: 1_000_000_000 } } }, 'service.timeouts.read', /nanos/],
  [
    'connect longer than request',
    { timeouts: { connect: { seconds: 2n }, request: { seconds: 1n } } },
    'service.timeouts.connect',
    /longer/,
  ],
  [
    'connect longer than per_try',
    { timeouts: { connect: { seconds: 2n }, perTry: { seconds: 1n } } },
    'service.timeouts.connect',
    /longer/,
  ],
  [
    'per_try longer than request',
    { timeouts: { perTry: { seconds: 2n }, request: { nanos: 5 } } },
    'service.timeouts.per_try',
    /longer/,
  ],
  ['11 retries', { retries: { attempts: 11 } }, 'service.retries.attempts', /10/],
  ['a retry budget of 101 %', { retries: { budgetPercent: 101 } }, 'service.retries.budget_percent', /100/],
  ['tls on plain http', { tls: { skipVerify: true } }, 'service.tls', /https/],
  ['tls on plain gRPC', { protocol: Protocol.GRPC, tls: {} }, 'service.tls', /grpcs/],
  ['a CA that is no PEM', { protocol: Protocol.HTTPS, tls: { caPem: 'hello' } }, 'service.tls.ca_pem', /PEM/],
  [
    'a CA of garbage in PEM',
    { protocol: Protocol.HTTPS, tls: { caPem: pem('Z2FyYmFnZQ==') } },
    'service.tls.ca_pem',
    /PEM/,
  ],
  ['a CA of 1 MiB', { protocol: Protocol.HTTPS, tls: { caPem: mebi } }, 'service.tls.ca_pem', /262144/],
  [
    'a server name with a space',
    { protocol: Protocol.HTTPS, tls: { serverName: 'a b' } },
    'service.tls.server_name',
    /does not match/,
  ],
];

function pem(base64: string): string {
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

describe('CreateService refuses', () => {
  test.each(badServices)('%s', async (_, patch, field, reason) => {
    const service = Object.assign(httpService('new'), patch);

    expect(await outcome(admin.client.call('createService', { service }), field)).toEqual(
      refused(code.invalidArgument, field, reason),
    );
  });
});

const prefix = (value: string) => ({ paths: [{ kind: { case: 'prefix' as const, value } }] });
const exact = (value: string) => ({ paths: [{ kind: { case: 'exact' as const, value } }] });
const segmentPrefix = (value: string) => ({ paths: [{ kind: { case: 'segmentPrefix' as const, value } }] });
const regex = (pattern: string) => ({ paths: [{ kind: { case: 'regex' as const, value: { pattern } } }] });
const template = (value: string) => ({ paths: [{ kind: { case: 'template' as const, value } }] });
const hosts = (...list: string[]) => ({ hosts: list });
const header = (name: string, ...values: string[]) => ({ headers: [{ name, values }] });
const calls = (match: object) => ({ ...prefix(''), paths: [], service: 'library', grpc: [match] });

const transcode = (more: object) => ({
  ...prefix(''),
  paths: [],
  service: 'library',
  hosts: ['t.example'],
  transcode: { schema: 'books', ...more },
});
const pattern = 'route.paths[0].regex.pattern';
const bad2048 = /2048/;

const badRoutes: [string, RoutePatch, string, RegExp][] = [
  ['no name', { name: '' }, 'route.name', /required/],
  ['a name of 1 MiB', { name: mebi }, 'route.name', /128/],
  ['a name with a quote', { name: 'a"b' }, 'route.name', badName],
  ['a name with an escape sequence', { name: '\u001b[2J' }, 'route.name', badName],
  ['no service', { service: '' }, 'route.service', /required/],
  ['a service that does not exist', { service: 'nope' }, 'route.service', /no service "nope"/],
  ['a service name in other letters', { service: 'Orders' }, 'route.service', /no service "Orders"/],
  ['a service of 1 MiB', { service: mebi }, 'route.service', /128/],
  ['nothing to match', { hosts: [], paths: [] }, 'route', /at least one of/],
  ['an empty host', hosts(''), 'route.hosts[0]', /at least 1/],
  ['a host of 1 MiB', hosts('ok.example', mebi), 'route.hosts[1]', /253/],
  ['the same host twice', hosts('a.example', 'a.example'), 'route.hosts', /unique/],
  ['1,001 hosts', hosts(...Array.from({ length: 1001 }, (_, i) => `h${i}`)), 'route.hosts', /1000/],
  ['the host *', hosts('*'), 'route.hosts[0]', /alone/],
  ['two stars in a host', hosts('*.example.*'), 'route.hosts[0]', /more than one/],
  ['two leading stars', hosts('*.*.example'), 'route.hosts[0]', /more than one/],
  ['a star inside a label', hosts('a*.example'), 'route.hosts[0]', /whole label/],
  ['a star at the end of a label', hosts('example.co*'), 'route.hosts[0]', /whole label/],
  ['a star in the middle', hosts('a.*.example'), 'route.hosts[0]', /leftmost or the rightmost/],
  ['a double star', hosts('**.example'), 'route.hosts[0]', /"\*"/],
  ['a wildcard with a port', hosts('*.example:80'), 'route.hosts[0]', /port/],
  ['a host with a port', hosts('a.example:8080'), 'route.hosts[0]', /port/],
  ['a host with a scheme', hosts('http://a.example'), 'route.hosts[0]', /port|label/],
  ['a host with a path', hosts('a.example/x'), 'route.hosts[0]', /label/],
  ['a host with a space', hosts('a b'), 'route.hosts[0]', /label/],
  ['a host with a line break', hosts('a\nb'), 'route.hosts[0]', /label/],
  ['a host with an empty label', hosts('a..b'), 'route.hosts[0]', /empty label/],
  ['a host that begins with a dot', hosts('.example'), 'route.hosts[0]', /empty label/],
  ['a host that ends with a dot', hosts('a.example.'), 'route.hosts[0]', /empty label/],
  ['a label that begins with a dash', hosts('-a.example'), 'route.hosts[0]', /label/],
  ['a host that is not ASCII', hosts('bücher.example'), 'route.hosts[0]', /label/],
  ['an IPv6 host without brackets', hosts('::1'), 'route.hosts[0]', /brackets/],
  ['an IPv6 host with a port', hosts('[::1]:80'), 'route.hosts[0]', /port/],
  ['garbage in brackets', hosts('[x]'), 'route.hosts[0]', /IPv6/],
  ['a path of no kind', { paths: [{}] }, 'route.paths[0].kind', /exactly one/],
  ['an empty prefix', prefix(''), 'route.paths[0].prefix', /at least 1/],
  ['a prefix without a slash', prefix('x'), 'route.paths[0].prefix', /begin with/],
  ['a prefix with a space', prefix('/a b'), 'route.paths[0].prefix', /percent-encoded/],
  ['a prefix with a query', prefix('/a?b'), 'route.paths[0].prefix', /percent-encoded/],
  ['a prefix with a fragment', prefix('/a#b'), 'route.paths[0].prefix', /percent-encoded/],
  ['a prefix with a control character', prefix('/a\u0000'), 'route.paths[0].prefix', /percent-encoded/],
  ['a prefix with half an escape', prefix('/%4'), 'route.paths[0].prefix', /escape/],
  ['a prefix with dot segments', prefix('/a/../b'), 'route.paths[0].prefix', /segment/],
  ['a prefix with encoded dot segments', prefix('/a/%2e%2e/b'), 'route.paths[0].prefix', /segment/],
  ['a prefix of 1 MiB', prefix(`/${mebi}`), 'route.paths[0].prefix', bad2048],
  ['an empty exact path', exact(''), 'route.paths[0].exact', /at least 1/],
  ['an exact path without a slash', exact('*'), 'route.paths[0].exact', /begin with/],
  ['an exact path with a backslash', exact('/a\\b'), 'route.paths[0].exact', /percent-encoded/],
  ['an exact path of 1 MiB', exact(`/${mebi}`), 'route.paths[0].exact', bad2048],
  ['an empty segment_prefix', segmentPrefix(''), 'route.paths[0].segment_prefix', /at least 1/],
  ['a segment_prefix with a dot segment', segmentPrefix('/./a'), 'route.paths[0].segment_prefix', /segment/],
  ['a segment_prefix without a slash', segmentPrefix('a/'), 'route.paths[0].segment_prefix', /begin with/],
  [
    '1,001 paths',
    { paths: Array.from({ length: 1001 }, (_, i) => ({ kind: { case: 'exact' as const, value: `/${i}` } })) },
    'route.paths',
    /1000/,
  ],
  [
    'the second of two paths',
    { paths: [...prefix('/ok').paths, ...prefix('x').paths] },
    'route.paths[1].prefix',
    /begin with/,
  ],
  ['an empty regex', regex(''), pattern, /at least 1/],
  ['an open group', regex('/(a'), pattern, /missing closing \)/],
  ['a closed group that was not open', regex('/a)'), pattern, /unexpected \)/],
  ['parentheses that only an anchor would balance', regex('a)|(b'), pattern, /unexpected \)/],
  ['an open class', regex('/[a'), pattern, /missing closing \]/],
  ['a class range backwards', regex('/[z-a]'), pattern, /character class range/],
  ['nothing to repeat', regex('*a'), pattern, /missing argument/],
  ['a repetition twice', regex('/a**'), pattern, /repetition/],
  ['a repetition backwards', regex('/a{3,2}'), pattern, /repe/],
  ['a repetition of 1,001', regex('/a{1001}'), pattern, /repe/],
  ['repetitions that multiply', regex('/((a{100}){100}){100}'), pattern, /costly|repe/],
  ['a lookahead', regex('/(?=a)'), pattern, /RE2/],
  ['a lookbehind', regex('/(?<!a)b'), pattern, /RE2|group/],
  ['a backreference', regex('/(a)\\1'), pattern, /escape/],
  ['a trailing backslash', regex('/a\\'), pattern, /backslash/],
  ['an unknown class', regex('/\\p{Klingon}'), pattern, /character class/],
  ['two groups of one name', regex('/(?<a>x)(?<a>y)'), pattern, /duplicate|group/i],
  ['a bad group name', regex('/(?<a-b>x)'), pattern, /named capture/],
  ['a possessive quantifier', regex('/a++'), pattern, /repetition/],
  ['a regex of 1 MiB', regex(mebi), pattern, bad2048],
  ['an empty template', template(''), 'route.paths[0].template', /at least 1/],
  ['a template without a slash', template('a/{b}'), 'route.paths[0].template', /column 1/],
  ['a template with an open variable', template('/a/{b'), 'route.paths[0].template', /column 6.*not closed/],
  ['a template with an empty variable', template('/a/{}'), 'route.paths[0].template', /column 5/],
  ['a template with an empty segment', template('/a//b'), 'route.paths[0].template', /column 4.*empty/],
  ['a template that ends with a slash', template('/a/'), 'route.paths[0].template', /column 4.*empty/],
  ['a template with a variable within a variable', template('/{a={b}}'), 'route.paths[0].template', /nested/],
  ['a template with one variable twice', template('/{a}/{a}'), 'route.paths[0].template', /twice/],
  ['a template with two double stars', template('/**/a/**'), 'route.paths[0].template', /only one/],
  ['a template with three stars', template('/***'), 'route.paths[0].template', /"\*" or "\*\*"/],
  ['a template with a star in a segment', template('/a*'), 'route.paths[0].template', /whole segment/],
  ['a template with a variable in a segment', template('/a{b}'), 'route.paths[0].template', /whole segment/],
  ['a template with a bad field name', template('/{1a}'), 'route.paths[0].template', /field name/],
  ['a template with an empty verb', template('/a:'), 'route.paths[0].template', /verb/],
  ['a template with a verb in the middle', template('/a:b/c'), 'route.paths[0].template', /verb/],
  ['a template with half an escape', template('/a%2'), 'route.paths[0].template', /escape/],
  ['a template with a query', template('/a?b'), 'route.paths[0].template', /column 3/],
  ['a template of 1 MiB', template(`/${mebi}`), 'route.paths[0].template', bad2048],
  ['a method in lower case', { methods: ['get'] }, 'route.methods[0]', /does not match/],
  ['an empty method', { methods: ['GET', ''] }, 'route.methods[1]', /at least 1|does not match/],
  ['the method *', { methods: ['*'] }, 'route.methods[0]', /does not match/],
  ['a method with a space', { methods: ['GET /'] }, 'route.methods[0]', /does not match/],
  ['a method with a line break', { methods: ['GET\r'] }, 'route.methods[0]', /does not match/],
  ['the same method twice', { methods: ['GET', 'GET'] }, 'route.methods', /unique/],
  ['a method of 1 MiB', { methods: ['G'.repeat(1024 * 1024)] }, 'route.methods[0]', /32/],
  ['65 methods', { methods: Array.from({ length: 65 }, (_, i) => `M${i}`) }, 'route.methods', /64/],
  ['a header without a name', header('', 'x'), 'route.headers[0].name', /at least 1|does not match/],
  ['a header name with a space', header('a b', 'x'), 'route.headers[0].name', /does not match/],
  ['a header name with a colon', header(':path', 'x'), 'route.headers[0].name', /does not match/],
  ['a header name with a line break', header('a\nb', 'x'), 'route.headers[0].name', /does not match/],
  ['a header name of 1 MiB', header(mebi, 'x'), 'route.headers[0].name', /256/],
  ['a header without values', header('a'), 'route.headers[0].values', /at least 1/],
  ['a header value with a line break', header('a', 'ok', 'x\r\ny: z'), 'route.headers[0].values[1]', /hold/],
  ['a header value with space around it', header('a', ' x'), 'route.headers[0].values[0]', /hold/],
  ['a header value of 1 MiB', header('a', mebi), 'route.headers[0].values[0]', /1024/],
  [
    '65 headers',
    { headers: Array.from({ length: 65 }, (_, i) => ({ name: `h${i}`, values: ['x'] })) },
    'route.headers',
    /64/,
  ],
  ['protocol 0', { protocols: [unknownEnum(0)] }, 'route.protocols[0]', /must not be in list/],
  ['an unknown protocol', { protocols: [RouteProtocol.HTTP, unknownEnum(9)] }, 'route.protocols[1]', /defined enum/],
  ['the same protocol twice', { protocols: [RouteProtocol.HTTP, RouteProtocol.HTTP] }, 'route.protocols', /unique/],
  ['a rewrite without a slash', { rewrite: 'x' }, 'route.rewrite', /does not match/],
  ['a rewrite with a query', { rewrite: '/x?y' }, 'route.rewrite', /does not match/],
  ['a rewrite by a number that no path captures', { ...regex('/(a)'), rewrite: '/$2' }, 'route.rewrite', /\$2/],
  [
    'a rewrite by a name that no path captures',
    { ...template('/{id}'), rewrite: '/${di}' },
    'route.rewrite',
    /\$\{di\}/,
  ],
  ['a rewrite by a capture of a prefix', { rewrite: '/$1' }, 'route.rewrite', /\$1/],
  ['a rewrite with a lone dollar', { rewrite: '/a$b' }, 'route.rewrite', /\$\$/],
  ['a rewrite with an open reference', { ...template('/{id}'), rewrite: '/${id' }, 'route.rewrite', /\$\$/],
  ['a rewrite with a dot segment', { rewrite: '/a/../b' }, 'route.rewrite', /segment/],
  ['a rewrite with half an escape', { rewrite: '/a%2' }, 'route.rewrite', /escape/],
  ['a rewrite of 1 MiB', { rewrite: `/${mebi}` }, 'route.rewrite', bad2048],
  ['the redirect 200', { httpsRedirect: 200 }, 'route.https_redirect', /in list/],
  ['the redirect 303', { httpsRedirect: 303 }, 'route.https_redirect', /in list/],
  ['a redirect of a route for both protocols', { httpsRedirect: 301 }, 'route.https_redirect', /https alone/],
  [
    'a redirect of a route for http',
    { httpsRedirect: 308, protocols: [RouteProtocol.HTTP] },
    'route.https_redirect',
    /https alone/,
  ],
  ['a zero timeout', { timeouts: { request: {} } }, 'route.timeouts.request', outOfDuration],
  ['a timeout of more than a day', { timeouts: { read: { seconds: 86_401n } } }, 'route.timeouts.read', outOfDuration],
  [
    'a timeout with nanos of the other sign',
    { timeouts: { write: { seconds: 1n, nanos: -1 } } },
    'route.timeouts.write',
    /nanos/,
  ],
  [
    'per_try longer than request',
    { timeouts: { perTry: { seconds: 2n }, request: { seconds: 1n } } },
    'route.timeouts.per_try',
    /longer/,
  ],
  ['11 retries', { retries: { attempts: 11 } }, 'route.retries.attempts', /10/],
  ['a retry budget of 2^32 - 1 %', { retries: { budgetPercent: 4294967295 } }, 'route.retries.budget_percent', /100/],
  ['transcode without a schema', transcode({ schema: '' }), 'route.transcode.schema', /required/],
  [
    'transcode by a schema that does not exist',
    transcode({ schema: 'nope' }),
    'route.transcode.schema',
    /no schema "nope"/,
  ],
  ['transcode by a schema of 1 MiB', transcode({ schema: mebi }), 'route.transcode.schema', /128/],
  ['transcode by a schema without rules', transcode({ schema: 'no-rules' }), 'route.transcode.schema', /http rules/],
  [
    'transcode of a gRPC service that does not exist',
    transcode({ services: ['books.v1.Books', 'books.v1.Nope'] }),
    'route.transcode.services[1]',
    /books\.v1\.Nope/,
  ],
  ['transcode of an empty gRPC service', transcode({ services: [''] }), 'route.transcode.services[0]', /at least 1/],
  ['transcode of one gRPC service twice', transcode({ services: ['a', 'a'] }), 'route.transcode.services', /unique/],
  ['an unknown profile', transcode({ profile: unknownEnum(8) }), 'route.transcode.profile', /defined enum/],
  ['transcode to an http service', { ...transcode({}), service: 'orders' }, 'route.service', /grpc/],
  ['transcode to an https service', { ...transcode({}), service: 'secure' }, 'route.service', /grpc/],
  [
    'transcode to a service that does not exist',
    { ...transcode({}), service: 'nope' },
    'route.service',
    /no service "nope"/,
  ],
  ['gRPC calls of a service without a name', calls({ service: '' }), 'route.grpc[0].service', /required/],
  ['gRPC calls of a path', calls({ service: 'a.B/C' }), 'route.grpc[0].service', /pattern/],
  ['gRPC calls of a method that is none', calls({ service: 'a.B', method: '*' }), 'route.grpc[0].method', /pattern/],
  ['gRPC calls of a service of 1 MiB', calls({ service: mebi }), 'route.grpc[0].service', /512/],
  ['gRPC calls to an http service', { ...calls({ service: 'a.B' }), service: 'orders' }, 'route.grpc', /grpc/],
  ['transcode with paths', { ...transcode({}), ...prefix('/x') }, 'route.paths', /http rules/],
  ['transcode with methods', { ...transcode({}), methods: ['GET'] }, 'route.methods', /http rules/],
  ['transcode with a rewrite', { ...transcode({}), rewrite: '/x' }, 'route.rewrite', /http rules/],
  [
    'the criteria of another route',
    { hosts: ['API.example.com'], ...prefix('/orders') },
    'route',
    /route "orders-read"/,
  ],
  [
    'the bindings of another route',
    { ...transcode({}), hosts: ['api.example.com'] },
    'route',
    /route "books".*GET \/v1\/books\/\{id\}/,
  ],
  [
    'a template that a binding of another route has',
    { ...template('/v1/books/{other}'), methods: ['GET'] },
    'route',
    /route "books"/,
  ],
];

describe('CreateRoute refuses', () => {
  test.each(badRoutes)('%s', async (_, patch, field, reason) => {
    const route = Object.assign(prefixRoute('new', 'orders', '/new'), patch);

    expect(await outcome(admin.client.call('createRoute', { route }), field)).toEqual(
      refused(code.invalidArgument, field, reason),
    );
  });
});

const file = bookFile([get('/v1/x')]);
const post = (path: string, body: string) => ({ pattern: { case: 'post' as const, value: path }, body });
const inRule = (path: string, reason: string) =>
  new RegExp(`books\\.proto.*books\\.v1\\.Books\\.Get1.*${escape(JSON.stringify(path))}.*${reason}`);
const escape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');

const badSchemas: [string, Uint8Array, RegExp][] = [
  ['nothing', Uint8Array.of(), /required/],
  ['random bytes', Uint8Array.of(0xde, 0xad, 0xbe, 0xef), /FileDescriptorSet/],
  ['JSON', new TextEncoder().encode('{"file":[]}'), /FileDescriptorSet/],
  ['the text of a proto', new TextEncoder().encode('syntax = "proto3";'), /FileDescriptorSet|no file/],
  ['a gzipped set', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0), /FileDescriptorSet/],
  ['a set without a file', Uint8Array.of(0x10, 1), /no file/],
  ['a set that is cut short', bookSet(get('/v1/x')).subarray(0, -10), /FileDescriptorSet/],
  ['a length beyond the end', Uint8Array.of(0x0a, 0xff, 0xff, 0xff, 0x7f), /FileDescriptorSet/],
  ['a file without a name', descriptorSet({ ...file, name: '' }), /no name/],
  ['the same file twice', descriptorSet(file, file), /twice/],
  [
    'a missing import',
    descriptorSet({ ...file, dependency: ['gone/away.proto'] }),
    /books\.proto.*"gone\/away\.proto"/,
  ],
  ['an unknown syntax', descriptorSet({ ...file, syntax: 'proto9' }), /proto9/],
  ['an unknown edition', descriptorSet({ ...file, syntax: 'editions', edition: unknownEnum(99_999) }), /edition 99999/],
  ['a bad package', descriptorSet({ ...file, package: 'a..b' }), /package/],
  ['one name in two files', descriptorSet(file, { ...file, name: 'b.proto' }), /books\.v1\.Book.*declared/],
  ['a message without a name', descriptorSet({ ...file, messageType: [{ name: '' }] }), /name/],
  ['a message with a bad name', descriptorSet({ ...file, messageType: [{ name: '__proto__.x' }] }), /name/],
  ['a method with an unknown input', descriptorSet({ ...file, messageType: [] }), /books\.v1\.Book/],
  ['messages nested 100 deep', descriptorSet(nested(100)), /nested deeper/],
  ['a template without a slash', bookSet(get('v1/x')), inRule('v1/x', 'column 1')],
  ['a template with an open variable', bookSet(get('/v1/{id')), inRule('/v1/{id', 'column 8.*not closed')],
  [
    'a template with a variable within a variable',
    bookSet(get('/v1/{id={title}}')),
    inRule('/v1/{id={title}}', 'column 9.*nested'),
  ],
  ['a template with two double stars', bookSet(get('/**/a/**')), inRule('/**/a/**', 'column 7.*only one')],
  ['an empty template', bookSet(get('')), /books\.proto.*Get1.*column 1/],
  ['a template with an unknown field', bookSet(get('/v1/{nope}')), inRule('/v1/{nope}', 'column 6.*nope')],
  [
    'a template with an unknown field of a field',
    bookSet(get('/v1/{sequel.nope}')),
    inRule('/v1/{sequel.nope}', 'column 6.*nope'),
  ],
  ['a template with a field of a scalar', bookSet(get('/v1/{title.x}')), inRule('/v1/{title.x}', 'column 6')],
  ['a template with a whole message', bookSet(get('/v1/{sequel}')), inRule('/v1/{sequel}', 'column 6.*message')],
  ['a body of an unknown field', bookSet(post('/v1/x', 'nope')), inRule('/v1/x', 'body.*nope')],
  [
    'a response_body of an unknown field',
    bookSet({ ...get('/v1/x'), responseBody: 'nope' }),
    inRule('/v1/x', 'response_body.*nope'),
  ],
  ['a rule without a pattern', bookSet({ body: '*' }), /Get1.*no path/],
  [
    'a custom rule with a bad method',
    bookSet({ pattern: { case: 'custom', value: { kind: 'G T', path: '/x' } } }),
    /Get1.*method/,
  ],
  [
    'additional bindings of additional bindings',
    bookSet({ ...get('/a'), additionalBindings: [{ ...get('/b'), additionalBindings: [get('/c')] }] }),
    /Get1.*additional_bindings/,
  ],
  ['a bad additional binding', bookSet({ ...get('/a'), additionalBindings: [get('b')] }), inRule('b', 'column 1')],
  ['two methods of one rule', bookSet(get('/v1/{id}'), get('/v1/{title}')), /Get2.*taken by.*Get1/],
];

function nested(depth: number) {
  let message: { name: string; nestedType?: object[] } = { name: 'M' };
  for (let i = 1; i < depth; i++) message = { name: 'M', nestedType: [message] };
  return { name: 'deep.proto', syntax: 'proto3', messageType: [message] };
}

describe('CreateSchema refuses', () => {
  test.each(badSchemas)('a descriptor set that is or has %s', async (_, bytes, reason) => {
    const call = admin.client.call('createSchema', { schema: { name: 'new', descriptorSet: bytes } });

    expect(await outcome(call, 'schema.descriptor_set')).toEqual(
      refused(code.invalidArgument, 'schema.descriptor_set', reason),
    );
  });

  test.each([
    ['no name', '', /required/],
    ['a name of 1 MiB', mebi, /128/],
    ['a name with a slash', 'a/b', badName],
  ])('%s', async (_, name, reason) => {
    const call = admin.client.call('createSchema', { schema: { ...bookSchema(), name } });

    expect(await outcome(call, 'schema.name')).toEqual(refused(code.invalidArgument, 'schema.name', reason));
  });
});

const aService = httpService('s');
const aRoute = prefixRoute('r', 'orders', '/r');

describe('Apply refuses', () => {
  test.each<[string, Init<'apply'>, number, string, RegExp]>([
    [
      'two services of one name',
      { services: [aService, aService] },
      code.invalidArgument,
      'services[1].name',
      /services\[0\]/,
    ],
    [
      'two routes of one name',
      { routes: [aRoute, prefixRoute('q', 'orders', '/q'), aRoute] },
      code.invalidArgument,
      'routes[2].name',
      /routes\[0\]/,
    ],
    [
      'two schemas of one name',
      { schemas: [bookSchema('x'), bookSchema('x')] },
      code.invalidArgument,
      'schemas[1].name',
      /schemas\[0\]/,
    ],
    [
      'a bad service among good ones',
      { services: [aService, { ...aService, name: 't', path: 'x' }] },
      code.invalidArgument,
      'services[1].path',
      /does not match/,
    ],
    [
      'a bad port deep within',
      { services: [{ ...aService, discovery: staticEndpoints(1, 70_000) }] },
      code.invalidArgument,
      'services[0].discovery.static.endpoints[1].port',
      /65535/,
    ],
    [
      'a bad regex deep within',
      { routes: [aRoute, { ...prefixRoute('q'), ...regex('(') }] },
      code.invalidArgument,
      'routes[1].paths[0].regex.pattern',
      /RE2/,
    ],
    [
      'a bad template in a schema',
      { schemas: [bookSchema('x'), { name: 'y', descriptorSet: bookSet(get('x')) }] },
      code.invalidArgument,
      'schemas[1].descriptor_set',
      /column 1/,
    ],
    [
      'a route to nowhere',
      { services: [aService], routes: [{ ...aRoute, service: 'nope' }] },
      code.invalidArgument,
      'routes[0].service',
      /no service "nope"/,
    ],
    [
      'a transcoded route by a schema that is not there',
      { routes: [{ ...bookRoute('x'), hosts: ['x'], transcode: { schema: 'nope' } }] },
      code.invalidArgument,
      'routes[0].transcode.schema',
      /no schema "nope"/,
    ],
    [
      'two routes with the same criteria',
      { routes: [aRoute, { ...aRoute, name: 'q' }] },
      code.invalidArgument,
      'routes[1]',
      /route "r"/,
    ],
    [
      'two routes with the same criteria in another order',
      {
        routes: [
          { ...aRoute, methods: ['GET', 'PUT'] },
          { ...aRoute, name: 'q', methods: ['PUT', 'GET'] },
        ],
      },
      code.invalidArgument,
      'routes[0]',
      /route "q"/,
    ],
    [
      'a route with the criteria of a stored one',
      { routes: [{ ...prefixRoute(), name: 'copy' }] },
      code.invalidArgument,
      'routes[0]',
      /route "orders-read"/,
    ],
    [
      'a stored service made http under a transcoded route',
      { services: [{ ...grpcService(), protocol: Protocol.HTTP }] },
      code.failedPrecondition,
      'route "books".service',
      /grpc/,
    ],
    [
      'a stored schema without the rules in use',
      { schemas: [{ name: 'books', descriptorSet: bookSet(null) }] },
      code.failedPrecondition,
      'route "books".transcode.schema',
      /http rules/,
    ],
    [
      'a prune of a service in use',
      { routes: [prefixRoute()], prune: true },
      code.invalidArgument,
      'routes[0].service',
      /no service "orders"/,
    ],
    [
      'an old expected_revision',
      { services: [aService], expectedRevision: 0n },
      code.aborted,
      'expected_revision',
      /at revision \d+/,
    ],
    [
      'an expected_revision of the future',
      { services: [aService], expectedRevision: 2n ** 64n - 1n },
      code.aborted,
      'expected_revision',
      /at revision \d+/,
    ],
    [
      'a wrong expected_revision although nothing would change',
      { expectedRevision: 7n },
      code.aborted,
      'expected_revision',
      /at revision \d+/,
    ],
    [
      'a wrong expected_revision on a dry run',
      { services: [aService], expectedRevision: 7n, dryRun: true },
      code.aborted,
      'expected_revision',
      /at revision \d+/,
    ],
    [
      'a bad service on a dry run',
      { services: [{ ...aService, name: 'a b' }], dryRun: true },
      code.invalidArgument,
      'services[0].name',
      badName,
    ],
    ['an empty service', { services: [{}] }, code.invalidArgument, 'services[0].name', /required/],
    ['an empty route', { routes: [{}] }, code.invalidArgument, 'routes[0].service', /required/],
    ['an empty schema', { schemas: [{ name: 'x' }] }, code.invalidArgument, 'schemas[0].descriptor_set', /required/],
  ])('%s', async (_, request, wanted, field, reason) => {
    expect(await outcome(admin.client.call('apply', request), field)).toEqual(refused(wanted, field, reason));
  });

  test('more faults than fit, naming the first ones and how many are left out', async () => {
    const services = Array.from({ length: 1000 }, (_, i) => ({ ...httpService(`s${i}`), path: 'x' }));

    const refusal = await refusalOf(admin.client.call('apply', { services }));

    expect(refusal.fields[0]).toBe('services[0].path');
    expect(refusal.fields.length).toBeGreaterThan(20);
    expect(refusal.message).toContain(`${1000 - refusal.fields.length} more left out`);
  });
});

const token = (text: string) => Buffer.from(text).toString('base64url');
const badToken = /not a next_page_token/;

describe('other calls refuse', () => {
  test.each<[string, () => Promise<unknown>, number, string, RegExp]>([
    [
      'a create without a service',
      () => admin.client.call('createService', {}),
      code.invalidArgument,
      'service',
      /required/,
    ],
    ['a create without a route', () => admin.client.call('createRoute', {}), code.invalidArgument, 'route', /required/],
    [
      'a create without a schema',
      () => admin.client.call('createSchema', {}),
      code.invalidArgument,
      'schema',
      /required/,
    ],
    [
      'a service name that is taken',
      () => admin.client.call('createService', { service: httpService() }),
      code.alreadyExists,
      '',
      /"orders"/,
    ],
    [
      'a route name that is taken',
      () => admin.client.call('createRoute', { route: prefixRoute() }),
      code.alreadyExists,
      '',
      /"orders-read"/,
    ],
    [
      'a schema name that is taken',
      () => admin.client.call('createSchema', { schema: bookSchema() }),
      code.alreadyExists,
      '',
      /"books"/,
    ],
    [
      'an update without a service',
      () => admin.client.call('updateService', { etag: 'x' }),
      code.invalidArgument,
      'service',
      /required/,
    ],
    [
      'an update of nothing',
      () => admin.client.call('updateService', { service: httpService('nope') }),
      code.notFound,
      '',
      /"nope"/,
    ],
    [
      'an update of nothing with an etag',
      () => admin.client.call('updateService', { service: httpService('nope'), etag: 'x', allowMissing: true }),
      code.notFound,
      '',
      /"nope"/,
    ],
    [
      'an update with a wrong etag',
      () => admin.client.call('updateService', { service: httpService(), etag: 'x' }),
      code.aborted,
      'etag',
      /not the etag/,
    ],
    [
      'an update of a route with a wrong etag',
      () => admin.client.call('updateRoute', { route: prefixRoute(), etag: 'x' }),
      code.aborted,
      'etag',
      /not the etag/,
    ],
    [
      'an update of a schema with a wrong etag',
      () => admin.client.call('updateSchema', { schema: bookSchema(), etag: 'x' }),
      code.aborted,
      'etag',
      /not the etag/,
    ],
    [
      'an etag of 1 MiB',
      () => admin.client.call('updateService', { service: httpService(), etag: mebi }),
      code.invalidArgument,
      'etag',
      /128/,
    ],
    [
      'a bad update',
      () => admin.client.call('updateRoute', { route: { ...prefixRoute(), service: 'nope' } }),
      code.invalidArgument,
      'route.service',
      /no service/,
    ],
    [
      'an update that collides with another route',
      () =>
        admin.client.call('updateRoute', {
          route: { ...bookRoute(), service: 'orders', transcode: undefined as never, ...prefix('/orders') },
        }),
      code.invalidArgument,
      'route',
      /"orders-read"/,
    ],
    ['a delete without a name', () => admin.client.call('deleteService', {}), code.invalidArgument, 'name', /required/],
    ['a delete of nothing', () => admin.client.call('deleteRoute', { name: 'nope' }), code.notFound, '', /"nope"/],
    [
      'a delete with a wrong etag',
      () => admin.client.call('deleteRoute', { name: 'books', etag: 'x' }),
      code.aborted,
      'etag',
      /not the etag/,
    ],
    [
      'a delete of a service in use',
      () => admin.client.call('deleteService', { name: 'orders' }),
      code.failedPrecondition,
      'route "orders-read".service',
      /no service/,
    ],
    [
      'a delete of a schema in use',
      () => admin.client.call('deleteSchema', { name: 'books' }),
      code.failedPrecondition,
      'route "books".transcode.schema',
      /no schema/,
    ],
    [
      'a delete of a name of 1 MiB',
      () => admin.client.call('deleteSchema', { name: mebi }),
      code.invalidArgument,
      'name',
      /128/,
    ],
    ['a get without a name', () => admin.client.call('getService', {}), code.invalidArgument, 'name', /required/],
    ['a get of nothing', () => admin.client.call('getRoute', { name: 'nope' }), code.notFound, '', /"nope"/],
    [
      'a get by a name with control characters',
      () => admin.client.call('getRoute', { name: 'a\r\nb\0' }),
      code.notFound,
      '',
      /a\uFFFD\uFFFDb/,
    ],
    [
      'a get of a name of 1 MiB',
      () => admin.client.call('getSchema', { name: mebi }),
      code.invalidArgument,
      'name',
      /128/,
    ],
    [
      'a negative page size',
      () => admin.client.call('listServices', { pageSize: -1 }),
      code.invalidArgument,
      'page_size',
      /0/,
    ],
    [
      'a page size of 1,001',
      () => admin.client.call('listRoutes', { pageSize: 1001 }),
      code.invalidArgument,
      'page_size',
      /1000/,
    ],
    [
      'a page token that is none',
      () => admin.client.call('listServices', { pageToken: 'hello!' }),
      code.invalidArgument,
      'page_token',
      badToken,
    ],
    [
      'a page token of another list',
      () => admin.client.call('listServices', { pageToken: token('route:a') }),
      code.invalidArgument,
      'page_token',
      badToken,
    ],
    [
      'a page token without a mark',
      () => admin.client.call('listRoutes', { pageToken: token('route:') }),
      code.invalidArgument,
      'page_token',
      badToken,
    ],
    [
      'a page token with something after it',
      () => admin.client.call('listRoutes', { pageToken: `${token('route:a')}=` }),
      code.invalidArgument,
      'page_token',
      badToken,
    ],
    [
      'a page token of 1 MiB',
      () => admin.client.call('listSchemas', { pageToken: mebi }),
      code.invalidArgument,
      'page_token',
      /1024/,
    ],
    [
      'a page token of history that is no number',
      () => admin.client.call('listRevisions', { pageToken: token('revision:x') }),
      code.invalidArgument,
      'page_token',
      badToken,
    ],
    [
      'a page token of history that is too large',
      () => admin.client.call('listRevisions', { pageToken: token(`revision:${'9'.repeat(40)}`) }),
      code.invalidArgument,
      'page_token',
      badToken,
    ],
    [
      'a negative page size of history',
      () => admin.client.call('listRevisions', { pageSize: -5 }),
      code.invalidArgument,
      'page_size',
      /0/,
    ],
    ['endpoints of no service', () => admin.client.call('listEndpoints', {}), code.invalidArgument, 'name', /required/],
    [
      'endpoints of a service that is not there',
      () => admin.client.call('listEndpoints', { name: 'nope' }),
      code.notFound,
      '',
      /"nope"/,
    ],
    [
      'convergence of a revision that is not there',
      () => watch({ revision: 99n }),
      code.invalidArgument,
      'revision',
      /newest revision is \d+/,
    ],
    [
      'convergence with a zero timeout',
      () => watch({ timeout: {} }),
      code.invalidArgument,
      'timeout',
      /greater than 0s/,
    ],
    [
      'convergence with a negative timeout',
      () => watch({ timeout: { seconds: -1n } }),
      code.invalidArgument,
      'timeout',
      /greater than 0s/,
    ],
    [
      'convergence with a timeout of more than an hour',
      () => watch({ timeout: { seconds: 3601n } }),
      code.invalidArgument,
      'timeout',
      /3600s/,
    ],
    [
      'convergence with nanos of the other sign',
      () => watch({ timeout: { seconds: 1n, nanos: -1 } }),
      code.invalidArgument,
      'timeout',
      /nanos/,
    ],
  ])('%s', async (_, call, wanted, field, reason) => {
    expect(await outcome(call(), field)).toEqual(refused(wanted, field, reason));
  });
});

async function watch(request: Init<'watchConvergence'>): Promise<void> {
  const { input } = Admin.method.watchConvergence;
  const stream = admin.client.stream('WatchConvergence', toBinary(input, create(input, request)));
  for await (const _ of stream) return;
}

const bytes = (...list: number[]) => Uint8Array.from(list);

describe('bytes that are no message are refused', () => {
  test.each<[string, string, Uint8Array]>([
    ['a tag that is cut short', 'CreateService', bytes(0x8a)],
    ['a length beyond the end', 'CreateService', bytes(0x0a, 0x05, 0x0a)],
    ['a length of 2^31', 'CreateService', bytes(0x0a, 0x80, 0x80, 0x80, 0x80, 0x08)],
    ['field number 0', 'CreateService', bytes(0x02, 0x00)],
    ['wire type 6', 'CreateService', bytes(0x0e, 0x00)],
    ['wire type 7', 'CreateRoute', bytes(0x0f, 0x00)],
    ['a varint of eleven bytes', 'ListServices', bytes(0x08, ...Array.from({ length: 11 }, () => 0xff))],
    ['a group that is not closed', 'ListServices', bytes(0xfb, 0x07, 0x08, 0x01)],
    ['the end of a group that is not open', 'ListServices', bytes(0xfc, 0x07)],
    ['a name that is not UTF-8', 'GetService', bytes(0x0a, 0x02, 0xc3, 0x28)],
    ['a name with a lone surrogate', 'GetRoute', bytes(0x0a, 0x03, 0xed, 0xa0, 0x80)],
    ['a name with an overlong NUL', 'GetSchema', bytes(0x0a, 0x02, 0xc0, 0x80)],
    ['a host that is not UTF-8', 'CreateRoute', bytes(0x0a, 0x05, 0x12, 0x03, 0x61, 0xff, 0x62)],
    ['JSON', 'CreateService', new TextEncoder().encode('{"service":{"name":"x"}}')],
    ['random bytes', 'Apply', bytes(0xde, 0xad, 0xbe, 0xef, 0x00, 0xff)],
    ['a fixed64 that is cut short', 'Apply', bytes(0x39, 0x01, 0x02)],
    [
      'a service that is cut short',
      'Apply',
      toBinary(ApplyRequestSchema, create(ApplyRequestSchema, { services: [httpService()] })).subarray(0, -3),
    ],
    ['a stream request that is cut short', 'WatchConvergence', bytes(0x12, 0x7f)],
  ])('%s', async (_, rpc, message) => {
    const call =
      rpc === 'WatchConvergence' ? admin.client.stream(rpc, message).next() : admin.client.send(rpc, message);

    expect(await outcome(call, '')).toEqual(refused(code.invalidArgument, '', /is not a sluice\.v1\./));
  });

  test('a string where a message field is a number is not taken for one', async () => {
    const refusal = await refusalOf(admin.client.send('ListServices', bytes(0x0a, 0x03, 0x31, 0x30, 0x30)));

    expect(refusal.code).toBe(code.invalidArgument);
    expect(await state()).toEqual(before);
  });

  test('a message of more than 64 MiB', async () => {
    const call = admin.client.send('Apply', Buffer.alloc(64 * 1024 * 1024 + 1));

    expect(await outcome(call, '')).toEqual(refused(code.resourceExhausted, '', /larger than max/));
  });

  test('a method that is not there', async () => {
    expect(await outcome(admin.client.send('Explode', bytes()), '')).toEqual(refused(12, '', /implement/));
  });
});

test('a message with bytes changed at random is taken or refused, and never our fault', async () => {
  const whole = toBinary(ApplyRequestSchema, create(ApplyRequestSchema, { ...stored, dryRun: true }));
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));

  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const message = Buffer.from(whole);
      for (const [at, byte] of changes) message[at] = byte;
      await admin.client.send('Apply', message).catch(() => undefined);
      return admin.logged.length === 0;
    }),
    { numRuns: 300 },
  );

  expect(admin.logged).toEqual([]);
});

test('the table has at least 200 kinds of bad input', () => {
  expect(badServices.length + badRoutes.length + badSchemas.length).toBeGreaterThan(200);
});
