import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { BadRequestSchema } from '../../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../../proto/gen/google/rpc/status_pb.js';
import { headerValue } from '../../headers.js';
import {
  answerTo,
  callOf,
  createBook,
  framed,
  getBook,
  grpcHead,
  jsonOf,
  listBooks,
  messageOf,
  ok,
  violationOf,
  type Sent,
} from './support.fixture.js';

test('a call is a POST to the method, with trailers and content type as gRPC wants them', () => {
  const call = callOf(getBook);

  expect(call.target).toBe('/library.v1.Library/GetBook');
  expect(headerValue(call.added.fields, 'te')).toBe('trailers');
  expect(headerValue(call.added.fields, 'content-type')).toBe('application/grpc');
});

test('UN2, UN3 a multi-segment variable keeps %2F as written and decodes the rest', () => {
  expect(messageOf({ ...getBook, variables: ['shelves/a%20b/books/c%2fd%3A'] })).toEqual({
    name: 'shelves/a b/books/c%2fd:',
  });
  expect(messageOf({ method: 'GET', template: '/v1/books/{name}', variables: ['c%2Fd+e'] })).toEqual({ name: 'c/d+e' });
});

test('BD2 the body is one field, path and query give the rest', () => {
  const sent = {
    ...createBook,
    query: '?request_id=r%201&unknown=1',
    body: '{"title":"T","author":{"name":"A"},"copies":"9007199254740993"}',
  };

  expect(messageOf(sent)).toEqual({
    shelf: '7',
    requestId: 'r 1',
    book: { title: 'T', author: { name: 'A' }, copies: '9007199254740993' },
  });
});

test('BD9, BD12 a path value wins over the same field of the body', () => {
  const sent: Sent = {
    method: 'PATCH',
    template: '/v1/{book.name=shelves/*/books/*}',
    variables: ['shelves/1/books/2'],
    body: '{"name":"other","title":"T"}',
  };

  expect(messageOf(sent)).toMatchObject({ book: { name: 'shelves/1/books/2', title: 'T' } });
});

test('BD5 an empty body and one of blanks leave the body field unset', () => {
  expect(messageOf(createBook)).toEqual({ shelf: '7' });
  expect(messageOf({ ...createBook, body: ' \r\n\t' })).toEqual({ shelf: '7' });
});

test('QP1 to QP4 parameters name nested, repeated, enum and map fields by either name', () => {
  const query =
    '?pageSize=5&tags=a&tags=b%26c&genres=GENRE_POETRY&genres=1&author.name=x&author.born=-4&counts[k.1]=3&counts.z=4';

  expect(messageOf({ ...listBooks, query })).toEqual({
    shelf: '7',
    pageSize: 5,
    tags: ['a', 'b&c'],
    genres: ['GENRE_POETRY', 'GENRE_NOVEL'],
    author: { name: 'x', born: -4 },
    counts: { 'k.1': 3, z: 4 },
  });
});

const kinds: Sent = { method: 'GET', template: '/v1/kinds/{i32}', variables: ['-5'] };

test('QP6 to QP11 every kind of field takes its text', () => {
  const query =
    '?d=-1.5e3&f=Infinity&i64=-9223372036854775808&u64=18446744073709551615&f64=1&f32=2&flag=TRUE&text=%C3%A9&raw=-_-_&u32=4294967295' +
    '&genre=2&sf32=-2&sf64=-3&s32=-4&s64=-9007199254740993&time=2020-01-01T00:00:00%2B01:00&span=1h2m3.5s&mask=a_b,c&boxed=5' +
    '&anyObject={"a":[1]}&any_value=null&numbers=1&numbers=-2&left=&nested.nested.i32=1&__proto__=p&constructor=c&names[-1]=m&maybe' +
    '&cu.st%5Bom%5D=q&times=2020-01-01T00:00:00Z';

  expect(messageOf({ ...kinds, query })).toEqual({
    d: -1500,
    f: 'Infinity',
    i64: '-9223372036854775808',
    u64: '18446744073709551615',
    i32: -5,
    f64: '1',
    f32: 2,
    flag: true,
    text: 'é',
    raw: '+/+/',
    u32: 4294967295,
    genre: 'GENRE_POETRY',
    sf32: -2,
    sf64: '-3',
    s32: -4,
    s64: '-9007199254740993',
    time: '2019-12-31T23:00:00Z',
    span: '3723.500s',
    mask: 'aB,c',
    boxed: '5',
    anyObject: { a: [1] },
    anyValue: null,
    numbers: [1, -2],
    left: '',
    nested: { nested: { i32: 1 } },
    Proto: 'p',
    constructor: 'c',
    names: { '-1': 'm' },
    maybe: '',
    'cu.st[om]': 'q',
    times: ['2020-01-01T00:00:00Z'],
  });
});

test.each([
  ['QP5 a single field twice', '?page_size=1&pageSize=1', 'page_size'],
  ['QP7 an integer that is none', '?page_size=1e3', 'page_size'],
  ['QP7 an integer out of range', '?page_size=2147483648', 'page_size'],
  ['QP7 an empty integer', '?page_size=', 'page_size'],
  ['QP9 an unknown enum name', '?genres=NOPE', 'genres'],
  ['QP12 a message', '?author=x', 'author'],
  ['a field of a scalar', '?page_size.x=1', 'page_size'],
  ['a malformed escape', '?author.name=%zz', 'author.name'],
])('%s is a 400 that names the field', (_title, query, field) => {
  expect(violationOf({ ...listBooks, query }).field).toBe(field);
});

test('ER11 a bad path value, and a bad body, are a 400 that names the field and repeats no value', () => {
  expect(violationOf({ ...createBook, variables: ['secret'] })).toEqual({
    field: 'shelf',
    description: 'is not a 64-bit integer',
  });
  expect(JSON.stringify(violationOf({ ...createBook, body: '{"copies":"secret"}' }))).not.toContain('secret');
});

test('BD11 two members of a oneof are a 400 in any order', () => {
  expect(violationOf({ ...kinds, query: '?left=a&right=1' }).field).toMatch(/left|right/);
  expect(violationOf({ ...kinds, query: '?right=1&left=a' }).field).toMatch(/left|right/);
});

const putKinds = (what: string, value: string, rest: Partial<Sent>): Sent => ({
  method: 'PUT',
  template: `/v1/${what}`,
  variables: [value],
  ...rest,
});

test.each([
  ['BD9 a path value of zero over the body', 'put/{kinds.i32}', '0', '', '{"i32":5}', {}],
  ['BD9 a path value over the query', 'put/{kinds.i32}', '1', '?kinds.i32=2', '', { i32: 1 }],
  [
    'BD9 the body over the query',
    'put/{kinds.i32}',
    '1',
    '?kinds.u32=2&kinds.text=q',
    '{"text":""}',
    { i32: 1, u32: 2 },
  ],
  [
    'BD10 query values behind the body of a repeated field',
    'put/{kinds.i32}',
    '1',
    '?kinds.numbers=3',
    '{"numbers":[1,2]}',
    { i32: 1, numbers: [1, 2, 3] },
  ],
  [
    'BD9 a repeated path value over the body',
    'numbers/{kinds.numbers}',
    '7,8',
    '',
    '{"numbers":[1,2],"u32":1}',
    { numbers: [7, 8], u32: 1 },
  ],
  [
    'BD9 a path value of a message over the body',
    'time/{kinds.time}',
    '2020-01-01T00:00:00Z',
    '',
    '{"time":"2001-01-01T00:00:00.5Z"}',
    { time: '2020-01-01T00:00:00Z' },
  ],
  [
    'BD9 a message of the body over the query',
    'put/{kinds.i32}',
    '1',
    '?kinds.time=2020-01-01T00:00:00.5Z',
    '{"time":"2001-01-01T00:00:00Z"}',
    { i32: 1, time: '2001-01-01T00:00:00Z' },
  ],
  [
    'a message of the query where the body has none',
    'put/{kinds.i32}',
    '1',
    '?kinds.time=2020-01-01T00:00:00.5Z',
    '{"u32":1}',
    { i32: 1, u32: 1, time: '2020-01-01T00:00:00.500Z' },
  ],
  ['BD1 nothing of the query beside a body that is everything', 'all/{kinds.i32}', '1', '?note=q', '{}', { i32: 1 }],
])('%s', (_title, what, value, query, body, kindsExpected) => {
  expect(messageOf(putKinds(what, value, { query, body }))).toEqual({ kinds: kindsExpected });
});

test('BD11 a body that sets a sibling of a path or query member is a 400', () => {
  expect(violationOf(putKinds('left/{kinds.left}', 'a', { body: '{"right":1}' })).field).toBe('kinds.left');
  expect(violationOf(putKinds('put/{kinds.i32}', '1', { query: '?kinds.left=a', body: '{"right":0}' })).field).toBe(
    'kinds.left',
  );
  expect(messageOf(putKinds('left/{kinds.left}', 'a', { body: '{"left":"b"}' }))).toEqual({ kinds: { left: 'a' } });
});

test('BD9, BD1 strict takes equal values and refuses others', () => {
  const strict = (rest: Partial<Sent>): Sent => putKinds('put/{kinds.i32}', '1', { profile: 'strict', ...rest });

  expect(messageOf(strict({ query: '?kinds.i32=1', body: '{"i32":1}' }))).toEqual({ kinds: { i32: 1 } });
  expect(violationOf(strict({ body: '{"i32":0}' })).field).toBe('kinds.i32');
  expect(violationOf(strict({ query: '?kinds.i32=2' })).field).toBe('kinds.i32');
  expect(violationOf(strict({ query: '?kinds.text=a', body: '{"text":"b"}' })).field).toBe('kinds.text');
  expect(violationOf(putKinds('all/{kinds.i32}', '1', { profile: 'strict', query: '?note=a', body: '{}' })).field).toBe(
    'note',
  );
});

const patchKinds: Sent = { method: 'PATCH', template: '/v1/kinds' };

test.each([
  ['fields by either name, sorted', '{"u32":1,"anyValue":null,"any_object":{}}', 'anyObject,anyValue,u32'],
  ['fields of messages', '{"nested":{"text":"a","nested":{"i32":1}}}', 'nested.nested.i32,nested.text'],
  ['an empty message, and a null', '{"nested":{},"time":null}', 'nested,time'],
  ['lists and maps as a whole', '{"numbers":[1,2],"names":{"1":"a"},"times":[]}', 'names,numbers,times'],
  [
    'the keys of a Struct and of a Value',
    '{"anyObject":{"a":{"b":1},"c":{}},"anyValue":{"d":[{}]}}',
    'anyObject.a.b,anyObject.c,anyValue.d',
  ],
  ['nothing', '{}', ''],
])('PATCH fills a mask that is not given: %s', (_title, body, mask) => {
  expect((messageOf({ ...patchKinds, body }) as { mask: string }).mask).toBe(mask);
});

test('PATCH keeps a mask that is given, and refuses an unknown name, which the mask would lose', () => {
  expect(messageOf({ ...patchKinds, query: '?mask=text', body: '{"u32":1}' })).toMatchObject({ mask: 'text' });
  expect(messageOf({ ...patchKinds, query: '?mask=', body: '{"u32":1}' })).toMatchObject({ mask: 'u32' });
  expect(violationOf({ ...patchKinds, body: '{"nested":{"nope":1}}' }).field).toBe('kinds.nested.nope');
  expect(messageOf({ ...patchKinds, profile: 'envoy', body: '{"u32":1}' })).toEqual({ kinds: { u32: 1 } });
  expect(messageOf({ ...patchKinds, body: '' })).toEqual({});
});

test('BD14 a form is parameters where the body is not the whole message', () => {
  const headers = ['Content-Type', 'application/x-www-form-urlencoded; charset=UTF-8'];

  expect(
    messageOf({ ...createBook, headers, query: '?request_id=r', body: 'book.title=a+b%26c&book.tags=x&book.tags=y' }),
  ).toEqual({
    shelf: '7',
    requestId: 'r',
    book: { title: 'a b&c', tags: ['x', 'y'] },
  });
  expect(violationOf({ ...createBook, headers, query: '?request_id=r', body: 'request_id=s' }).field).toBe(
    'request_id',
  );
  expect(violationOf({ ...createBook, headers, body: 'book.copies=many' }).field).toBe('book.copies');
});

test('CP1, CN3 an encoded body and an Accept that nothing fits are refused', () => {
  expect(() => callOf({ ...createBook, body: 'x', headers: ['Content-Encoding', 'zstd'] })).toThrow(
    'unsupported_media_type',
  );
  expect(() =>
    callOf({ ...createBook, profile: 'strict', headers: ['Accept', 'text/html, application/json;q=0'] }),
  ).toThrow(expect.objectContaining({ status: 406 }));
  callOf({ ...createBook, profile: 'strict', headers: ['Accept', 'text/html, */*;q=0.1'] });
});

test('BD13 a bad path value is a 400 with an empty body as well', () => {
  expect(violationOf(putKinds('put/{kinds.i32}', 'x', {})).field).toBe('kinds.i32');
});

test('CN1, CN4 a protobuf body is taken as it is, and joined with the path', () => {
  const headers = ['Content-Type', 'application/x-protobuf'];

  expect(messageOf({ ...createBook, body: '\u0012\u0001T', headers })).toEqual({ shelf: '7', book: { title: 'T' } });
  expect(() => callOf({ ...createBook, profile: 'strict', body: '{}', headers: ['Content-Type', 'text/csv'] })).toThrow(
    'unsupported_media_type',
  );
  expect(() =>
    callOf({ ...createBook, body: '{}', headers: ['Content-Type', 'application/json; charset=utf-16'] }),
  ).toThrow('unsupported_media_type');
});

test('QP13 an unknown parameter is a 400 in strict, save the ones that clients add', () => {
  expect(violationOf({ ...listBooks, query: '?nope=1', profile: 'strict' }).field).toBe('nope');
  expect(messageOf({ ...listBooks, query: '?key=1&utm_source=x&$alt=json', profile: 'strict' })).toEqual({
    shelf: '7',
  });
});

test('HB1 the bytes of a body become an HttpBody, whatever they are', () => {
  const sent: Sent = {
    method: 'POST',
    template: '/v1/upload',
    body: '{"not": parsed',
    headers: ['Content-Type', 'image/png'],
  };

  expect(messageOf(sent)).toEqual({ contentType: 'image/png', data: 'eyJub3QiOiBwYXJzZWQ=' });
});

test('SZ1 a body over the limit is refused', () => {
  expect(() => callOf({ ...createBook, body: 'x'.repeat(1_001) })).toThrow('payload_too_large');
});

test('HD1, HD8 grpc-gateway passes on its own selection of fields, prefixed', () => {
  const headers = [
    'Accept',
    'a',
    'Authorization',
    'b',
    'X-Other',
    'c',
    'Grpc-Metadata-Trace',
    'd',
    'Grpc-Timeout',
    '2S',
    'X-Request-Id',
    'e',
  ];
  const call = callOf({ ...getBook, headers });

  expect(call.timeoutMs).toBe(2_000);
  expect(call.headers).toEqual([
    'grpcgateway-accept',
    'a',
    'grpcgateway-authorization',
    'b',
    'authorization',
    'b',
    'trace',
    'd',
    'x-request-id',
    'e',
    'user-agent',
    'sluice',
  ]);
  expect(call.added.fields.slice(6)).toEqual(['x-forwarded-for', '10.0.0.1', 'grpcgateway-via', '1.1 sluice']);
});

test('HD3 a binary field that is not base64 is a 400', () => {
  expect(violationOf({ ...getBook, headers: ['Grpc-Metadata-X-Bin', '%%'] }).field).toBe('header x-bin');
});

test('a reply becomes JSON with its metadata as fields', () => {
  const body = framed('library.v1.Book', { name: 'n', copies: '5' });
  const answer = answerTo(getBook, [...grpcHead, 'x-trace', 't', 'x-http-header-etag', '"1"'], body, ok);

  expect(answer.status).toBe(200);
  expect(answer.headers).toEqual(['Content-Type', 'application/json', 'Grpc-Metadata-x-trace', 't', 'etag', '"1"']);
  expect(jsonOf(answer)).toMatchObject({ name: 'n', copies: '5', title: '', tags: [] });
});

test('RS1 response_body is the body alone', () => {
  const body = framed('library.v1.ListBooksResponse', { books: [{ name: 'n' }] });

  expect(jsonOf(answerTo({ ...listBooks, template: '/v1/shelves/{shelf}/titles' }, grpcHead, body, ok))).toMatchObject([
    { name: 'n' },
  ]);
});

test('RS3 x-http-code sets the status of a success', () => {
  const body = framed('library.v1.Book', {});

  expect(answerTo(getBook, [...grpcHead, 'x-http-code', '201'], body, ok).status).toBe(201);
  expect(answerTo(getBook, grpcHead, body, [...ok, 'x-http-code', '100']).status).toBe(200);
});

test('ER2 to ER5 a status is mapped and keeps its details, trailers-only or not', () => {
  const detail = anyPack(
    BadRequestSchema,
    create(BadRequestSchema, { fieldViolations: [{ field: 'f', description: 'd' }] }),
  );
  const details = toBinary(
    StatusSchema,
    create(StatusSchema, {
      code: 3,
      message: 'm',
      details: [detail, { typeUrl: 'type.googleapis.com/no.Such', value: new Uint8Array([1, 2]) }],
    }),
  );
  const trailers = [
    'grpc-status',
    '5',
    'grpc-message',
    'no%20such%',
    'grpc-status-details-bin',
    Buffer.from(details).toString('base64'),
  ];

  for (const answer of [
    answerTo(getBook, [...grpcHead, ...trailers], new Uint8Array(0), null),
    answerTo(getBook, grpcHead, framed('library.v1.Book', {}), trailers),
  ]) {
    expect(answer).toMatchObject({ status: 404, grpcCode: 5 });
    expect(jsonOf(answer)).toMatchObject({
      code: 5,
      message: 'no such%',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: 'f', description: 'd' }] },
        { '@type': 'type.googleapis.com/no.Such', value: 'AQI=' },
      ],
    });
  }
});

test.each([
  ['ER1 an unknown code', ['grpc-status', '99'], 500, 99],
  ['ER7 no status', [], 500, 2],
  ['ER9 unauthenticated', ['grpc-status', '16', 'grpc-message', 'who'], 401, 16],
])('%s is answered by the table', (_title, trailers, status, code) => {
  expect(answerTo(getBook, grpcHead, new Uint8Array(0), trailers)).toMatchObject({ status, grpcCode: code });
});

test('ER7 an answer that is not gRPC is mapped by its HTTP status', () => {
  expect(answerTo(getBook, ['content-type', 'text/html'], new Uint8Array(3), null, 403)).toMatchObject({
    status: 403,
    grpcCode: 7,
  });
  expect(answerTo(getBook, ['content-type', 'text/html'], new Uint8Array(3), null, 502)).toMatchObject({
    status: 503,
    grpcCode: 14,
  });
});

test.each([
  ['no message', new Uint8Array(0)],
  ['two messages', new Uint8Array(10)],
  ['a message cut short', new Uint8Array([0, 0, 0, 0, 9, 1])],
  ['a compressed message without encoding', new Uint8Array([1, 0, 0, 0, 0])],
  ['bytes that are not the message', new Uint8Array([0, 0, 0, 0, 1, 0xff])],
])('ST15, SZ2 %s with status OK is a malformed reply', (_title, body) => {
  expect(() => answerTo(getBook, grpcHead, body, ok)).toThrow('upstream_malformed');
});
