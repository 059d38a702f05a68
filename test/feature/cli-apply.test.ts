import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { startAdmin } from '../support/admin.js';
import { runCli, TestFolder } from '../support/cli.js';
import { buildDescriptors } from '../support/descriptors.js';
import { bookSet, get } from '../support/http-rules.js';

import type { AdminFixture } from '../support/admin.js';
import type { CliResult } from '../support/cli.js';

let admin: AdminFixture;
let folder: TestFolder;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.close());

beforeEach(async () => {
  await admin.client.call('apply', { prune: true });
  folder = new TestFolder();
  return () => folder.close();
});

function sluice(...args: string[]): Promise<CliResult> {
  return runCli(admin.address, args, folder);
}

const service = `services:
  - name: orders
    discovery: { static: { endpoints: [{ address: 127.0.0.1, port: 9001 }] } }
`;
const route = `routes:
  - name: orders
    paths: [/orders]
    service: orders
`;

describe('apply', () => {
  test('makes what the file describes, and says what changed in which revision', async () => {
    const before = await admin.revision();

    const result = await sluice('apply', '-f', folder.file('gw.yaml', service + route));

    expect(result).toEqual({
      code: 0,
      out: `+ service orders\n+ route orders\n2 changed in revision ${before + 1n}\n`,
      err: '',
    });
    expect(await admin.revision()).toBe(before + 1n);
  });

  test('shows each field of an update with both values', async () => {
    const file = folder.file('gw.yaml', service + route);
    await sluice('apply', '-f', file);
    folder.file('gw.yaml', service + route.replace('[/orders]', '[/orders, { exact: /o }]'));

    const { out } = await sluice('apply', '-f', file);

    expect(out).toMatch(
      /^~ route orders\n {4}paths\[1\]: \(unset\) -> \{"exact":"\/o"\}\n1 changed in revision \d+\n$/,
    );
  });

  test('the same file again changes nothing', async () => {
    const file = folder.file('gw.yaml', service + route);
    await sluice('apply', '-f', file);

    const again = await sluice('apply', '-f', file);

    expect(again).toEqual({ code: 0, out: `nothing to change at revision ${await admin.revision()}\n`, err: '' });
  });

  test('merges several files', async () => {
    const files = [folder.file('a.yaml', service), folder.file('b.yaml', route)];

    expect(await sluice('apply', '-f', ...files)).toMatchObject({ code: 0 });
    expect(await sluice('apply', '-f', files[0] ?? '', '-f', files[1] ?? '')).toMatchObject({ code: 0 });
    expect((await admin.client.call('listRoutes', {})).routes).toHaveLength(1);
  });

  test('takes the .yaml, .yml and .json files of a folder by name, and nothing else of it', async () => {
    folder.file('conf/10-services.yml', service);
    folder.file('conf/20-routes.json', JSON.stringify({ routes: [{ name: 'a', paths: ['/a'], service: 'orders' }] }));
    folder.file('conf/30-routes.yaml', route);
    folder.file('conf/notes.txt', '{{{');
    folder.file('conf/.hidden.yaml', '{{{');
    folder.file('conf/old.yaml.d/x.yaml', '{{{');

    const { code, out } = await sluice('apply', '-f', `${folder.path}/conf`);

    expect(code).toBe(0);
    expect(out).toMatch(/^\+ service orders\n\+ route a\n\+ route orders\n3 changed/);
    const { routes } = await admin.client.call('listRoutes', {});
    expect(routes.map(({ name, meta }) => [name, meta?.ordinal])).toEqual([
      ['a', 0],
      ['orders', 1],
    ]);
  });

  test('takes JSON with tabs for indentation', async () => {
    const text = JSON.stringify({ services: [{ name: 's', discovery: { consul: { service: 's' } } }] }, null, '\t');

    expect(await sluice('apply', '-f', folder.file('gw.json', text))).toMatchObject({ code: 0, err: '' });
  });

  test('reads files that a config file names, relative to it', async () => {
    folder.file('protos/books.binpb', bookSet(get('/v1/books/{id}')));
    const file = folder.file('gw.yaml', 'schemas: [{ name: books, descriptor_set_file: protos/books.binpb }]\n');

    expect(await sluice('apply', '-f', file)).toMatchObject({ code: 0 });
    const { schemas } = await admin.client.call('listSchemas', {});
    expect(Buffer.from(schemas[0]?.descriptorSet ?? [])).toEqual(Buffer.from(bookSet(get('/v1/books/{id}'))));
  });

  test('a dry run shows the changes and makes none', async () => {
    const before = await admin.revision();

    const result = await sluice('apply', '--dry-run', '-f', folder.file('gw.yaml', service));

    expect(result).toEqual({ code: 0, out: '+ service orders\n1 to change; nothing was written\n', err: '' });
    expect(await admin.revision()).toBe(before);
  });

  test('leaves what the files do not name, and deletes it with --prune', async () => {
    await sluice('apply', '-f', folder.file('gw.yaml', service + route));
    const file = folder.file('less.yaml', service);

    const kept = await sluice('apply', '-f', file);
    const pruned = await sluice('apply', '--prune', '-f', file);

    expect(kept.out).toMatch(/^nothing to change/);
    expect(pruned.out).toMatch(/^- route orders\n1 changed/);
  });

  test('an empty file is not taken for the wish to have nothing', async () => {
    await sluice('apply', '-f', folder.file('gw.yaml', service));

    const refused = await sluice('apply', '--prune', '-f', folder.file('cut.yaml', ''));
    const meant = await sluice('apply', '--prune', '-f', folder.file('none.yaml', '{}'));

    expect(refused).toEqual({ code: 1, out: '', err: 'DIR/cut.yaml: says nothing; write {} if that is meant\n' });
    expect(meant.out).toMatch(/^- service orders\n/);
  });

  test('--expected-revision refuses when someone else was first', async () => {
    const file = folder.file('gw.yaml', service);
    const revision = await admin.revision();

    const refused = await sluice('apply', '-f', file, '--expected-revision', String(revision + 7n));
    const taken = await sluice('apply', '-f', file, '--expected-revision', String(revision));

    expect(refused.code).toBe(1);
    expect(refused.err).toContain(`The config is at revision ${revision}, not ${revision + 7n}.\n`);
    expect(taken.code).toBe(0);
  });

  test('what it would break elsewhere is named', async () => {
    await sluice('apply', '-f', folder.file('gw.yaml', service + route));

    const result = await sluice('apply', '--prune', '-f', folder.file('gw.yaml', route));

    expect(result).toEqual({
      code: 1,
      out: '',
      err: 'DIR/gw.yaml:4: route "orders" service: there is no service "orders"\n',
    });
  });
});

describe('a descriptor set that buf made', () => {
  const proto = (template: string): string => `
    syntax = "proto3";
    package library.v1;
    import "google/api/annotations.proto";
    message Book { string name = 1; }
    service Library {
      rpc GetBook(Book) returns (Book) {
        option (google.api.http) = { get: "${template}" };
      }
    }
  `;
  const config = `
services: [{ name: library, protocol: grpc, discovery: { consul: { service: library } } }]
schemas:
  - name: library
    descriptor_set_file: library.binpb
routes: [{ name: library, service: library, transcode: { schema: library } }]
`;

  test('is applied', async () => {
    folder.file('library.binpb', buildDescriptors({ 'library/v1/library.proto': proto('/v1/{name=books/*}') }));

    expect(await sluice('apply', '-f', folder.file('gw.yaml', config))).toMatchObject({ code: 0, err: '' });
  });

  test('is refused with file, method, template and column when a rule of it is bad', async () => {
    folder.file('library.binpb', buildDescriptors({ 'library/v1/library.proto': proto('/v1/{name=books/*') }));

    const { code, err } = await sluice('apply', '-f', folder.file('gw.yaml', config));

    expect(code).toBe(1);
    expect(err).toBe(
      'DIR/gw.yaml:5: schema "library" descriptor_set_file: library/v1/library.proto: library.v1.Library.GetBook: ' +
        'template "/v1/{name=books/*": column 18: the variable is not closed with "}"\n',
    );
  });
});
