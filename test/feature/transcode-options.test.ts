import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import {
  Metadata,
  status,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import {
  ErrorFormat,
  StreamFormat,
  TranscodeProfile,
  UnsetFields,
  type TranscodeOptions,
} from '../../proto/gen/sluice/v1/config_pb.js';
import { TranscodedServices, type Json, type ServiceOptions, type TranscodedService } from '../support/transcoding.js';

const services = new TranscodedServices();
const { client } = services;

type Options = Partial<Omit<TranscodeOptions, '$typeName' | '$unknown' | 'heartbeat'>> & {
  heartbeat?: { nanos: number };
};

function library(options: Options, more: ServiceOptions = {}): Promise<TranscodedService> {
  return services.library({ ...more, transcode: { options } });
}

const envoy = { profile: TranscodeProfile.ENVOY };
const strict = { profile: TranscodeProfile.STRICT };
const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
const fails = (_call: ServerUnaryCall<Json, Json>, done: (error: object) => void): void => {
  done({ code: status.NOT_FOUND, details: 'gone', metadata: new Metadata() });
};
const watching = (call: ServerWritableStream<Json, Json>): void => {
  for (const title of ['a', 'b']) call.write({ title });
  call.end();
};

describe('transcode.options', () => {
  test.each<[string, Options, ServiceOptions, number]>([
    ['PJ2 reject_unknown_fields', { rejectUnknownFields: true }, {}, 400],
    ['PJ2 reject_unknown_fields: false', { rejectUnknownFields: false }, strict, 200],
  ])('%s', async (_title, options, more, expected) => {
    const { url } = await library(options, more);

    expect((await client.send(`${url}/v1/shelves/7/books`, { ...post, body: '{"nope":1}' })).status).toBe(expected);
  });

  test.each<[string, Options, ServiceOptions, number]>([
    ['QP13 reject_unknown_parameters', { rejectUnknownParameters: true }, {}, 400],
    ['QP13 reject_unknown_parameters: false', { rejectUnknownParameters: false }, envoy, 200],
  ])('%s', async (_title, options, more, expected) => {
    const { url } = await library(options, more);

    expect((await client.send(`${url}/v1/books/7?nope=1`)).status).toBe(expected);
    expect((await client.send(`${url}/v1/books/7?utm_source=1&key=2`)).status).toBe(200);
  });

  test.each<[string, Options, ServiceOptions, number]>([
    ['BD9 reject_collisions', { rejectCollisions: true }, {}, 400],
    ['BD9 reject_collisions: false', { rejectCollisions: false }, strict, 200],
  ])('%s', async (_title, options, more, expected) => {
    const { url } = await library(options, more);

    const answer = await client.send(`${url}/v1/put/1`, { ...post, method: 'PUT', body: '{"i32":2}' });

    expect(answer.status).toBe(expected);
  });

  test.each([
    ['omit', UnsetFields.OMIT, '{"title":"T"}'],
    [
      'zeros',
      UnsetFields.ZEROS,
      '{"name":"","title":"T","genre":"GENRE_UNSPECIFIED","copies":"0","tags":[],"cover":""}',
    ],
    [
      'all',
      UnsetFields.ALL,
      '{"name":"","title":"T","author":null,"genre":"GENRE_UNSPECIFIED","copies":"0","tags":[],"published":null,"cover":""}',
    ],
  ])('PJ3 unset_fields: %s', async (_word, unsetFields, expected) => {
    const { url } = await library({ unsetFields }, { answer: { title: 'T' } });

    expect((await client.send(`${url}/v1/books/7`)).body).toBe(expected);
  });

  test.each([
    ['wrapped_lines', StreamFormat.WRAPPED_LINES, '{"result":{"title":"a"}}\n{"result":{"title":"b"}}\n'],
    ['array', StreamFormat.ARRAY, '[{"title":"a"},{"title":"b"}]'],
    ['lines', StreamFormat.LINES, '{"title":"a"}\n{"title":"b"}\n'],
    ['events', StreamFormat.EVENTS, 'data: {"title":"a"}\n\ndata: {"title":"b"}\n\nevent: end\ndata: {}\n\n'],
  ])('ST1 stream_format: %s', async (_word, streamFormat, expected) => {
    const { url } = await library({ streamFormat, unsetFields: UnsetFields.OMIT }, { handlers: { Watch: watching } });

    expect((await client.send(`${url}/v1/shelves/1/books/2:watch`)).body).toBe(expected);
  });

  test.each([
    ['status', ErrorFormat.STATUS, 'application/json', { code: 5, message: 'gone', details: [] }],
    [
      'aip_193',
      ErrorFormat.AIP_193,
      'application/json',
      { error: { code: 404, status: 'NOT_FOUND', message: 'gone', details: [] } },
    ],
    [
      'problem_json',
      ErrorFormat.PROBLEM_JSON,
      'application/problem+json',
      { type: 'about:blank', title: 'NOT_FOUND', status: 404, detail: 'gone', details: [] },
    ],
  ])('ER2 error_format: %s', async (_word, errorFormat, contentType, expected) => {
    const { url } = await library({ errorFormat }, { handlers: { GetBook: fails } });

    const answer = await client.send(`${url}/v1/books/7`);

    expect(answer).toMatchObject({ status: 404, headers: { 'content-type': contentType } });
    expect(JSON.parse(answer.body)).toEqual(expected);
  });

  test('PT16 implicit_bindings: false', async () => {
    const { url } = await library({ implicitBindings: false });

    expect((await client.send(`${url}/library.v1.Library/GetBook`, { ...post, body: '{}' })).status).toBe(404);
    expect((await client.send(`${url}/v1/books/7`)).status).toBe(200);
  });

  test('RT10 head_as_get: false', async () => {
    const { url } = await library({ headAsGet: false });

    const answer = await client.send(`${url}/v1/books/7`, { method: 'HEAD' });

    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, OPTIONS, PURGE' } });
  });

  test('BD14, HD11 form_as_get and method_override', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-http-method-override': 'PURGE' };
    const off = await library({ formAsGet: false, methodOverride: false });
    const on = await library({ formAsGet: true, methodOverride: true }, envoy);

    expect((await client.send(`${off.url}/v1/books/7`, { method: 'POST', headers })).status).toBe(405);
    expect((await client.send(`${on.url}/v1/books/7`, { method: 'POST', headers })).status).toBe(200);
  });

  test('BD14 form_as_get alone', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { url } = await library({ formAsGet: true }, envoy);

    expect((await client.send(`${url}/v1/books/7`, { method: 'POST', headers })).status).toBe(200);
  });

  test('ST12 web_socket: false', async () => {
    const { url } = await library({ webSocket: false }, { handlers: { Watch: watching } });
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };

    expect((await client.send(`${url}/v1/shelves/1/books/2:watch`, { headers })).status).toBe(200);
    expect((await client.send(`${url}/v1/chat`, { headers })).status).toBe(405);
  });

  test.each<[string, Options, ServiceOptions, boolean]>([
    ['fill_update_mask', { fillUpdateMask: true }, envoy, true],
    ['fill_update_mask: false', { fillUpdateMask: false }, {}, false],
  ])('PATCH %s', async (_title, options, more, isFilled) => {
    const { url, calls } = await library(options, more);

    await client.send(`${url}/v1/shelves/1/books/2`, { ...post, method: 'PATCH', body: '{"title":"T"}' });

    expect(calls[0]?.message['updateMask']).toBe(isFilled ? 'title' : undefined);
  });

  test.each<[string, Options, ServiceOptions, number]>([
    ['strip_trailing_slashes', { stripTrailingSlashes: true }, {}, 200],
    ['strip_trailing_slashes: false', { stripTrailingSlashes: false }, envoy, 404],
  ])('RT4 %s', async (_title, options, more, expected) => {
    const { url } = await library(options, more);

    expect((await client.send(`${url}/v1/books/7/`)).status).toBe(expected);
  });

  test('RS2 empty_as_no_content', async () => {
    const { url } = await library({ emptyAsNoContent: true });

    const empty = await client.send(`${url}/v1/shelves/1:merge`, { ...post, body: '{}' });
    const full = await client.send(`${url}/v1/books/7`);

    expect(empty).toMatchObject({ status: 204, body: '' });
    expect(full.status).toBe(200);
  });

  test('RS3 status_from_metadata: false', async () => {
    const handlers = {
      GetBook: (call: ServerUnaryCall<Json, Json>, done: (error: null, value: Json) => void): void => {
        const metadata = new Metadata();
        metadata.set('x-http-code', '202');
        call.sendMetadata(metadata);
        done(null, {});
      },
    };
    const on = await services.library({ handlers });
    const off = await library({ statusFromMetadata: false }, { handlers });

    expect((await client.send(`${on.url}/v1/books/7`)).status).toBe(202);
    expect((await client.send(`${off.url}/v1/books/7`)).status).toBe(200);
  });

  test('HD1, HD6 plain_metadata_names', async () => {
    const { url, calls } = await library({ plainMetadataNames: true });

    await client.send(`${url}/v1/books/7`, { headers: { 'x-tenant': 'a', origin: 'b' } });

    expect(calls[0]?.metadata.getMap()).toMatchObject({ 'x-tenant': 'a', origin: 'b' });
  });

  test('HD12 send_original', async () => {
    const on = await library({ sendOriginal: true });
    const off = await services.library();

    await client.send(`${on.url}/v1/books/7?name=x`);
    await client.send(`${off.url}/v1/books/7`);

    expect(on.calls[0]?.metadata.getMap()).toMatchObject({
      'x-original-method': 'GET',
      'x-original-path': '/v1/books/7?name=x',
    });
    expect(off.calls[0]?.metadata.getMap()['x-original-path']).toBeUndefined();
  });

  test('SZ1, SZ2 max_message_bytes, either way', async () => {
    const { url } = await library({ maxMessageBytes: 1_000 }, { answer: { title: 'x'.repeat(2_000) } });

    const sent = await client.send(`${url}/v1/shelves/7/books`, {
      ...post,
      body: JSON.stringify({ title: 'x'.repeat(1_000) }),
    });
    const received = await client.send(`${url}/v1/books/7`);

    expect([sent.status, received.status]).toEqual([413, 502]);
  });

  test.each(['pretty', 'pretty=true', '$prettyPrint=true', '%24prettyPrint'])(
    'PJ17 pretty_print: a query of %s indents the answer and changes nothing else',
    async (query) => {
      const answer = { title: 'a{"b":[1,2]}\\" é', copies: '9007199254740993', tags: ['x', ''], author: {} };
      const { url } = await library({ prettyPrint: true, unsetFields: UnsetFields.OMIT }, { ...strict, answer });
      const off = await library({ unsetFields: UnsetFields.OMIT }, { answer });

      const pretty = await client.send(`${url}/v1/books/7?${query}`);
      const plain = await client.send(`${off.url}/v1/books/7?pretty`);

      expect(pretty.body).toBe(`${JSON.stringify(JSON.parse(plain.body), null, 2)}\n`);
      expect(plain.body).toBe(JSON.stringify(JSON.parse(plain.body)));
    },
  );

  test('CP2 compression: false', async () => {
    const { url } = await library({ compression: false }, { answer: { title: 'x'.repeat(2_000) } });

    const answer = await client.send(`${url}/v1/books/7`, { headers: { 'accept-encoding': 'gzip' } });

    expect(answer.headers['content-encoding']).toBeUndefined();
  });
});

describe('heartbeats', () => {
  const silent = {
    handlers: {
      Watch: (call: ServerWritableStream<Json, Json>): void => {
        setTimeout(() => {
          if (call.request['name'] === 'shelves/1/books/3') {
            call.emit('error', { code: status.NOT_FOUND, details: 'gone', metadata: new Metadata() });
          } else watching(call);
        }, 450);
      },
      Chat: (call: ServerDuplexStream<Json, Json>): void => void call.end(),
    },
  };
  const heartbeat = { nanos: 100_000_000 };

  test.each([
    ['grpc-gateway', TranscodeProfile.GRPC_GATEWAY, '', /^\n+\{"result":.*\}\n\{"result":.*\}\n$/],
    ['envoy', TranscodeProfile.ENVOY, '', /^\n+\[\{.*\},\{.*\}\]$/],
    ['NDJSON', TranscodeProfile.ENVOY, 'application/x-ndjson', /^\n+\{.*\}\n\{.*\}\n$/],
    [
      'events',
      TranscodeProfile.ENVOY,
      'text/event-stream',
      /^(:\n\n)+data: .*\n\ndata: .*\n\nevent: end\ndata: \{\}\n\n$/,
    ],
  ])(
    'ST14 an idle stream sends what no reader takes for anything, and its head before the first message: %s',
    async (_what, profile, accept, expected) => {
      const { url } = await library({ heartbeat }, { ...silent, profile });
      const before = performance.now();

      const sent = request(`${url}/v1/shelves/1/books/2:watch`, { headers: { accept }, agent: false });
      sent.end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      const headMs = performance.now() - before;
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);

      expect(headMs).toBeLessThan(400);
      expect(Buffer.concat(chunks).toString()).toMatch(expected);
    },
  );

  test('ST14, ST4 an error behind a heartbeat is told in the stream', async () => {
    const { url } = await library({ heartbeat }, silent);

    const answer = await client.send(`${url}/v1/shelves/1/books/3:watch`, {
      headers: { accept: 'application/x-ndjson' },
    });

    expect(answer.status).toBe(200);
    expect(answer.body).toMatch(/^\n+\{"error":\{"code":5,"message":"gone","details":\[\]\}\}\n$/);
  });

  test('ST14 a stream that ends without a message is a whole array', async () => {
    const handlers = {
      Watch: (call: ServerWritableStream<Json, Json>): void => void setTimeout(() => call.end(), 300),
    };
    const { url } = await library({ heartbeat }, { handlers, profile: TranscodeProfile.ENVOY });

    expect((await client.send(`${url}/v1/shelves/1/books/2:watch`)).body).toMatch(/^\n+\[\]$/);
  });
});
