import fc from 'fast-check';
import { expect, test } from 'vitest';

import { Loader } from './loader.js';

import type { LoadedConfig } from './loader.js';

function load(text: string | Uint8Array): LoadedConfig {
  const loader = new Loader();
  loader.read('gw.yaml', typeof text === 'string' ? Buffer.from(text) : text, '.');
  return loader.result();
}

const sample = `services:
  - name: orders
    discovery: { static: { endpoints: [{ address: 127.0.0.1, port: 9001 }] } }
    timeouts: { connect: 1s, read: &long 1m30s, write: *long }
routes:
  - name: orders
    paths: [/orders, { regex: '/v\\d+', regex_priority: 5 }]
    headers: { x-tenant: [blue] }
    service: orders
    transcode: { schema: books, profile: grpc-gateway }
schemas:
  - { name: books, descriptor_set_base64: AAAA }
`;

test('a file that was damaged anywhere is read or refused, and nothing is thrown', () => {
  const tokens = [
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ':',
    '- ',
    '\n',
    '  ',
    '*',
    '&a ',
    '!x ',
    '#',
    '|',
    '>',
    '? ',
    '%',
    '\0',
    '~',
    '5',
  ];
  const damage = fc.tuple(
    fc.nat(sample.length),
    fc.nat(12),
    fc.oneof(fc.constantFrom(...tokens), fc.string({ maxLength: 4 })),
  );
  const property = fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) => {
    const text = damages.reduce((now, [at, cut, put]) => now.slice(0, at) + put + now.slice(at + cut), sample);

    const { problems } = load(text);

    for (const { line, reason } of problems) {
      expect(line).toBeLessThanOrEqual(text.split('\n').length);
      expect(reason).not.toBe('');
    }
  });
  fc.assert(property, { numRuns: 400 });
});

test('any bytes are read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void load(bytes)),
    { numRuns: 400 },
  );
});

test('an alias stands for the whole value that it names, the last one of its name before it', () => {
  const { config, problems } = load(`services:
  - name: a
    discovery: &d { consul: { service: one, tags: [&t blue] } }
  - name: b
    discovery: *d
  - name: c
    discovery: { consul: { service: &d two, tags: [*t, *d] } }
routes:
  - { name: r, service: *d, paths: &paths [/a, &b { exact: /b }] }
  - { name: s, service: *d, paths: *paths, headers: { x: &v [1st], y: *v } }
  - { name: u, service: *d, paths: [*b] }
`);

  expect(problems).toEqual([]);
  const [, b, c] = config.services.map(({ discovery }) => discovery?.source.value);
  expect(b).toMatchObject({ service: 'one', tags: ['blue'] });
  expect(c).toMatchObject({ service: 'two', tags: ['blue', 'two'] });
  const [r, s, u] = config.routes;
  expect(r?.service).toBe('two');
  expect(s?.paths).toEqual(r?.paths);
  expect(u?.paths).toEqual(r?.paths.slice(1));
  expect(s?.headers).toMatchObject([
    { name: 'x', values: ['1st'] },
    { name: 'y', values: ['1st'] },
  ]);
});

test('aliases of aliases do not grow without end', () => {
  const levels = Array.from({ length: 30 }, (_, i) => `  - &l${i + 1} [${`*l${i},`.repeat(10)}]`);

  const { problems } = load(`routes:\n  - &l0 [a]\n${levels.join('\n')}\n`);

  expect(problems).toHaveLength(31);
});

test('more aliases than anyone writes are refused once', () => {
  const { problems } = load(`routes:\n  - { name: &a x, hosts: [${'*a,'.repeat(20_000)}] }\n`);

  expect(problems).toMatchObject([{ line: 2, reason: 'there are more than 10000 aliases' }]);
});

test('a byte order mark and line ends of Windows are no part of what is said', () => {
  const { config, problems } = load(`\uFEFF${sample.replaceAll('\n', '\r\n')}`);

  expect(problems).toEqual([]);
  expect(config.routes).toMatchObject([{ name: 'orders' }]);
});

test('a place in an Apply request is found where the file has it, as the file spells it', () => {
  const { config } = load(sample);

  const places = [
    'services[0].timeouts.write',
    'services[0].host',
    'routes[0].paths[0].prefix',
    'routes[0].paths[1].regex.pattern',
    'routes[0].paths[1].regex.priority',
    'routes[0].headers[0].name',
    'routes[0].headers[0].values[0]',
    'routes[0].timeouts.read',
    'schemas[0].descriptor_set',
    'schemas[0]',
  ].map((path) => config.locate(path));

  expect(places).toEqual(
    [
      [4, 'service "orders"', 'timeouts.write'],
      [2, 'service "orders"', 'host'],
      [7, 'route "orders"', 'paths[0]'],
      [7, 'route "orders"', 'paths[1].regex'],
      [7, 'route "orders"', 'paths[1].regex_priority'],
      [8, 'route "orders"', 'headers.x-tenant'],
      [8, 'route "orders"', 'headers.x-tenant[0]'],
      [6, 'route "orders"', 'timeouts.read'],
      [12, 'schema "books"', 'descriptor_set_base64'],
      [12, 'schema "books"', ''],
    ].map(([line, resource, field]) => ({ file: 'gw.yaml', line, resource, field })),
  );
  expect(['routes[1]', 'expected_revision', '', 'constructor[0]'].map((path) => config.locate(path))).toEqual([
    null,
    null,
    null,
    null,
  ]);
});

test.each([
  ['servics', 'services'],
  ['srvices', 'services'],
  ['schema', 'schemas'],
  ['Routes', 'routes'],
])('%s is taken for a slip of %s', (key, meant) => {
  expect(load(`${key}: []`).problems[0]?.reason).toMatch(new RegExp(`^unknown field \\(${meant}\\?\\)`));
});
