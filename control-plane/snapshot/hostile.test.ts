import { create, toBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  type FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { describe, expect, test } from 'vitest';

import { HttpSchema } from '../../proto/gen/google/api/http_pb.js';
import { SchemaSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { loadDescriptors } from './schemas.js';

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Fault } from './fault.js';

type FileInit = Exclude<MessageInitShape<typeof FileDescriptorProtoSchema>, { $typeName: string }>;
type HttpInit = MessageInitShape<typeof HttpSchema>;

function setOf(...file: FileInit[]): Uint8Array {
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
}

function load(descriptorSet: Uint8Array, httpRules?: HttpInit) {
  const rules = httpRules === undefined ? {} : { httpRules: create(HttpSchema, httpRules) };
  return loadDescriptors(create(SchemaSchema, { name: 's', descriptorSet, ...rules }));
}

const faultsOf = (set: Uint8Array, httpRules?: HttpInit): readonly Fault[] => load(set, httpRules).faults;
const many = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const field = (name: string, number: number, more = {}) => ({
  name,
  number,
  type: Type.STRING,
  label: Label.OPTIONAL,
  ...more,
});
const method = (name: string) => ({ name, inputType: '.p.M', outputType: '.p.M' });
const service = { name: 'S', method: [method('X')] };
const file = (more: FileInit): FileInit => ({
  name: 'a.proto',
  package: 'p',
  syntax: 'proto3',
  service: [service],
  ...more,
});
const withField = (more: object) => file({ messageType: [{ name: 'M', field: [field('x', 1, more)] }] });

describe('DS7 descriptors that nobody means are refused in words', () => {
  test.each<[string, Uint8Array, string]>([
    ['a file that imports itself', setOf({ name: 'a', dependency: ['a'] }), 'a: imports itself: "a" → "a"'],
    [
      'imports in a circle',
      setOf({ name: 'a', dependency: ['b'] }, { name: 'b', dependency: ['c'] }, { name: 'c', dependency: ['b'] }),
      'b: imports itself: "b" → "c" → "b"',
    ],
    [
      'imports in a long circle',
      setOf(...many(20, (i) => ({ name: `${i}`, dependency: [`${(i + 1) % 20}`] }))),
      '0: imports itself: "0" → "1" → "2" → "3" → "4" → "5" → "6" → "7" → "…" → "0"',
    ],
    [
      'a missing import',
      setOf({ name: 'a', dependency: ['gone\n.proto'] }),
      'a: imports "gone\\n.proto", which is not in',
    ],
    [
      'a message of 100,000 fields',
      setOf(file({ messageType: [{ name: 'M', field: many(100_000, (i) => field(`f${i}`, i + 1)) }] })),
      'a.proto: p.M: the message has more than 10000 fields',
    ],
    [
      'a service of 10,000 methods',
      setOf(
        file({ messageType: [{ name: 'M' }], service: [{ name: 'S', method: many(10_000, (i) => method(`X${i}`)) }] }),
      ),
      'a.proto: p.S: the service has more than 5000 methods',
    ],
    [
      'an enum of 60,000 values',
      setOf(
        file({
          enumType: [{ name: 'E', value: many(60_000, (i) => ({ name: `V${i}`, number: i })) }],
          messageType: [{ name: 'M', field: [field('e', 1, { type: Type.ENUM, typeName: '.p.E' })] }],
        }),
      ),
      'a.proto: p.E: the enum has more than 50000 values',
    ],
    ['20,001 files', setOf(...many(20_001, (i) => ({ name: `${i}` }))), 'the set has more than 20000 files'],
    [
      'one method twice',
      setOf(file({ messageType: [{ name: 'M' }], service: [{ name: 'S', method: [method('X'), method('X')] }] })),
      'a.proto: p.S: method X stands twice',
    ],
    [
      'one name for a message and a service',
      setOf(file({ messageType: [{ name: 'M' }, { name: 'S' }] })),
      'a.proto: p.S: is declared in a.proto as well',
    ],
    [
      'a file name with a line break',
      setOf({ name: 'a\nERROR: b' }),
      '"a\\nERROR: b" is not a name that a file may have',
    ],
    ['a field name with a quote', setOf(withField({ name: 'x"}' })), 'a.proto: p.M: "x\\"}" is not a field name'],
    ['a message name with a line break', setOf(file({ messageType: [{ name: 'M\n' }] })), '"M\\n" is not a name'],
    [
      'an enum value with a quote',
      setOf(
        file({
          enumType: [{ name: 'E', value: [{ name: 'A"', number: 0 }] }],
          messageType: [{ name: 'M', field: [field('e', 1, { type: Type.ENUM, typeName: '.p.E' })] }],
        }),
      ),
      'a.proto: p.E: "A\\"" is not a value name',
    ],
    [
      'a type with an escape in its name',
      setOf(withField({ type: Type.MESSAGE, typeName: '.p.\u001b[31m' })),
      'its type "p.\\u001b[31m" is not in the set',
    ],
    ['a package of 33 names', setOf({ name: 'a', package: many(33, () => 'p').join('.') }), 'is not a package name'],
    ['a name that is not UTF-8', Uint8Array.of(0x0a, 5, 0x0a, 3, 0x61, 0xff, 0x62), 'a name in the set is not UTF-8'],
  ])('%s', (_, set, said) => {
    const faults = faultsOf(set);

    expect(faults[0]).toEqual({ field: 'descriptor_set', reason: expect.stringContaining(said) as string });
  });
});

test('DS7 of very many faults the first are told, and how many there are', () => {
  const faults = faultsOf(setOf({ name: 'a', dependency: many(5_000, (i) => `${i}.proto`) }));

  expect(faults).toHaveLength(101);
  expect(faults[100]?.reason).toBe('and 4900 more faults');
});

test('DS7 a chain of 20,000 imports and one of 20,000 messages need no deep stack', () => {
  const files = many(20_000, (i) => ({ name: `${i}`, dependency: i === 19_999 ? [] : [`${i + 1}`] }));
  const next = (i: number) => field('n', 1, { type: Type.MESSAGE, typeName: `.p.m${(i + 1) % 20_000}` });
  const messages = many(20_000, (i) => ({ name: `m${i}`, field: [next(i)] }));
  const calls = [{ name: 'X', inputType: '.p.m0', outputType: '.p.m0' }];

  expect(faultsOf(setOf(...files))).toEqual([]);
  expect(faultsOf(setOf(file({ messageType: messages, service: [{ name: 'S', method: calls }] })))).toEqual([]);
});

test('DS7 names that JavaScript has meanings for are names like others', () => {
  const names = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'then'];
  const message = { name: 'constructor', field: names.map((name, i) => field(name, i + 1, { jsonName: name })) };
  const inner = {
    name: '__proto__',
    field: [field('__proto__', 1, { type: Type.MESSAGE, typeName: '.p.constructor' })],
  };
  const calls = [{ name: 'toString', inputType: '.p.__proto__', outputType: '.p.constructor' }];
  const set = setOf(file({ messageType: [message, inner], service: [{ name: 'hasOwnProperty', method: calls }] }));
  const selector = 'p.hasOwnProperty.toString';
  const rules = { rules: [{ selector, pattern: { case: 'get' as const, value: '/{__proto__.constructor}' } }] };

  const { descriptors, faults } = load(set, rules);

  expect(faults).toEqual([]);
  const type = descriptors?.message('p.constructor');
  if (descriptors === null || type === undefined) throw new Error('the schema did not load');
  const json = `{${names.map((name) => `"${name}":"${name}!"`).join(',')}}`;
  const wire = descriptors.codecs.read(type, Buffer.from(json), { ignoreUnknown: false, keepZeros: false });
  expect(Buffer.from(descriptors.codecs.print(type, wire, 'set')).toString()).toBe(json);
});

test.each(['__proto__', 'constructor', 'p.__proto__', 'p.S.constructor', 'p.S.__proto__', '.', 'p.S.', 'p..X'])(
  'PT17 DS7 the selector %s names nothing',
  (selector) => {
    const rules = { rules: [{ selector, pattern: { case: 'get' as const, value: '/x' } }] };

    expect(faultsOf(setOf(file({ messageType: [{ name: 'M' }] })), rules)).toMatchObject([
      { field: 'http_rules.rules[0].selector' },
    ]);
  },
);

test('PT17 DS7 100,000 rules, of which the last of a method counts, are read in bounded time', () => {
  const rules = many(100_000, (i) => ({ selector: 'p.S.X', pattern: { case: 'get' as const, value: `/${i}` } }));

  expect(faultsOf(setOf(file({ messageType: [{ name: 'M' }] })), { rules })).toEqual([]);
});

test('DS4 the same symbol in two schemas is two things, and neither sees the other', () => {
  const one = load(setOf(file({ messageType: [{ name: 'M', field: [field('one', 1)] }] })));
  const two = load(setOf(file({ messageType: [{ name: 'M', field: [field('two', 1, { type: Type.INT32 })] }] })));

  expect([one, two].map(({ descriptors }) => descriptors?.message('p.M')?.fields[0]?.name)).toEqual(['one', 'two']);
});
