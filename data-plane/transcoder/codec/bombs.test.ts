import { Buffer } from 'node:buffer';
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { buildDescriptors } from '../../../test/support/descriptors.js';
import { loadSchema } from '../transcoder.js';
import type { Schema } from '../schema/schema.js';
import type { MessageType } from '../schema/types.js';

const source = `syntax = "proto3"; package bomb.v1;
import "google/protobuf/any.proto"; import "google/protobuf/struct.proto";
message Tree {
  map<string, Tree> children = 1; repeated Tree list = 2; Tree one = 3; google.protobuf.Any any = 4;
  google.protobuf.Struct object = 5; map<string, string> labels = 6; int64 number = 7; double real = 8; string text = 9;
  bytes raw = 10; repeated int32 numbers = 11; repeated Wide wide = 12; map<int64, bool> flags = 13;
}
message Wide { ${Array.from({ length: 100 }, (_, i) => `string a_field_of_a_long_name_${i} = ${i + 1};`).join(' ')} }`;
const { schema } = loadSchema(buildDescriptors({ 'bomb.proto': source }));
const tree = typeOf(schema, 'bomb.v1.Tree');
const utf8 = new TextEncoder();
/** What one message may take by default, either way. */
const limit = 4_194_304;
/** Far more than any of these takes on an idle machine, and far less than what is not bounded would. */
const maxCpuMs = 5_000;

function typeOf(from: Schema | null, name: string): MessageType {
  const type = from?.message(name);
  if (type === undefined) throw new Error(name);
  return type;
}

/** Runs `work`, which must be over in bounded time; answers the name of what it throws, or ''. */
function bounded(work: () => unknown): string {
  const before = process.cpuUsage();
  const thrown = thrownBy(work);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(maxCpuMs);
  return thrown;
}

function thrownBy(work: () => unknown): string {
  try {
    work();
    return '';
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

const read = (json: string, ignoreUnknown = true): Uint8Array | undefined =>
  schema?.codecs.read(tree, utf8.encode(json), { ignoreUnknown, keepZeros: false });

const many = (count: number, member: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => member(i)).join();

test.each([
  ['100,000 unknown keys', `{${many(100_000, (i) => `"x${i}":${i}`)}}`, ''],
  ['100,000 keys of a map', `{"labels":{${many(100_000, (i) => `"k${i}":"v"`)}}}`, ''],
  ['100,000 keys of a Struct', `{"object":{${many(100_000, (i) => `"k${i}":null`)}}}`, ''],
  ['100,000 number keys', `{"flags":{${many(100_000, (i) => `"${i}":true`)}}}`, ''],
  ['100,000 keys with escapes', `{"labels":{${many(100_000, (i) => `"\\u006b${i}":"v"`)}}}`, ''],
  ['one of 100,000 keys twice', `{"labels":{${many(100_000, (i) => `"k${i % 99_999}":"v"`)}}}`, 'ArgumentError'],
  ['one known key 100,000 times', `{${many(100_000, () => '"text":"a"')}}`, 'ArgumentError'],
  ['a key of 4 MB', `{"${'k'.repeat(limit)}":1}`, ''],
  ['an integer of 4 million digits', `{"number":${'1'.repeat(limit)}}`, 'ArgumentError'],
  ['an integer of 4 million digits as text', `{"number":"${'1'.repeat(limit)}"}`, 'ArgumentError'],
  ['an exponent of 4 million digits', `{"number":1e${'9'.repeat(limit)}}`, 'ArgumentError'],
  ['an integer with a huge exponent', '{"number":1e999999999}', 'ArgumentError'],
  ['0 with a huge exponent', '{"number":0e999999999}', ''],
  ['a fraction of 4 million digits', `{"real":0.${'1'.repeat(limit)}}`, ''],
  ['a map key of a million digits', `{"flags":{"${'1'.repeat(1_000_000)}":true}}`, 'ArgumentError'],
  ['4 MB of escapes', `{"text":"${'\\u0041'.repeat(limit / 6)}"}`, ''],
  ['4 MB of blanks', `{${' '.repeat(limit)}}`, ''],
  ['4 MB of brackets', '['.repeat(limit), 'ArgumentError'],
  ['4 MB of brackets in an unknown field', `{"x":${'['.repeat(limit)}`, 'ArgumentError'],
  ['4 MB of braces', '{"one":'.repeat(limit / 7), 'ArgumentError'],
  ['4 MB of brackets in a Struct', `{"object":{"a":${'['.repeat(limit)}`, 'ArgumentError'],
  ['4 MB of base64 that is none', `{"raw":"${'!'.repeat(limit)}"}`, 'ArgumentError'],
  ['a million empty messages', `{"list":[${many(1_000_000, () => '{}')}]}`, ''],
  ['a string without end', `{"text":"${'a'.repeat(limit)}`, 'ArgumentError'],
  ['an array without end', `{"numbers":[${'1,'.repeat(limit / 2)}`, 'ArgumentError'],
])('PJ19 %s is read or refused in bounded time', (_title, json, thrown) => {
  expect(bounded(() => read(json))).toBe(thrown);
});

test('PJ11, PJ19 the type of an Any is looked for in bounded time, however deep and however far behind', () => {
  const filler = JSON.stringify({ text: 'x'.repeat(30_000) });
  let json = filler;
  for (let i = 0; i < 60; i++) {
    json = `{"list":[${filler}],"any":${json.replace(/\}$/, ',"@type":"t/bomb.v1.Tree"}')}}`;
  }

  expect(bounded(() => read(json))).toBe('');
});

/** A length-delimited record. */
function record(number: number, ...content: Uint8Array[]): Uint8Array {
  const body = Buffer.concat(content);
  const varint: number[] = [];
  let rest = body.length;
  for (; rest > 0x7f; rest >>>= 7) varint.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Uint8Array.from([(number << 3) | 2, ...varint, rest]), body]);
}

const key = (text: string): Uint8Array => record(1, utf8.encode(text));
const print = (wire: Uint8Array, emission: 'set' | 'all' = 'set'): unknown =>
  schema?.codecs.print(tree, wire, emission);
const nothing = new Uint8Array(0);

/** A message in which each holds the next. */
function nest(depth: number, around: (inner: Uint8Array) => Uint8Array): Uint8Array {
  let wire: Uint8Array = nothing;
  for (let i = 0; i < depth; i++) wire = around(wire);
  return wire;
}

test.each([
  [
    'a map with a key twice at every depth',
    nest(90, (inner) =>
      Buffer.concat([record(1, key('a'), record(2, inner)), record(1, key('b')), record(1, key('b'))]),
    ),
  ],
  [
    'a map entry with something behind its value at every depth',
    nest(90, (inner) => record(1, key('a'), record(2, inner), Uint8Array.from([0x18, 1]))),
  ],
  [
    'a map entry with its value in two parts at every depth',
    nest(90, (inner) => record(1, key('a'), record(2, inner), record(2, nothing))),
  ],
  ['a map entry the other way round at every depth', nest(90, (inner) => record(1, record(2, inner), key('a')))],
  [
    'a message in two records at every depth',
    nest(90, (inner) => Buffer.concat([record(3, inner), record(3, nothing)])),
  ],
  [
    'records out of order at every depth',
    nest(90, (inner) => Buffer.concat([record(3, inner), record(2, nothing), record(3, nothing)])),
  ],
  [
    'lists in parts at every depth',
    nest(90, (inner) => Buffer.concat([record(2, inner), record(3, nothing), record(2, inner.subarray(0, 0))])),
  ],
])('PJ15, PJ19 %s is printed in bounded time', (_title, wire) => {
  expect(bounded(() => print(wire))).toBe('');
});

test.each([
  ['100,000 entries of a map', record(6, nothing), 100_000],
  ['100,000 keys', null, 100_000],
  ['a million empty messages', record(2, nothing), 1_000_000],
  ['a million unknown fields', Uint8Array.from([0xf8, 0x7f, 1]), 1_000_000],
  ['a million unknown groups', Uint8Array.from([0xfb, 0x7f, 0xfc, 0x7f]), 1_000_000],
])('PJ15, PJ19 %s are printed in bounded time', (_title, one, count) => {
  const wire =
    one === null
      ? Buffer.concat(Array.from({ length: count }, (_, i) => record(6, key(`k${i}`))))
      : Buffer.alloc(one.length * count, one);

  expect(bounded(() => print(wire))).toBe('');
});

test('PJ19 a message whose JSON would be thousands of times as long is refused', () => {
  const wire = Buffer.alloc(limit, record(12, nothing));

  expect(bounded(() => print(wire, 'all'))).toBe('WireFault');
});

test('PJ16 bytes of every kind are printed or refused', () => {
  const outcomes = new Set<string>();
  let state = 1;
  const next = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff) >>> 16;
  for (let i = 0; i < 20_000; i++) {
    const wire = Uint8Array.from({ length: next() % 40 }, () => next());
    outcomes.add(thrownBy(() => print(wire, 'all')));
  }

  expect([...outcomes].toSorted()).toEqual(['', 'WireFault']);
});

type FileInit = NonNullable<Exclude<MessageInitShape<typeof FileDescriptorSetSchema>['file'], undefined>>[number];

function load(file: FileInit): Schema {
  const set = create(FileDescriptorSetSchema, { file: [{ name: 'a.proto', syntax: 'proto3', ...file }] });
  const loaded = loadSchema(toBinary(FileDescriptorSetSchema, set));
  if (loaded.schema === null) throw new Error(JSON.stringify(loaded.problems));
  return loaded.schema;
}

/** "Aa" and "BB" have one hash in many tables, and so have all texts of the same number of them. */
const alike = (count: number): string[] =>
  Array.from({ length: count }, (_, i) =>
    Array.from({ length: 16 }, (__, bit) => ((i >> bit) & 1 ? 'Aa' : 'BB')).join(''),
  );

test('DS7 fields and enum values whose names hash alike are read in bounded time', () => {
  const names = alike(8_192);
  const field = names.map((name, i) => ({
    name,
    jsonName: name,
    number: i + 1,
    type: Type.INT32,
    label: Label.OPTIONAL,
  }));
  const value = alike(40_000).map((name, number) => ({ name, number }));
  const e = { name: 'e', jsonName: 'e', number: 9_000, type: Type.ENUM, typeName: '.E', label: Label.REPEATED };
  const loaded = load({ enumType: [{ name: 'E', value }], messageType: [{ name: 'M', field: [...field, e] }] });
  const numbers = names.toReversed().map((name) => `"${name}":1`);
  const json = utf8.encode(`{${numbers.join()},"e":[${value.map(({ name }) => `"${name}"`).join()}]}`);

  let printed: unknown;
  const thrown = bounded(() => {
    const wire = loaded.codecs.read(typeOf(loaded, 'M'), json, { ignoreUnknown: false, keepZeros: false });
    printed = JSON.parse(Buffer.from(loaded.codecs.print(typeOf(loaded, 'M'), wire, 'set')).toString());
  });

  expect(thrown).toBe('');
  expect(printed).toEqual(JSON.parse(Buffer.from(json).toString()));
});

test('QP17, DS7, PJ20 names that mean something to JavaScript or to a page are names like others', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'then'];
  const field = [
    ...names.map((name, i) => ({ name, jsonName: name, number: i + 1, type: Type.INT32, label: Label.OPTIONAL })),
    { name: 'x', jsonName: '</script>\u2028"\\\u0000', number: 99, type: Type.INT32, label: Label.OPTIONAL },
  ];
  const loaded = load({
    messageType: [
      { name: 'constructor', field },
      { name: '__proto__', field },
    ],
  });

  for (const name of ['constructor', '__proto__']) {
    const type = typeOf(loaded, name);
    const json = `{${field.map(({ jsonName }, i) => `${JSON.stringify(jsonName)}:${i + 1}`).join()}}`;
    const wire = loaded.codecs.read(type, utf8.encode(json), { ignoreUnknown: false, keepZeros: false });
    expect(Buffer.from(loaded.codecs.print(type, wire, 'set')).toString()).toBe(json);
  }
  expect(loaded.message('toString')).toBeUndefined();
  expect(loaded.service('__proto__')).toBeUndefined();
  expect(({} as Record<string, unknown>)['x']).toBeUndefined();
});

test('DS7 an enum of 50,000 values, and 100,000 messages, are read in bounded time', () => {
  const value = Array.from({ length: 50_000 }, (_, number) => ({ name: `V${number}`, number }));
  const messageType = Array.from({ length: 100_000 }, (_, i) => ({ name: `M${i}` }));
  const field = [{ name: 'e', number: 1, type: Type.ENUM, typeName: '.E', label: Label.OPTIONAL }];

  const thrown = bounded(() => {
    const loaded = load({ enumType: [{ name: 'E', value }], messageType: [...messageType, { name: 'M', field }] });
    const json = utf8.encode('{"e":"V49999"}');
    const wire = loaded.codecs.read(typeOf(loaded, 'M'), json, { ignoreUnknown: false, keepZeros: false });
    expect(loaded.codecs.print(typeOf(loaded, 'M'), wire, 'set')).toEqual(Buffer.from(json));
  });

  expect(thrown).toBe('');
});
