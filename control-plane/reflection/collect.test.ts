import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';

import { collectDescriptors } from './collect.js';

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Answer, Conversation, Question } from './conversation.js';

type FileInit = Exclude<MessageInitShape<typeof FileDescriptorProtoSchema>, { $typeName: string }> & { name: string };

const limits = { bytes: 10_000, files: 50, services: 10 };

const bytesOf = (file: FileInit): Uint8Array =>
  toBinary(FileDescriptorProtoSchema, create(FileDescriptorProtoSchema, file));
const give = (...files: (FileInit | Uint8Array)[]): Answer => ({
  case: 'fileDescriptorResponse',
  value: {
    $typeName: 'grpc.reflection.v1.FileDescriptorResponse',
    fileDescriptorProto: files.map((file) => (file instanceof Uint8Array ? file : bytesOf(file))),
  },
});
const refuse = (errorCode: number, errorMessage = 'no'): Answer => ({
  case: 'errorResponse',
  value: { $typeName: 'grpc.reflection.v1.ErrorResponse', errorCode, errorMessage },
});
const list = (...names: string[]): Answer => ({
  case: 'listServicesResponse',
  value: {
    $typeName: 'grpc.reflection.v1.ListServiceResponse',
    service: names.map((name) => ({ $typeName: 'grpc.reflection.v1.ServiceResponse', name })),
  },
});

/** A server that answers as the test says, by question. */
function server(answers: Record<string, Answer>): Conversation & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    ask: async (questions: readonly Question[]) =>
      questions.map(({ case: kind, value }) => {
        asked.push(value);
        return kind === 'listServices' ? (answers['*'] ?? list()) : (answers[value] ?? refuse(5));
      }),
  };
}

const a = { name: 'a.proto', package: 'p', dependency: ['b.proto', 'c.proto'], service: [{ name: 'A' }] };
const b = { name: 'b.proto', package: 'p', dependency: ['c.proto'], service: [{ name: 'B' }] };
const c = { name: 'c.proto' };

async function namesOf(conversation: Conversation): Promise<string[]> {
  return fromBinary(FileDescriptorSetSchema, await collectDescriptors(conversation, limits)).file.map(
    ({ name }) => name,
  );
}

test('DS2 imports that the server does not send along are asked for, each once', async () => {
  const asking = server({
    '*': list('p.A', 'grpc.reflection.v1.ServerReflection'),
    'p.A': give(a),
    'b.proto': give(b),
    'c.proto': give(c),
  });

  expect(await namesOf(asking)).toEqual(['c.proto', 'b.proto', 'a.proto']);
  expect(asking.asked).toEqual(['', 'p.A', 'b.proto', 'c.proto']);
});

test('DS2 equal servers give equal bytes, in whatever order they answer', async () => {
  const one = await collectDescriptors(
    server({ '*': list('p.A', 'p.B'), 'p.A': give(a, b, c), 'p.B': give(b, c) }),
    limits,
  );
  const other = await collectDescriptors(
    server({ '*': list('p.B', 'p.A'), 'p.A': give(c, b, a), 'p.B': give(c, b) }),
    limits,
  );

  expect(Buffer.compare(one, other)).toBe(0);
});

test('DS2 what everybody has may be missing, since the set is checked as an upload is', async () => {
  const file = { name: 'a.proto', package: 'p', dependency: ['google/protobuf/any.proto'], service: [{ name: 'A' }] };

  expect(await namesOf(server({ '*': list('p.A'), 'p.A': give(file) }))).toEqual(['a.proto']);
});

test('DS7 imports in a circle end', async () => {
  const x = { name: 'x.proto', package: 'p', dependency: ['y.proto'], service: [{ name: 'X' }] };
  const y = { name: 'y.proto', dependency: ['x.proto', 'y.proto'] };

  expect(await namesOf(server({ '*': list('p.X'), 'p.X': give(x), 'y.proto': give(y) }))).toEqual([
    'y.proto',
    'x.proto',
  ]);
});

const chain = Object.fromEntries(
  Array.from({ length: 100 }, (_, i) => [`${i}.proto`, give({ name: `${i}.proto`, dependency: [`${i + 1}.proto`] })]),
);

test.each<[string, Record<string, Answer>, string]>([
  ['names no service', {}, 'the server names no service'],
  ['names itself alone', { '*': list('grpc.reflection.v1alpha.ServerReflection') }, 'the server names no service'],
  ['names too many', { '*': list(...Array.from({ length: 11 }, (_, i) => `p.S${i}`)) }, 'more than 10 services'],
  ['refuses the list', { '*': refuse(7, 'not for you') }, 'does not give the list of services: code 7, not for you'],
  ['answers with a file', { '*': give(c) }, 'answered something else'],
  ['does not know its service', { '*': list('p.A') }, 'does not give service p.A: code 5, no'],
  ['answers a symbol with a list', { '*': list('p.A'), 'p.A': list() }, 'answered something else'],
  [
    'refuses an import',
    { '*': list('p.A'), 'p.A': give(a), 'b.proto': refuse(13) },
    'does not give file "b.proto": code 13',
  ],
  [
    'has two files of one name',
    { '*': list('p.A', 'p.B'), 'p.A': give(a, b, c), 'p.B': give({ ...b, package: 'q' }, { ...b, package: 'r' }) },
    'two different files "b.proto"',
  ],
  ['sends no descriptor', { '*': list('p.A'), 'p.A': give(Uint8Array.of(0xff, 0xff)) }, 'no google.protobuf.FileDesc'],
  ['sends a file without a name', { '*': list('p.A'), 'p.A': give({ name: '' }) }, 'has no name'],
  [
    'sends too many files',
    { '*': list('p.A'), 'p.A': give({ ...a, dependency: ['0.proto'] }), ...chain },
    'more than 50 files',
  ],
  [
    'names too many imports',
    { '*': list('p.A'), 'p.A': give({ ...a, dependency: Array.from({ length: 100 }, (_, i) => `n${i}`) }) },
    'more than 50 files',
  ],
  [
    'sends too many bytes',
    { '*': list('p.A'), 'p.A': give({ ...a, syntax: 'x'.repeat(10_000) }) },
    'more than 10000 bytes',
  ],
])('DS7 a server that %s gives a clear error', async (_, answers, said) => {
  // p.B is asked for although a.proto came with b.proto when that file does not declare it.
  await expect(collectDescriptors(server(answers), limits)).rejects.toThrow(said);
});
