import { describe, expect, test } from 'vitest';
import { TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { TranscodedServices, type Json, type TranscodedService } from '../support/transcoding.js';

const services = new TranscodedServices();
const { client } = services;
const { GRPC_GATEWAY, ENVOY, STRICT } = TranscodeProfile;
const all = [GRPC_GATEWAY, ENVOY, STRICT];
const json = 'application/json';
const form = 'application/x-www-form-urlencoded';

/** What the service is to see, or the status and a part of the answer. */
type Expected = Json | { readonly status: number; readonly says?: string };

interface Row {
  readonly title: string;
  readonly in?: readonly TranscodeProfile[];
  readonly send: string;
  readonly body?: string | Uint8Array;
  readonly type?: string;
  readonly sees: Expected;
}

const bad = (says = ''): Expected => ({ status: 400, says });
const kinds = '/v1/kinds/1';
const many = (count: number): string => Array.from({ length: count }, () => 'tags=1').join('&');

const bodies: readonly Row[] = [
  {
    title: 'BD1 a whole body leaves nothing to the query',
    in: [GRPC_GATEWAY, ENVOY],
    send: 'PUT /v1/all/1?note=q',
    body: '{}',
    sees: { kinds: { i32: 1 } },
  },
  {
    title: 'BD1 a whole body leaves nothing to the query',
    in: [STRICT],
    send: 'PUT /v1/all/1?note=q',
    body: '{}',
    sees: bad('note'),
  },
  {
    title: 'BD2 the body is one field, path and query give the rest',
    send: 'POST /v1/shelves/7/books?request_id=r',
    body: '{"title":"T"}',
    sees: { shelf: '7', requestId: 'r', book: { title: 'T' } },
  },
  {
    title: 'BD4 a body that the rule has no use for is passed over',
    send: 'PURGE /v1/books/1',
    body: 'any thing',
    sees: { name: '1' },
  },
  { title: 'BD5 an empty body', send: 'POST /v1/shelves/7/books', body: '', sees: { shelf: '7' } },
  { title: 'BD5 a body of blanks', send: 'POST /v1/shelves/7/books', body: ' \r\n\t', sees: { shelf: '7' } },
  { title: 'BD7 something behind the JSON', send: 'POST /v1/shelves/7/books', body: '{"title":"T"} {}', sees: bad() },
  { title: 'BD7 JSON that breaks off', send: 'POST /v1/shelves/7/books', body: '{"title":', sees: bad() },
  {
    title: 'BD8 a byte order mark',
    send: 'POST /v1/shelves/7/books',
    body: '\ufeff{"title":"T"}',
    sees: { shelf: '7', book: { title: 'T' } },
  },
  {
    title: 'BD8 bytes that are no UTF-8',
    send: 'POST /v1/shelves/7/books',
    body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    sees: bad(),
  },
  {
    title: 'BD9 the path wins over the body',
    in: [GRPC_GATEWAY, ENVOY],
    send: 'PUT /v1/put/1',
    body: '{"i32":2}',
    sees: { kinds: { i32: 1 } },
  },
  {
    title: 'BD9 the path wins over the body',
    in: [STRICT],
    send: 'PUT /v1/put/1',
    body: '{"i32":2}',
    sees: bad('kinds.i32'),
  },
  {
    title: 'BD9 the path wins over the query',
    in: [GRPC_GATEWAY, ENVOY],
    send: 'GET /v1/kinds/1?i32=2',
    sees: { i32: 1 },
  },
  { title: 'BD9 the path wins over the query', in: [STRICT], send: 'GET /v1/kinds/1?i32=2', sees: bad('i32') },
  {
    title: 'BD9 the body wins over the query',
    in: [GRPC_GATEWAY, ENVOY],
    send: 'PUT /v1/put/1?kinds.text=q',
    body: '{"text":"b"}',
    sees: { kinds: { i32: 1, text: 'b' } },
  },
  {
    title: 'BD9 equal values are fine',
    send: 'PUT /v1/put/1?kinds.i32=1',
    body: '{"i32":1}',
    sees: { kinds: { i32: 1 } },
  },
  {
    title: 'BD10 query values follow those of the body',
    send: 'PUT /v1/put/1?kinds.numbers=3',
    body: '{"numbers":[1,2]}',
    sees: { kinds: { i32: 1, numbers: [1, 2, 3] } },
  },
  {
    title: 'BD11 two members of a oneof, path and body',
    send: 'PUT /v1/left/a',
    body: '{"right":1}',
    sees: bad('kinds.left'),
  },
  { title: 'BD11 two members of a oneof, both in the query', send: `GET ${kinds}?left=a&right=1`, sees: bad() },
  { title: 'BD11 two members of a oneof, the other way round', send: `GET ${kinds}?right=1&left=a`, sees: bad() },
  {
    title: 'BD12 a nested path variable makes its parents',
    send: 'PATCH /v1/shelves/1/books/2',
    body: '',
    sees: { book: { name: 'shelves/1/books/2' } },
  },
  { title: 'BD13 a bad path value with an empty body', send: 'PUT /v1/put/x', body: '', sees: bad('kinds.i32') },
  { title: 'BD13 a bad path value with a body', send: 'PUT /v1/put/x', body: '{"i32":1}', sees: bad('kinds.i32') },
  {
    title: 'BD9 a protobuf body whose last field would swallow the path',
    send: 'PUT /v1/all/1',
    type: 'application/x-protobuf',
    body: '\x7a\x04',
    sees: bad('is not a protobuf message'),
  },
  {
    title: 'BD9 a protobuf body and the path',
    send: 'PUT /v1/all/1',
    type: 'application/x-protobuf',
    body: '\x7a\x01x',
    sees: { kinds: { i32: 1 } },
  },
  {
    title: 'BD14 a form is parameters',
    send: 'POST /v1/shelves/7/books?request_id=r',
    type: form,
    body: 'book.title=a+b%26c&book.tags=x&book.tags=y',
    sees: { shelf: '7', requestId: 'r', book: { title: 'a b&c', tags: ['x', 'y'] } },
  },
  {
    title: 'BD14 JSON that curl calls a form is JSON',
    in: [GRPC_GATEWAY],
    send: 'POST /v1/shelves/7/books',
    type: form,
    body: ' {"title":"T"}',
    sees: { shelf: '7', book: { title: 'T' } },
  },
  {
    title: 'BD14 elsewhere it is a parameter that nobody knows',
    in: [ENVOY, STRICT],
    send: 'POST /v1/shelves/7/books',
    type: form,
    body: '{"title":"T"}',
    sees: bad('title'),
  },
  {
    title: 'SZ1 a body over the limit',
    send: 'POST /v1/shelves/7/books',
    body: JSON.stringify({ title: 'x'.repeat(4_200_000) }),
    sees: { status: 413, says: '"code":8' },
  },
];

const queries: readonly Row[] = [
  {
    title: 'QP1 nested fields',
    send: 'GET /v1/shelves/7/books?author.name=x&author.born=-4',
    sees: { shelf: '7', author: { name: 'x', born: -4 } },
  },
  {
    title: 'QP2 JSON names and proto names',
    send: 'GET /v1/shelves/7/books?page_size=1',
    sees: { shelf: '7', pageSize: 1 },
  },
  {
    title: 'QP2 JSON names and proto names, the other',
    send: 'GET /v1/shelves/7/books?pageSize=1',
    sees: { shelf: '7', pageSize: 1 },
  },
  {
    title: 'QP3 repeated fields',
    send: 'GET /v1/shelves/7/books?tags=a&tags=b%26c&genres=GENRE_POETRY&genres=1',
    sees: { shelf: '7', tags: ['a', 'b&c'], genres: ['GENRE_POETRY', 'GENRE_NOVEL'] },
  },
  {
    title: 'QP4 map entries',
    send: 'GET /v1/shelves/7/books?counts[k.1]=3&counts.z=4',
    sees: { shelf: '7', counts: { 'k.1': 3, z: 4 } },
  },
  { title: 'QP5 a single field twice', send: 'GET /v1/shelves/7/books?page_size=1&pageSize=1', sees: bad('page_size') },
  { title: 'QP6 a flag', send: `GET ${kinds}?flag=TRUE`, sees: { i32: 1, flag: true } },
  { title: 'QP6 a flag as a digit', send: `GET ${kinds}?flag=1`, sees: { i32: 1, flag: true } },
  { title: 'QP6 a flag that is none', send: `GET ${kinds}?flag=yes`, sees: bad('flag') },
  {
    title: 'QP7 64-bit integers, exact',
    send: `GET ${kinds}?i64=-9223372036854775808&u64=18446744073709551615`,
    sees: { i32: 1, i64: '-9223372036854775808', u64: '18446744073709551615' },
  },
  { title: 'QP7 an integer out of range', send: `GET ${kinds}?u32=4294967296`, sees: bad('u32') },
  { title: 'QP7 an integer with an exponent', send: `GET ${kinds}?u32=1e3`, sees: bad('u32') },
  { title: 'QP7 an empty integer', send: `GET ${kinds}?u32=`, sees: bad('u32') },
  { title: 'QP8 floats', send: `GET ${kinds}?d=-1.5e3&f=NaN`, sees: { i32: 1, d: -1500, f: 'NaN' } },
  { title: 'QP8 a float that is too large', send: `GET ${kinds}?f=1e39`, sees: bad('f') },
  { title: 'QP9 an unknown enum number', send: `GET ${kinds}?genre=77`, sees: { i32: 1, genre: 77 } },
  { title: 'QP9 an unknown enum name', send: `GET ${kinds}?genre=NOPE`, sees: bad('genre') },
  {
    title: 'QP10 well-known types',
    send: `GET ${kinds}?time=2020-01-01T00:00:00%2B01:00&span=1h2m3.5s&mask=a_b,c&boxed=5`,
    sees: { i32: 1, time: '2019-12-31T23:00:00Z', span: '3723.500s', mask: 'aB,c', boxed: '5' },
  },
  {
    title: 'QP11 a Struct and a Value as JSON',
    send: `GET ${kinds}?anyObject={"a":[1]}&anyValue="x"`,
    sees: { i32: 1, anyObject: { a: [1] }, anyValue: 'x' },
  },
  { title: 'QP12 a message', send: 'GET /v1/shelves/7/books?author=x', sees: bad('author') },
  { title: 'QP13 an unknown parameter', in: [GRPC_GATEWAY], send: `GET ${kinds}?nope=1`, sees: { i32: 1 } },
  { title: 'QP13 an unknown parameter', in: [ENVOY, STRICT], send: `GET ${kinds}?nope=1`, sees: bad('nope') },
  {
    title: 'QP13 parameters that clients add to anything',
    send: `GET ${kinds}?key=1&api_key=2&$alt=json&utm_source=x`,
    sees: { i32: 1 },
  },
  {
    title: 'QP14 a name without a value, for a text with presence',
    send: `GET ${kinds}?maybe`,
    sees: { i32: 1, maybe: '' },
  },
  { title: 'QP14 a name with an empty value', send: `GET ${kinds}?maybe=`, sees: { i32: 1, maybe: '' } },
  {
    title: 'QP15 one order',
    send: `GET ${kinds}?text=a&u32=2&numbers=1&numbers=2`,
    sees: { i32: 1, text: 'a', u32: 2, numbers: [1, 2] },
  },
  {
    title: 'QP15 another order',
    send: `GET ${kinds}?numbers=1&u32=2&numbers=2&text=a`,
    sees: { i32: 1, text: 'a', u32: 2, numbers: [1, 2] },
  },
  {
    title: 'QP16 a thousand parameters',
    send: `GET /v1/shelves/7/books?${many(1_000)}`,
    sees: { shelf: '7', tags: Array.from({ length: 1_000 }, () => '1') },
  },
  { title: 'QP16 more of them', send: `GET /v1/shelves/7/books?${many(1_001)}`, sees: bad('1000') },
  { title: 'QP16 a name that is too deep', send: `GET ${kinds}?${'nested.'.repeat(40)}i32=1`, sees: bad('32') },
  {
    title: 'QP17 names that mean something in JavaScript',
    send: `GET ${kinds}?__proto__=p&constructor=c`,
    sees: JSON.parse('{"i32":1,"Proto":"p","constructor":"c"}') as Json,
  },
  { title: 'QP17 one that no field has', in: [ENVOY], send: `GET ${kinds}?toString=x`, sees: bad('toString') },
  { title: 'ER11 a fault repeats no value', send: `GET ${kinds}?u32=secret`, sees: bad('BadRequest') },
];

const put = 'PUT /v1/put/1';
const deep = (depth: number): string => `${'{"nested":'.repeat(depth)}{}${'}'.repeat(depth)}`;
const values: readonly Row[] = [
  { title: 'PJ1 the same field by both names', send: put, body: '{"anyValue":1,"any_value":2}', sees: bad() },
  { title: 'PJ1 the same key twice', send: put, body: '{"text":"a","text":"b"}', sees: bad() },
  {
    title: 'PJ2 an unknown field',
    in: [GRPC_GATEWAY, ENVOY],
    send: put,
    body: '{"nope":{"a":[1]},"text":"x"}',
    sees: { kinds: { i32: 1, text: 'x' } },
  },
  { title: 'PJ2 an unknown field', in: [STRICT], send: put, body: '{"nope":1}', sees: bad('nope') },
  {
    title: 'PJ5 enums by name and by number',
    send: put,
    body: '{"genre":2}',
    sees: { kinds: { i32: 1, genre: 'GENRE_POETRY' } },
  },
  { title: 'PJ5 an unknown enum name', in: [STRICT], send: put, body: '{"genre":"NOPE"}', sees: bad('genre') },
  {
    title: 'PJ6 a large integer as a number',
    send: put,
    body: '{"i64":9007199254740993,"u64":18446744073709551615}',
    sees: { kinds: { i32: 1, i64: '9007199254740993', u64: '18446744073709551615' } },
  },
  {
    title: 'PJ6 integers with an exponent or a point',
    send: put,
    body: '{"i64":1e2,"u32":1.0}',
    sees: { kinds: { i32: 1, i64: '100', u32: 1 } },
  },
  { title: 'PJ6 no integer', send: put, body: '{"i64":1.5}', sees: bad('i64') },
  {
    title: 'PJ7 floats',
    send: put,
    body: '{"d":0.1,"f":"-Infinity"}',
    sees: { kinds: { i32: 1, d: 0.1, f: '-Infinity' } },
  },
  { title: 'PJ7 a float that is too large', send: put, body: '{"f":1e40}', sees: bad('f') },
  {
    title: 'PJ8 bytes in either alphabet',
    send: put,
    body: '{"raw":"-_-_"}',
    sees: { kinds: { i32: 1, raw: '+/+/' } },
  },
  { title: 'PJ8 no base64', send: put, body: '{"raw":"*"}', sees: bad('raw') },
  {
    title: 'PJ9 null is as if it were not there',
    send: put,
    body: '{"text":null,"numbers":null,"anyValue":null}',
    sees: { kinds: { i32: 1, anyValue: null } },
  },
  { title: 'PJ9 null in a list', send: put, body: '{"numbers":[null]}', sees: bad('numbers') },
  {
    title: 'PJ10 times and durations',
    send: put,
    body: '{"time":"2020-01-01T00:00:00.5+01:00","span":"-1.5s"}',
    sees: { kinds: { i32: 1, time: '2019-12-31T23:00:00.500Z', span: '-1.500s' } },
  },
  { title: 'PJ10 a time out of range', send: put, body: '{"time":"10000-01-01T00:00:00Z"}', sees: bad('time') },
  {
    title: 'PJ12 a Struct',
    send: put,
    body: '{"anyObject":{"a":[{"b":null}]}}',
    sees: { kinds: { i32: 1, anyObject: { a: [{ b: null }] } } },
  },
  { title: 'PJ12 messages nested too deeply', send: put, body: deep(200), sees: bad() },
  {
    title: 'PJ13 wrappers and maps',
    send: put,
    body: '{"boxed":"0","names":{"-1":"m"}}',
    sees: { kinds: { i32: 1, boxed: '0', names: { '-1': 'm' } } },
  },
  { title: 'PJ13 a map key of another type', send: put, body: '{"names":{"x":"m"}}', sees: bad('names') },
  { title: 'PJ13 two members of a oneof', send: put, body: '{"left":"a","right":1}', sees: bad() },
  {
    title: 'PJ19 a hundred thousand keys',
    in: [GRPC_GATEWAY, ENVOY],
    send: put,
    body: `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":1`).join()}}`,
    sees: { kinds: { i32: 1 } },
  },
  { title: 'PJ19 a megabyte of digits', send: put, body: `{"i64":"${'1'.repeat(1_000_000)}"}`, sees: bad('i64') },
  { title: 'PJ19 a megabyte of brackets', send: put, body: '['.repeat(1_000_000), sees: bad() },
  {
    title: 'PJ20 names of any text',
    send: put,
    body: '{"cu.st[om]":"q","__proto__":"p"}',
    sees: { kinds: { i32: 1, 'cu.st[om]': 'q', Proto: 'p' } },
  },
];

const profiles = [
  ['grpc-gateway', GRPC_GATEWAY],
  ['envoy', ENVOY],
  ['strict', STRICT],
] as const;

async function found({ url, calls }: TranscodedService, row: Row): Promise<unknown> {
  const [method = '', path = ''] = row.send.split(' ');
  const { type = json, body } = row;
  const answer = await client.send(url + path, {
    method,
    headers: body === undefined ? {} : { 'content-type': type },
    ...(body === undefined ? {} : { body }),
  });
  const [call] = calls.splice(0);
  return call === undefined ? { status: answer.status, says: answer.body } : call.message;
}

describe.each(profiles)('profile %s', (_name, profile) => {
  test.each([
    ['BD1 to BD14 path, query and body become one message', bodies],
    ['QP1 to QP17 parameters', queries],
    ['PJ1 to PJ20 JSON', values],
  ])('%s', async (_title, table) => {
    const service = await services.library({ profile });
    for (const row of table) {
      if (!(row.in ?? all).includes(profile)) continue;
      const name = `${row.title}: ${row.send.slice(0, 100)} ${String(row.body ?? '').slice(0, 60)}`;
      const says: unknown = 'status' in row.sees ? expect.stringContaining(String(row.sees['says'] ?? '')) : null;
      const wanted = 'status' in row.sees ? { status: row.sees.status, says } : row.sees;
      expect.soft(await found(service, row), name).toEqual(wanted);
    }
  });
});

test('ER11 a fault names the field and the place, and repeats no value', async () => {
  const { url } = await services.library();

  const answer = await client.send(`${url}/v1/shelves/7/books`, { method: 'POST', body: '{"copies":"secret"}' });

  expect(answer.status).toBe(400);
  expect(answer.body).not.toContain('secret');
  expect(JSON.parse(answer.body)).toMatchObject({
    code: 3,
    details: [{ reason: 'BAD_ARGUMENT' }, { fieldViolations: [{ field: 'book.copies' }] }],
  });
});

test.each(profiles)('QP15 a field and a part of it are refused together, in any order (%s)', async (_name, profile) => {
  const { url, calls } = await services.library({ profile });

  for (const pair of [
    ['time=2020-01-01T00:00:00Z', 'time.seconds=5'],
    ['mask=a', 'mask.paths=b'],
    ['any_value=1', 'any_value.string_value=a'],
    ['boxed=1', 'boxed.value=2'],
  ]) {
    for (const query of [pair.join('&'), pair.toReversed().join('&')]) {
      const answer = await client.send(`${url}${kinds}?${query}`);
      expect([query, answer.status]).toEqual([query, 400]);
      expect(answer.body).toContain('which holds it');
    }
  }
  expect(calls).toEqual([]);
});

test('ER11 a fault of a parameter names no place in the body', async () => {
  const { url } = await services.library();

  const { body } = await client.send(`${url}${kinds}?time=yesterday`);

  expect(body).toContain('RFC 3339');
  expect(body).not.toContain('of the body');
});

test.each(profiles)('QP15 parameters in any order give the same message (%s)', async (_name, profile) => {
  const { url, calls } = await services.library({ profile });
  const parts = ['text=a', 'u32=2', 'left=l', 'nested.text=n', 'nested.u32=3', 'names[1]=x', 'maybe=', 'd=1.5'];

  for (let turn = 0; turn < parts.length; turn++) {
    const query = [...parts.slice(turn), ...parts.slice(0, turn)].join('&');
    await client.send(`${url}${kinds}?${query}`);
  }

  expect(new Set(calls.map(({ message }) => JSON.stringify(message))).size).toBe(1);
  expect(calls).toHaveLength(parts.length);
});
