import { describe, expect, test } from 'vitest';
import { TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { TranscodedServices } from '../support/transcoding.js';

const services = new TranscodedServices();
const { client } = services;
const form = { 'content-type': 'application/x-www-form-urlencoded' };

const proto = `
syntax = "proto3";
package methods.v1;
import "google/api/annotations.proto";
message Item { string id = 1; string note = 2; int64 size = 3; }
service Items {
  rpc Get(Item) returns (Item) { option (google.api.http) = { get: "/v1/items/{id}" }; }
  rpc Delete(Item) returns (Item) { option (google.api.http) = { delete: "/v1/items/{id}" }; }
  rpc Touch(Item) returns (Item) { option (google.api.http) = { custom: { kind: "HEAD" path: "/v1/touch/{id}" } additional_bindings { custom: { kind: "OPTIONS" path: "/v1/touch/{id}" } } }; }
  rpc Read(Item) returns (Item) { option (google.api.http) = { get: "/v1/touch/{id}" }; }
  rpc Put(Item) returns (Item) { option (google.api.http) = { post: "/v1/put/{id}" body: "*" additional_bindings { get: "/v1/put/{id}" } }; }
  rpc Drop(Item) returns (Item) { option (google.api.http) = { delete: "/v1/put/{id}" }; }
  rpc Only(Item) returns (Item) { option (google.api.http) = { delete: "/v1/only/{id}" }; }
  rpc Any(Item) returns (Item) { option (google.api.http) = { custom: { kind: "*" path: "/v1/any/{id}" } additional_bindings { custom: { kind: "TRACE" path: "/v1/trace/{id}" } } }; }
}`;
const items = (profile = TranscodeProfile.GRPC_GATEWAY) =>
  services.start(proto, 'methods.v1.Items', { profile, answer: { id: 'a', note: 'n' } });

describe('methods without a rule of their own', () => {
  test('RT10 HEAD is answered as GET, with its length and without its body', async () => {
    const { url, calls } = await items();

    const got = await client.send(`${url}/v1/items/7?note=x`);
    const head = await client.send(`${url}/v1/items/7?note=x`, { method: 'HEAD' });

    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.headers['content-length']).toBe(String(got.body.length));
    expect(calls.map(({ method, message }) => [method, message])).toEqual([
      ['Get', { id: '7', note: 'x' }],
      ['Get', { id: '7', note: 'x' }],
    ]);
  });

  test('RT10 a rule for HEAD wins over the one for GET, and a path without GET has no HEAD', async () => {
    const { url, calls } = await items();

    await client.send(`${url}/v1/touch/7`, { method: 'HEAD' });
    const missing = await client.send(`${url}/v1/only/7`, { method: 'HEAD' });

    expect(calls.map(({ method }) => method)).toEqual(['Touch']);
    expect(missing).toMatchObject({ status: 405, headers: { allow: 'DELETE, OPTIONS' } });
  });

  test('RT11 OPTIONS is answered with the methods of the path, a rule for it wins', async () => {
    const { url, calls } = await items();

    const answer = await client.send(`${url}/v1/items/7`, { method: 'OPTIONS' });
    const nowhere = await client.send(`${url}/v1/nowhere`, { method: 'OPTIONS' });
    expect(answer).toMatchObject({ status: 204, headers: { allow: 'DELETE, GET, HEAD, OPTIONS' }, body: '' });
    expect(answer.headers['x-sluice-error']).toBeUndefined();
    expect(nowhere.status).toBe(404);
    expect(calls).toEqual([]);

    await client.send(`${url}/v1/touch/7`, { method: 'OPTIONS' });
    expect(calls.map(({ method }) => method)).toEqual(['Touch']);
  });

  test.each([TranscodeProfile.GRPC_GATEWAY, TranscodeProfile.ENVOY, TranscodeProfile.STRICT])(
    'RT7 another method of a known path is a 405 with Allow and code 12 (profile %i)',
    async (profile) => {
      const { url } = await items(profile);

      const answer = await client.send(`${url}/v1/items/7`, { method: 'PATCH' });

      expect(answer).toMatchObject({ status: 405, headers: { allow: 'DELETE, GET, HEAD, OPTIONS' } });
      expect(JSON.parse(answer.body)).toMatchObject({ code: 12 });
    },
  );

  test('PT14 a custom kind is a method, and * is any of them', async () => {
    const { url, calls } = await items();

    for (const method of ['GET', 'PURGE', 'PATCH']) await client.send(`${url}/v1/any/7`, { method });
    await client.send(`${url}/v1/trace/7`, { method: 'TRACE' });

    expect(calls.map(({ method }) => method)).toEqual(['Any', 'Any', 'Any', 'Any']);
  });
});

describe('forms', () => {
  test('BD14 a POST of a form is the GET of the path where only that has a rule', async () => {
    const { url, calls } = await items();

    const answer = await client.send(`${url}/v1/items/7?size=5`, { method: 'POST', headers: form, body: 'note=a+b' });

    expect(answer.status).toBe(200);
    expect(calls).toMatchObject([{ method: 'Get', message: { id: '7', note: 'a b', size: '5' } }]);
  });

  test.each([
    ['another type', 'grpc-gateway', TranscodeProfile.GRPC_GATEWAY, '/v1/items/7', { 'content-type': 'text/plain' }],
    ['a path whose only method is DELETE', 'grpc-gateway', TranscodeProfile.GRPC_GATEWAY, '/v1/only/7', form],
    ['a form', 'envoy', TranscodeProfile.ENVOY, '/v1/items/7', form],
    ['a form', 'strict', TranscodeProfile.STRICT, '/v1/items/7', form],
  ])('BD14 a POST of %s stays a 405 (%s)', async (_what, _profile, profile, path, headers) => {
    const { url, calls } = await items(profile);

    const answer = await client.send(url + path, { method: 'POST', headers, body: 'note=a' });

    expect(answer.status).toBe(405);
    expect(calls).toEqual([]);
  });

  test('HD11 X-HTTP-Method-Override on a POST of a form chooses the method, with or without a POST rule', async () => {
    const { url, calls } = await items();
    const send = (path: string, override: string, headers: Record<string, string> = form, method = 'POST') =>
      client.send(url + path, { method, headers: { ...headers, 'x-http-method-override': override }, body: 'note=a' });

    expect((await send('/v1/put/7', 'DELETE')).status).toBe(200);
    expect((await send('/v1/put/7', 'get')).status).toBe(200);
    expect((await send('/v1/only/7', 'DELETE')).status).toBe(200);
    expect(calls.splice(0).map(({ method }) => method)).toEqual(['Drop', 'Put', 'Only']);

    // Only a POST, and only of a form, is overridden.
    expect((await send('/v1/put/7', 'DELETE', { 'content-type': 'application/json' })).status).toBe(400);
    expect((await send('/v1/items/7', 'GET', form, 'DELETE')).status).toBe(200);
    expect(calls.map(({ method }) => method)).toEqual(['Delete']);
  });

  test.each([TranscodeProfile.ENVOY, TranscodeProfile.STRICT])(
    'HD11 the other profiles do not know the override (profile %i)',
    async (profile) => {
      const { url, calls } = await items(profile);
      const headers = { 'content-type': 'application/json', 'x-http-method-override': 'DELETE' };

      await client.send(`${url}/v1/put/7`, { method: 'POST', headers, body: '{}' });

      expect(calls.map(({ method }) => method)).toEqual(['Put']);
    },
  );
});
