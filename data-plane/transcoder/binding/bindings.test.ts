import { habitsOf } from '../habits.js';
import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { HttpSchema } from '../../../proto/gen/google/api/http_pb.js';
import { buildDescriptors } from '../../../test/support/descriptors.js';
import { loadSchema, schemaBindings, type Binding, type SchemaProblem } from '../transcoder.js';

const head = `syntax = "proto3"; package p.v1;
import "google/api/annotations.proto"; import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
message Inner { string id = 1; repeated Inner inners = 2; }
message In { string name = 1; Inner inner = 2; repeated string tags = 3; map<string, string> labels = 4;
  google.protobuf.Timestamp time = 5; google.protobuf.Int32Value boxed = 6; google.protobuf.Struct object = 7;
  repeated Inner inners = 8; int32 two_words = 9; bytes raw = 10; }
message Out { In field = 1; }
`;

/** Compiles methods A, B, … of service p.v1.S with these options. */
function compiled(...rules: string[]): { bindings: Binding[]; problems: SchemaProblem[] } {
  const methods = rules.map((rule, index) => {
    const option = rule === '' ? '' : `option (google.api.http) = { ${rule} };`;
    return `rpc ${String.fromCharCode(65 + index)}(In) returns (Out) { ${option} }`;
  });
  const { schema, problems } = loadSchema(
    buildDescriptors({ 'p.proto': `${head} service S { ${methods.join(' ')} }` }),
  );
  if (schema === null) throw new Error(JSON.stringify(problems));
  return schemaBindings(schema, { services: ['p.v1.S'], habits: habitsOf('grpc-gateway') });
}

const written = ({ bindings }: { bindings: Binding[] }): string[] =>
  bindings.filter((it) => it.template.text !== it.method.path).map((it) => `${it.httpMethod} ${it.template.text}`);

test('PT13, PT14 every rule of a method is a binding, with any HTTP method', () => {
  const result = compiled(
    `get: "/a" additional_bindings { put: "/b" } additional_bindings { custom { kind: "HEAD" path: "/c" } }
     additional_bindings { custom { kind: "*" path: "/d" } }`,
  );

  expect(result.problems).toEqual([]);
  expect(written(result)).toEqual(['GET /a', 'PUT /b', 'HEAD /c', '* /d']);
});

test('PT16 a method without a rule, and one with, can be called as POST /service/method', () => {
  const { bindings } = compiled('', 'get: "/b"');

  expect(bindings.map((it) => `${it.httpMethod} ${it.template.text}`)).toEqual([
    'POST /p.v1.S/A',
    'GET /b',
    'POST /p.v1.S/B',
  ]);
});

test.each(['{name}', '{inner.id}', '{tags}', '{time}', '{boxed}', '{two_words}', '{twoWords}', '{raw}'])(
  'PT8, PT10 %s can be a path variable',
  (variable) => {
    expect(compiled(`get: "/v1/${variable}"`).problems).toEqual([]);
  },
);

test.each([
  ['get: "/v1/{nope}"', 6, 'has no field "nope"'],
  ['get: "/v1/{inner}"', 6, 'is the message p.v1.Inner'],
  ['get: "/v1/{labels}"', 6, 'is a map'],
  ['get: "/v1/{object}"', 6, 'is the message google.protobuf.Struct'],
  ['get: "/v1/{inners}"', 6, 'is the message p.v1.Inner'],
  ['get: "/v1/{inners.id}"', 6, 'is not a single message'],
  ['get: "/v1/{name.x}"', 6, 'is not a single message'],
  ['get: "/v1/{name}/{name}"', 13, 'occurs twice'],
  ['get: "v1"', 1, 'begins with "/"'],
  ['get: "/v1//x"', 5, 'is empty'],
  ['get: "/v1/"', 5, 'is empty'],
  ['get: "/v1/{name"', 10, 'not closed'],
  ['get: "/v1/**/x/**"', 10, 'only one "**"'],
])('PT1 to PT8 %s is reported with file, method, template and column', (rule, column, reason) => {
  const { problems, bindings } = compiled(rule);

  expect(problems).toEqual([
    {
      file: 'p.proto',
      rule: '',
      symbol: 'p.v1.S.A',
      template: /"(.*)"/.exec(rule)?.[1],
      column: expect.any(Number),
      reason: expect.stringContaining(reason),
    },
  ]);
  expect(problems[0]?.column).toBe(column);
  expect(written({ bindings })).toEqual([]);
});

test.each([
  ['post: "/a" body: "nope"', 'body: p.v1.In has no field "nope"'],
  ['get: "/a" response_body: "nope"', 'response_body: p.v1.Out has no field "nope"'],
  ['body: "*"', 'the rule has no path'],
  ['custom { kind: "A B" path: "/a" }', 'custom.kind is not an HTTP method'],
])('BD2, RS1 %s is reported', (rule, reason) => {
  expect(compiled(rule).problems).toMatchObject([{ symbol: 'p.v1.S.A', reason: expect.stringContaining(reason) }]);
});

test.each(['name', '*', 'tags', 'labels', 'inner', 'inner.id', 'boxed'])('BD3, BD6 the body can be %s', (body) => {
  expect(compiled(`post: "/a" body: "${body}"`).problems).toEqual([]);
});

test('RT2 two rules that match the same requests are reported, naming both methods', () => {
  const { problems, bindings } = compiled(
    'get: "/v1/{name}"',
    'get: "/v1/{two_words}"',
    'post: "/v1/{name}"',
    'get: "/v1/%61"',
    'get: "/v1/a"',
  );

  expect(problems).toMatchObject([
    { symbol: 'p.v1.S.B', template: '/v1/{two_words}', reason: 'GET /v1/{two_words} is taken by p.v1.S/A' },
    { symbol: 'p.v1.S.E', template: '/v1/a', reason: 'GET /v1/a is taken by p.v1.S/D' },
  ]);
  expect(written({ bindings })).toEqual(['GET /v1/{name}', 'POST /v1/{name}', 'GET /v1/%61']);
});

test('services are chosen by name, or are those with rules', () => {
  const source = `${head} service S { rpc A(In) returns (Out); } service T { rpc B(In) returns (Out) { option (google.api.http) = { get: "/b" }; } }`;
  const { schema } = loadSchema(buildDescriptors({ 'p.proto': source }));
  if (schema === null) throw new Error('does not load');
  const methods = (services: string[]): string[] =>
    schemaBindings(schema, { services, habits: habitsOf('strict') }).bindings.map((it) => it.method.path);

  expect(new Set(methods([]))).toEqual(new Set(['/p.v1.T/B']));
  expect(methods(['p.v1.S'])).toEqual(['/p.v1.S/A']);
  expect(schemaBindings(schema, { services: ['p.v1.Nope'], habits: habitsOf('strict') }).problems).toMatchObject([
    { symbol: 'p.v1.Nope', reason: 'the schema has no such service' },
  ]);
});

const anyText = expect.any(String) as string;

describe('PT17 rules beside the descriptors', () => {
  const sources = `${head} service S {
    rpc A(In) returns (Out) { option (google.api.http) = { get: "/annotated" additional_bindings { get: "/too" } }; }
    rpc B(In) returns (Out) { option (google.api.http) = { get: "/b" }; }
    rpc C(In) returns (Out);
  } service Bare { rpc D(In) returns (Out); }`;
  const descriptorSet = buildDescriptors({ 'p.proto': sources });
  const rule = (selector: string, path: string, more: object = {}): object => ({
    selector,
    pattern: { case: 'get', value: path },
    ...more,
  });

  function bound(...rules: object[]): { bindings: Binding[]; problems: SchemaProblem[] } {
    const { schema, problems } = loadSchema(descriptorSet, create(HttpSchema, { rules }));
    if (schema === null) throw new Error(JSON.stringify(problems));
    const found = schemaBindings(schema, { services: [], habits: habitsOf('grpc-gateway') });
    return { bindings: found.bindings, problems: [...problems, ...found.problems] };
  }

  test('take the place of an annotation with all its bindings, and leave the others', () => {
    const additional = { additionalBindings: [{ pattern: { case: 'put', value: '/two' } }] };
    const result = bound(rule('p.v1.S.A', '/one', additional), rule('p.v1.S.C', '/c'));

    expect(result.problems).toEqual([]);
    expect(written(result)).toEqual(['GET /one', 'PUT /two', 'GET /b', 'GET /c']);
  });

  test('of several for one method the last one counts, as http.proto says', () => {
    expect(written(bound(rule('p.v1.S.A', '/first'), rule('p.v1.S.A', '/last')))).toEqual(['GET /last', 'GET /b']);
  });

  test('make a service without annotations one that is served', () => {
    const result = bound(rule('p.v1.Bare.D', '/d'));

    expect(written(result)).toEqual(['GET /annotated', 'GET /too', 'GET /b', 'GET /d']);
  });

  test('are named by their place when something is wrong with them', () => {
    const nested = { additionalBindings: [{ additionalBindings: [{}] }, { pattern: { case: 'get', value: '/v/{' } }] };

    expect(bound(rule('p.v1.S.A', '/b', nested), rule('p.v1.S.Z', '/z')).problems).toEqual([
      { file: '', symbol: 'p.v1.S.Z', template: '', column: 0, rule: 'rules[1].selector', reason: anyText },
      {
        file: '',
        symbol: 'p.v1.S.A',
        template: '',
        column: 0,
        rule: 'rules[0].additional_bindings[0]',
        reason: 'additional_bindings cannot hold additional_bindings',
      },
      {
        file: '',
        symbol: 'p.v1.S.A',
        template: '/v/{',
        column: 5,
        rule: 'rules[0].additional_bindings[1]',
        reason: anyText,
      },
      {
        file: 'p.proto',
        symbol: 'p.v1.S.B',
        template: '/b',
        column: 0,
        rule: '',
        reason: 'GET /b is taken by p.v1.S/A',
      },
    ]);
  });
});
