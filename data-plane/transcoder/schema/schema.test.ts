import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildDescriptors } from '../../../test/support/descriptors.js';
import { loadSchema } from './schema.js';

const library = readFileSync(new URL('../fixtures/library.proto', import.meta.url), 'utf8');

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
  const set = buildDescriptors({
    'a.proto': 'syntax = "proto3"; import "b.proto"; message A { B b = 1; }',
    'b.proto': 'syntax = "proto3"; message B {}',
  });
  const onlyA = set.subarray(0, 0);

  expect(loadSchema(onlyA).problems).toMatchObject([{ reason: 'the descriptor set has no file' }]);
});

test('DS7 bytes that are no descriptor set are refused', () => {
  for (const bytes of [
    new Uint8Array([0xff, 0xff]),
    new Uint8Array([0x0a, 0x7f]),
    new TextEncoder().encode('{"file":[]}'),
  ]) {
    const { schema, problems } = loadSchema(bytes);

    expect(schema).toBeNull();
    expect(problems).toHaveLength(1);
  }
});
