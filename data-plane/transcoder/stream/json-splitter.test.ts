import { expect, test } from 'vitest';
import { JsonSplitter } from './json-splitter.js';

const utf8 = new TextEncoder();

function split(text: string, chunkBytes: number, maxValueBytes = 1_000): string[] {
  const values: string[] = [];
  const splitter = new JsonSplitter(maxValueBytes, (value) => values.push(new TextDecoder().decode(value)));
  const bytes = utf8.encode(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) splitter.push(bytes.subarray(at, at + chunkBytes));
  splitter.end();
  return values;
}

test.each([
  ['nothing', '', []],
  ['blanks', ' \r\n\t', []],
  ['an empty array', ' [ ] ', []],
  ['an array', '[{"a":1},{"b":[1,{"c":"]}"}]} , 3]', ['{"a":1}', '{"b":[1,{"c":"]}"}]}', '3']],
  ['values side by side', '{"a":1}{"b":"\\"}"}', ['{"a":1}', '{"b":"\\"}"}']],
  ['lines', '{"a":1}\n{"b":2}\r\n\n', ['{"a":1}', '{"b":2}']],
  ['scalars', '1 "a b" true\nnull', ['1', '"a b"', 'true', 'null']],
  ['strings in an array', '["a\\\\","b,]"]', ['"a\\\\"', '"b,]"']],
  ['lists in an array', '[[1,2],[]]', ['[1,2]', '[]']],
  ['a byte order mark', '\ufeff[{"a":1}]', ['{"a":1}']],
  ['nothing but a byte order mark', '\ufeff', []],
  ['more than ASCII', '["é😀",{"漢":"字"}]', ['"é😀"', '{"漢":"字"}']],
])('ST7, ST9 %s: the values are found however the text is cut', (_title, text, values) => {
  for (const chunkBytes of [1, 2, 3, 1_000]) expect(split(text, chunkBytes)).toEqual(values);
});

test.each([
  ['an array that does not end', '[1'],
  ['an array that ends with a comma', '[1,]'],
  ['an array without commas', '[{} {}]'],
  ['an array without values', '[,]'],
  ['text behind an array', '[] {}'],
  ['an object that does not end', '{"a":'],
  ['a string that does not end', '"a'],
  ['a comma between values', '{},{}'],
  ['a closing bracket alone', '}'],
])('ST11 %s is refused', (_title, text) => {
  for (const chunkBytes of [1, 1_000]) expect(() => split(text, chunkBytes)).toThrow('JSON text');
});

test('BD8 a byte order mark that breaks off is refused', () => {
  const splitter = new JsonSplitter(1_000, () => {});

  expect(() => splitter.push(Uint8Array.of(0xef, 0xbb, 0x7b))).toThrow('JSON text');
});

test('SZ1 a value larger than a message is refused as soon as it is too large, one of many is not', () => {
  expect(() => split(`["${'a'.repeat(20)}"`, 5, 16)).toThrow();
  expect(split(`[${'"abc",'.repeat(50)}1]`, 7, 16)).toHaveLength(51);
});
