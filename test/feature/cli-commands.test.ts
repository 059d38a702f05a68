import { create } from '@bufbuild/protobuf';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import {
  EndpointSetSchema,
  EndpointState,
  Kind,
  NodePhase,
  NodeStatusSchema,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { bookRoute, bookSchema, grpcService, httpService, prefixRoute } from '../support/admin-config.js';
import { startAdmin } from '../support/admin.js';
import { runCli, TestFolder } from '../support/cli.js';

import type { AddressInfo, Server } from 'node:net';
import type { NodeRecord } from '../../control-plane/admin/admin.js';
import type { AdminFixture } from '../support/admin.js';
import type { CliResult } from '../support/cli.js';

let admin: AdminFixture;
let folder: TestFolder;
let lineage: string;

beforeAll(async () => {
  admin = await startAdmin();
  lineage = (await admin.store.read()).version.lineage;
});

afterAll(() => admin.close());

beforeEach(async () => {
  folder = new TestFolder();
  await admin.client.call('apply', {
    services: [httpService(), grpcService()],
    routes: [prefixRoute(), bookRoute()],
    schemas: [bookSchema()],
    prune: true,
  });
  return () => {
    admin.tables.setNodes([]);
    folder.close();
  };
});

function sluice(...args: string[]): Promise<CliResult> {
  return runCli(admin.address, args, folder);
}

/** Signed by itself, and good for nothing but to be read. */
const certificate = `-----BEGIN CERTIFICATE-----
MIIBgzCCASmgAwIBAgIUCQ9y6JOcIa5YyoA2537Shs9eRvgwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLc2x1aWNlLXRlc3QwIBcNMjYxMTIxMTU1NDUzWhgPMjEyNjEw
MjgxNTU0NTNaMBYxFDASBgNVBAMMC3NsdWljZS10ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEOMfJuA6b342J/LDZNO9ycdQ5lyRmia0q3NgS/SA+KXPo7B8D
GviT3YooAffqhn4ImN7XZS59lYSiGc+fmKmur6NTMFEwHQYDVR0OBBYEFAdlyGmX
oW1W5rxkDbDUGHrebxwzMB8GA1UdIwQYMBaAFAdlyGmXoW1W5rxkDbDUGHrebxwz
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAItRmkb2vFcctD+/
KTek8IMkSIiYxzJbpSa3zje2UHJpAiAx0KhJ9eecoxydjl1Et5w0/e513vu15IHZ
T7aAhD38ug==
-----END CERTIFICATE-----
`;

const everything = `
services:
  - name: a.b_c~d
    protocol: https
    discovery: { consul: { service: orders, tags: ['v1', 'on', 'a b'], datacenter: dc1 } }
    path: /api/v1
    host: '[::1]:8443'
    balancing: { policy: weighted-round-robin }
    timeouts: { connect: 250ms, read: 1m30s, write: 1.5s, request: 1d, per_try: 2500ms }
    retries: { attempts: 0, budget_percent: 0 }
    tls: { ca_file: ca.pem, server_name: orders.internal, skip_verify: true }
    health: { active: { http: { path: '/healthz?deep=1', host: a, statuses: [200, 404] }, interval: 100ms, timeout: 50ms, rise: 1, fall: 1, when: always } }
  - name: grpc
    protocol: GRPC
    discovery:
      static:
        endpoints:
          - { address: ::1, port: 65535, weight: 0, tags: [x] }
          - { address: example.org, port: 1 }
    timeouts: {}
    balancing: {}
schemas:
  - { name: books, descriptor_set_file: books.binpb }
routes:
  - name: all
    hosts: [a.example, '*.b.example', 'c.*', '[::1]']
    paths:
      - /p
      - { prefix: /p2 }
      - { exact: /e%20 }
      - { segment_prefix: /s }
      - { regex: '/r(?<n>\\d+)"''', regex_priority: -5 }
      - { regex: { pattern: /long, priority: 3 } }
      - { template: '/t/{n=x/*}/**:verb' }
    methods: [GET, M-SEARCH]
    headers: { X-A: ['', 'b c', '1'], x-b: [ü], '1': [x], '0': [y] }
    protocols: [https]
    priority: -7
    strip_path: false
    preserve_host: true
    rewrite: '/v2/\${n}$$'
    service: a.b_c~d
    enabled: false
    https_redirect: 308
    timeouts: { request: 3s }
    retries: { attempts: 10 }
  - name: twice
    headers: [{ name: x-a, values: [a] }, { name: x-a, values: [b] }]
    service: a.b_c~d
  - name: books
    service: grpc
    transcode: { schema: books, services: [books.v1.Books], profile: strict }
`;

describe('get', () => {
  test('shows a kind as a table, by either number of its name', async () => {
    const routes = await sluice('get', 'routes');

    expect(routes.out.split('\n')[0]).toMatch(/^NAME +HOSTS +PATHS +METHODS +SERVICE +REVISION$/);
    expect(routes.out).toMatch(/\norders-read +api\.example\.com +\/orders +\* +orders +\d+\n/);
    expect(routes.out).toMatch(/\nbooks +api\.example\.com +\(books\) +\* +library +\d+\n/);
    expect(await sluice('get', 'route')).toEqual(routes);
    expect((await sluice('get', 'services')).out).toMatch(/\norders +static 1 +\d+\n/);
    expect((await sluice('get', 'schemas')).out).toMatch(/\nbooks +upload +1 +\d+ +[0-9a-f]{12} +- +\d+\n/);
  });

  test('tells kinds of paths apart in the table', async () => {
    const paths = ['/p', { exact: '/e' }, { segment_prefix: '/s' }, { regex: '/r\\d' }, { template: '/t/{x}' }];
    const file = folder.file('gw.json', JSON.stringify({ routes: [{ name: 'all', service: 'orders', paths }] }));
    await sluice('apply', '-f', file);

    expect((await sluice('get', 'route', 'all')).out).toContain(' /p,=/e,/s/…,~/r\\d,/t/{x} ');
  });

  test('gives YAML that apply takes', async () => {
    const { out } = await sluice('get', 'route', 'orders-read', '-o', 'yaml');

    expect(out).toBe(
      'routes:\n  - name: orders-read\n    hosts:\n      - api.example.com\n    paths:\n      - /orders\n    service: orders\n',
    );
    expect((await sluice('apply', '-f', folder.file('gw.yaml', out))).out).toMatch(/^nothing to change/);
  });

  test('gives the JSON of the API: an object for a name, else a list', async () => {
    const one: unknown = JSON.parse((await sluice('get', 'service', 'orders', '-o', 'json')).out);
    const all: unknown = JSON.parse((await sluice('get', 'services', '-o', 'json')).out);

    expect(one).toMatchObject({ name: 'orders', protocol: 'PROTOCOL_HTTP', meta: { etag: expect.any(String) } });
    expect(all).toMatchObject([{ name: 'library' }, { name: 'orders' }]);
  });

  test('a name that is not there is refused', async () => {
    expect(await sluice('get', 'route', 'nowhere')).toEqual({
      code: 1,
      out: '',
      err: 'There is no route "nowhere".\n',
    });
  });

  test('goes through all pages', async () => {
    const routes = Array.from({ length: 1_050 }, (_, i) => ({ name: `r${i}`, paths: [`/r${i}`], service: 'orders' }));
    await sluice('apply', '-f', folder.file('gw.json', JSON.stringify({ routes })));

    expect((await sluice('get', 'routes')).out.split('\n')).toHaveLength(1_050 + 2 + 2);
  });
});

describe('delete', () => {
  test('deletes a resource', async () => {
    expect(await sluice('delete', 'route', 'books')).toEqual({ code: 0, out: 'deleted route books\n', err: '' });
    expect((await sluice('get', 'routes')).out).not.toContain('books');
  });

  test('says who uses what cannot be deleted', async () => {
    const { code, err } = await sluice('delete', 'service', 'orders');

    expect(code).toBe(1);
    expect(err).toBe(
      'It is in use by route "orders-read".\n  route "orders-read".service: there is no service "orders"\n',
    );
  });

  test('refuses with an etag that is not the newest', async () => {
    const { code, err } = await sluice('delete', 'route', 'books', '--etag', 'old');

    expect(code).toBe(1);
    expect(err).toContain('changed by someone else');
  });
});

describe('dump', () => {
  test('gives a file that makes the same config again, without a change', async () => {
    const { code, out } = await sluice('dump');
    const file = folder.file('dump.yaml', out);

    const again = await sluice('apply', '--prune', '-f', file);
    await admin.client.call('apply', { prune: true });
    const rebuilt = await sluice('apply', '-f', file);

    expect(code).toBe(0);
    expect(again.out).toMatch(/^nothing to change/);
    expect(rebuilt.out).toMatch(/5 changed/);
    expect((await sluice('dump')).out).toBe(out);
  });

  test('gives back all that a file can say', async () => {
    folder.file('ca.pem', certificate);
    folder.file('books.binpb', bookSchema().descriptorSet);
    const applied = await sluice('apply', '--prune', '-f', folder.file('gw.yaml', everything));

    const { out } = await sluice('dump');

    expect(applied).toMatchObject({ code: 0, err: '' });
    expect((await sluice('apply', '--prune', '-f', folder.file('dump.yaml', out))).out).toMatch(/^nothing to change/);
    for (const written of [
      'per_try: 2500ms',
      'regex_priority: -5',
      'weight: 0',
      'x-b:',
      'strip_path: false',
      'ca_pem: |',
    ])
      expect(out).toContain(written);
    const { out: yaml } = await sluice('get', 'routes', '-o', 'yaml');
    expect((await sluice('apply', '-f', folder.file('routes.yaml', yaml))).out).toMatch(/^nothing to change/);
  });

  test('keeps the order of age, which decides between equal routes', async () => {
    const routes = ['zebra', 'ape', 'mouse'].map((name) => ({ name, service: 'orders', paths: ['/a', `/${name}`] }));
    await sluice('apply', '-f', folder.file('gw.json', JSON.stringify({ routes })));

    expect((await sluice('dump')).out).toMatch(/name: zebra[^]*name: ape[^]*name: mouse/);
  });

  test('of nothing is a file that says so', async () => {
    await admin.client.call('apply', { prune: true });

    const { out } = await sluice('dump');

    expect(out).toBe('{}\n');
    expect((await sluice('apply', '--prune', '-f', folder.file('dump.yaml', out))).code).toBe(0);
  });
});

describe('diff and validate', () => {
  test('show or check a change and make none', async () => {
    const file = folder.file('gw.yaml', 'routes: [{ name: orders-read, paths: [/o], service: orders }]\n');
    const before = await admin.revision();

    const diff = await sluice('diff', '-f', file);
    const pruning = await sluice('diff', '--prune', '-f', file);
    const valid = await sluice('validate', '-f', file);

    expect(diff).toMatchObject({ code: 0, err: '' });
    expect(diff.out).toMatch(
      /^~ route orders-read\n {4}hosts: \["api.example.com"\] -> \(unset\)\n {4}paths\[0\]\.prefix: "\/orders" -> "\/o"\n1 to change/,
    );
    expect(pruning.code).toBe(1);
    expect(pruning.err).toContain('gw.yaml:1: route "orders-read" service: there is no service "orders"');
    expect(valid).toEqual({ code: 0, out: 'valid\n', err: '' });
    expect(await admin.revision()).toBe(before);
  });

  test('name what a change would break in the running config', async () => {
    const file = folder.file('gw.yaml', 'services: [{ name: library, discovery: { consul: { service: l } } }]\n');

    expect(await sluice('validate', '-f', file)).toEqual({
      code: 1,
      out: '',
      err: 'running config: route "books" service: service "library" does not speak grpc or grpcs, which a transcoded route needs\n',
    });
  });

  test('show problems of several files in the order of their lines', async () => {
    const a = folder.file(
      'a.yaml',
      'routes:\n  - { name: x, paths: [/x], service: nowhere }\n  - { name: a, paths: [x], service: orders }\n',
    );
    const b = folder.file(
      'b.yaml',
      'services:\n  - { name: x, discovery: { consul: { service: "a b" } } }\n  - { name: y, path: x, discovery: { consul: { service: y } } }\n',
    );

    const syntax = await sluice('validate', '-f', folder.file('c.yaml', 'routes: {'), a, folder.file('d.yaml', 'x: 1'));
    const rules = await sluice('validate', '-f', a, b);

    expect(syntax.err.split('\n').map((line) => line.split(': ')[0])).toEqual(['DIR/c.yaml:1', 'DIR/d.yaml:1', '']);
    expect(rules.err.split('\n').map((line) => line.split(': ')[0])).toEqual(['DIR/b.yaml:2', 'DIR/b.yaml:3', '']);
    expect((await sluice('validate', '-f', a)).err.split('\n').map((line) => line.split(': ')[0])).toEqual([
      'DIR/a.yaml:2',
      'DIR/a.yaml:3',
      '',
    ]);
  });

  test('a name in two files is named with both places', async () => {
    const text = 'routes:\n  - { name: x, paths: [/x], service: orders }\n';

    const { err } = await sluice('validate', '-f', folder.file('a.yaml', text), folder.file('b.yaml', `#\n${text}`));

    expect(err).toBe('DIR/b.yaml:3: route "x" name: stands already at DIR/a.yaml:2\n');
  });
});

function node(nodeId: string, revision: bigint, more: Partial<NodeRecord> = {}): NodeRecord {
  const status = create(NodeStatusSchema, {
    nodeId,
    address: '10.0.0.1:8080',
    phase: NodePhase.LIVE,
    config: { lineage, revision },
    configLagMs: 12n,
  });
  return { status, lastSeenMs: 1_700_000_000_000, silent: false, ...more };
}

function refusing(nodeId: string, revision: bigint): NodeRecord {
  const refusal = { revision, kind: Kind.ROUTE, name: 'r', field: 'hosts[0]', reason: 'is too long' };
  const status = create(NodeStatusSchema, { nodeId, config: { lineage, revision: 0n }, refusal });
  return { status, lastSeenMs: 1_700_000_000_000, silent: false };
}

describe('apply --wait', () => {
  const change = () => folder.file('gw.yaml', `routes: [{ name: w, paths: [/w${Math.random()}], service: orders }]`);

  test('returns when every live node has applied the revision, and says how fast each was', async () => {
    const next = (await admin.revision()) + 1n;
    admin.tables.setNodes([node('a', next), node('b', next - 1n), node('c', 0n, { silent: true })]);
    const result = sluice('apply', '--wait', '-f', change());
    await vi.waitFor(() => expect(admin.tables.watchers).toBe(1), { interval: 5 });

    admin.tables.setNodes([node('a', next), node('b', next), node('c', 0n, { silent: true })]);

    const { code, out } = await result;
    expect(code).toBe(0);
    expect(out).toContain('a  applied  12 ms\nb  applied  12 ms\nc  silent\n');
    expect(out).toContain(`revision ${next}: 2 applied, 0 refused, 0 pending, 1 silent\n`);
  });

  test('fails with the reason when a node refuses the revision', async () => {
    const next = (await admin.revision()) + 1n;
    admin.tables.setNodes([node('a', next), refusing('b', next)]);

    const { code, out } = await sluice('apply', '--wait', '-f', change());

    expect(code).toBe(1);
    expect(out).toContain('b  refused         route r hosts[0]: is too long\n');
  });

  test('fails and says who is behind when the time is over', async () => {
    admin.tables.setNodes([node('slow', 1n)]);

    const { code, out, err } = await sluice('apply', '--wait', '--timeout', '50ms', '-f', change());

    expect(code).toBe(1);
    expect(out).toContain('slow  pending\n');
    expect(err).toMatch(/^not every live node has applied revision \d+ after 50 ms\n$/);
  });

  test('waits for the running revision when there is nothing to change', async () => {
    const file = change();
    await sluice('apply', '-f', file);
    admin.tables.setNodes([node('a', await admin.revision())]);

    const { code, out } = await sluice('apply', '--wait', '-f', file);

    expect(code).toBe(0);
    expect(out).toMatch(/^nothing to change at revision \d+\na {2}applied {2}12 ms\n/);
  });
});

describe('nodes, history and endpoints', () => {
  test('nodes shows phase, revision and lag, and who refuses what', async () => {
    admin.tables.setNodes([node('a', 2n), node('b', 1n, { silent: true }), refusing('c', 3n)]);

    const { code, out } = await sluice('nodes');

    expect(code).toBe(0);
    expect(out).toMatch(/^NODE +PHASE +REVISION +LAG +ADDRESS +LAST SEEN\n/);
    expect(out).toMatch(/\na +live +2 +12 ms +10\.0\.0\.1:8080 +2023-11-14T22:13:20\.000Z\n/);
    expect(out).toMatch(/\nb +silent +1 /);
    expect(out).toMatch(/\nc .* refuses 3: route r hosts\[0\]: is too long\n/);
    expect(out).toContain(`newest revision: ${await admin.revision()}\n`);
  });

  test('history is newest first, as long as it is asked for', async () => {
    for (const name of ['h1', 'h2', 'h3'])
      await admin.client.call('createRoute', { route: prefixRoute(name, 'orders', `/${name}`) });

    const { out } = await sluice('history', '--limit', '2');

    expect(out).toMatch(/^\d+ {2}\S+Z {2}\S+\n {2}\+ route h3\n\d+ .*\n {2}\+ route h2\n$/);
  });

  test('history goes through all pages', async () => {
    const first = await admin.revision();
    for (let i = 0; i < 101; i++)
      await admin.client.call('updateRoute', { route: { ...prefixRoute(), priority: i + 1 } });

    const { out } = await sluice('history', '--limit', '101');

    expect(out.match(/^\d+/gm)).toEqual(Array.from({ length: 101 }, (_, i) => String(first + 101n - BigInt(i))));
  });

  test('endpoints shows each with address, weight and state', async () => {
    const state = EndpointState.ACTIVE;
    const endpoints = [
      { id: 'one', address: '10.0.0.1', port: 80, weight: 3, state, tags: ['v1', 'blue'] },
      { id: 'two', address: '::1', port: 81, weight: 1, state: EndpointState.SUSPECT, reason: 'disk is full' },
    ];
    admin.tables.sets.set('orders', create(EndpointSetSchema, { service: 'orders', endpoints }));

    const { code, out } = await sluice('endpoints', 'orders');

    expect(code).toBe(0);
    expect(out).toMatch(/\none +10\.0\.0\.1:80 +3 +active +v1,blue\n/);
    expect(out).toMatch(/\ntwo +\[::1\]:81 +1 +suspect +disk is full\n/);
  });

  test('endpoints of a service that the registry has not answered for are unknown, not none', async () => {
    const { code, out, err } = await sluice('endpoints', 'library');

    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toBe('The registry has not answered for service "library" yet.\n');
  });
});

describe('wrong usage ends with 2', () => {
  test.each([
    ['a command that is none', ['aply'], "unknown command 'aply'"],
    ['a flag that is none', ['nodes', '--fast'], "unknown option '--fast'"],
    ['apply without a file', ['apply'], "required option '-f, --file <path...>' not specified"],
    ['a file that is not there', ['apply', '-f', 'DIR/nowhere.yaml'], 'DIR/nowhere.yaml: there is no such file'],
    ['a folder without a config file', ['apply', '-f', 'DIR'], 'DIR: the folder has no .yaml, .yml or .json file'],
    ['a kind that is none', ['get', 'policies'], 'Known kinds are service, route, schema, certificate.'],
    ['a format that is none', ['get', 'routes', '-o', 'xml'], 'Allowed choices are table, yaml, json.'],
    ['delete without a name', ['delete', 'route'], "missing required argument 'name'"],
    ['a limit that is no number', ['history', '--limit', 'all'], 'It must be a whole number above 0.'],
    ['a limit of nothing', ['history', '--limit', '0'], 'It must be a whole number above 0.'],
    ['a timeout that is none', ['apply', '-f', 'x', '--timeout', 'soon'], 'It must be a duration from 1ms to 1h'],
    ['a timeout beyond the limit', ['apply', '-f', 'x', '--timeout', '2h'], 'It must be a duration from 1ms to 1h'],
    ['a revision that is none', ['apply', '-f', 'x', '--expected-revision', '-1'], 'It must be a revision number.'],
    ['waiting for a dry run', ['apply', '-f', 'x', '--wait', '--dry-run'], 'cannot be used with'],
    ['an address without a port', ['--address', 'localhost', 'nodes'], 'must be HOST:PORT, not "localhost"'],
    ['an address with a scheme', ['--address', 'http://localhost:1', 'nodes'], 'must be HOST:PORT'],
    ['an address that is empty', ['--address', '', 'nodes'], 'must be HOST:PORT'],
    ['an address with a port that is none', ['--address', 'localhost:99999', 'nodes'], 'must be HOST:PORT'],
  ])('%s', async (_, args, words) => {
    const { code, out, err } = await sluice(...args.map((arg) => arg.replace('DIR', folder.path)));

    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(words);
  });
});

describe('a control plane that does not answer ends with 3', () => {
  async function listening(server: Server): Promise<string> {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('when nobody listens', async () => {
    const server = createTcpServer();
    const address = await listening(server);
    await new Promise((resolve) => server.close(resolve));

    const { code, out, err } = await sluice('--address', address, 'nodes');

    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain(`no control plane answers at ${address}`);
  });

  test('when the name is none', async () => {
    const { code, err } = await sluice('--address', 'nowhere.invalid:9900', 'nodes');

    expect(code).toBe(3);
    expect(err).toContain('no control plane answers at nowhere.invalid:9900');
  });

  test('when a web server listens', async () => {
    const server = createServer((_, response) => response.end('hello'));
    const address = await listening(server);

    const { code, err } = await sluice('--address', address, 'nodes');
    await new Promise((resolve) => server.close(resolve));

    expect(code).toBe(3);
    expect(err).toContain(`no control plane answers at ${address}`);
  });

  test('bad files are refused before anyone is asked', async () => {
    const { code } = await sluice('--address', '127.0.0.1:1', 'apply', '-f', folder.file('gw.yaml', 'x: 1'));

    expect(code).toBe(1);
  });
});
