import { create } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { bookstoreDescriptorSet } from '../../deploy/demo/bookstore.js';
import { EndpointSetSchema, EndpointState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { refusalOf, startAdmin } from '../support/admin.js';
import { runCli, TestFolder } from '../support/cli.js';
import { startGateway } from '../support/gateway.js';
import { TestClient } from '../support/load.js';
import { startUpstream } from '../support/upstream.js';

import type { AdminFixture } from '../support/admin.js';
import type { CliResult } from '../support/cli.js';

let admin: AdminFixture;
let folder: TestFolder;

const config = `
services:
  - { name: orders, path: /v2, discovery: { static: { endpoints: [{ address: 127.0.0.1, port: 9001, weight: 3 }] } } }
  - { name: legacy, host: legacy.internal, discovery: { static: { endpoints: [{ address: 127.0.0.1, port: 9002 }] } } }
  - { name: bookstore, protocol: grpc, discovery: { static: { endpoints: [{ address: 127.0.0.1, port: 9003 }] } } }
schemas:
  - { name: bookstore, descriptor_set_file: bookstore.binpb }
routes:
  - { name: orders, hosts: [api.example], paths: [/orders], methods: [GET], service: orders }
  - { name: books, hosts: [books.example], service: bookstore, transcode: { schema: bookstore } }
  - { name: all, paths: [/], service: legacy, strip_path: false, protocols: [https] }
`;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.close());

beforeEach(async () => {
  folder = new TestFolder();
  folder.file('bookstore.binpb', readFileSync(bookstoreDescriptorSet));
  expect((await sluice('apply', '--prune', '-f', folder.file('config.yaml', config))).err).toBe('');
});

afterEach(() => folder.close());

function sluice(...args: string[]): Promise<CliResult> {
  return runCli(admin.address, args, folder);
}

async function linesOf(...args: string[]): Promise<string[]> {
  const { code, out, err } = await sluice(...args);
  expect([code, err]).toEqual([0, '']);
  return out.trimEnd().split('\n');
}

describe('explain', () => {
  test('says which route takes a request, what is sent where, and why the others do not take it', async () => {
    const endpoints = [
      { id: 'a', address: '127.0.0.1', port: 9001, weight: 3, state: EndpointState.ACTIVE },
      { id: 'b', address: '::1', port: 9001, weight: 1, state: EndpointState.SUSPECT },
    ];
    admin.tables.sets.set('orders', create(EndpointSetSchema, { service: 'orders', endpoints }));

    const lines = await linesOf('explain', 'GET', 'http://api.example:8080/orders/17?x=1', '-H', 'Accept: text/html');

    expect(lines).toEqual([
      'GET http://api.example:8080/orders/17?x=1',
      `  matched as host api.example, path /orders/17, by revision ${await admin.revision()}`,
      'route orders by prefix /orders',
      'sent to service orders: GET /v2/17?x=1',
      "  Host: (the endpoint's address)",
      '  Accept: text/html',
      '  X-Forwarded-Prefix: /orders',
      '  X-Request-Id: explain',
      '  X-Forwarded-For: 192.0.2.1',
      '  X-Real-IP: 192.0.2.1',
      '  X-Forwarded-Proto: http',
      '  X-Forwarded-Host: api.example',
      '  X-Forwarded-Port: 8080',
      '  Via: 1.1 sluice',
      'endpoints',
      '  a  127.0.0.1:9001  weight 3  active',
      '  b  [::1]:9001      weight 1  suspect',
      'not',
      '  all  criteria  sets 1 kinds of criteria, the winner 3',
    ]);
    admin.tables.sets.clear();
  });

  test('says what the gateway answers itself', async () => {
    const plain = await linesOf('explain', 'POST', 'http://api.example/orders');
    const secure = await linesOf('explain', 'POST', 'https://api.example/orders');
    const dots = await linesOf('explain', 'GET', 'http://api.example/a/../b');

    expect(plain.slice(2)).toEqual([
      'route all by prefix /',
      '  no other route matches',
      'answered by the gateway: 426 https_required Please use HTTPS protocol',
      '  Connection: Upgrade',
      '  Upgrade: TLS/1.2, HTTP/1.1',
      'not',
      '  orders  methods  method POST is not GET',
    ]);
    expect(secure.slice(2, 6)).toEqual([
      'route all by prefix /',
      '  no other route matches',
      'sent to service legacy: POST /orders',
      '  Host: legacy.internal',
    ]);
    expect(dots.join('\n')).toContain('answered by the gateway: 400 bad_path');
  });

  test('shows the gRPC call of a transcoded route', async () => {
    const lines = await linesOf('explain', 'GET', 'http://books.example/v1/shelves/7/books?pageSize=3', '--limit', '2');

    expect(lines.slice(2, 9)).toEqual([
      'route books by template /v1/shelves/{shelf}/books',
      'calls bookstore.v1.Bookstore/ListBooks',
      '  by GET /v1/shelves/{shelf}/books',
      '  shelf = 7',
      '  message {"shelf":"7","pageSize":3}',
      '  wire    4 bytes 18030807',
      'sent to service bookstore: POST /bookstore.v1.Bookstore/ListBooks',
    ]);
    expect(lines.slice(-4)).toEqual([
      'not',
      '  all                                      criteria  sets 1 kinds of criteria beside methods, the winner 2',
      '  books bookstore.v1.Bookstore/CreateBook  methods   method GET is not POST',
      expect.stringMatching(/^ {2}and \d+ more$/),
    ]);
  });

  test('tells a HEAD that a GET answers, and an OPTIONS that the gateway answers', async () => {
    const withoutAll = folder.file('without.yaml', config.replace(/.*name: all.*/, ''));
    const ask = (method: string) =>
      linesOf('explain', method, 'http://books.example/v1/shelves', '-f', withoutAll, '--prune');

    const head = await ask('HEAD');
    const options = await ask('OPTIONS');

    expect(head.slice(2, 6)).toEqual([
      'route books by template /v1/shelves',
      '  found by its GET',
      '  no other route matches',
      'calls bookstore.v1.Bookstore/ListShelves',
    ]);
    expect(options.join('\n')).toMatch(/answered by the gateway: 204\n {2}Allow: GET, HEAD, OPTIONS, POST/);
  });

  test('answers by an earlier revision, with what has been changed and deleted since', async () => {
    const before = await admin.revision();
    await sluice('delete', 'route', 'orders');
    const changed = config
      .replace('service: legacy, strip_path: false', 'service: orders')
      .replace(/.*name: orders, hosts.*/, '');
    await sluice('apply', '--prune', '-f', folder.file('changed.yaml', changed));
    const routeAt = async (...args: string[]) =>
      (await linesOf('explain', 'GET', 'https://api.example/orders/1', ...args))[2];

    expect(await routeAt()).toBe('route all by prefix /');
    expect(await routeAt('--revision', String(before))).toBe('route orders by prefix /orders');
    expect((await linesOf('explain', 'GET', 'https://x/', '--revision', String(before))).join()).toContain(
      'service legacy',
    );
    expect((await linesOf('explain', 'GET', 'https://x/')).join()).toContain('service orders');
    expect((await linesOf('explain', 'GET', 'https://x/', '--revision', '1'))[1]).toContain('by revision 1');
    expect(await sluice('explain', 'GET', 'https://x/', '--revision', '999')).toMatchObject({
      code: 1,
      err: expect.stringContaining('There is no revision 999: the newest is') as unknown,
    });
  });

  test('answers by files that have not been applied, and changes nothing', async () => {
    const before = await admin.revision();
    const candidate = folder.file(
      'candidate.yaml',
      'routes: [{ name: exact, hosts: [api.example], paths: [{ exact: /orders/17 }], methods: [GET], service: legacy }]',
    );

    const lines = await linesOf('explain', 'GET', 'http://api.example/orders/17', '-f', candidate);

    expect(lines[2]).toBe('route exact by exact /orders/17');
    expect(lines.at(-2)).toBe('  orders  path      prefix /orders goes after exact /orders/17');
    expect(await admin.revision()).toBe(before);
  });

  test('refuses files that would not be applied, with file and line', async () => {
    const candidate = folder.file('bad.yaml', 'routes:\n  - { name: a, paths: [/a],\n      service: gone }\n');

    expect(await sluice('explain', 'GET', '/a', '-f', candidate)).toEqual({
      code: 1,
      out: '',
      err: 'DIR/bad.yaml:3: route "a" service: there is no service "gone"\n',
    });
    expect(
      await refusalOf(
        admin.client.call('explain', {
          method: 'GET',
          url: '/a',
          candidate: { routes: [{ name: 'a', service: 'gone', methods: ['GET'] }] },
        }),
      ),
    ).toMatchObject({ fields: ['candidate.routes[0].service'] });
  });

  test.each([
    ['ftp://x/', 'url: must be http://HOST/PATH, https://HOST/PATH or /PATH'],
    ['orders', 'url: must be http://HOST/PATH, https://HOST/PATH or /PATH'],
    ['/a b', 'url: has characters that a request cannot have; write them as %XX'],
    ['/ä', 'url: has characters that a request cannot have; write them as %XX'],
  ])('refuses the URL %s', async (url, message) => {
    const { code, err } = await sluice('explain', 'GET', url);

    expect([code, err.split('\n')[0]]).toEqual([1, message]);
  });

  test('gives the answer of the API as JSON', async () => {
    const { out } = await sluice('explain', 'GET', 'http://books.example/v1/shelfs', '-o', 'json', '--limit', '1');

    expect(JSON.parse(out)).toMatchObject({
      host: 'books.example',
      route: { name: 'all' },
      answer: { status: 426, kind: 'https_required' },
      others: [{ name: 'books', grpc_method: 'bookstore.v1.Bookstore/ListShelves', by: 'paths' }],
    });
  });

  test('passes gRPC calls on as they are', async () => {
    const ask = (url: string) => linesOf('explain', 'POST', url, '-H', 'Content-Type: application/grpc', '--body', 'x');
    const grpcRoute = folder.file(
      'grpc.yaml',
      'routes: [{ name: grpc, hosts: [grpc.example], grpc: [{ service: a.B }], service: bookstore }]',
    );

    const transcoded = await ask('http://books.example/bookstore.v1.Bookstore/GetShelf');
    const routed = await linesOf(
      'explain',
      'POST',
      'http://grpc.example/a.B/C',
      '-H',
      'Content-Type: application/grpc',
      '-f',
      grpcRoute,
    );
    const notGrpc = await linesOf('explain', 'POST', 'http://grpc.example/a.B/C', '-f', grpcRoute);

    expect(transcoded.slice(2, 4)).toEqual([
      'route books by template /bookstore.v1.Bookstore/GetShelf',
      'sent to service bookstore: POST /bookstore.v1.Bookstore/GetShelf',
    ]);
    expect(routed.slice(2, 4)).toEqual(['route grpc by segment_prefix /a.B', 'sent to service bookstore: POST /a.B/C']);
    expect(notGrpc.join()).toContain('answered by the gateway: 415 unsupported_media_type');
  });

  test('says what a node sends, header by header', async () => {
    const received: { method: string; url: string; headers: readonly string[] }[] = [];
    const upstream = await startUpstream((request, response) => {
      received.push({ method: request.method ?? '', url: request.url ?? '', headers: request.rawHeaders });
      response.end();
    });
    const gateway = await startGateway({
      services: [{ name: 'orders', path: '/v2', protocol: Protocol.HTTP }],
      routes: [
        {
          name: 'orders',
          hosts: ['api.example'],
          paths: [{ kind: { case: 'prefix', value: '/orders' } }],
          service: 'orders',
        },
      ],
      endpoints: { orders: [upstream.port] },
    });
    const client = new TestClient();
    const headers = { host: 'api.example', 'x-a': '1', 'x-b': '2', connection: 'x-b', accept: 'text/html' };

    await client.send(`${gateway.url}/orders/a%2Fb?q=1`, { headers });
    const fields = Object.entries(headers).map(([name, value]) => ({ name, value }));
    const { sent } = await admin.client.call('explain', { method: 'GET', url: '/orders/a%2Fb?q=1', headers: fields });
    client.close();
    await gateway.close();
    await upstream.close();

    const [request] = received;
    const differing = new Set([
      'host',
      'x-request-id',
      'x-forwarded-for',
      'x-real-ip',
      'x-forwarded-port',
      'connection',
    ]);
    const named = (names: readonly (readonly [string, string])[]) =>
      names
        .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
        .filter((line) => !differing.has(line.split(':')[0] ?? ''));
    const raw = request?.headers ?? [];
    const onWire = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as const] : []));
    expect(`${sent?.method} ${sent?.target}`).toBe(`${request?.method} ${request?.url}`);
    expect(named((sent?.headers ?? []).map(({ name, value }) => [name, value] as const))).toEqual(named(onWire));
  });
});

describe('transcode try', () => {
  test('shows the method and the message that a REST call becomes', async () => {
    const body = '{"author":"Sappho"}';
    const args = ['transcode', 'try', 'POST', '/v1/shelves/1/books', '--host', 'books.example'];
    const expected = [
      'calls bookstore.v1.Bookstore/CreateBook',
      '  by POST /v1/shelves/{shelf}/books, body book',
      '  shelf = 1',
      '  message {"shelf":"1","book":{"author":"Sappho"}}',
      '  wire    12 bytes 1208120653617070686f0801',
    ];

    expect(await linesOf(...args, '--body', body)).toEqual(expected);
    expect(await linesOf(...args, '--body', `@${folder.file('body.json', body)}`)).toEqual(expected);
  });

  test('says which field a call is refused for, and why', async () => {
    const args = ['transcode', 'try', 'POST', '/v1/shelves/x/books', '--host', 'books.example'];

    expect(await sluice(...args, '--body', '{}')).toEqual({
      code: 1,
      err: '',
      out: [
        'calls bookstore.v1.Bookstore/CreateBook',
        '  by POST /v1/shelves/{shelf}/books, body book',
        '  shelf = x',
        'answered by the gateway: 400 bad_argument The request does not fit the method it calls.',
        '  shelf: is not a 64-bit integer',
        '',
      ].join('\n'),
    });
  });

  test('tries the rules of a schema whatever routes there are, in a profile', async () => {
    const args = ['transcode', 'try', 'GET', '/v1/shelves/1/books?nothing=1', '--schema', 'bookstore'];

    expect((await linesOf(...args))[0]).toBe('calls bookstore.v1.Bookstore/ListBooks');
    expect(await sluice(...args, '--profile', 'strict')).toMatchObject({
      code: 1,
      out: expect.stringContaining('nothing: is not a field of the request') as unknown,
    });
    expect(await sluice(...args, '--service', 'x.Y')).toMatchObject({
      code: 1,
      err: expect.stringContaining('transcode.services[0]: schema "bookstore" has no service x.Y') as unknown,
    });
    expect(await sluice('transcode', 'try', 'GET', '/', '--schema', 'gone')).toMatchObject({
      code: 1,
      err: expect.stringContaining('transcode.schema: there is no schema "gone"') as unknown,
    });
  });

  test('says why a call matches nothing, the nearest rule first', async () => {
    const wrongPath = await sluice('transcode', 'try', 'GET', '/v1/shelfs/1', '--schema', 'bookstore', '--limit', '1');
    const wrongMethod = await sluice('transcode', 'try', 'PUT', '/v1/shelves', '--schema', 'bookstore', '--limit', '2');

    expect([wrongPath.code, wrongPath.out.split('\n').slice(0, 3)]).toEqual([
      1,
      [
        'answered by the gateway: 404 no_route No route matches this request.',
        'not',
        expect.stringMatching(
          /^ {2}tried bookstore\.v1\.Bookstore\/\w+ {2}paths {2}.*: segment 2 is "shelfs", not "\w+"$/,
        ),
      ],
    ]);
    expect([wrongMethod.code, wrongMethod.out.split('\n').slice(0, 2)]).toEqual([
      1,
      [
        'answered by the gateway: 405 method_not_allowed No route takes this method here; see Allow.',
        '  Allow: GET, HEAD, OPTIONS, POST',
      ],
    ]);
  });

  test('shows bytes of a protobuf body, of a message or not', async () => {
    const args = [
      'transcode',
      'try',
      'POST',
      '/v1/shelves',
      '--schema',
      'bookstore',
      '-H',
      'Content-Type: application/protobuf',
    ];
    const body = (bytes: number[]) => `@${folder.file('body.bin', Uint8Array.from(bytes))}`;

    expect((await linesOf(...args, '--body', body([8, 5]))).slice(2)).toEqual([
      '  message {"shelf":{"id":"5"}}',
      '  wire    4 bytes 0a020805',
    ]);
    expect((await linesOf(...args, '--body', body([18, 1, 255]))).slice(2)).toEqual([
      '  message (not one of the method)',
      '  wire    5 bytes 0a031201ff',
    ]);
    const broken = await sluice(...args, '--body', body([18, 9]));
    expect(broken.code).toBe(1);
    expect(broken.out).toContain('is not a protobuf message');
  });

  test('refuses a body file that is not there, and a header without a colon', async () => {
    const args = ['transcode', 'try', 'GET', '/', '--schema', 'bookstore'];

    expect(await sluice(...args, '--body', `@${folder.path}/gone`)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^DIR\/gone cannot be read: ENOENT/) as unknown,
    });
    expect(await sluice(...args, '-H', 'nothing')).toEqual({
      code: 2,
      out: '',
      err: 'a header must be NAME: VALUE, not "nothing"\n',
    });
  });
});
