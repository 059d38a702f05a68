import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { getOption } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { isMap, parseDocument } from 'yaml';

import { addAdminCommands } from '../../control-plane/cli/cli.js';
import { Forms } from '../../control-plane/cli/config-file/form.js';
import { kinds, Loader } from '../../control-plane/cli/config-file/loader.js';
import { Place } from '../../control-plane/cli/config-file/place.js';
import { enumWord, readMessage } from '../../control-plane/cli/config-file/read.js';
import { parseSource } from '../../control-plane/cli/config-file/source.js';
import { outputOnly, sugarOf } from '../../control-plane/cli/config-file/sugar.js';
import { field as fieldRules } from '../../proto/gen/buf/validate/validate_pb.js';

import type { DescField, DescMessage } from '@bufbuild/protobuf';
import type { FieldRules } from '../../proto/gen/buf/validate/validate_pb.js';
import type { FileProblem } from '../../control-plane/cli/config-file/source.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const configuration = readFileSync(`${root}docs/configuration.md`, 'utf8');
const commands = readFileSync(`${root}docs/cli.md`, 'utf8');

const forms = new Forms();

interface Row {
  readonly key: string;
  readonly type: string;
  readonly limits: string;
  readonly example: string;
}

/** The table under a heading: field, type, default, limits, example. */
function tableOf(heading: string): Row[] {
  const section = configuration.split(/^#{2,3} /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^\| `(.+?)` +\|(.*)\|(.*)\|(.*)\| `(.+)` +\|$/gm)].map(
    ([, key = '', type = '', , limits = '', example = '']) => ({ key, type, limits, example }),
  );
}

/** Every message of the file format, under the name of the field that holds it. */
function messagesIn(name: string, desc: DescMessage, found: Map<string, DescMessage>): typeof found {
  if (found.get(name) === desc) return found;
  // A message that stands within itself, or under two names, is told once.
  if ([...found.values()].includes(desc)) return found;
  found.set(name, desc);
  for (const field of desc.fields) {
    if (outputOnly.has(field.name) || field.message === undefined || field.message.typeName === DurationSchema.typeName)
      continue;
    // A name that another message has already is told with its owner's.
    const isTaken = (found.get(field.name) ?? field.message) !== field.message;
    messagesIn(isTaken ? `${name}.${field.name}` : field.name, field.message, found);
  }
  return found;
}

const messages = new Map<string, DescMessage>();
for (const [section, { desc }] of Object.entries(kinds)) messagesIn(section, desc, messages);

/** The numbers that the rules of a field name, as the table has them. */
function limitsOf(field: DescField): string[] {
  return numbersIn(getOption(field, fieldRules));
}

function numbersIn({ type }: FieldRules): string[] {
  switch (type.case) {
    case 'string':
      return given(type.value.maxLen);
    case 'bytes':
      return given(type.value.maxLen);
    case 'repeated': {
      const { minItems, maxItems, items } = type.value;
      return [...given(minItems), ...given(maxItems), ...(items === undefined ? [] : numbersIn(items))];
    }
    case 'int32':
    case 'uint32': {
      const { greaterThan, lessThan } = type.value;
      return [greaterThan.value, lessThan.value].filter((value) => value !== undefined).map(String);
    }
    default:
      return [];
  }
}

function given(value: bigint): string[] {
  return value === 0n ? [] : [String(value)];
}

function read(desc: DescMessage, text: string): FileProblem[] {
  const { file, problems } = parseSource('example', Buffer.from(text));
  if (file === null) return problems;
  const readFile = (): Uint8Array => Buffer.from('http: {}');
  readMessage(
    desc,
    { node: file.contents },
    new Place({ file, resource: '', problems, forms, spots: new Map(), readFile, nameOf: (path) => path }),
  );
  return problems.filter(({ reason }) => !reason.startsWith('needs '));
}

describe.each([...messages])('the section of %s', (heading, desc) => {
  const rows = tableOf(heading);

  test('has a row for each field and for nothing else', () => {
    const keys = [...forms.of(desc).keys.keys(), ...(sugarOf(desc)?.misplaced?.keys() ?? [])];

    expect(rows.map(({ key }) => key).toSorted()).toEqual(keys.toSorted());
  });

  if (rows.length === 0) return;

  test.each(rows)('says the limits and the words of $key', ({ key, type, limits }) => {
    const field = forms.of(desc).keys.get(key)?.desc;
    const words = field?.enum?.values.filter(({ number }) => number !== 0).map(({ name }) => name) ?? [];

    for (const word of words) expect(type).toContain(`\`${enumWord(field?.enum ?? fail(), word)}\``);
    if (field !== undefined && field.name === key) for (const limit of limitsOf(field)) expect(limits).toContain(limit);
  });

  test.each(rows)('has an example of $key that can be read', ({ key, example }) => {
    const contents = parseDocument(example).contents;

    expect(read(desc, example)).toEqual([]);
    expect(isMap(contents) && contents.has(key)).toBe(true);
  });
});

function fail(): never {
  throw new Error('a field without an enum has no words');
}

test('the example of a whole file can be read', () => {
  const [, text = ''] = /```yaml\n([^]*?)```/.exec(configuration) ?? [];

  const loader = new Loader();
  loader.read('example.yaml', Buffer.from(text), `${root}deploy/demo`);

  expect(loader.result().problems).toEqual([]);
  expect(loader.result().config.routes).toHaveLength(2);
});

test('each command and each of its flags is documented', () => {
  const program = new Command('sluice');
  const output = { line: () => undefined, error: () => undefined };
  addAdminCommands(program, { output, defaultAddress: '', exit: () => undefined });

  for (const command of program.commands) {
    expect(commands).toContain(`\`sluice ${command.name()}`);
    for (const { long, short } of command.options) {
      const flag = [short, long].some((name) => typeof name === 'string' && commands.includes(name));
      expect(flag, `${command.name()} ${long}`).toBe(true);
    }
  }
});
