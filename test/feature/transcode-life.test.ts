import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import {
  Metadata,
  status,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { Protocol, TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import type { GatewayConfig } from '../support/gateway.js';
import { startGrpcService, type Handlers } from '../support/grpc-service.js';
import { eventually, startLoad } from '../support/load.js';
import { libraryProto, TranscodedServices, type Json } from '../support/transcoding.js';

const services = new TranscodedServices();
const { client } = services;
const watchPath = '/v1/shelves/1/books/2:watch';

function send(url: string, method: string, headers: Record<string, string> = {}): ClientRequest {
  return request(url, { method, headers, agent: false }).on('error', () => {});
}

async function responseOf(sent: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response.on('error', () => {});
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Methods of all kinds that only note what becomes of them. */
function silent(): { handlers: Handlers; started: string[]; cancelled: string[] } {
  const started: string[] = [];
  const cancelled: string[] = [];
  const note = (name: string) => (call: { on(event: 'cancelled', listener: () => void): unknown; resume?(): void }) => {
    started.push(name);
    call.on('cancelled', () => cancelled.push(name));
    call.resume?.();
  };
  const handlers: Handlers = {
    GetBook: note('GetBook'),
    CreateBook: note('CreateBook'),
    Import: note('Import'),
    UploadParts: note('UploadParts'),
    Chat: note('Chat'),
    Watch: (call: ServerWritableStream<Json, Json>) => {
      note('Watch')(call);
      call.write({ title: 'a' });
    },
  };
  return { handlers, started, cancelled };
}

describe('HD10 a client that goes away', () => {
  test.each([
    { what: 'waits for one answer', method: 'GetBook', path: '/v1/books/1', verb: 'GET', body: '', whole: true },
    {
      what: 'sent a body that the method has no use for',
      method: 'GetBook',
      path: '/v1/books/1',
      verb: 'PURGE',
      body: 'unread',
      whole: false,
    },
    {
      what: 'waits for one answer to a body',
      method: 'CreateBook',
      path: '/v1/shelves/7/books',
      verb: 'POST',
      body: '{}',
      whole: true,
    },
    {
      what: 'is in the middle of a client stream',
      method: 'Import',
      path: '/v1/shelves/7/books:import',
      verb: 'POST',
      body: '{"title":"a"}{"ti',
      whole: false,
    },
    {
      what: 'is in the middle of an upload',
      method: 'UploadParts',
      path: '/v1/parts',
      verb: 'POST',
      body: 'abc',
      whole: false,
    },
    { what: 'talks', method: 'Chat', path: '/v1/chat', verb: 'POST', body: '{"title":"a"}', whole: false },
  ])('HD10 and $what cancels the call within a second', async ({ method, path, verb, body, whole }) => {
    const { handlers, started, cancelled } = silent();
    const { url } = await services.library({ handlers });

    const sent = send(url + path, verb, { 'transfer-encoding': 'chunked' });
    if (body !== '') sent.write(body);
    if (whole) sent.end();
    else sent.flushHeaders();
    await eventually('the call', 2_000, () => started.includes(method));
    sent.destroy();

    await eventually('the cancellation', 1_000, () => cancelled.includes(method));
  });

  test.each(['destroy', 'reset'])('HD10 and reads an idle stream cancels it within a second (%s)', async (how) => {
    const { handlers, cancelled } = silent();
    const { url } = await services.library({ handlers });

    const sent = send(url + watchPath, 'GET');
    sent.end();
    const response = await responseOf(sent);
    await once(response, 'data');
    if (how === 'destroy') sent.destroy();
    else response.socket.resetAndDestroy();

    await eventually('the cancellation', 1_000, () => cancelled.includes('Watch'));
  });
});

describe('deadlines', () => {
  test.each([
    ['grpc-timeout', '200m'],
    ['x-server-timeout', '0.2'],
    ['connect-timeout-ms', '200'],
  ])('HD8, HD9 %s ends a call with 504, and the service hears of it', async (name, value) => {
    const { handlers, started, cancelled } = silent();
    const { url } = await services.library({ handlers });

    const answer = await client.send(`${url}/v1/books/1`, { headers: { [name]: value } });

    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 4 });
    expect(started).toEqual(['GetBook']);
    await eventually('the cancellation', 1_000, () => cancelled.includes('GetBook'));
  });

  test.each(['1', '123456789m', '5x', '-1S', ''])('HD8 grpc-timeout: "%s" is a 400', async (value) => {
    const { url, calls } = await services.library();

    const answer = await client.send(`${url}/v1/books/1`, { headers: { 'grpc-timeout': value } });

    expect(answer.status).toBe(400);
    expect(answer.body).toContain('grpc-timeout');
    expect(calls).toEqual([]);
  });

  test('HD9 the service gets what is left of the time', async () => {
    let leftMs = 0;
    const handlers = {
      GetBook: (call: ServerUnaryCall<Json, Json>, done: (error: null, value: Json) => void): void => {
        leftMs = Number(call.getDeadline()) - Date.now();
        done(null, {});
      },
    };
    const { url } = await services.library({ handlers });

    await client.send(`${url}/v1/books/1`, { headers: { 'grpc-timeout': '5S' } });

    expect(leftMs).toBeGreaterThan(3_000);
    expect(leftMs).toBeLessThanOrEqual(5_000);
  });

  test.each([
    ['grpc-gateway', TranscodeProfile.GRPC_GATEWAY, '', /^\{"result":.*\}\n\{"error":\{"code":4,.*\}\}\n$/],
    ['NDJSON', TranscodeProfile.ENVOY, 'application/x-ndjson', /^\{.*\}\n\{"error":\{"code":4,.*\}\}\n$/],
    [
      'events',
      TranscodeProfile.ENVOY,
      'text/event-stream',
      /^data: .*\n\nevent: error\ndata: \{"code":4,.*\}\n\nevent: end\n/,
    ],
  ])('ST4, HD9 a deadline in the middle of a stream is its last line: %s', async (_what, profile, accept, expected) => {
    const { handlers, cancelled } = silent();
    const { url } = await services.library({ handlers, profile });

    const sent = send(url + watchPath, 'GET', { accept, 'grpc-timeout': '300m' });
    sent.end();
    const response = await responseOf(sent);

    expect(response.statusCode).toBe(200);
    expect(await textOf(response)).toMatch(expected);
    await eventually('the cancellation', 1_000, () => cancelled.includes('Watch'));
  });

  test('ST4, HD9 a deadline in the middle of an array breaks it off', async () => {
    const { handlers } = silent();
    const { url } = await services.library({ handlers, profile: TranscodeProfile.ENVOY });

    const sent = send(url + watchPath, 'GET', { 'grpc-timeout': '300m' });
    sent.end();

    await expect(textOf(await responseOf(sent))).rejects.toThrow('aborted');
  });
});

test('ST10, HD9 a stream may be silent for as long as both sides like, unless the route says otherwise', async () => {
  const { gateway } = await services.library();

  expect(gateway.runtime.routes.map(({ settings }) => settings.timeouts)).toMatchObject([{ readMs: 0, requestMs: 0 }]);
});

describe('DS1 a schema that is changed while calls run', () => {
  const changed = libraryProto.replace('string title = 2;', 'string title = 2 [json_name = "heading"];');

  test('DS1, DS4 fails no request, and streams end on the schema that they began with', async () => {
    let stream: ServerWritableStream<Json, Json> | undefined;
    const handlers = {
      GetBook: (_call: unknown, done: (error: null, value: Json) => void) => done(null, { title: 'T' }),
      Watch: (call: ServerWritableStream<Json, Json>): void => void (stream = call).write({ title: 'w' }),
    };
    const service = await startGrpcService(services.descriptors(libraryProto), 'library.v1.Library', handlers);
    services.defer(() => service.close());
    const configOf = (proto: string): GatewayConfig => ({
      services: [{ name: 's', protocol: Protocol.GRPC }],
      schemas: [{ name: 's', descriptorSet: services.descriptors(proto) }],
      routes: [{ name: 's', service: 's', transcode: { schema: 's', profile: TranscodeProfile.ENVOY } }],
      endpoints: { s: [service.port] },
    });
    const gateway = await services.gateway(configOf(libraryProto));
    const { url } = gateway;

    const sent = send(url + watchPath, 'GET', { accept: 'application/x-ndjson' });
    sent.end();
    const streamed = textOf(await responseOf(sent));
    const load = startLoad([`${url}/v1/books/1`], 8);
    for (let i = 0; i < 20; i++) {
      gateway.apply(configOf(i % 2 === 0 ? changed : libraryProto));
      stream?.write({ title: 'w' });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    gateway.apply(configOf(changed));
    const { answers, failures } = await load.stop();

    expect(failures).toEqual(new Map());
    expect(answers).toBeGreaterThan(20);
    expect((await client.send(`${url}/v1/books/1`)).body).toBe('{"heading":"T"}');
    stream?.write({ title: 'w' });
    stream?.end();
    const lines = (await streamed).trim().split('\n');
    expect(lines).toHaveLength(22);
    expect(new Set(lines)).toEqual(new Set(['{"title":"w"}']));
  });
});

describe('the four kinds of methods', () => {
  const kinds = {
    GetBook: (_call: ServerUnaryCall<Json, Json>, done: (error: null, value: Json) => void) =>
      done(null, { title: 'one' }),
    Watch: (call: ServerWritableStream<Json, Json>): void => {
      for (const title of ['a', 'b', 'c']) call.write({ title });
      call.end();
    },
    Import: (call: ServerReadableStream<Json, Json>, done: (error: null, value: Json) => void): void => {
      const books: unknown[] = [];
      call.on('data', ({ book }: Json) => books.push(book)).on('end', () => done(null, { books }));
    },
    Chat: (call: ServerDuplexStream<Json, Json>): void => {
      call.on('data', ({ title }: Json) => call.write({ title: `${String(title)}!` })).on('end', () => call.end());
    },
  };
  const envoy = { handlers: kinds, profile: TranscodeProfile.ENVOY };

  test.each([
    ['unary', 'GET', '/v1/books/1', undefined, '{"title":"one"}'],
    ['server streaming', 'GET', watchPath, undefined, '[{"title":"a"},{"title":"b"},{"title":"c"}]'],
    [
      'client streaming',
      'POST',
      '/v1/shelves/7/books:import',
      '[{"title":"a"},{"title":"b"}]',
      '{"books":[{"title":"a"},{"title":"b"}]}',
    ],
    ['bidirectional', 'POST', '/v1/chat', '{"title":"a"}\n{"title":"b"}', '[{"title":"a!"},{"title":"b!"}]'],
  ])('ST1, ST7, ST10 %s', async (_kind, method, path, body, expected) => {
    const { url } = await services.library(envoy);

    const answer = await client.send(url + path, { method, ...(body === undefined ? {} : { body }) });

    expect(answer).toMatchObject({ status: 200, body: expected });
  });

  test.each([
    ['unary', 'GetBook', 'GET', '/v1/books/1'],
    ['server streaming', 'Watch', 'GET', watchPath],
    ['client streaming', 'Import', 'POST', '/v1/shelves/7/books:import'],
    ['bidirectional', 'Chat', 'POST', '/v1/chat'],
  ])('ER2, ER5 an error of each kind has its status, with nothing before it: %s', async (_kind, name, method, path) => {
    const error = { code: status.PERMISSION_DENIED, details: 'not yours', metadata: new Metadata() };
    const fail = (call: { emit(event: string, error: object): void }, done?: (error: object) => void): void => {
      if (done === undefined) call.emit('error', error);
      else done(error);
    };
    const { url } = await services.library({ handlers: { [name]: fail }, profile: TranscodeProfile.ENVOY });

    const answer = await client.send(url + path, { method, ...(method === 'POST' ? { body: '{}' } : {}) });

    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toEqual({ code: 7, message: 'not yours', details: [] });
  });
});
