import { readFile } from 'node:fs/promises';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Bookstore, bookstoreDescriptorSet, startBookstore } from '../../deploy/demo/bookstore.js';
import { freePort } from '../../deploy/servers/servers.js';
import { useClosing } from '../support/closing.js';
import { startGateway, type GatewayConfig, type TestGateway } from '../support/gateway.js';
import { TestClient, type Answer } from '../support/load.js';
import { startUpstream } from '../support/upstream.js';
import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';

const closing = useClosing();
const client = new TestClient();
let descriptorSet: Uint8Array;

beforeAll(async () => {
  descriptorSet = await readFile(bookstoreDescriptorSet);
});

afterEach(() => client.close());

function bookstoreConfig(endpoints: readonly number[], more: Partial<GatewayConfig> = {}): GatewayConfig {
  return {
    services: [{ name: 'bookstore', protocol: Protocol.GRPC }, ...(more.services ?? [])],
    schemas: [{ name: 'bookstore', descriptorSet }],
    routes: [
      { name: 'bookstore', service: 'bookstore', transcode: { schema: 'bookstore' } },
      ...(more.routes ?? []),
    ] as GatewayConfig['routes'],
    endpoints: { bookstore: endpoints, ...more.endpoints },
  };
}

async function bookstoreGateway(): Promise<TestGateway> {
  const instance = await startBookstore(new Bookstore(), 'bookstore-1', '127.0.0.1', 0);
  closing.push(() => instance.close());
  const gateway = await startGateway(bookstoreConfig([instance.port]));
  closing.push(() => gateway.close());
  return gateway;
}

const json = (answer: Answer): unknown => JSON.parse(answer.body);

describe('a gRPC service as REST', () => {
  it('takes fields from path, query and body, and answers in ProtoJSON', async () => {
    const { url } = await bookstoreGateway();

    const shelf = await client.send(`${url}/v1/shelves`, { method: 'POST', body: '{"theme":"Poésie"}' });
    const { id } = json(shelf) as { id: string };
    const book = await client.send(`${url}/v1/shelves/${id}/books`, {
      method: 'POST',
      body: '{"author":"Sappho","title":"Fragments","published":"2003-08-12T00:00:00Z","tags":["a","b"]}',
    });
    const { name } = json(book) as { name: string };
    const byAuthor = await client.send(`${url}/v1/shelves/${id}/books?author=Sappho&pageSize=3`);
    const byOther = await client.send(`${url}/v1/shelves/${id}/books?author=Nobody`);
    const got = await client.send(`${url}/v1/${name}`);
    const gone = await client.send(`${url}/v1/${name}`, { method: 'DELETE' });

    expect(json(shelf)).toMatchObject({ theme: 'Poésie' });
    expect(json(book)).toMatchObject({ author: 'Sappho', published: '2003-08-12T00:00:00Z', tags: ['a', 'b'] });
    expect(json(byAuthor)).toMatchObject({ books: [{ name }] });
    expect(json(byOther)).toEqual({ books: [] });
    expect(json(got)).toMatchObject({ title: 'Fragments' });
    expect(gone).toMatchObject({ status: 200, body: '{}' });
  });

  it('keeps 64-bit integers exact', async () => {
    const { url } = await bookstoreGateway();

    const answer = await client.send(`${url}/v1/shelves/9223372036854775807`);

    expect(json(answer)).toMatchObject({ code: 5, message: 'no shelf 9223372036854775807' });
  });

  it.each([
    { what: 'an error of the service', path: '/v1/shelves/77', status: 404, code: 5, own: false },
    { what: 'a path value of the wrong type', path: '/v1/shelves/abc', status: 400, code: 3, own: true },
    { what: 'a path value out of range', path: '/v1/shelves/9223372036854775808', status: 400, code: 3, own: true },
    {
      what: 'a query value of the wrong type',
      path: '/v1/shelves/1/books?page_size=many',
      status: 400,
      code: 3,
      own: true,
    },
    { what: 'a path of no method', path: '/v1/nothing', status: 404, code: 5, own: true },
  ])('says whose fault it is: $what', async ({ path, status, code, own }) => {
    const { url } = await bookstoreGateway();

    const answer = await client.send(url + path);

    expect(answer.status).toBe(status);
    expect(json(answer)).toMatchObject({ code });
    expect(answer.headers['x-sluice-error'] !== undefined).toBe(own);
  });

  it.each([
    { body: '{"theme":', what: 'JSON that breaks off' },
    { body: '{"theme":5}', what: 'a number for a string' },
    { body: '[]', what: 'a list for a message' },
    { body: '{"theme":"a"} x', what: 'something after the JSON' },
  ])('refuses $what by field and reason', async ({ body }) => {
    const { url } = await bookstoreGateway();

    const answer = await client.send(`${url}/v1/shelves`, { method: 'POST', body });

    expect(answer).toMatchObject({ status: 400, headers: { 'x-sluice-error': 'bad_argument' } });
    expect(answer.body).toContain('google.rpc.BadRequest');
  });

  it('answers 405 with Allow for a path of its methods', async () => {
    const { url } = await bookstoreGateway();

    const answer = await client.send(`${url}/v1/shelves/1`, { method: 'PUT' });

    expect(answer).toMatchObject({ status: 405, headers: { allow: 'DELETE, GET, HEAD, OPTIONS' } });
  });

  it('is 503 with UNAVAILABLE when no instance can be reached', async () => {
    const gateway = await startGateway(bookstoreConfig([await freePort()]));
    closing.push(() => gateway.close());

    const answer = await client.send(`${gateway.url}/v1/shelves`);

    expect(answer.status).toBe(503);
    expect(json(answer)).toMatchObject({ code: 14 });
  });

  it('shares a prefix with plain routes, each answering with its own status', async () => {
    const instance = await startBookstore(new Bookstore(), 'bookstore-1', '127.0.0.1', 0);
    const plain = await startUpstream((_, response) => void response.writeHead(418).end('teapot'));
    closing.push(
      () => instance.close(),
      () => plain.close(),
    );
    const gateway = await startGateway(
      bookstoreConfig([instance.port], {
        services: [{ name: 'plain' }],
        routes: [
          { name: 'rest', paths: [{ kind: { case: 'prefix', value: '/v1' } }], service: 'plain' },
        ] as GatewayConfig['routes'],
        endpoints: { plain: [plain.port] },
      }),
    );
    closing.push(() => gateway.close());

    const transcoded = await client.send(`${gateway.url}/v1/shelves/1`);
    const missing = await client.send(`${gateway.url}/v1/shelves/77`);
    const other = await client.send(`${gateway.url}/v1/other`);

    expect([transcoded.status, missing.status, other.status]).toEqual([200, 404, 418]);
  });

  it('survives a restart of its only instance', async () => {
    const store = new Bookstore();
    const first = await startBookstore(store, 'bookstore-1', '127.0.0.1', 0);
    const gateway = await startGateway(bookstoreConfig([first.port]));
    closing.push(() => gateway.close());
    expect((await client.send(`${gateway.url}/v1/shelves`)).status).toBe(200);

    await first.close();
    const second = await startBookstore(store, 'bookstore-1', '127.0.0.1', first.port);
    closing.push(() => second.close());

    expect((await client.send(`${gateway.url}/v1/shelves`)).status).toBe(200);
  });
});
