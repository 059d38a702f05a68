import type { ServiceError } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { Protocol, TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { startGrpcService } from '../support/grpc-service.js';
import { bookSet, get } from '../support/http-rules.js';
import { TranscodedServices, type Json } from '../support/transcoding.js';
import { startUpstream } from '../support/upstream.js';

const services = new TranscodedServices();
const { client } = services;
const { GRPC_GATEWAY, ENVOY, STRICT } = TranscodeProfile;

/** Each method is named after what it is for. */
const proto = `
syntax = "proto3";
package rows.v1;
import "google/api/annotations.proto";
message In {
  string a = 1; string b = 2; string c = 3; string snake_name = 4 [json_name = "jsonName"];
  bytes raw = 5; int64 n = 6; Inner inner = 7; repeated string many = 8;
}
message Inner { string id = 1; }
message Out { string a = 1; }
service Rows {
  rpc Root(In) returns (Out) { option (google.api.http) = { get: "/" }; }
  rpc One(In) returns (Out) { option (google.api.http) = { get: "/one/*" }; }
  rpc Any(In) returns (Out) { option (google.api.http) = { get: "/any/**" }; }
  rpc AnyThen(In) returns (Out) { option (google.api.http) = { get: "/then/{a=**}/end/{b}" }; }
  rpc Fixed(In) returns (Out) { option (google.api.http) = { get: "/fixed/{a=100}" }; }
  rpc Inside(In) returns (Out) { option (google.api.http) = { get: "/inside/{a=x/*/y/**}" }; }
  rpc Json(In) returns (Out) { option (google.api.http) = { get: "/json/{jsonName}/{inner.id}" }; }
  rpc Bytes(In) returns (Out) { option (google.api.http) = { get: "/bytes/{raw}" }; }
  rpc Many(In) returns (Out) { option (google.api.http) = { get: "/many/{many}" }; }
  rpc Verb(In) returns (Out) { option (google.api.http) = { get: "/verb/{a}:go" additional_bindings { get: "/verb/{a}:go:on" } }; }
  rpc NoVerb(In) returns (Out) { option (google.api.http) = { get: "/verb/{a}" }; }
  rpc Literal(In) returns (Out) { option (google.api.http) = { get: "/lit/a%2Db" }; }
  rpc GetBody(In) returns (Out) { option (google.api.http) = { get: "/body" body: "*" }; }
  rpc Me(In) returns (Out) { option (google.api.http) = { get: "/users/me" }; }
  rpc User(In) returns (Out) { option (google.api.http) = { get: "/users/{a}" }; }
  rpc DeleteUser(In) returns (Out) { option (google.api.http) = { delete: "/users/{a}" }; }
  rpc Deep(In) returns (Out) { option (google.api.http) = { get: "/deep/x/y" }; }
  rpc DeepPost(In) returns (Out) { option (google.api.http) = { post: "/deep/x/z" }; }
  rpc DeepAny(In) returns (Out) { option (google.api.http) = { get: "/deep/{a}/z" }; }
  rpc Number(In) returns (Out) { option (google.api.http) = { get: "/number/{n}" }; }
  rpc Unbound(In) returns (Out);
}`;
const rows = (profile: TranscodeProfile) => services.start(proto, 'rows.v1.Rows', { profile });
const all = [GRPC_GATEWAY, ENVOY, STRICT];

type Expected = readonly [method: string, message: Json] | number;

const cases: (readonly [title: string, profiles: readonly TranscodeProfile[], path: string, expected: Expected])[] = [
  ['PT1 the root', all, '/', ['Root', {}]],
  ['PT2 one segment', all, '/one/x', ['One', {}]],
  ['PT2 not two', all, '/one/x/y', 404],
  ['PT2 no segment for **', all, '/any', ['Any', {}]],
  ['PT2 many segments for **', all, '/any/x/y/z', ['Any', {}]],
  ['PT4 a variable behind **', all, '/then/x/y/end/z', ['AnyThen', { a: 'x/y', b: 'z' }]],
  ['PT4 ** that is empty', all, '/then/end/z', ['AnyThen', { b: 'z' }]],
  ['PT5 a variable of literals', all, '/fixed/100', ['Fixed', { a: '100' }]],
  ['PT5 a variable of other literals', all, '/fixed/101', 404],
  ['PT5 a variable with wildcards inside', all, '/inside/x/1/y/2/3', ['Inside', { a: 'x/1/y/2/3' }]],
  ['PT7 a dotted path', all, '/json/v/i', ['Json', { jsonName: 'v', inner: { id: 'i' } }]],
  ['PT10 a JSON name in a template', all, '/json/v/i', ['Json', { jsonName: 'v' }]],
  ['PT9 bytes in the url alphabet', all, '/bytes/-_-_', ['Bytes', { raw: '+/+/' }]],
  ['PT9 bytes in the standard alphabet', all, '/bytes/%2B%2F%2B%2F', ['Bytes', { raw: '+/+/' }]],
  ['PT9 bytes with padding', all, '/bytes/AA%3D%3D', ['Bytes', { raw: 'AA==' }]],
  ['PT9 bytes without padding', all, '/bytes/AA', ['Bytes', { raw: 'AA==' }]],
  ['PT8 a repeated field by commas', all, '/many/a,b%2Cc', ['Many', { many: ['a', 'b', 'c'] }]],
  ['PT11 a verb', all, '/verb/x:go', ['Verb', { a: 'x' }]],
  ['PT11 a verb of two', all, '/verb/x:go:on', ['Verb', { a: 'x' }]],
  ['PT12 a literal as its decoded text', all, '/lit/a-b', ['Literal', {}]],
  ['PT12 a literal by another escape', all, '/lit/%61%2db', ['Literal', {}]],
  ['PT12 a literal in another case', all, '/lit/A-b', 404],
  ['PT15 a body clause on GET', all, '/body', ['GetBody', {}]],
  ['PT16 no implicit GET', all, '/rows.v1.Rows/Unbound', 405],
  ['RT1 a literal before a variable, whatever the order', all, '/users/me', ['Me', {}]],
  ['RT1 a variable where no literal fits', all, '/users/you', ['User', { a: 'you' }]],
  ['RT1 backtracking over path and method', all, '/deep/x/z', ['DeepAny', { a: 'x' }]],
  ['RT3 a colon that begins no verb is data', all, '/verb/x:stop', ['NoVerb', { a: 'x:stop' }]],
  ['RT3 a colon in a value before the verb', all, '/verb/x:y:go', ['Verb', { a: 'x:y' }]],
  ['RT3 an encoded colon is data', all, '/verb/x%3Ago', ['NoVerb', { a: 'x:go' }]],
  ['RT3 a time in the path', all, '/users/2020-01-01T10:20:30Z', ['User', { a: '2020-01-01T10:20:30Z' }]],
  ['RT4 a slash at the end', [GRPC_GATEWAY, STRICT], '/users/me/', 404],
  ['RT4 a slash at the end', [ENVOY], '/users/me/', ['Me', {}]],
  ['RT4 an empty segment', all, '/users/', 404],
  ['RT4 an empty segment within', all, '/deep//z', 404],
  ['RT5 a dot segment', all, '/users/../users/me', 400],
  ['RT5 an encoded dot segment', all, '/users/%2e%2e/me', 400],
  ['RT6 an unknown path', all, '/nowhere', 404],
  ['RT8 a malformed escape', all, '/users/%zz', 400],
  ['RT8 half an escape', all, '/users/%4', 400],
  ['RT9 bytes that are no UTF-8', all, '/users/%ff', 400],
  ['RT9 NUL', all, '/users/a%00b', 400],
  ['RT13 a query has no part in it', all, '/users/me?a=/users/you:go', ['Me', { a: '/users/you:go' }]],
  ['UN1 an encoded slash does not split', all, '/users/a%2Fb', ['User', { a: 'a/b' }]],
  ['UN2 one segment is decoded whole', all, '/users/%C3%A9%20%25%23', ['User', { a: 'é %#' }]],
  ['UN3 more segments keep %2F', [GRPC_GATEWAY, STRICT], '/then/a%2Fb%3Ac%20d/end/z', ['AnyThen', { a: 'a%2Fb:c d' }]],
  ['UN3 more segments keep reserved escapes', [ENVOY], '/then/a%2Fb%3Ac%20d/end/z', ['AnyThen', { a: 'a%2Fb%3Ac d' }]],
  ['UN4 an encoded percent sign', [GRPC_GATEWAY], '/then/a%252F/end/z', ['AnyThen', { a: 'a%2F' }]],
  ['UN5 a plus in a path is a plus', all, '/users/a+b', ['User', { a: 'a+b' }]],
  ['UN6 a plus in a query is a blank', all, '/users/x?b=a+b%2Bc', ['User', { a: 'x', b: 'a b+c' }]],
  [
    'UN7 an encoded name in a query',
    all,
    '/users/x?inner%2Eid=1&%62=2',
    ['User', { a: 'x', b: '2', inner: { id: '1' } }],
  ],
];

describe.each([
  ['grpc-gateway', GRPC_GATEWAY],
  ['envoy', ENVOY],
  ['strict', STRICT],
])('a path in profile %s', (_name, profile) => {
  test('PT1 to UN7 is matched, split and decoded as the table says', async () => {
    const { url, calls } = await rows(profile);

    const found = new Map<string, unknown>();
    const wanted = new Map<string, unknown>();
    for (const [title, profiles, path, expected] of cases) {
      if (!profiles.includes(profile)) continue;
      const { status } = await client.send(url + path);
      const [call] = calls.splice(0);
      const got = call === undefined ? status : [call.method, call.message];
      const name = `${title}: ${path}`;
      wanted.set(name, typeof expected === 'number' ? expected : [expected[0], expect.objectContaining(expected[1])]);
      found.set(name, got);
    }

    expect(found).toEqual(wanted);
  });

  test('PT16 a method without a rule is POST of its name, with the whole message', async () => {
    const { url, calls } = await rows(profile);

    const answer = await client.send(`${url}/rows.v1.Rows/Unbound`, { method: 'POST', body: '{"a":"x","n":"5"}' });

    expect(answer.status).toBe(200);
    expect(calls).toMatchObject([{ method: 'Unbound', message: { a: 'x', n: '5' } }]);
  });

  test('RT6, ER2 an unknown path is a google.rpc.Status with the reason', async () => {
    const { url } = await rows(profile);

    const { status, body } = await client.send(`${url}/nowhere`);

    expect(status).toBe(404);
    expect(JSON.parse(body)).toMatchObject({ code: 5, details: [{ reason: 'NO_ROUTE', domain: 'sluice' }] });
  });

  test('RT12 hostile paths are answered at once', async () => {
    const { url } = await rows(profile);

    for (const path of ['/any' + '/'.repeat(6_000), `/verb/${':'.repeat(6_000)}`, `/then${'/end'.repeat(1_500)}`]) {
      const before = performance.now();
      const { status } = await client.send(url + path);
      expect([200, 404, 414, 431]).toContain(status);
      expect(performance.now() - before).toBeLessThan(1_000);
    }
  });
});

describe('rules that are refused when they are uploaded', () => {
  const service = { name: 's', protocol: Protocol.GRPC };

  test.each([
    ['PT1 without a slash', 'v1/x'],
    ['PT1 with an empty segment', '/v1//x'],
    ['PT1 with a slash at the end', '/v1/x/'],
    ['PT3 with a wildcard that is no whole segment', '/v1/x*'],
    ['PT3 with three stars', '/v1/***'],
    ['PT3 with text beside a variable', '/v1/a{id}'],
    ['PT4 with two **', '/v1/**/x/**'],
    ['PT6 with a variable within a variable', '/v1/{id={title}/x}'],
    ['PT7 with a name that is none', '/v1/{1}'],
    ['PT7 with a variable twice', '/v1/{id}/{id}'],
    ['PT8 with a field that is not there', '/v1/{nope}'],
    ['PT8 with a message', '/v1/{sequel}'],
    ['PT11 with an empty verb', '/v1/{id}:'],
    ['PT12 with a malformed escape', '/v1/%zz'],
  ])('%s', async (_what, template) => {
    const refused = services.gateway({
      services: [service],
      schemas: [{ name: 's', descriptorSet: bookSet(get(template)) }],
      routes: [{ name: 's', service: 's', transcode: { schema: 's' } }],
      endpoints: { s: [] },
    });

    await expect(refused).rejects.toThrow(template);
  });

  test.each([
    ['RT2 two rules that match the same requests', bookSet(get('/v1/{id}'), get('/v1/{title}')), 'books.v1.Books/Get1'],
    [
      'PT13 additional bindings within additional bindings',
      bookSet({ ...get('/v1/a'), additionalBindings: [{ ...get('/v1/b'), additionalBindings: [get('/v1/c')] }] }),
      'additional_bindings cannot hold',
    ],
    ['DS1 bytes that break off', bookSet(get('/v1/{id}')).subarray(0, 100), 'descriptor_set'],
  ])('%s', async (_what, descriptorSet, reason) => {
    const refused = services.gateway({
      services: [service],
      schemas: [{ name: 's', descriptorSet }],
      routes: [{ name: 's', service: 's', transcode: { schema: 's', services: ['books.v1.Books'] } }],
      endpoints: { s: [] },
    });

    await expect(refused).rejects.toThrow(reason);
  });

  test('RT1, RT6 two services and plain routes under one prefix: the most specific wins, with its own status', async () => {
    const [one, two] = ['One', 'Two'].map((name) =>
      services.descriptors(`
        syntax = "proto3";
        package prefix.v1;
        import "google/api/annotations.proto";
        message In { string id = 1; }
        message Out { string id = 1; }
        service ${name} {
          rpc ${name}(In) returns (Out) {
            option (google.api.http) = { get: "${name === 'One' ? '/v1/items/{id}' : '/v1/items/special'}" };
          }
        }`),
    ) as [Uint8Array, Uint8Array];
    const answering = async (set: Uint8Array, name: string, code: number) => {
      const started = await startGrpcService(set, `prefix.v1.${name}`, {
        [name]: (_call: unknown, done: (error: Partial<ServiceError>) => void) => done({ code, details: name }),
      });
      services.defer(() => started.close());
      return started.port;
    };
    const plain = await startUpstream((request, response) => response.writeHead(418).end(request.url));
    services.defer(() => plain.close());
    const { url } = await services.gateway({
      services: [{ name: 'one', protocol: Protocol.GRPC }, { name: 'two', protocol: Protocol.GRPC }, { name: 'plain' }],
      schemas: [
        { name: 'one', descriptorSet: one },
        { name: 'two', descriptorSet: two },
      ],
      routes: [
        { name: 'one', service: 'one', transcode: { schema: 'one' } },
        { name: 'two', service: 'two', transcode: { schema: 'two' } },
        { name: 'health', service: 'plain', paths: [{ kind: { case: 'exact', value: '/v1/items/health' } }] },
        { name: 'below', service: 'plain', paths: [{ kind: { case: 'template', value: '/v1/items/{id}/files/**' } }] },
        { name: 'gets', service: 'plain', methods: ['GET'], paths: [{ kind: { case: 'prefix', value: '/v2' } }] },
        { name: 'fallback', service: 'plain', paths: [{ kind: { case: 'prefix', value: '/' } }] },
      ],
      endpoints: {
        one: [await answering(one, 'One', 5)],
        two: [await answering(two, 'Two', 9)],
        plain: [plain.port],
      },
    });

    const statusOf = async (target: string, method = 'GET') => (await client.send(url + target, { method })).status;
    expect(await statusOf('/v1/items/1')).toBe(404); // NOT_FOUND of the first service
    expect(await statusOf('/v1/items/special')).toBe(400); // FAILED_PRECONDITION of the second
    for (const target of ['/v1/items/health', '/v1/items/1/files/a', '/v1/items/1/other', '/v2/x']) {
      expect([target, await statusOf(target)]).toEqual([target, 418]);
    }
    expect(await statusOf('/v1/items/1', 'PUT')).toBe(418);
  });

  test('PT17 rules beside the descriptors take the place of annotations', async () => {
    const { calls, gateway, servicePort } = await rows(GRPC_GATEWAY);
    const rules = [{ selector: 'rows.v1.Rows.Me', pattern: { case: 'get' as const, value: '/outside/{a}' } }];
    gateway.apply({
      services: [service],
      schemas: [{ name: 's', descriptorSet: services.descriptors(proto), httpRules: { rules } }],
      routes: [{ name: 's', service: 's', transcode: { schema: 's' } }],
      endpoints: { s: [servicePort] },
    });

    expect((await client.send(`${gateway.url}/outside/x`)).status).toBe(200);
    expect((await client.send(`${gateway.url}/users/me`)).status).toBe(200);
    expect(calls).toMatchObject([
      { method: 'Me', message: { a: 'x' } },
      { method: 'User', message: { a: 'me' } },
    ]);
  });
});
