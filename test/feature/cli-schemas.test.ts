import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { ReflectionStatusSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { staticEndpoints } from '../support/admin-config.js';
import { startAdmin, type AdminFixture } from '../support/admin.js';
import { runCli, TestFolder, type CliResult } from '../support/cli.js';
import { buildDescriptors } from '../support/descriptors.js';
import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';

let admin: AdminFixture;
let folder: TestFolder;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.close());

beforeEach(async () => {
  folder = new TestFolder();
  await admin.client.call('apply', { prune: true });
  return () => folder.close();
});

function sluice(...args: string[]): Promise<CliResult> {
  return runCli(admin.address, args, folder);
}

const source = (fields: string, methods: string): string => `
  syntax = "proto3"; package shop.v1; import "google/api/annotations.proto";
  message Book { string id = 1; ${fields} }
  service Shop { rpc Get(Book) returns (Book) { option (google.api.http) = { get: "/v1/books/{id}" }; } ${methods} }`;

const first = buildDescriptors({ 'shop.proto': source('string title = 2;', 'rpc Put(Book) returns (Book);') });
const second = buildDescriptors({ 'shop.proto': source('int32 title = 2; string isbn = 3;', '') });

const config = `
services: [{ name: shop, protocol: grpc, discovery: { static: { endpoints: [{ address: 127.0.0.1, port: 1 }] } } }]
schemas:
  - name: shop
    descriptor_set_file: shop.binpb
    http_rules_file: rules.yaml
routes: [{ name: shop, service: shop, transcode: { schema: shop } }]
`;

const rules = `
type: google.api.Service
config_version: 3
name: shop.example.com
http:
  fully_decode_reserved_expansion: true
  rules:
  - selector: shop.v1.Shop.Get
    get: /v9/ignored
  - selector: shop.v1.Shop.Get
    get: /v2/books/{id}
    additional_bindings:
    - custom: { kind: SEARCH, path: /v2/books }
documentation: { summary: not ours }
`;

test('PT17 http rules beside a schema come from a google.api.Service in YAML, and back with a dump', async () => {
  folder.file('shop.binpb', first);
  folder.file('rules.yaml', rules);

  const applied = await sluice('apply', '-f', folder.file('gw.yaml', config));
  const dump = await sluice('dump');
  const again = await sluice('apply', '--prune', '-f', folder.file('dump.yaml', dump.out));

  expect(applied).toMatchObject({ code: 0, err: '' });
  const { schemas } = await admin.client.call('listSchemas', {});
  expect(schemas[0]?.httpRules?.rules.map(({ pattern }) => pattern.value)).toEqual(['/v9/ignored', '/v2/books/{id}']);
  expect(dump.out).toContain('kind: SEARCH');
  expect(again.out).toMatch(/^nothing to change/);
});

test('PT17 the same rules in JSON, with its names', async () => {
  folder.file('shop.binpb', first);
  const rule = { selector: 'shop.v1.Shop.Put', post: '/v1/books', body: '*', responseBody: 'title' };
  const more = { additionalBindings: [{ put: '/v1/books' }] };
  folder.file('rules.yaml', JSON.stringify({ http: { rules: [{ ...rule, ...more }] } }, null, '\t'));

  expect(await sluice('apply', '-f', folder.file('gw.yaml', config))).toMatchObject({ code: 0, err: '' });

  const { schemas } = await admin.client.call('listSchemas', {});
  expect(schemas[0]?.httpRules?.rules[0]).toMatchObject({ responseBody: 'title', additionalBindings: [{}] });
});

test('PT17 a rule that takes the path of another method is refused where it stands, naming both', async () => {
  folder.file('shop.binpb', first);
  const rule = '  - { selector: shop.v1.Shop.Put, get: "/v1/books/{title}" }';
  folder.file('rules.yaml', ['http:', '  rules:', rule, ''].join('\n'));

  const { code, err } = await sluice('apply', '-f', folder.file('gw.yaml', config));

  expect({ code, err }).toEqual({
    code: 1,
    err:
      'DIR/rules.yaml:3: schema "shop" http.rules[0]: shop.v1.Shop.Put: template "/v1/books/{title}": ' +
      'GET /v1/books/{title} is taken by shop.v1.Shop/Get\n',
  });
});

test('DS1 diff and a dry run tell what a new version of a schema breaks', async () => {
  folder.file('shop.binpb', first);
  const file = folder.file('gw.yaml', config.replace(/ +http_rules_file.*\n/, ''));
  await sluice('apply', '-f', file);
  folder.file('shop.binpb', second);

  const diff = await sluice('diff', '-f', file);
  const dryRun = await sluice('apply', '--dry-run', '-f', file);

  expect(diff).toMatchObject({ code: 0, err: '' });
  expect(diff.out.split('\n').slice(2)).toEqual([
    '    breaking: shop.v1.Shop.Put: the method is gone',
    '    breaking: shop.v1.Book.title: its type was string and is int32',
    '    compatible: shop.v1.Book.isbn: the field is new',
    '1 to change; nothing was written',
    '',
  ]);
  expect(dryRun.out).toBe(diff.out);
  const { changes } = await admin.client.call('apply', {
    schemas: [{ name: 'shop', descriptorSet: second }],
    dryRun: true,
  });
  expect(changes[0]?.schemaChanges.map(({ breaking }) => breaking)).toEqual([true, true, false]);
});

test('DS1 a rule that is lost is told as a route that is lost', async () => {
  folder.file('shop.binpb', first);
  folder.file('rules.yaml', rules);
  await sluice('apply', '-f', folder.file('gw.yaml', config));
  folder.file('rules.yaml', rules.replace('/v2/books/{id}', '/v3/books/{id}'));

  const { out } = await sluice('diff', '-f', folder.file('gw.yaml', config));

  expect(out).toContain('    breaking: shop.v1.Shop.Get: GET /v2/books/{id} is not served any more\n');
  expect(out).toContain('    compatible: shop.v1.Shop.Get: GET /v3/books/{id} is new\n');
});

test('the table of schemas says where each comes from and what is wrong with it', async () => {
  await admin.client.call('apply', {
    services: [{ name: 'shop', protocol: Protocol.GRPC, discovery: staticEndpoints(1, 2) }],
    schemas: [
      { name: 'a-upload', descriptorSet: first },
      { name: 'b-read', descriptorSet: first, reflect: { service: 'shop' } },
      { name: 'c-new', reflect: { service: 'shop' } },
    ],
  });
  admin.tables.reflections.set(
    'b-read',
    create(ReflectionStatusSchema, {
      schema: 'b-read',
      service: 'shop',
      lastAttempt: { seconds: 1_800_000_060n },
      lastSuccess: { seconds: 1_800_000_000n },
      lastError: 'endpoints serve different descriptors',
      disagreement: true,
      endpoints: [
        { id: '1', address: '127.0.0.1:1', digest: 'ab'.repeat(32) },
        { id: '2', address: '127.0.0.1:2', error: 'connection refused' },
      ],
    }),
  );

  const { out } = await sluice('get', 'schemas');

  const lines = out.split('\n');
  expect(lines[0]).toMatch(/^NAME +SOURCE +SERVICES +BYTES +DIGEST +REFRESHED +REVISION$/);
  expect(lines[1]).toMatch(/^a-upload +upload +1 +\d+ +[0-9a-f]{12} +- +\d+$/);
  expect(lines[2]).toMatch(/^b-read +reflect shop +1 +\d+ +[0-9a-f]{12} +2027-01-15T08:00:00\.000Z +\d+$/);
  expect(lines[3]).toMatch(/^c-new +reflect shop +0 +0 +- +- +\d+$/);
  expect(lines.slice(4)).toEqual([
    'b-read: endpoints serve different descriptors',
    '  127.0.0.1:1  serves abababababab',
    '  127.0.0.1:2  connection refused',
    'c-new: not read from its service yet',
    '',
  ]);
});

test('a service that a schema is read from is in use', async () => {
  await admin.client.call('apply', {
    services: [{ name: 'shop', protocol: Protocol.GRPC, discovery: staticEndpoints(1) }],
    schemas: [{ name: 'shop', reflect: { service: 'shop' } }],
  });

  const { code, err } = await sluice('delete', 'service', 'shop');

  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('in use by schema "shop"') as string });
});
