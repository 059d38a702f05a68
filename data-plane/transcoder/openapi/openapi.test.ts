import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildDescriptors } from '../../../test/support/descriptors.js';
import { openApiFaults } from '../../../test/support/openapi.js';
import { habitsOf, loadSchema, openApiDocument, schemaBindings } from '../transcoder.js';
import type { Habits, JsonObject, OpenApiVersion, RoutedBinding, Schema } from '../transcoder.js';

const behavior = `syntax = "proto3"; package google.api; import "google/protobuf/descriptor.proto";
extend google.protobuf.FieldOptions { repeated FieldBehavior field_behavior = 1052 [packed = false]; }
enum FieldBehavior { FIELD_BEHAVIOR_UNSPECIFIED = 0; OPTIONAL = 1; REQUIRED = 2; OUTPUT_ONLY = 3; INPUT_ONLY = 4; }`;

const head = `syntax = "proto3"; package shop.v1;
import "google/api/annotations.proto"; import "google/api/field_behavior.proto"; import "google/api/httpbody.proto";
import "google/protobuf/any.proto"; import "google/protobuf/duration.proto"; import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
// What is sold.
message Item {
  // Its name, as \`shelves/1/items/2\`.
  string name = 1;
  int64 stock = 2;
  uint32 weight = 3;
  Kind kind = 4;
  google.protobuf.Timestamp made = 5;
  Item part_of = 6;
  oneof price { double amount = 7; string text = 8; }
  map<string, Item> parts = 9;
  bytes picture = 10;
  // Only told.
  string etag = 11 [(google.api.field_behavior) = OUTPUT_ONLY];
  string title = 12 [(google.api.field_behavior) = REQUIRED];
  string old = 13 [deprecated = true];
  string secret = 14 [(google.api.field_behavior) = INPUT_ONLY];
  google.protobuf.Int64Value boxed = 15;
  google.protobuf.Struct free = 16;
  google.protobuf.Any anything = 17;
  google.protobuf.NullValue nothing = 18;
  optional int32 maybe = 19;
}
enum Kind {
  KIND_UNSPECIFIED = 0;
  // For the table.
  KIND_PLATE = 1;
}
message Get { string name = 1; Filter filter = 2; repeated Kind kinds = 3; map<string, int32> limits = 4; google.protobuf.Value hint = 5;
  repeated Item items = 6; google.protobuf.FieldMask mask = 7; oneof by { string id = 8; int32 number = 9; } }
message Filter { string text = 1; Filter not = 2; google.protobuf.Duration age = 3; }
message Put { Item item = 1; google.protobuf.FieldMask update_mask = 2; string token = 3; }
message Many { repeated Item items = 1; }
message Unused { Item item = 1; }
`;

/** A schema with a service `shop.v1.S` that has these methods, and comments. */
function schemaOf(methods: string): Schema {
  const set = buildDescriptors({
    'google/api/field_behavior.proto': behavior,
    'shop.proto': `${head}\n// All about items.\nservice S { ${methods} }`,
  });
  const { schema, problems } = loadSchema(set);
  if (schema === null) throw new Error(JSON.stringify(problems));
  return schema;
}

const info = { title: 'Shop', apiVersion: '7', host: 'shop.example', schemes: ['https'] } as const;

function bindingsOf(schema: Schema, habits: Partial<Habits> = {}, name = 'shop'): RoutedBinding[] {
  const { bindings } = schemaBindings(schema, { services: [], habits: { ...habitsOf('grpc-gateway'), ...habits } });
  return bindings.map((binding) => ({ binding, schema: name }));
}

type Anything = { readonly [name: string]: Anything } & { readonly [index: number]: Anything };

function documentOf(bindings: readonly RoutedBinding[], version: OpenApiVersion = '3.1'): Anything {
  return JSON.parse(JSON.stringify(openApiDocument(bindings, { ...info, version }))) as Anything;
}

/** What two validators have against the documents of both versions. */
async function faultsOf(bindings: readonly RoutedBinding[]): Promise<string[]> {
  const faults: string[] = [];
  for (const version of ['3.1', '2.0'] as const) {
    faults.push(...(await openApiFaults(openApiDocument(bindings, { ...info, version }))));
  }
  return faults;
}

const rule = (name: string, types: string, http: string): string => {
  const [input, output] = types.split(' > ');
  return `rpc ${name}(${input}) returns (${output}) { option (google.api.http) = { ${http} }; }`;
};

describe('an OpenAPI document', () => {
  let schema: Schema;

  beforeAll(() => {
    schema = schemaOf(`
      // Gets an item. And says more of it.
      ${rule('GetItem', 'Get > Item', 'get: "/v1/{name=shelves/*/items/*}" additional_bindings { get: "/v1/items:find" }')}
      ${rule('ById', 'Get > Item', 'get: "/v1/by-id/{id}"')}
      ${rule('PutItem', 'Put > Item', 'put: "/v1/{item.name=shelves/*/items/*}" body: "item"')}
      ${rule('PatchItem', 'Put > Item', 'patch: "/v1/{item.name=shelves/*/items/*}" body: "item"')}
      ${rule('Whole', 'Put > google.protobuf.Empty', 'post: "/v1/{token}:whole" body: "*"')}
      ${rule('List', 'Get > Many', 'get: "/v1/items" response_body: "items"')}
      ${rule('Watch', 'Get > stream Item', 'get: "/v1/items:watch"')}
      ${rule('Send', 'stream Item > Many', 'post: "/v1/items:send" body: "*"')}
      ${rule('Upload', 'google.api.HttpBody > google.api.HttpBody', 'post: "/v1/files" body: "*"')}
      ${rule('Deep', 'Get > Item', 'get: "/v1/files/{name=**}/meta"')}
      rpc Bare(Get) returns (Item) { option deprecated = true; }
      ${rule('Purge', 'Get > Item', 'custom: { kind: "PURGE" path: "/v1/items" }')}
      ${rule('AnyMethod', 'Get > Item', 'custom: { kind: "*" path: "/v1/any" }')}`);
  });

  it('says who serves it, and what of it', () => {
    const document = documentOf(bindingsOf(schema));

    expect(document).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Shop', version: '7' },
      servers: [{ url: 'https://shop.example' }],
      tags: [{ name: 'shop.v1.S', description: 'All about items.' }],
    });
    expect(documentOf(bindingsOf(schema), '2.0')).toMatchObject({
      swagger: '2.0',
      host: 'shop.example',
      schemes: ['https'],
    });
  });

  it('has an operation for each binding, under names that are there once', () => {
    const { paths } = documentOf(bindingsOf(schema));

    const ids = Object.entries(paths as object).flatMap(([path, item]) =>
      Object.entries(item as object).map(([method, { operationId }]) => `${method} ${path} ${operationId as string}`),
    );
    expect(ids).toEqual([
      'post /shop.v1.S/Bare S_Bare',
      'get /v1/any S_AnyMethod',
      'get /v1/by-id/{id} S_ById',
      'post /v1/files S_Upload',
      'get /v1/files/{name}/meta S_Deep',
      'get /v1/items S_List',
      'get /v1/items:find S_GetItem_2',
      'post /v1/items:send S_Send',
      'get /v1/items:watch S_Watch',
      'get /v1/shelves/{shelf}/items/{item} S_GetItem',
      'put /v1/shelves/{shelf}/items/{item} S_PutItem',
      'patch /v1/shelves/{shelf}/items/{item} S_PatchItem',
      'post /v1/{token}:whole S_Whole',
    ]);
  });

  it('tells what comments, deprecations and field behaviours say', () => {
    const { paths, components } = documentOf(bindingsOf(schema));

    const item = components?.['schemas']?.['shop.v1.Item'];
    expect(paths?.['/v1/shelves/{shelf}/items/{item}']?.['get']).toMatchObject({
      tags: ['shop.v1.S'],
      summary: 'Gets an item',
      description: 'Gets an item. And says more of it.',
    });
    expect(paths?.['/shop.v1.S/Bare']?.['post']).toMatchObject({ deprecated: true });
    expect(item).toMatchObject({
      description: 'What is sold.\n\nAt most one of `amount`, `text`.',
      required: ['title'],
    });
    expect(item?.['properties']).toMatchObject({
      name: { type: 'string', description: 'Its name, as `shelves/1/items/2`.' },
      etag: { readOnly: true, description: 'Only told.' },
      secret: { writeOnly: true },
      old: { deprecated: true },
    });
  });

  it('has the JSON form of every type', async () => {
    const properties = async (version: OpenApiVersion, habits: Partial<Habits> = {}) => {
      const document = documentOf(bindingsOf(schema, habits), version);
      return (document['components']?.['schemas'] ?? document['definitions'])?.['shop.v1.Item']?.['properties'];
    };
    const reference = { $ref: '#/components/schemas/shop.v1.Item' };

    expect(await properties('3.1')).toMatchObject({
      stock: { type: 'string', format: 'int64' },
      weight: { type: 'integer', minimum: 0 },
      kind: { $ref: '#/components/schemas/shop.v1.Kind' },
      made: { type: ['string', 'null'], format: 'date-time' },
      partOf: { anyOf: [reference, { type: 'null' }] },
      amount: { type: 'number', format: 'double' },
      parts: { type: 'object', additionalProperties: reference },
      picture: { type: 'string', contentEncoding: 'base64' },
      boxed: { type: ['string', 'null'], format: 'int64' },
      free: { type: ['object', 'null'], additionalProperties: true },
      nothing: { type: 'null' },
      maybe: { type: 'integer', format: 'int32' },
    });
    expect(await properties('3.1', { unsetFields: 'set' })).toMatchObject({
      made: { type: 'string' },
      partOf: reference,
    });
    expect(await properties('2.0')).toMatchObject({
      made: { type: 'string', format: 'date-time', 'x-nullable': true },
      partOf: { allOf: [{ $ref: '#/definitions/shop.v1.Item' }], 'x-nullable': true },
      picture: { type: 'string', format: 'byte' },
    });
  });

  it('lets two members of a oneof not be together', () => {
    const { components } = documentOf(bindingsOf(schema));

    expect(components?.['schemas']?.['shop.v1.Item']?.['dependentSchemas']).toEqual({
      amount: { properties: { text: { type: 'null' } } },
      text: { properties: { amount: { type: 'null' } } },
    });
  });

  it('describes enums by their names and what these mean', () => {
    const { components } = documentOf(bindingsOf(schema));

    expect(components?.['schemas']?.['shop.v1.Kind']).toEqual({
      type: 'string',
      enum: ['KIND_UNSPECIFIED', 'KIND_PLATE'],
      description: '- `KIND_PLATE`: For the table.',
    });
  });

  it('has only messages that something refers to', () => {
    const { components } = documentOf(bindingsOf(schema).filter(({ binding }) => binding.method.name !== 'Bare'));

    const names = Object.keys(components?.['schemas'] as object);
    expect(names).toEqual(['google.rpc.Status', 'shop.v1.Item', 'shop.v1.Kind', 'shop.v1.Many']);
  });

  it('gives the parts of a path variable names of their own', () => {
    const { paths } = documentOf(bindingsOf(schema));

    const shelf = paths?.['/v1/shelves/{shelf}/items/{item}']?.['get']?.['parameters']?.[0];
    expect(shelf).toMatchObject({ name: 'shelf', in: 'path', required: true, schema: { type: 'string' } });
    expect(shelf?.['description']).toContain('Part of `name`, which is `shelves/{shelf}/items/{item}`.');
  });

  it('lists the query parameters that are left, without messages in lists and without siblings of what is given', () => {
    const { paths } = documentOf(bindingsOf(schema));
    const names = (path: string, method: string): unknown =>
      (paths?.[path]?.[method]?.['parameters'] as unknown as Anything[] | undefined)?.map(
        (it) => `${String(it['in'])} ${String(it['name'])}`,
      );

    expect(names('/v1/shelves/{shelf}/items/{item}', 'get')).toEqual([
      'path shelf',
      'path item',
      'query filter.text',
      'query filter.age',
      'query kinds',
      'query limits',
      'query hint',
      'query mask',
      'query id',
      'query number',
    ]);
    expect(names('/v1/by-id/{id}', 'get')).toEqual([
      'path id',
      'query name',
      'query filter.text',
      'query filter.age',
      'query kinds',
      'query limits',
      'query hint',
      'query mask',
    ]);
    expect(names('/v1/shelves/{shelf}/items/{item}', 'put')).toEqual([
      'path shelf',
      'path item',
      'query updateMask',
      'query token',
    ]);
    expect(names('/v1/{token}:whole', 'post')).toEqual(['path token']);
  });

  it('says how lists, maps and JSON are written as parameters', async () => {
    const parameters = async (version: OpenApiVersion) => {
      const { paths } = documentOf(bindingsOf(schema), version);
      return (paths?.['/v1/items']?.['get']?.['parameters'] as unknown as Anything[] | undefined)?.filter(({ name }) =>
        /^(kinds|limits|hint)/.test(String(name)),
      );
    };

    expect(await parameters('3.1')).toEqual([
      { name: 'kinds', in: 'query', schema: { type: 'array', items: { $ref: '#/components/schemas/shop.v1.Kind' } } },
      {
        name: 'limits',
        in: 'query',
        schema: { type: 'object', additionalProperties: { type: 'integer', format: 'int32' } },
        style: 'deepObject',
        explode: true,
      },
      { name: 'hint', in: 'query', content: { 'application/json': { schema: {} } } },
    ]);
    expect(await parameters('2.0')).toMatchObject([
      { name: 'kinds', type: 'array', items: { enum: ['KIND_UNSPECIFIED', 'KIND_PLATE'] }, collectionFormat: 'multi' },
      { name: 'limits[key]', type: 'integer' },
      { name: 'hint', type: 'string' },
    ]);
  });

  it('says how JSON within lists and maps, and null, are written as parameters', async () => {
    const set = buildDescriptors({
      'extras.proto': `syntax = "proto3"; package extras.v1;
        import "google/api/annotations.proto"; import "google/protobuf/struct.proto";
        service S { rpc Get(In) returns (In) { option (google.api.http) = { get: "/extras" }; } }
        message In { map<string, google.protobuf.Value> values = 1; repeated google.protobuf.Struct structs = 2;
          google.protobuf.NullValue none = 3; map<int32, google.protobuf.NullValue> nones = 4; }`,
    });
    const { schema: extras } = loadSchema(set);
    const json = { type: 'string', format: 'json' };
    const none = { type: 'string', enum: ['NULL_VALUE'] };

    const { paths } = documentOf(bindingsOf(extras as Schema));
    expect(paths?.['/extras']?.['get']?.['parameters']).toMatchObject([
      { name: 'values', schema: { additionalProperties: json } },
      { name: 'structs', schema: { items: json } },
      { name: 'none', schema: none },
      { name: 'nones', schema: { additionalProperties: none } },
    ]);
    const older = documentOf(bindingsOf(extras as Schema), '2.0')['paths'];
    expect(older?.['/extras']?.['get']?.['parameters']).toMatchObject([
      { name: 'values[key]', ...json },
      { name: 'structs', items: json },
      { name: 'none', ...none },
      { name: 'nones[key]', ...none },
    ]);
    expect(await faultsOf(bindingsOf(extras as Schema))).toEqual([]);
  });

  it('hides the mask that a PATCH fills in', async () => {
    const named = async (habits: Partial<Habits>) => {
      const { paths } = documentOf(bindingsOf(schema, habits));
      const parameters = paths?.['/v1/shelves/{shelf}/items/{item}']?.['patch']?.['parameters'];
      return (parameters as unknown as Anything[]).map(({ name }) => String(name));
    };

    expect(await named({})).toEqual(['shelf', 'item', 'token']);
    expect(await named({ fillUpdateMask: false })).toEqual(['shelf', 'item', 'updateMask', 'token']);
  });

  it('does not ask in the body for what the path gives', () => {
    const { paths } = documentOf(bindingsOf(schema));
    const body = (path: string, method: string): Anything | undefined =>
      paths?.[path]?.[method]?.['requestBody']?.['content']?.['application/json']?.['schema'];

    const item = Object.keys(body('/v1/shelves/{shelf}/items/{item}', 'put')?.['properties'] as object);
    expect(item).not.toContain('name');
    expect(item).toContain('title');
    expect(Object.keys(body('/v1/{token}:whole', 'post')?.['properties'] as object)).toEqual(['item', 'updateMask']);
  });

  it('describes streams as the route frames them', async () => {
    const reply = async (streamFormat: Habits['streamFormat']) => {
      const { paths } = documentOf(bindingsOf(schema, { streamFormat }));
      return paths?.['/v1/items:watch']?.['get']?.['responses']?.[200]?.['content'] as unknown as JsonObject;
    };
    const item = { $ref: '#/components/schemas/shop.v1.Item' };
    const error = { $ref: '#/components/schemas/google.rpc.Status' };

    expect(await reply('wrapped')).toEqual({
      'application/json': { schema: { type: 'object', properties: { result: item, error } } },
      'application/x-ndjson': { schema: item },
      'text/event-stream': { schema: item },
    });
    expect(await reply('array')).toMatchObject({ 'application/json': { schema: { type: 'array', items: item } } });
    expect(Object.keys(await reply('lines'))[0]).toBe('application/x-ndjson');
    expect(Object.keys(await reply('events'))[0]).toBe('text/event-stream');
  });

  it('describes bodies that are streams, and bodies that are bytes', () => {
    const { paths } = documentOf(bindingsOf(schema));

    const item = { $ref: '#/components/schemas/shop.v1.Item' };
    expect(paths?.['/v1/items:send']?.['post']?.['requestBody']?.['content']).toEqual({
      'application/json': { schema: { type: 'array', items: item } },
      'application/x-ndjson': { schema: item },
    });
    expect(paths?.['/v1/files']?.['post']).toMatchObject({
      requestBody: { content: { '*/*': {} } },
      responses: { 200: { content: { '*/*': {} } } },
    });
  });

  it('takes the answer from response_body, and has none where an empty answer is 204', () => {
    const { paths } = documentOf(bindingsOf(schema, { emptyAsNoContent: true }));

    expect(paths?.['/v1/items']?.['get']?.['responses']?.[200]?.['content']?.['application/json']?.['schema']).toEqual({
      type: 'array',
      items: { $ref: '#/components/schemas/shop.v1.Item' },
    });
    expect(paths?.['/v1/{token}:whole']?.['post']?.['responses']?.[204]).toEqual({ description: 'Done' });
  });

  it.each(['status', 'aip-193', 'problem'] as const)('has the errors of format %s', async (errorFormat) => {
    const bindings = bindingsOf(schema, { errorFormat });
    const { paths } = documentOf(bindings);

    const content = paths?.['/v1/items']?.['get']?.['responses']?.['default']?.['content'] as unknown as JsonObject;
    expect(Object.keys(content)[0]).toBe(errorFormat === 'problem' ? 'application/problem+json' : 'application/json');
  });

  it('validates, whatever the habits of the route are', async () => {
    const others: Partial<Habits>[] = [
      { errorFormat: 'aip-193', streamFormat: 'array', unsetFields: 'set' },
      { errorFormat: 'problem', streamFormat: 'lines', emptyAsNoContent: true, fillUpdateMask: false },
    ];

    for (const habits of [{}, ...others]) expect(await faultsOf(bindingsOf(schema, habits))).toEqual([]);
  });

  it.each(['3.1', '2.0'] as const)('of version %s that is wrong is found to be wrong', async (version) => {
    const document = openApiDocument(bindingsOf(schema), { ...info, version });
    const { get } = (document['paths'] as Record<string, JsonObject>)['/v1/by-id/{id}'] ?? {};

    expect(await openApiFaults({ ...document, info: {} })).not.toEqual([]);
    expect(await openApiFaults({ ...document, paths: { '/v1/{other}': { get: get as JsonObject } } })).not.toEqual([]);
  });

  it('is the same text for the same bindings, each time', () => {
    const text = (): string => JSON.stringify(openApiDocument(bindingsOf(schema), { ...info, version: '3.1' }));

    expect(text()).toBe(text());
  });
});

describe('what OpenAPI cannot tell apart', () => {
  it('is one operation that names the others', async () => {
    const schema = schemaOf(`
      ${rule('Deep', 'Get > Item', 'get: "/v1/{name=**}"')}
      ${rule('One', 'Get > Item', 'get: "/v1/{id}"')}
      ${rule('Other', 'Get > Item', 'delete: "/v1/{name}"')}`);

    const { paths } = documentOf(bindingsOf(schema));

    expect(paths?.['/v1/{id}']).toMatchObject({
      get: { operationId: 'S_One', description: 'Other calls of this shape: `GET /v1/{name=**}`.' },
      delete: { operationId: 'S_Other' },
    });
    expect(paths?.['/v1/{id}']?.['delete']?.['parameters']?.[0]).toMatchObject({ name: 'id', in: 'path' });
    expect(await faultsOf(bindingsOf(schema))).toEqual([]);
    expect(Object.keys(paths as object)).toEqual(['/v1/{id}']);
  });
});

describe('schemas in which one name means two things', () => {
  it('have the name of the schema behind it; what means the same is there once', async () => {
    const twoOf = (fields: string): Schema =>
      loadSchema(
        buildDescriptors({
          'a.proto': `syntax = "proto3"; package a; import "google/api/annotations.proto";
            message Holder { Thing thing = 1; } message Thing { ${fields} } message Same { string x = 1; }
            service S { rpc A(Same) returns (Holder) { option (google.api.http) = { get: "/${fields.length}/{x}" }; } }`,
        }),
      ).schema as Schema;
    const bindings = [
      ...bindingsOf(twoOf('string a = 1;'), {}, 'old'),
      ...bindingsOf(twoOf('string a = 1; int32 b = 2;'), {}, 'new'),
    ];

    const { components, paths } = documentOf(bindings);

    expect(Object.keys(components?.['schemas'] as object)).toEqual([
      'a.Holder-new',
      'a.Holder-old',
      'a.Thing-new',
      'a.Thing-old',
      'google.rpc.Status',
    ]);
    expect(Object.keys(paths as object)).toHaveLength(2);
    expect(await faultsOf(bindings)).toEqual([]);
  });
});

describe('descriptors that were made to hurt', () => {
  const serving = (messages: string): RoutedBinding[] => {
    const text = `syntax = "proto2"; package h; import "google/api/annotations.proto"; ${messages}
      service S { ${rule('A', 'M0 > M0', 'get: "/a"')} }`;
    const { schema, problems } = loadSchema(buildDescriptors({ 'h.proto': text }));
    if (schema === null) throw new Error(JSON.stringify(problems));
    return bindingsOf(schema);
  };

  it('cannot make a document fan out without end', () => {
    const levels = Array.from(
      { length: 30 },
      (_, i) => `message M${i} { optional M${i + 1} a = 1; optional M${i + 1} b = 2; }`,
    );

    const startMs = performance.now();
    documentOf(serving(`${levels.join('')} message M30 { repeated M0 m = 1; }`));

    expect(performance.now() - startMs).toBeLessThan(5_000);
  });

  it('have names that are only names', async () => {
    const bindings = serving(`message M0 {
      required string __proto__ = 1; optional string constructor = 2;
      optional string a = 3 [json_name = "</script>\\"{}"]; optional M0 deep = 4 [json_name = "x.y"]; }`);

    const { components } = documentOf(bindings);

    const names = Object.keys(components?.['schemas']?.['h.M0']?.['properties'] as object);
    expect(names).toEqual(['Proto', 'constructor', '</script>"{}', 'x.y']);
    expect(await faultsOf(bindings)).toEqual([]);
  });
});

it.each(['grpc-gateway', 'envoy', 'strict'] as const)(
  'a document of every kind of method and field validates in profile %s',
  async (profile) => {
    const library = readFileSync(new URL('../fixtures/library.proto', import.meta.url), 'utf8');
    const { schema } = loadSchema(buildDescriptors({ 'library.proto': library }));

    for (const version of ['3.1', '2.0'] as const) documentOf(bindingsOf(schema as Schema, habitsOf(profile)), version);
  },
);
