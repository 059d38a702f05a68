import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApiAt, openApiPage } from '../../data-plane/explain/explain.js';
import { Bookstore, bookstoreDescriptorSet, startBookstore } from '../../deploy/demo/bookstore.js';
import { serveOps } from '../../deploy/ops-server.js';
import { Protocol, RouteProtocol, TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { useClosing } from '../support/closing.js';
import { bookRoute, bookSchema, grpcService } from '../support/admin-config.js';
import { startAdmin, type AdminFixture } from '../support/admin.js';
import { runCli } from '../support/cli.js';
import { startGateway, type GatewayConfig, type TestGateway } from '../support/gateway.js';
import { TestClient } from '../support/load.js';
import { openApiFaults } from '../support/openapi.js';
import type { JsonObject } from '../../data-plane/transcoder/transcoder.js';

const client = new TestClient();
const closing = useClosing();
let descriptorSet: Uint8Array;

beforeAll(async () => {
  descriptorSet = await readFile(bookstoreDescriptorSet);
});

afterAll(() => client.close());

type Routes = GatewayConfig['routes'];

async function gatewayWith(routes: Routes): Promise<TestGateway> {
  const instance = await startBookstore(new Bookstore(), 'bookstore-1', '127.0.0.1', 0);
  closing.push(() => instance.close());
  const gateway = await startGateway({
    services: [
      { name: 'bookstore', protocol: Protocol.GRPC },
      { name: 'plain', protocol: Protocol.HTTP },
    ],
    schemas: [{ name: 'bookstore', descriptorSet }],
    routes,
    endpoints: { bookstore: [instance.port] },
  });
  closing.push(() => gateway.close());
  return gateway;
}

function documentAt(gateway: TestGateway, host: string): JsonObject {
  const config = gateway.runtime.current()?.config;
  if (config === undefined) throw new Error('the gateway has no config');
  const answer = openApiAt(config, { host, version: '3.1', revision: 7n });
  if (answer.kind === 'nothing') throw new Error(`nothing at ${host}, but at ${answer.hosts.join()}`);
  return answer.document;
}

function callsOf(document: JsonObject): string[] {
  return Object.entries(document['paths'] as JsonObject).flatMap(([path, item]) =>
    Object.keys(item as JsonObject).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

const books = { name: 'books', service: 'bookstore', transcode: { schema: 'bookstore' } };
const prefix = (value: string) => [{ kind: { case: 'prefix' as const, value } }];

describe('the OpenAPI document of a host', () => {
  it('has what is transcoded there and nothing else, and validates', async () => {
    const gateway = await gatewayWith([
      { ...books, hosts: ['books.example'] },
      { name: 'plain', service: 'plain', paths: prefix('/') },
    ]);

    const document = documentAt(gateway, 'books.example:8080');

    expect(document).toMatchObject({ info: { title: 'books.example:8080', version: '7' } });
    expect(document['servers']).toEqual([{ url: 'https://books.example:8080' }, { url: 'http://books.example:8080' }]);
    expect(callsOf(document)).toEqual([
      'GET /v1/books:find',
      'GET /v1/shelves',
      'POST /v1/shelves',
      'GET /v1/shelves/{shelf}',
      'DELETE /v1/shelves/{shelf}',
      'GET /v1/shelves/{shelf}/books',
      'POST /v1/shelves/{shelf}/books',
      'GET /v1/shelves/{shelf}/books/{book}',
      'DELETE /v1/shelves/{shelf}/books/{book}',
    ]);
    expect(await openApiFaults(document)).toEqual([]);
    expect(() => documentAt(gateway, 'other.example')).toThrow('nothing at other.example, but at books.example');
  });

  it('leaves out what another route takes', async () => {
    const gateway = await gatewayWith([
      books,
      { name: 'shelves', service: 'plain', paths: prefix('/v1/shelves'), methods: ['POST'], priority: 1 },
      { name: 'find', service: 'plain', hosts: ['a.example'], paths: prefix('/v1/books:find') },
    ]);

    const calls = callsOf(documentAt(gateway, 'b.example'));

    expect(calls.filter((call) => call.startsWith('POST /v1'))).toEqual([]);
    expect(calls).toContain('POST /bookstore.v1.Bookstore/CreateShelf');
    expect(calls).toContain('GET /v1/books:find');
    expect(callsOf(documentAt(gateway, 'a.example'))).not.toContain('GET /v1/books:find');
  });

  it('describes of two routes that headers tell apart the one without', async () => {
    const envoy = { schema: 'bookstore', profile: TranscodeProfile.ENVOY };
    const gateway = await gatewayWith([
      { ...books, name: 'beta', headers: [{ name: 'x-beta', values: ['1'] }], transcode: envoy },
      { ...books, protocols: [RouteProtocol.HTTPS] },
    ]);

    const document = documentAt(gateway, '');

    const { properties } =
      (document['components'] as { schemas: Record<string, JsonObject> }).schemas['bookstore.v1.Book'] ?? {};
    expect((properties as Record<string, JsonObject>)['published']).toMatchObject({ type: ['string', 'null'] });
    expect(callsOf(document)).toHaveLength(9);
  });

  it('changes with the config that runs', async () => {
    const gateway = await gatewayWith([{ ...books, hosts: ['old.example'] }]);
    expect(callsOf(documentAt(gateway, 'old.example'))).toHaveLength(9);

    gateway.apply({
      services: [{ name: 'bookstore', protocol: Protocol.GRPC }],
      schemas: [{ name: 'bookstore', descriptorSet }],
      routes: [{ ...books, hosts: ['new.example'] }],
      endpoints: {},
    });

    expect(callsOf(documentAt(gateway, 'new.example'))).toHaveLength(9);
    expect(() => documentAt(gateway, 'old.example')).toThrow('nothing at old.example, but at new.example');
  });

  it.each([TranscodeProfile.GRPC_GATEWAY, TranscodeProfile.ENVOY])(
    'describes the answers that come, in profile %s',
    async (profile) => {
      const gateway = await gatewayWith([{ ...books, transcode: { schema: 'bookstore', profile } }]);
      const document = documentAt(gateway, '');
      const ajv = new Ajv2020({ strict: false, validateFormats: false });
      ajv.addSchema(JSON.parse(JSON.stringify(document)) as object, 'doc');
      const isDescribed = async (method: string, path: string, target: string, body?: string): Promise<unknown> => {
        const answer = await client.send(gateway.url + target, { method, ...(body === undefined ? {} : { body }) });
        const status = answer.status === 200 ? '200' : 'default';
        const at = ['paths', path, method.toLowerCase(), 'responses', status, 'content', 'application/json', 'schema'];
        const pointer = at
          .map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'))
          .map(encodeURIComponent)
          .join('/');
        const validate = ajv.compile({ $ref: `doc#/${pointer}` });
        return validate(JSON.parse(answer.body)) ? [answer.status] : validate.errors;
      };

      const book = '{"author":"Sappho","title":"Fragments","published":"2003-08-12T00:00:00Z","tags":["a"]}';
      expect(await isDescribed('GET', '/v1/shelves', '/v1/shelves')).toEqual([200]);
      expect(await isDescribed('POST', '/v1/shelves', '/v1/shelves', '{"theme":"Poetry"}')).toEqual([200]);
      expect(await isDescribed('POST', '/v1/shelves/{shelf}/books', '/v1/shelves/1/books', book)).toEqual([200]);
      expect(await isDescribed('GET', '/v1/shelves/{shelf}/books', '/v1/shelves/1/books')).toEqual([200]);
      expect(await isDescribed('GET', '/v1/shelves/{shelf}', '/v1/shelves/999')).toEqual([404]);
      expect(await isDescribed('GET', '/v1/shelves/{shelf}', '/v1/shelves/x')).toEqual([400]);
    },
  );
});

describe('where the document is', () => {
  it('on the ops port of a node', async () => {
    const gateway = await gatewayWith([{ ...books, hosts: ['books.example'] }]);
    const ops = await serveOps(
      {
        ready: () => ({ ready: true, detail: {} }),
        metrics: () => '',
        debug: {},
        openApi: async (request) =>
          openApiPage(gateway.runtime.current()?.config ?? null, { ...request, revision: 7n }),
      },
      '127.0.0.1',
      0,
    );
    closing.push(() => ops.close());
    const get = (query: string) => client.send(`http://127.0.0.1:${ops.port}/openapi.json${query}`);

    const document = await get('?host=books.example&version=2.0');

    expect([document.status, document.headers['content-type']]).toEqual([200, 'application/json']);
    expect(JSON.parse(document.body)).toMatchObject({ swagger: '2.0', host: 'books.example' });
    expect(JSON.parse((await get('?host=books.example')).body)).toMatchObject({ openapi: '3.1.0' });
    expect(await get('')).toMatchObject({
      status: 404,
      body: '{"message":"nothing is transcoded for any host","hosts":["books.example"]}\n',
    });
    expect(await get('?version=3.0')).toMatchObject({ status: 400, body: 'version is 3.1 or 2.0\n' });
    expect(await get('?host=a%20b')).toMatchObject({ status: 400 });
  });

  describe('in the control plane', () => {
    let admin: AdminFixture;

    beforeAll(async () => {
      admin = await startAdmin();
      await admin.client.call('apply', { services: [grpcService()], schemas: [bookSchema()], routes: [bookRoute()] });
    });

    afterAll(() => admin.close());

    it('by the admin API', async () => {
      const { contentType, data } = await admin.client.call('getOpenApi', { host: 'api.example.com', version: '3.1' });

      expect(contentType).toBe('application/json');
      expect(JSON.parse(Buffer.from(data).toString())).toMatchObject({
        openapi: '3.1.0',
        info: { title: 'api.example.com', version: String(await admin.revision()) },
        paths: { '/v1/books/{id}': { get: {} } },
      });
    });

    it('by sluice openapi, as JSON or YAML', async () => {
      const json = await runCli(admin.address, ['openapi', '--host', 'api.example.com', '--version', '2.0']);
      const yaml = await runCli(admin.address, ['openapi', '--host', 'api.example.com', '-o', 'yaml']);

      expect(JSON.parse(json.out)).toMatchObject({ swagger: '2.0' });
      expect(yaml.out).toMatch(/^openapi: 3\.1\.0\ninfo:\n {2}title: api\.example\.com\n/);
      expect([json.code, yaml.code, yaml.err]).toEqual([0, 0, '']);
    });

    it('or nowhere, where nothing is transcoded: the hosts are named', async () => {
      expect(await runCli(admin.address, ['openapi'])).toEqual({
        code: 1,
        out: '',
        err: 'Nothing is transcoded for any host. Hosts of transcoded routes: api.example.com.\n  host: has no transcoded route\n',
      });
      expect(await runCli(admin.address, ['openapi', '--version', '3.0'])).toMatchObject({ code: 2 });
      expect(await runCli(admin.address, ['openapi', '--host', 'http://a'])).toMatchObject({ code: 1 });
    });
  });
});
