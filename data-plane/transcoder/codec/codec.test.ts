import { readFileSync } from 'node:fs';
import {
  createFileRegistry,
  fromBinary,
  fromJsonString,
  toBinary,
  toJson,
  type DescMessage,
  type JsonValue,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { buildDescriptors } from '../../../test/support/descriptors.js';
import { RandomMessages, seededRandom } from '../../../test/support/random-message.js';
import { loadSchema } from '../schema/schema.js';
import type { MessageType } from '../schema/types.js';
import type { ArgumentError } from './errors.js';
import type { Emission } from './wire-to-json.js';

const fixture = (name: string): string => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8');
const names = ['library.proto', 'legacy.proto', 'edition.proto'];
const set = buildDescriptors(Object.fromEntries(names.map((name) => [name, fixture(name)])));
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, set));
const { schema } = loadSchema(set);
if (schema === null) throw new Error('the fixtures do not load');
const { codecs } = schema;
const utf8 = new TextEncoder();
const text = new TextDecoder();

function typeOf(name: string): { type: MessageType; desc: DescMessage } {
  const type = schema?.message(name);
  const desc = registry.getMessage(name);
  if (type === undefined || desc === undefined) throw new Error(name);
  return { type, desc };
}

function read(name: string, json: string, ignoreUnknown = false): JsonValue {
  const { type, desc } = typeOf(name);
  const wire = codecs.read(type, utf8.encode(json), { ignoreUnknown, keepZeros: false });
  return toJson(desc, fromBinary(desc, wire), { registry });
}

function faultOf(name: string, json: string, ignoreUnknown = false): ArgumentError {
  try {
    read(name, json, ignoreUnknown);
  } catch (error) {
    return error as ArgumentError;
  }
  throw new Error(`${json} was taken`);
}

function print(name: string, wire: Uint8Array, emission: Emission = 'set'): string {
  return text.decode(codecs.print(typeOf(name).type, wire, emission));
}

/** Floats are printed shortest here, and as doubles by protobuf-es: they are compared as floats. */
function roughly(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => (typeof value === 'number' ? Math.fround(value) : value));
}

const bigMessages = ['library.v1.Kinds', 'library.v1.ListBooksRequest', 'legacy.v1.Legacy', 'edition.v1.Edition'];

test.each(bigMessages)('random messages of %s agree with protobuf-es, both ways', (name) => {
  const { type, desc } = typeOf(name);
  const anyTypes = [...bigMessages, 'google.protobuf.Duration', 'google.protobuf.Struct'].map((it) => typeOf(it).desc);
  const random = new RandomMessages(seededRandom(1), anyTypes);
  for (let i = 0; i < 150; i++) {
    const message = random.make(desc, 4);
    const wire = toBinary(desc, message);
    const expected = toJson(desc, message, { registry });

    const printed = text.decode(codecs.print(type, wire, 'set'));
    expect(roughly(printed)).toEqual(roughly(JSON.stringify(expected)));

    const back = codecs.read(type, utf8.encode(printed), { ignoreUnknown: false, keepZeros: false });
    expect(toBinary(desc, fromBinary(desc, back))).toEqual(toBinary(desc, fromJsonString(desc, printed, { registry })));
    const withZeros = codecs.read(type, utf8.encode(printed), { ignoreUnknown: false, keepZeros: true });
    expect(toJson(desc, fromBinary(desc, withZeros), { registry })).toEqual(expected);
  }
});

test.each(bigMessages)(
  'PJ3 unset fields of %s are printed as protobuf-es prints them, and as grpc-gateway does',
  (name) => {
    const { type, desc } = typeOf(name);
    const random = new RandomMessages(seededRandom(2), []);
    for (let i = 0; i < 100; i++) {
      const message = random.make(desc, 3);
      const wire = toBinary(desc, message);
      const expected = JSON.stringify(toJson(desc, message, { registry, alwaysEmitImplicit: true }));
      const all = text.decode(codecs.print(type, wire, 'all'));

      expect(roughly(text.decode(codecs.print(type, wire, 'implicit')))).toEqual(roughly(expected));
      expect(roughly(all)).toMatchObject(roughly(expected) as object);
    }
  },
);

test('PJ3 grpc-gateway prints null for messages, and nothing for proto3 optional and oneof members', () => {
  const empty = new Uint8Array(0);

  expect(print('library.v1.Author', empty, 'all')).toBe('{"name":""}');
  expect(print('library.v1.Book', empty, 'all')).toBe(
    '{"name":"","title":"","author":null,"genre":"GENRE_UNSPECIFIED","copies":"0","tags":[],"published":null,"cover":""}',
  );
  expect(JSON.parse(print('library.v1.Kinds', empty, 'all'))).not.toHaveProperty('left');
  expect(print('legacy.v1.Legacy', empty, 'set')).toBe('{}');
});

test.each([
  ['9007199254740993', '9007199254740993'],
  ['-9223372036854775808', '-9223372036854775808'],
  ['9223372036854775807', '9223372036854775807'],
  ['"9223372036854775807"', '9223372036854775807'],
  ['1e2', '100'],
  ['1.0', undefined],
  ['1.50e1', '15'],
  ['123456789012345678', '123456789012345678'],
  ['-0', undefined],
  ['"\\u0031"', '1'],
])('PJ6 the int64 %s is read exactly', (json, expected) => {
  expect(read('library.v1.Kinds', `{"i64":${json}}`)).toEqual(
    expected === undefined ? (json === '1.0' ? { i64: '1' } : {}) : { i64: expected },
  );
});

test.each([
  ['i64', '9223372036854775808'],
  ['i64', '-9223372036854775809'],
  ['i64', '1.5'],
  ['i64', '"1 "'],
  ['i64', '""'],
  ['i64', '01'],
  ['i64', '"0x10"'],
  ['i64', '1e400'],
  ['u64', '18446744073709551616'],
  ['u64', '-1'],
  ['u64', '99999999999999999999'],
  ['i32', '2147483648'],
  ['i32', '1.5'],
  ['u32', '4294967296'],
  ['d', '1e400'],
  ['d', '"nan"'],
  ['f', '3.5e38'],
  ['d', '.5'],
  ['d', '-.5'],
  ['d', '-.5e1'],
  ['d', '1.e5'],
  ['d', '-'],
  ['d', '00.12345678901234567'],
  ['d', '1.2345678901234567.8'],
  ['f', '1234567890123456789e22'],
  ['u32', '-4294967295'],
  ['i32', '0123456789'],
  ['i32', '-2147483649'],
  ['d', '1.'],
  ['d', '+1'],
  ['flag', '"true"'],
  ['flag', '1'],
  ['text', '1'],
  ['text', '"\\ud800"'],
  ['text', '"\\x"'],
  ['text', '"\u0001"'],
  ['raw', '"a"'],
  ['raw', '"a==="'],
  ['raw', '"a b="'],
  ['genre', '"NOPE"'],
  ['genre', '1.5'],
  ['time', '"2020-02-30T00:00:00Z"'],
  ['time', '"0000-01-01T00:00:00Z"'],
  ['time', '"2020-01-01 00:00:00Z"'],
  ['time', '1'],
  ['span', '"1"'],
  ['span', '"315576000001s"'],
  ['mask', '"a_b"'],
  ['numbers', '[1,null]'],
  ['numbers', '1'],
  ['nested', '[]'],
  ['names', '{"x":"y"}'],
  ['names', '{"1":null}'],
  ['anyObject', '[]'],
])('PJ7 to PJ13 %s: %s does not fit, and the fault names the field', (field, json) => {
  expect(faultOf('library.v1.Kinds', `{ "${field}": ${json} }`).field.startsWith(field)).toBe(true);
});

test.each([
  ['the same name', '{"text":"a","text":"b"}', 'text'],
  ['both names', '{"anyObject":{},"any_object":{}}', 'any_object'],
  ['an escaped name', '{"text":"a","te\\u0078t":"b"}', ''],
  ['a list', '{"numbers":[],"numbers":[]}', 'numbers'],
  ['a null', '{"text":null,"text":"b"}', 'text'],
  ['two members of a oneof', '{"left":"a","right":1}', 'right'],
  ['a map key', '{"names":{"1":"a","1":"b"}}', 'names["1"]'],
  ['a map key spelled otherwise', '{"names":{"1":"a","1e0":"b"}}', 'names["1e0"]'],
  ['a key of a Struct', '{"anyObject":{"a":1,"\\u0061":2}}', 'anyObject["\\\\u0061"]'],
  [
    'a key after many',
    `{"anyObject":{${Array.from({ length: 40 }, (_, i) => `"k${i}":1`).join()},"k7":2}}`,
    'anyObject.k7',
  ],
])('PJ1 %s given twice is refused', (_title, json, field) => {
  const fault = faultOf('library.v1.Kinds', json);

  expect(fault.message).toMatch(/more than once|another member/);
  if (field !== '') expect(fault.field).toBe(field);
});

test.each([
  ['', ''],
  ['{', ''],
  ['{}}', ''],
  ['{} {}', ''],
  ['{"text"}', 'text'],
  ['{"text":}', 'text'],
  ['{"text":"a",}', ''],
  ['{text:1}', ''],
  ['{"numbers":[1,]}', 'numbers[1]'],
  ['{"numbers":[1 2]}', 'numbers[0]'],
  ['{"nested":{"nested":{"text":tru}}}', 'nested.nested.text'],
  ['null', ''],
  ['[]', ''],
  ['\u00e9', ''],
])('BD7, ER11 %j is no message: the fault says where', (json, field) => {
  const fault = faultOf('library.v1.Kinds', json, true);

  expect(fault.name).toBe('ArgumentError');
  expect(fault.field).toBe(field);
  expect(fault.offset).toBeGreaterThanOrEqual(0);
});

test('BD8 a byte order mark is passed over, and bytes that are not UTF-8 are refused', () => {
  const { type } = typeOf('library.v1.Kinds');
  const options = { ignoreUnknown: true, keepZeros: false };
  const around = (bytes: number[]): Uint8Array =>
    Uint8Array.from([...utf8.encode('{"text":"'), ...bytes, ...utf8.encode('"}')]);

  expect(read('library.v1.Kinds', '\ufeff{"text":"a"}')).toEqual({ text: 'a' });
  for (const bad of [
    [0x80],
    [0xc0, 0x80],
    [0xe0, 0x80, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xc3],
    [0xff],
  ]) {
    expect(() => codecs.read(type, around(bad), options)).toThrow('not UTF-8');
    expect(() =>
      codecs.read(type, Uint8Array.from([...utf8.encode('{"zz":"'), ...bad, ...utf8.encode('"}')]), options),
    ).toThrow('not UTF-8');
  }
});

test('PJ2, PJ5 unknown fields and enum names are refused or passed over', () => {
  const json = '{"nope":{"a":[1,{"b":null}]},"genres":["NOPE","GENRE_NOVEL"],"counts":{"a":1}}';

  expect(read('library.v1.ListBooksRequest', json, true)).toEqual({ genres: ['GENRE_NOVEL'], counts: { a: 1 } });
  expect(faultOf('library.v1.ListBooksRequest', json).field).toBe('nope');
  expect(read('legacy.v1.Legacy', '{"c":"NOPE","cs":["NOPE"],"byName":{"a":"NOPE","b":"CLOSED_ONE"}}', true)).toEqual({
    byName: { b: 'CLOSED_ONE' },
  });
});

test('PJ12, PJ19 a hundred containers within each other pass, one more is refused', () => {
  const nested = (depth: number): string => `${'{"nested":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`;
  const lists = (depth: number): string => `{"anyValue":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;

  read('library.v1.Kinds', nested(100));
  codecs.read(typeOf('library.v1.Kinds').type, utf8.encode(lists(100)), { ignoreUnknown: true, keepZeros: false });
  expect(faultOf('library.v1.Kinds', nested(101)).message).toContain('nested too deeply');
  expect(faultOf('library.v1.Kinds', lists(101)).message).toContain('nested too deeply');
  expect(faultOf('library.v1.Kinds', `{"x":${'['.repeat(100_000)}`, true).message).toContain('nested too deeply');
});

test('PJ11 the type of an Any may stand anywhere, and an unknown one is kept as bytes when printed', () => {
  const json = '{"any":{"text":"a","@type":"t/library.v1.Kinds","i32":1}}';

  expect(read('legacy.v1.Legacy', json)).toEqual({ any: { '@type': 't/library.v1.Kinds', text: 'a', i32: 1 } });
  expect(read('legacy.v1.Legacy', '{"any":{"value":"1s","@type":"t/google.protobuf.Duration"}}')).toEqual({
    any: { '@type': 't/google.protobuf.Duration', value: '1s' },
  });
  expect(read('legacy.v1.Legacy', '{"any":{}}')).toEqual({ any: {} });
  expect(faultOf('legacy.v1.Legacy', '{"any":{"@type":"t/no.Such"}}').field).toBe('any');
  for (const name of ['library.v1.Kinds', 'google.protobuf.Duration']) {
    const twice = `{"any":{"@type":"t/${name}","@type":"t/library.v1.Book"}}`;
    expect(faultOf('legacy.v1.Legacy', twice).message).toContain('more than once');
  }
  expect(faultOf('legacy.v1.Legacy', '{"any":{"text":"a"}}').message).toContain('no @type');
  const unknown = Uint8Array.from([0x82, 0x01, 8, 0x0a, 3, ...utf8.encode('t/x'), 0x12, 1, 7]);
  expect(print('legacy.v1.Legacy', unknown)).toBe('{"any":{"@type":"t/x","value":"Bw=="}}');
});

test.each([
  ['a oneof of which two members came', [0xc2, 1, 1, 0x61, 0xc8, 1, 5], '{"right":5}'],
  ['a single field twice', [0x4a, 1, 0x61, 0x4a, 1, 0x62], '{"text":"b"}'],
  ['fields in another order', [0x4a, 1, 0x61, 0x28, 1], '{"i32":1,"text":"a"}'],
  ['a message in two records', [0xd2, 1, 2, 0x28, 1, 0xd2, 1, 3, 0x4a, 1, 0x61], '{"nested":{"i32":1,"text":"a"}}'],
  [
    'a packed list in parts, one of them not packed',
    [0xba, 1, 2, 1, 2, 0x28, 1, 0xb8, 1, 3],
    '{"i32":1,"numbers":[1,2,3]}',
  ],
  ['a map with a key twice', [0xea, 1, 5, 8, 1, 0x12, 1, 0x61, 0xea, 1, 5, 8, 1, 0x12, 1, 0x62], '{"names":{"1":"b"}}'],
  ['a map entry without parts', [0xea, 1, 0], '{"names":{"0":""}}'],
  ['a map entry the other way round', [0xea, 1, 5, 0x12, 1, 0x61, 8, 1], '{"names":{"1":"a"}}'],
  ['unknown fields', [0xfa, 0x7f, 1, 0, 0x4a, 1, 0x61, 0xfb, 0x7f, 8, 1, 0xfc, 0x7f], '{"text":"a"}'],
  ['a field of another wire type', [0x4d, 0, 0, 0, 0], '{}'],
  ['a negative enum number', [0x60, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], '{"genre":-1}'],
])('PJ15 %s is printed as parsers understand it', (_title, bytes, json) => {
  expect(print('library.v1.Kinds', Uint8Array.from(bytes))).toBe(json);
});

test.each([
  ['cut short', [0x4a, 5, 0x61]],
  ['a string that is not UTF-8', [0x4a, 1, 0xff]],
  ['a varint without end', [0x28, ...Array.from({ length: 11 }, () => 0x80)]],
  ['field number 0', [0, 0]],
  ['an end of no group', [0x0c]],
  ['a group without end', [0x0b, 8, 1]],
  ['wire type 7', [0x0f]],
  ['a length beyond the end', [0x4a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ['a Timestamp out of range', [0x8a, 1, 10, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
  ['groups nested too deeply', Array.from({ length: 1_000 }, () => 0x0b)],
])('PJ10, PJ16 bytes that are %s cannot be printed', (_title, bytes) => {
  expect(() => print('library.v1.Kinds', Uint8Array.from(bytes))).toThrow(
    expect.objectContaining({ name: 'WireFault' }),
  );
});

test('PJ16 messages nested too deeply, or out of order at every depth, are refused or printed in good time', () => {
  const { type, desc } = typeOf('library.v1.Kinds');
  const nest = (depth: number): Uint8Array => {
    let wire: Uint8Array = new Uint8Array(0);
    for (let i = 0; i < depth; i++) {
      const length = wire.length < 128 ? [wire.length] : [(wire.length & 127) | 128, wire.length >>> 7];
      wire = Uint8Array.from([0xd2, 1, ...length, ...wire, 0x28, 1]);
    }
    return wire;
  };

  expect(JSON.parse(text.decode(codecs.print(type, nest(60), 'set')))).toEqual(
    toJson(desc, fromBinary(desc, nest(60))),
  );
  expect(() => codecs.print(type, nest(101), 'set')).toThrow('nested too deeply');
});

test('PJ17, PJ18, PJ20 keys come in the order of declaration, without blanks, and any name is escaped as data', () => {
  expect(print('edition.v1.Edition', Uint8Array.from([0x52, 1, 0x61, 0x08, 1]))).toBe('{"implicit":1,"te\\"xt":"a"}');
  expect(read('edition.v1.Edition', '{"te\\"xt":"a"}')).toEqual({ 'te"xt': 'a' });
});

test('PJ7 floats are printed shortest, and read back as they were', () => {
  const { type } = typeOf('library.v1.Kinds');
  for (const value of [0.1, 1e-7, 16777216, 3.4028234663852886e38, 1.17549435e-38, 0.3, 123456.79]) {
    const wire = codecs.read(type, utf8.encode(`{"f":${value}}`), { ignoreUnknown: false, keepZeros: false });
    const printed = print('library.v1.Kinds', wire);

    expect(printed.length).toBeLessThanOrEqual(6 + 15);
    expect(Math.fround(JSON.parse(printed).f)).toBe(Math.fround(value));
  }
  expect(print('library.v1.Kinds', Uint8Array.from([9, 0, 0, 0, 0, 0, 0, 0, 0x80]))).toBe('{"d":-0}');
});

test('PJ7 a character of any kind at any place of a string of any length is read and printed', () => {
  const { type, desc } = typeOf('library.v1.Kinds');
  const wrong: string[] = [];
  for (const char of ['"', '\\', '\n', '\u0001', '\u007f', 'é', '漢', '😀', '~', ' ', '\u2028']) {
    for (let length = 0; length < 140; length += length < 70 ? 1 : 23) {
      for (let place = 0; place <= length; place++) {
        const value = 'x'.repeat(place) + char + 'y'.repeat(length - place);
        const json = JSON.stringify({ text: value });
        const wire = codecs.read(type, utf8.encode(json), { ignoreUnknown: false, keepZeros: false });
        const isRead = (fromBinary(desc, wire) as unknown as { text: string }).text === value;
        const isPrinted = (JSON.parse(print('library.v1.Kinds', wire)) as { text: string }).text === value;
        if (!isRead || !isPrinted) wrong.push(json);
      }
    }
  }

  expect(wrong).toEqual([]);
});
