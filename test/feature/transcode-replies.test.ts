import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { constants, createServer, type Http2Stream, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack, DurationSchema } from '@bufbuild/protobuf/wkt';
import { Metadata, status, type ServerUnaryCall, type ServerWritableStream } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { BadRequestSchema, RetryInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { Protocol, TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Handlers } from '../support/grpc-service.js';
import { libraryProto, TranscodedServices, type Json } from '../support/transcoding.js';

const services = new TranscodedServices();
const { client } = services;
const { GRPC_GATEWAY, ENVOY, STRICT } = TranscodeProfile;
const profiles = [
  ['grpc-gateway', GRPC_GATEWAY],
  ['envoy', ENVOY],
  ['strict', STRICT],
] as const;
const post = (body: string | Uint8Array, type = 'application/json') => ({
  method: 'POST',
  headers: { 'content-type': type },
  body,
});

type Unary = (
  call: ServerUnaryCall<Json, Json>,
  done: (error: object | null, value?: Json | null, trailers?: Metadata) => void,
) => void;

function fields(values: Record<string, string | Buffer>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(values)) metadata.set(name, value);
  return metadata;
}

/** GetBook that fails like this. */
function failing(code: number, details = 'gone', metadata = new Metadata()): Handlers {
  const GetBook: Unary = (_call, done) => done({ code, details, metadata });
  return { GetBook };
}

/** The answer with its trailers. */
async function full(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ response: IncomingMessage; body: string }> {
  const sent = request(url, { headers, agent: false }).on('error', () => {});
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { response, body: Buffer.concat(chunks).toString() };
}

const codes: readonly [code: number, httpStatus: number][] = [
  [1, 499],
  [2, 500],
  [3, 400],
  [4, 504],
  [5, 404],
  [6, 409],
  [7, 403],
  [8, 429],
  [9, 400],
  [10, 409],
  [11, 400],
  [12, 501],
  [13, 500],
  [14, 503],
  [15, 500],
  [16, 401],
];

describe('errors of the service', () => {
  test.each(profiles)('ER2 each code has its HTTP status and a google.rpc.Status (%s)', async (_name, profile) => {
    let code = 0;
    const GetBook: Unary = (_call, done) => done({ code, details: `code ${code}`, metadata: new Metadata() });
    const { url } = await services.library({ handlers: { GetBook }, profile });

    for (const [wanted, httpStatus] of codes) {
      code = wanted;
      const answer = await client.send(`${url}/v1/books/1`);
      expect.soft(answer.status, `code ${wanted}`).toBe(httpStatus);
      expect.soft(JSON.parse(answer.body)).toEqual({ code: wanted, message: `code ${wanted}`, details: [] });
      expect.soft(answer.headers['x-sluice-error'], 'the gateway is not at fault').toBeUndefined();
    }
  });

  test('ER1 a code that nobody knows is a 500 that keeps it', async () => {
    const { url } = await bare((stream) => end(stream, { 'grpc-status': '77', 'grpc-message': 'new' }));

    const answer = await client.send(`${url}/v1/books/1`);

    expect(answer.status).toBe(500);
    expect(JSON.parse(answer.body)).toEqual({ code: 77, message: 'new', details: [] });
  });

  test('ER3, PJ11 details are JSON by their type, and keep their bytes where the type is unknown', async () => {
    const fieldViolations = [{ field: 'title', description: 'is too short' }];
    const details = create(StatusSchema, {
      code: 9,
      message: 'another',
      details: [
        anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })),
        { typeUrl: 'type.googleapis.com/acme.Unknown', value: Uint8Array.of(8, 1) },
      ],
    });
    const metadata = fields({ 'grpc-status-details-bin': Buffer.from(toBinary(StatusSchema, details)) });
    const { url } = await services.library({
      handlers: failing(status.INVALID_ARGUMENT, 'mine', metadata),
      profile: ENVOY,
    });

    const answer = await client.send(`${url}/v1/books/1`);

    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toEqual({
      code: 3,
      message: 'mine',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations },
        { '@type': 'type.googleapis.com/acme.Unknown', value: 'CAE=' },
      ],
    });
  });

  test('ER4 a message in any alphabet is told as it is', async () => {
    const { url } = await services.library({ handlers: failing(status.NOT_FOUND, 'né 100% "дом"') });

    expect(JSON.parse((await client.send(`${url}/v1/books/1`)).body)).toMatchObject({ message: 'né 100% "дом"' });
  });

  test('ER5, ER6 a status without messages, and one behind a message, are errors', async () => {
    const atOnce = await bare((stream) => {
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5', 'grpc-message': 'x' },
        { endStream: true },
      );
    });
    const behind = await bare((stream) =>
      end(stream, { 'grpc-status': '5', 'grpc-message': 'x' }, frame(Buffer.from([0x12, 1, 0x61]))),
    );

    for (const { url } of [atOnce, behind]) {
      const answer = await client.send(`${url}/v1/books/1`);
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.body)).toEqual({ code: 5, message: 'x', details: [] });
    }
  });

  test.each([
    [400, 13, 500],
    [401, 16, 401],
    [403, 7, 403],
    [404, 12, 501],
    [429, 14, 503],
    [502, 14, 503],
    [503, 14, 503],
    [504, 14, 503],
    [418, 2, 500],
  ])('ER7 HTTP %i of a service is code %i', async (httpStatus, code, expected) => {
    const { url } = await bare((stream) => {
      stream.respond({ ':status': httpStatus, 'content-type': 'text/html' });
      stream.end('<html>');
    });

    const answer = await client.send(`${url}/v1/books/1`);

    expect(answer.status).toBe(expected);
    expect(JSON.parse(answer.body)).toMatchObject({ code });
  });

  test.each([
    ['no status', (stream: ServerHttp2Stream) => end(stream, {}, frame(Buffer.alloc(0))), 500, 2],
    [
      'another content type',
      (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200, 'content-type': 'text/html' });
        stream.end('<html>');
      },
      500,
      2,
    ],
  ] as const)('ER7 %s is UNKNOWN', async (_what, behave, expected, code) => {
    const { url } = await bare(behave);

    const answer = await client.send(`${url}/v1/books/1`);

    expect(answer.status).toBe(expected);
    expect(JSON.parse(answer.body)).toMatchObject({ code });
  });

  test('ER8 a stream that the service refuses goes to it again, and one that it resets is UNAVAILABLE', async () => {
    let calls = 0;
    const refused = await bare((stream) => {
      if (++calls === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else end(stream, { 'grpc-status': '0' }, frame(Buffer.alloc(0)));
    });
    const reset = await bare((stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR));

    expect((await client.send(`${refused.url}/v1/books/1`)).status).toBe(200);
    expect(calls).toBe(2);
    const answer = await client.send(`${reset.url}/v1/shelves/7/books`, post('{}'));
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 14 });
  });

  test('ER9 401 has a challenge, of the service or of its message', async () => {
    const own = fields({ 'www-authenticate': 'Basic realm="x"' });
    const first = await services.library({ handlers: failing(status.UNAUTHENTICATED, 'who?', own) });
    const second = await services.library({ handlers: failing(status.UNAUTHENTICATED, 'who?') });

    expect((await client.send(`${first.url}/v1/books/1`)).headers['www-authenticate']).toBe('Basic realm="x"');
    expect((await client.send(`${second.url}/v1/books/1`)).headers['www-authenticate']).toBe('who?');
  });

  test('ER10 RetryInfo becomes Retry-After', async () => {
    const retryDelay = create(DurationSchema, { seconds: 2n, nanos: 5 });
    const info = create(StatusSchema, {
      code: 14,
      details: [anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay }))],
    });
    const metadata = fields({ 'grpc-status-details-bin': Buffer.from(toBinary(StatusSchema, info)) });
    const { url } = await services.library({ handlers: failing(status.UNAVAILABLE, 'later', metadata) });

    const answer = await client.send(`${url}/v1/books/1`);

    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '3' } });
  });

  test('ER12, RS5 fields that the service sets, CORS for one, stay on errors', async () => {
    const GetBook: Unary = (call, done) => {
      call.sendMetadata(fields({ 'x-http-header-access-control-allow-origin': '*' }));
      done({ code: status.NOT_FOUND, details: 'gone' });
    };
    const { url } = await services.library({ handlers: { GetBook } });

    const answer = await client.send(`${url}/v1/books/1`);

    expect(answer).toMatchObject({ status: 404, headers: { 'access-control-allow-origin': '*' } });
  });
});

describe('answers', () => {
  test('RS1 response_body is one field', async () => {
    const { url } = await services.library({ answer: { books: [{ title: 'T' }] }, profile: ENVOY });

    expect((await client.send(`${url}/v1/shelves/7/titles`)).body).toBe('[{"title":"T"}]');
  });

  test('RS2 Empty is {}', async () => {
    const { url } = await services.library();

    expect(await client.send(`${url}/v1/shelves/7:merge`, post('{}'))).toMatchObject({ status: 200, body: '{}' });
  });

  test.each(['header', 'trailer'])('RS3 x-http-code as %s sets the status of a success', async (where) => {
    const GetBook: Unary = (call, done) => {
      if (where === 'header') call.sendMetadata(fields({ 'x-http-code': '202' }));
      done(null, {}, where === 'trailer' ? fields({ 'x-http-code': '202' }) : new Metadata());
    };
    const { url } = await services.library({ handlers: { GetBook } });

    const answer = await client.send(`${url}/v1/books/1`);

    expect(answer.status).toBe(202);
    expect(Object.keys(answer.headers).filter((name) => name.includes('http-code'))).toEqual([]);
  });

  test('RS4 one message has a length', async () => {
    const { url } = await services.library({ answer: { title: 'T' } });

    const { headers, body } = await client.send(`${url}/v1/books/1`);

    expect(headers['content-length']).toBe(String(body.length));
  });

  test('RS5, HB6 x-http-header-NAME is field NAME, so that a range or a file name can be told', async () => {
    const GetBook: Unary = (call, done) => {
      call.sendMetadata(
        fields({
          'x-http-code': '206',
          'x-http-header-content-range': 'bytes 0-1/2',
          'x-http-header-content-disposition': 'attachment',
          'x-http-header-location': '/v1/books/2',
          'x-http-header-etag': '"a"',
          'x-http-header-set-cookie': 'a=b',
        }),
      );
      done(null, {});
    };
    const { url } = await services.library({ handlers: { GetBook } });

    expect(await client.send(`${url}/v1/books/1`)).toMatchObject({
      status: 206,
      headers: {
        'content-range': 'bytes 0-1/2',
        'content-disposition': 'attachment',
        location: '/v1/books/2',
        etag: '"a"',
        'set-cookie': ['a=b'],
      },
    });
  });

  test.each([
    [
      'grpc-gateway',
      GRPC_GATEWAY,
      {
        name: '',
        title: 'T',
        author: null,
        genre: 'GENRE_UNSPECIFIED',
        copies: '0',
        tags: [],
        published: null,
        cover: '',
      },
    ],
    ['envoy', ENVOY, { title: 'T' }],
    [
      'strict',
      STRICT,
      {
        name: '',
        title: 'T',
        author: null,
        genre: 'GENRE_UNSPECIFIED',
        copies: '0',
        tags: [],
        published: null,
        cover: '',
      },
    ],
  ])('PJ3, PJ4, PJ18 fields that are not set, names and order (%s)', async (_name, profile, expected) => {
    const { url } = await services.library({ answer: { title: 'T' }, profile });

    expect((await client.send(`${url}/v1/books/1`)).body).toBe(JSON.stringify(expected));
  });

  test('PJ5, PJ6, PJ7, PJ8, PJ10, PJ12, PJ13, PJ20 values are printed as ProtoJSON has them', async () => {
    const answer = {
      d: 1e-7,
      f: 'NaN',
      i64: '9007199254740993',
      raw: '+/+/',
      genre: 77,
      time: '2019-12-31T23:00:00.500Z',
      span: '-1.500s',
      mask: 'aB,c',
      boxed: '0',
      anyObject: { a: [{ b: null }] },
      anyValue: null,
      right: 0,
      names: { '-1': 'm' },
      maybe: '',
      'cu.st[om]': 'q',
    };
    const { url } = await services.library({ answer, profile: ENVOY });

    expect(JSON.parse((await client.send(`${url}/v1/kinds/1`)).body)).toEqual(answer);
  });

  test('PJ15 fields that the schema does not know are passed over, also when they come in pieces', async () => {
    const message = Buffer.concat([
      Buffer.from([0x12, 1, 0x61, 0xfa, 0x3f, 200, 1]),
      Buffer.alloc(200, 7),
      Buffer.from([0x28, 5]),
    ]);
    const bytes = frame(message);
    const { url } = await bare((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      for (let at = 0; at < bytes.length; at += 10) stream.write(bytes.subarray(at, at + 10));
      stream.end();
    }, ENVOY);

    expect((await client.send(`${url}/v1/books/1`)).body).toBe('{"title":"a","copies":"5"}');
  });

  test.each([
    ['PJ16 text that is no UTF-8', frame(Buffer.from([0x12, 1, 0xff]))],
    ['ST15 no message', Buffer.alloc(0)],
    ['ST15 two messages', Buffer.concat([frame(Buffer.alloc(0)), frame(Buffer.alloc(0))])],
    ['SZ2 a compressed message without an encoding', Buffer.from([1, 0, 0, 0, 1, 0])],
    ['SZ2 a frame with unknown flags', Buffer.from([2, 0, 0, 0, 1, 0])],
    ['SZ2 a message that breaks off', Buffer.from([0, 0, 0, 0, 9, 0])],
  ])('%s from the service is a 502', async (_what, bytes) => {
    const { url } = await bare((stream) => end(stream, { 'grpc-status': '0' }, bytes));

    const answer = await client.send(`${url}/v1/books/1`);

    expect(answer).toMatchObject({ status: 502, headers: { 'x-sluice-error': 'upstream_malformed' } });
  });

  test('PJ14 proto2: defaults, required fields, groups and enums without zero', async () => {
    const { url, calls } = await services.start(legacyProto, 'legacy.v2.Old', {
      profile: ENVOY,
      answer: { id: 'x', item: { sku: 's' } },
    });

    const answer = await client.send(`${url}/v2/old/x?closed=CLOSED_TWO`, post('{"sku":"s"}'));

    expect(answer).toMatchObject({ status: 200, body: '{"id":"x","item":{"sku":"s"}}' });
    expect(calls).toMatchObject([{ message: { id: 'x', closed: 'CLOSED_TWO', item: { sku: 's' } } }]);
  });
});

const legacyProto = `
syntax = "proto2";
package legacy.v2;
import "google/api/annotations.proto";
enum Closed { CLOSED_ONE = 1; CLOSED_TWO = 2; }
message Thing {
  required string id = 1;
  optional Closed closed = 2;
  optional group Item = 3 { optional string sku = 1; }
  optional int32 seven = 4 [default = 7];
}
service Old { rpc Touch(Thing) returns (Thing) { option (google.api.http) = { post: "/v2/old/{id}" body: "item" }; } }`;

describe('header fields and metadata', () => {
  const sent = {
    accept: 'application/json',
    authorization: 'Bearer x',
    'grpc-metadata-tenant': 'a',
    'x-custom': 'b',
    connection: 'x-hop',
    'x-hop': 'c',
    te: 'trailers',
    'foo+bar': 'd',
    'x-latin': 'caf\xe9',
    'grpc-metadata-key-bin': 'AAE',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'last-event-id': '7',
  };

  test('HD1, HD2, HD3, HD4, HD5, HD13, ST13 grpc-gateway passes on its own selection, prefixed', async () => {
    const { url, calls, port } = await services.library();

    await client.send(`${url}/v1/books/1`, { headers: sent });

    const map = calls[0]?.metadata.getMap() ?? {};
    expect(map).toMatchObject({
      'grpcgateway-accept': 'application/json',
      'grpcgateway-authorization': 'Bearer x',
      authorization: 'Bearer x',
      tenant: 'a',
      'key-bin': Buffer.from([0, 1]),
      traceparent: sent.traceparent,
      'last-event-id': '7',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-port': String(port),
    });
    for (const name of ['x-custom', 'x-hop', 'connection', 'foo+bar', 'x-latin', 'host'])
      expect(map).not.toHaveProperty(name);
  });

  test.each([ENVOY, STRICT])(
    'HD1, HD2, HD4 the others pass on every end-to-end field by its name (%i)',
    async (profile) => {
      const { url, calls } = await services.library({ profile });

      await client.send(`${url}/v1/books/1`, { headers: sent });

      const map = calls[0]?.metadata.getMap() ?? {};
      expect(map).toMatchObject({
        accept: 'application/json',
        authorization: 'Bearer x',
        'x-custom': 'b',
        traceparent: sent.traceparent,
      });
      for (const name of ['x-hop', 'connection', 'foo+bar', 'x-latin', 'host']) expect(map).not.toHaveProperty(name);
    },
  );

  test('HD3 a -bin field that is no base64 is a 400', async () => {
    const { url, calls } = await services.library();

    const answer = await client.send(`${url}/v1/books/1`, { headers: { 'grpc-metadata-key-bin': '*' } });

    expect(answer.status).toBe(400);
    expect(calls).toEqual([]);
  });

  const GetBook: Unary = (call, done) => {
    call.sendMetadata(fields({ 'x-one': '1', 'raw-bin': Buffer.from([0, 1, 255]) }));
    done(null, {}, fields({ 'x-two': '2' }));
  };

  test.each([
    ['grpc-gateway', GRPC_GATEWAY, 'grpc-metadata-', 'grpc-trailer-'],
    ['envoy', ENVOY, '', ''],
    ['strict', STRICT, '', ''],
  ])(
    'HD6, HD7 metadata are header fields, and trailers trailers for those who take them (%s)',
    async (_name, profile, header, trailer) => {
      const { url } = await services.library({ handlers: { GetBook }, profile });

      const taking = await full(`${url}/v1/books/1`, { te: 'trailers' });
      const others = await full(`${url}/v1/books/1`);

      expect(taking.response.headers).toMatchObject({ [`${header}x-one`]: '1', [`${header}raw-bin`]: 'AAH/' });
      expect(taking.response.trailers).toMatchObject({ [`${trailer}x-two`]: '2' });
      expect(others.response.trailers).toEqual({});
    },
  );

  test('HD6, ST4 a stream’s trailers have its status', async () => {
    const Watch = (call: ServerWritableStream<Json, Json>): void => {
      call.write({ title: 'a' });
      call.emit('error', { code: status.DATA_LOSS, details: 'lost', metadata: fields({ 'x-two': '2' }) });
    };
    const { url } = await services.library({ handlers: { Watch } });

    const { response } = await full(`${url}/v1/shelves/1/books/2:watch`, { te: 'trailers' });

    expect(response.trailers).toEqual({ 'grpc-status': '15', 'grpc-trailer-x-two': '2' });
  });
});

describe('content', () => {
  test.each([
    ['application/json', 200, 200, 200],
    ['application/vnd.acme+json', 200, 200, 200],
    ['', 200, 200, 200],
    ['text/plain', 200, 200, 415],
    ['application/xml', 200, 415, 415],
    ['application/json; charset=UTF-8', 200, 200, 200],
    ['application/json; charset=latin1', 415, 415, 415],
  ])('CN1, CN2 a body of type "%s"', async (type, ...expected) => {
    for (const [index, [name, profile]] of profiles.entries()) {
      const { url } = await services.library({ profile });
      const headers: Record<string, string> = type === '' ? {} : { 'content-type': type };
      const answer = await client.send(`${url}/v1/shelves/7/books`, { method: 'POST', headers, body: '{}' });
      expect.soft(answer.status, name).toBe(expected[index]);
    }
  });

  test.each(['application/x-protobuf', 'application/protobuf', 'application/proto'])(
    'CN1, CN4 a body in %s, and an answer in it',
    async (type) => {
      const { url, calls } = await services.library({ answer: { title: 'a' } });
      const headers = { 'content-type': type, accept: type };

      const sent = request(`${url}/v1/shelves/7/books`, { method: 'POST', headers, agent: false });
      sent.end(Buffer.from([0x12, 1, 0x62]));
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      const [body] = (await once(response, 'data')) as [Buffer];

      expect(calls).toMatchObject([{ message: { shelf: '7', book: { title: 'b' } } }]);
      expect(response.headers['content-type']).toBe(type);
      expect(body).toEqual(Buffer.from([0x12, 1, 0x61]));
    },
  );

  test('CN3 an Accept that nothing fits is JSON, and 406 in strict', async () => {
    for (const [name, profile] of profiles) {
      const { url, calls } = await services.library({ profile });
      const answer = await client.send(`${url}/v1/books/1`, { headers: { accept: 'text/html' } });
      expect.soft(answer.status, name).toBe(profile === STRICT ? 406 : 200);
      expect.soft(calls).toHaveLength(profile === STRICT ? 0 : 1);
    }
  });

  test('HB1, HB2 an HttpBody is the bytes of the body and their type, either way', async () => {
    const got: Json[] = [];
    const Upload: Unary = ({ request: message }, done) => {
      got.push(message);
      done(null, message['data'] === 'AAH/' ? { contentType: 'image/png', data: 'AAEC' } : { data: 'AAEC' });
    };
    const { url } = await services.library({ handlers: { Upload }, profile: ENVOY });

    const typed = await client.send(`${url}/v1/upload`, post(Buffer.from([0, 1, 255]), 'image/gif'));
    const untyped = await client.send(`${url}/v1/upload`, post('{', 'application/json'));

    expect(got).toEqual([
      { contentType: 'image/gif', data: 'AAH/' },
      { contentType: 'application/json', data: 'ew==' },
    ]);
    expect([typed.headers['content-type'], typed.body]).toEqual(['image/png', '\0\x01\x02']);
    expect(untyped.headers['content-type']).toBe('application/octet-stream');
  });

  test('HB5 an error of a download has its status when it comes first, and breaks the download off when it comes later', async () => {
    const Download = (call: ServerWritableStream<Json, Json>): void => {
      if (call.request['name'] === 'later') call.write({ contentType: 'image/png', data: 'AAEC' });
      call.emit('error', { code: status.NOT_FOUND, details: 'gone', metadata: new Metadata() });
    };
    for (const [, profile] of profiles) {
      const { url } = await services.library({ handlers: { Download }, profile });

      expect((await client.send(`${url}/v1/download/first`)).status).toBe(404);
      await expect(full(`${url}/v1/download/later`)).rejects.toThrow('aborted');
    }
  });

  test.each([
    ['grpc-gateway', GRPC_GATEWAY, ''],
    ['envoy', ENVOY, '[]'],
    ['strict', STRICT, ''],
  ])('ST2 a stream without messages (%s)', async (_name, profile, expected) => {
    const Watch = (call: ServerWritableStream<Json, Json>): void => void call.end();
    const { url } = await services.library({ handlers: { Watch }, profile });
    const path = `${url}/v1/shelves/1/books/2:watch`;

    expect(await client.send(path)).toMatchObject({ status: 200, body: expected });
    expect((await client.send(path, { headers: { accept: 'text/event-stream' } })).body).toBe(
      'event: end\ndata: {}\n\n',
    );
  });

  test.each(['', '[]', ' \n'])('ST9 a client stream of "%s" has no message', async (body) => {
    let messages = 0;
    const Import = (
      call: { on(event: string, listener: () => void): unknown },
      done: (error: null, value: Json) => void,
    ): void => {
      call.on('data', () => messages++);
      call.on('end', () => done(null, {}));
    };
    const { url } = await services.library({ handlers: { Import } });

    expect((await client.send(`${url}/v1/shelves/7/books:import`, post(body))).status).toBe(200);
    expect(messages).toBe(0);
  });
});

/** A gateway before a server of bare HTTP/2, for what no gRPC library would send. */
async function bare(
  behave: (stream: ServerHttp2Stream) => void,
  profile: TranscodeProfile = GRPC_GATEWAY,
): Promise<{ url: string }> {
  const server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream: ServerHttp2Stream) => {
    (stream as Http2Stream).on('error', () => {});
    behave(stream);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  services.defer(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const { url } = await services.gateway({
    services: [{ name: 's', protocol: Protocol.GRPC }],
    schemas: [{ name: 's', descriptorSet: services.descriptors(libraryProto) }],
    routes: [{ name: 's', service: 's', transcode: { schema: 's', profile } }],
    endpoints: { s: [(server.address() as AddressInfo).port] },
  });
  return { url };
}

function end(stream: ServerHttp2Stream, trailers: Record<string, string>, body: Buffer = Buffer.alloc(0)): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}
