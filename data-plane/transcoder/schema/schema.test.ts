import { readFileSync } from 'node:fs';
import { create, fromBinary, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { buildDescriptors } from '../../../test/support/descriptors.js';
import { loadSchema } from './schema.js';

const library = readFileSync(new URL('../fixtures/library.proto', import.meta.url), 'utf8');

type FileInit = NonNullable<Exclude<MessageInitShape<typeof FileDescriptorSetSchema>['file'], undefined>>[number];

function setOf(...file: FileInit[]): Uint8Array {
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
}

const field = (name: string, number: number, more = {}): object => ({
  name,
  number,
  type: Type.STRING,
  label: Label.OPTIONAL,
  ...more,
});

test('DS1 a descriptor set with all imports loads, and lists its services', () => {
  const { schema, problems } = loadSchema(buildDescriptors({ 'library.proto': library }));

  expect(problems).toEqual([]);
  expect(schema?.services).toEqual(['library.v1.Library', 'library.v1.Unannotated']);
});

test('DS1, DS3 the well-known imports and annotations.proto need not be in the set', () => {
  const { schema, problems } = loadSchema(buildDescriptors({ 'library.proto': library }, { excludeImports: true }));

  expect(problems).toEqual([]);
  expect(schema?.service('library.v1.Library')?.methods[0]?.httpRule).not.toBeNull();
});

test('DS1 a missing import is reported with both file names', () => {
  const whole = buildDescriptors({
    'a.proto': 'syntax = "proto3"; import "b.proto"; message A { B b = 1; }',
    'b.proto': 'syntax = "proto3"; message B {}',
  });
  const { file } = fromBinary(FileDescriptorSetSchema, whole);

  expect(loadSchema(setOf(...file.filter((it) => it.name === 'a.proto')))).toMatchObject({
    schema: null,
    problems: [{ file: 'a.proto', reason: expect.stringContaining('imports "b.proto", which is not in the set') }],
  });
});

test('DS4 the same name in two schemas is two types', () => {
  const one = loadSchema(
    setOf({ name: 'a', package: 'p', messageType: [{ name: 'M', field: [field('x', 1)] }] }),
  ).schema;
  const two = loadSchema(
    setOf({ name: 'a', package: 'p', messageType: [{ name: 'M', field: [field('y', 1)] }] }),
  ).schema;

  expect(one?.message('p.M')?.fields[0]?.name).toBe('x');
  expect(two?.message('p.M')?.fields[0]?.name).toBe('y');
});

test('DS1 names that are written relative to where they stand are found as protoc finds them', () => {
  const inner = { name: 'Inner', field: [field('deep', 1)] };
  const outer = {
    name: 'Outer',
    nestedType: [{ name: 'Inner', field: [field('near', 1)] }],
    field: [
      field('a', 1, { type: Type.MESSAGE, typeName: 'Inner' }),
      field('b', 2, { type: Type.MESSAGE, typeName: 'p.v1.Inner' }),
      field('c', 3, { type: Type.MESSAGE, typeName: 'v1.Inner' }),
      field('d', 4, { type: Type.MESSAGE, typeName: 'google.protobuf.Timestamp' }),
      field('e', 5, { type: Type.MESSAGE, typeName: '.p.v1.Inner' }),
    ],
  };
  const service = { name: 'S', method: [{ name: 'X', inputType: 'Outer', outputType: 'v1.Inner' }] };
  const { schema } = loadSchema(
    setOf({ name: 'a', package: 'p.v1', syntax: 'proto3', messageType: [inner, outer], service: [service] }),
  );

  expect(schema?.message('p.v1.Outer')?.fields.map(({ typeName }) => typeName)).toEqual([
    'p.v1.Outer.Inner',
    'p.v1.Inner',
    'p.v1.Inner',
    'google.protobuf.Timestamp',
    'p.v1.Inner',
  ]);
  expect(schema?.service('p.v1.S')?.methods[0]).toMatchObject({ inputName: 'p.v1.Outer', outputName: 'p.v1.Inner' });
});

test.each([
  [
    'a package that is too long',
    setOf({ name: 'a', package: Array(300).fill('p').join('.') }),
    'is not a package name',
  ],
  ['a file twice', setOf({ name: 'a' }, { name: 'a' }), 'stands twice'],
  ['a name twice', setOf({ name: 'a', messageType: [{ name: 'M' }, { name: 'M' }] }), 'is declared in a as well'],
  ['a name that is none', setOf({ name: 'a', messageType: [{ name: 'M-\n' }] }), 'is not a name'],
  ['a package that is none', setOf({ name: 'a', package: 'p..q' }), 'is not a package name'],
  ['a file without a name', setOf({}), 'has no name'],
  ['an unknown syntax', setOf({ name: 'a', syntax: 'proto4' }), 'is not supported'],
  ['an unknown edition', setOf({ name: 'a', syntax: 'editions', edition: 4_711 as never }), 'is not supported'],
  ['nothing', new Uint8Array(0), 'has no file'],
  ['a broken tag', new Uint8Array([0xff, 0xff]), 'not a serialized'],
  ['a length beyond the end', new Uint8Array([0x0a, 0x7f]), 'not a serialized'],
  ['JSON', new TextEncoder().encode('{"file":[]}'), 'not a serialized'],
  ['endless groups', new Uint8Array(100_000).fill(0x0b), 'not a serialized'],
])('DS7 %s is refused', (_title, bytes, reason) => {
  const { schema, problems } = loadSchema(bytes);

  expect(schema).toBeNull();
  expect(problems).toMatchObject([{ reason: expect.stringContaining(reason) }]);
});

test('DS7 messages nested too deeply are refused without running out of stack', () => {
  let nested: Uint8Array = new Uint8Array([0x0a, 1, 0x4d]);
  for (let depth = 0; depth < 60; depth++) {
    const length: number[] = [];
    for (let rest = nested.length; ; rest >>>= 7) {
      length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
      if (rest <= 0x7f) break;
    }
    nested = Uint8Array.from([0x0a, 1, 0x4d, 0x1a, ...length, ...nested]);
  }
  const size = nested.length;
  const file = Uint8Array.from([0x0a, 1, 0x61, 0x22, (size & 0x7f) | 0x80, size >>> 7, ...nested]);
  const set = Uint8Array.from([0x0a, (file.length & 0x7f) | 0x80, file.length >>> 7, ...file]);

  expect(loadSchema(set).problems).toMatchObject([{ reason: expect.stringContaining('nested deeper than') }]);
});

test.each([
  ['a number twice', [field('x', 1), field('y', 1)], 'field number 1 is used twice'],
  ['a name twice', [field('x', 1), field('x', 2)], 'field x stands twice'],
  ['number 0', [field('x', 0)], 'has number 0'],
  ['a name that is none', [field('x y', 1)], 'is not a field name'],
  ['no type', [field('x', 1, { type: 0 })], 'has no known type'],
  ['a oneof that does not exist', [field('x', 1, { oneofIndex: 3 })], 'oneof that does not exist'],
  [
    'a type that is not there',
    [field('x', 1, { type: Type.MESSAGE, typeName: '.p.Nope' })],
    'its type p.Nope is not in the set',
  ],
  ['a type that is an enum', [field('x', 1, { type: Type.MESSAGE, typeName: '.p.Nope' })], 'is not in the set'],
  [
    'a name twice among many',
    [...Array.from({ length: 20 }, (_, i) => field(`f${i}`, i + 1)), field('f3', 99)],
    'field f3 stands twice',
  ],
] as [string, object[], string][])('DS7 a message with %s is refused when it is checked', (_title, fields, reason) => {
  const { schema } = loadSchema(setOf({ name: 'a', package: 'p', messageType: [{ name: 'M', field: fields }] }));

  expect(() => schema?.check('p.M')).toThrow(reason);
});

test('DS7 a map entry must be one, and recursive messages are checked once', () => {
  const entry = {
    name: 'E',
    options: { mapEntry: true },
    field: [field('key', 1, { type: Type.DOUBLE }), field('value', 2)],
  };
  const fields = [field('m', 1, { type: Type.MESSAGE, label: Label.REPEATED, typeName: '.p.M.E' })];
  const { schema } = loadSchema(
    setOf({
      name: 'a',
      package: 'p',
      messageType: [{ name: 'M', nestedType: [entry], field: fields }],
    }),
  );
  expect(() => schema?.check('p.M')).toThrow('a map entry needs a key and a value');

  const cycle = [field('m', 1, { type: Type.MESSAGE, typeName: '.p.M' })];
  loadSchema(setOf({ name: 'a', package: 'p', messageType: [{ name: 'M', field: cycle }] })).schema?.check('p.M');
});
