import { create, equals, fromBinary, getOption, ScalarType } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { field as fieldRules } from '../../../proto/gen/buf/validate/validate_pb.js';
import { configText } from './config-file.js';
import { kinds, Loader, sections } from './loader.js';
import { Forms } from './form.js';
import { outputOnly } from './sugar.js';

import type { DescField, DescMessage, DescOneof, Message, MessageInitShape } from '@bufbuild/protobuf';

const forms = new Forms();

/** Every code point, line breaks and quotes and all; only halves of surrogate pairs cannot be in a protobuf string. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    'on',
    'null',
    '~',
    '1e3',
    '0x10',
    '.inf',
    '- a',
    '# a',
    'a: b',
    '*a',
    '&a',
    '<<',
    '{}',
    ' a ',
    'a\n\n',
    '__proto__',
    '2001-01-01',
    '\t',
    '"',
    "'",
    '!a',
    '%',
    '@',
  ),
);

/** Any message of this type that the file format can say: what is required is set, and numbers are in their range. */
function anyMessage(desc: DescMessage): fc.Arbitrary<Message> {
  if (desc.typeName === DurationSchema.typeName) return anyDuration;
  const parts = desc.members
    .filter(({ name }) => !outputOnly.has(name))
    .map((member): fc.Arbitrary<[string, unknown] | null> =>
      member.kind === 'oneof' ? anyChoice(member) : optional(member, anyValue(member)),
    );
  return fc
    .tuple(...parts)
    .map((entries) =>
      create(desc, Object.fromEntries(entries.filter((entry) => entry !== null)) as MessageInitShape<DescMessage>),
    );
}

function optional(field: DescField, value: fc.Arbitrary<unknown>): fc.Arbitrary<[string, unknown] | null> {
  const entry = value.map((given): [string, unknown] => [field.localName, given]);
  return getOption(field, fieldRules).required ? entry : fc.option(entry);
}

function anyChoice(oneof: DescOneof): fc.Arbitrary<[string, unknown]> {
  const choices = oneof.fields.map((field) => anyValue(field).map((value) => ({ case: field.localName, value })));
  return fc.oneof(...choices).map((choice) => [oneof.localName, choice]);
}

function anyValue(field: DescField): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case 'message':
      return anyMessage(field.message);
    case 'enum':
      return fc.constantFrom(...field.enum.values.map(({ number }) => number));
    case 'scalar':
      return anyScalar(field.scalar, field);
    case 'list':
      return fc.array(anyItem(field), { maxLength: 3 });
    case 'map':
      throw new Error(`${field.name}: no config has maps`);
  }
}

function anyItem(field: DescField & { fieldKind: 'list' }): fc.Arbitrary<unknown> {
  // An http rule holds rules, which hold none.
  if (field.message === field.parent) return fc.constant(create(field.parent));
  if (field.listKind === 'message') return anyMessage(field.message);
  if (field.listKind === 'scalar') return anyScalar(field.scalar, field);
  return fc.constantFrom(...field.enum.values.map(({ number }) => number).filter((number) => number !== 0));
}

function rangeOf(field: DescField): { min?: number; max?: number } {
  return forms.of(field.parent).keys.get(field.name)?.range ?? {};
}

function anyScalar(type: ScalarType, field: DescField): fc.Arbitrary<unknown> {
  const { required } = getOption(field, fieldRules);
  switch (type) {
    case ScalarType.STRING:
      return required ? anyText.filter((text) => text !== '') : anyText;
    case ScalarType.BYTES:
      return fc.uint8Array({ minLength: 1, maxLength: 100 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.INT32:
      return fc.integer(rangeOf(field));
    case ScalarType.UINT32:
      return fc.integer({ min: 0, max: 2 ** 32 - 1, ...rangeOf(field) });
    default:
      throw new Error(`${field.name}: no config has fields of type ${ScalarType[type]}`);
  }
}

const anyDuration = fc
  .record({
    seconds: fc.bigInt(0n, 400_000n),
    nanos: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
  })
  .map((duration) => create(DurationSchema, duration));

function anyConfig(desc: DescMessage): fc.Arbitrary<Message[]> {
  const byName = (message: Message): string => (message as Message & { name: string }).name;
  return fc.uniqueArray(anyMessage(desc), { selector: byName, minLength: 1, maxLength: 3 });
}

test.each(sections)('all that can be said of %s is read from a file as it was written to it', (section) => {
  const desc: DescMessage = kinds[section].desc;
  const property = fc.property(anyConfig(desc), (messages) => {
    const text = configText({ [section]: messages });

    const loader = new Loader();
    loader.read('dump.yaml', Buffer.from(text), '.');
    const { config, problems } = loader.result();

    expect(problems).toEqual([]);
    const read: readonly Message[] = config[section];
    expect(read).toHaveLength(messages.length);
    for (const [i, message] of read.entries()) {
      if (!equals(desc, message, messages[i] as Message)) expect(message).toEqual(messages[i]);
    }
  });
  fc.assert(property, { numRuns: 150 });
});

test('what a newer control plane says is not left out in silence', () => {
  const route = fromBinary(kinds.routes.desc, Uint8Array.of(0x0a, 0x01, 0x61, 0x82, 0x3f, 0x00));

  expect(() => configText({ routes: [route] })).toThrow(
    'the control plane is newer than this command, which does not know field 1008 of sluice.v1.Route',
  );
});
