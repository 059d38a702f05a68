import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { RouteSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { startAdmin } from '../support/admin.js';
import { runCli, TestFolder } from '../support/cli.js';
import { bookFile, bookSet, descriptorSet, get } from '../support/http-rules.js';

import type { DescMessage } from '@bufbuild/protobuf';
import type { AdminFixture } from '../support/admin.js';

let admin: AdminFixture;
let folder: TestFolder;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.close());

beforeEach(() => {
  folder = new TestFolder();
  return () => folder.close();
});

/** A bad file and what is said of it: `LINE: words`, or `words` where there is no line. */
type Case = readonly [what: string, text: string | Uint8Array, said: string | readonly string[]];

async function expectRefusal(text: string | Uint8Array, said: string | readonly string[]): Promise<void> {
  folder.file('bad.binpb', bookSet(get('/v1/{x')));
  folder.file('good.binpb', bookSet(get('/v1/books/{id}')));
  folder.file(
    'noimports.binpb',
    descriptorSet({ ...bookFile([get('/v1/{id}')]), dependency: ['google/type/date.proto'] }),
  );
  folder.file('junk.binpb', 'hello');
  folder.file('not.pem', 'hello');
  folder.file('secret.pem', '');
  const before = await admin.revision();

  const { code, out, err } = await runCli(admin.address, ['apply', '-f', folder.file('gw.yaml', text)], folder);

  const lines = [said]
    .flat()
    .map((line) => (line.startsWith('DIR') ? line : /^\d/.test(line) ? `DIR/gw.yaml:${line}` : `DIR/gw.yaml: ${line}`));
  expect(err.trimEnd().split('\n')).toEqual(lines);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(await admin.revision()).toBe(before);
}

/** A schema with a rules file of these lines under `http:`; the first of them is line 3. */
function ruled(...lines: string[]): string {
  folder.file('rules.yaml', ['type: google.api.Service', 'http:', ...lines.map((line) => `  ${line}`), ''].join('\n'));
  return schema('descriptor_set_file: good.binpb', 'http_rules_file: rules.yaml');
}

/** `routes:` of one route with these lines; the first of them is line 4. */
function route(...lines: string[]): string {
  return ['routes:', '  - name: r', '    service: s', ...lines.map((line) => `    ${line}`), ...serviceLines].join(
    '\n',
  );
}

const serviceLines = [
  'services:',
  '  - { name: s, discovery: { static: { endpoints: [{ address: ::1, port: 1 }] } } }',
];

/** One service with these lines; the first of them is line 3. */
function service(...lines: string[]): string {
  return ['services:', '  - name: s', ...lines.map((line) => `    ${line}`), ''].join('\n');
}

const consul = 'discovery: { consul: { service: s } }';

function schema(...lines: string[]): string {
  return ['schemas:', '  - name: books', ...lines.map((line) => `    ${line}`), ''].join('\n');
}

const routeKeys = keysOf(RouteSchema);

function keysOf({ fields }: DescMessage): string {
  return fields
    .map(({ name }) => name)
    .filter((name) => name !== 'meta')
    .join(', ');
}

const syntax: readonly Case[] = [
  ['an empty file', '', 'says nothing; write {} if that is meant'],
  ['a file of comments', '# later\n', 'says nothing; write {} if that is meant'],
  ['a text', 'hello', '1: must be a mapping with services, routes, schemas, certificates'],
  ['a list', '- a', '1: must be a mapping with services, routes, schemas, certificates'],
  ['a number', '5', '1: must be a mapping with services, routes, schemas, certificates'],
  [
    'two documents',
    'routes: []\n---\nroutes: []\n',
    '2: begins a second YAML document; put each into a file of its own',
  ],
  [
    'a list that is not closed',
    'routes:\n  - name: a\n    hosts: [a, b\n    service: s\n',
    '4: column 5: Flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  ['a quote that is not closed', 'routes:\n  - name: "a\n', '3: column 1: Missing closing "quote'],
  [
    'indentation that does not fit',
    'routes:\n  - name: a\n   service: s\n',
    '3: column 1: Sequence item without - indicator',
  ],
  ['a tab for indentation', 'routes:\n\t- name: a\n', '2: column 1: Tabs are not allowed as indentation'],
  ['a key twice', 'routes:\n  - name: a\n    service: s\n    name: b\n', '4: name: stands twice in the same mapping'],
  [
    'a quoted key twice',
    'routes:\n  - "name": a\n    service: s\n    name: b\n',
    '4: name: stands twice in the same mapping',
  ],
  ['a section twice', 'routes: []\nservices: []\nroutes: []\n', '3: routes: stands twice in the same mapping'],
  ['a header twice', route('paths: [/]', 'headers: { x: [a], x: [b] }'), '5: x: stands twice in the same mapping'],
  ['an alias without an anchor', route('paths: *paths'), '4: *paths names no anchor before it'],
  ['an alias within what it names', 'routes: &all\n  - *all\n', '2: *all stands within what it names'],
  [
    'a merge key',
    route('paths: [/]', '<<: { methods: [GET] }'),
    '5: route "r" "<<": merge keys are not read; an alias (*name) stands for a whole value',
  ],
  ['a tag that means nothing here', route('paths: !secret [/]'), '4: column 12: Unresolved tag: !secret'],
  [
    'JSON that ends too soon',
    '{"routes": [{"name": "a"',
    '1: column 25: Flow map in block collection must be sufficiently indented and end with a }',
  ],
  ['bytes that are not UTF-8', Uint8Array.of(0x72, 0xff, 0xfe), 'is not UTF-8 text'],
  ['nesting without end', `routes: ${'['.repeat(20_000)}`, '1: is nested too deeply'],
  ['a list as a key', '? [a]\n: b\n', '1: column 3: a key must be a text'],
];

const fieldCases: readonly Case[] = [
  [
    'a section that is none',
    'route: []\n',
    '1: route: unknown field (routes?); known are services, routes, schemas, certificates',
  ],
  [
    'policies, which there are not',
    'policies:\n  - name: limit\n',
    '1: policies: unknown field; known are services, routes, schemas, certificates',
  ],
  [
    'consumers, which there are not',
    'consumers: []\n',
    '1: consumers: unknown field; known are services, routes, schemas, certificates',
  ],
  ['a section without a value', 'routes:\nservices: []\n', '1: routes: must be a list'],
  ['a section that is a mapping', 'routes:\n  orders: { paths: [/] }\n', '2: routes: must be a list'],
  ['a resource that is a text', 'routes:\n  - orders\n', `2: routes[0]: must be a mapping of ${routeKeys}`],
  ['a resource that is nothing', 'routes:\n  -\n', `2: routes[0]: must be a mapping of ${routeKeys}`],
  [
    'an unknown field',
    route('paths: [/]', 'colour: red'),
    `5: route "r" colour: unknown field; known are ${routeKeys}`,
  ],
  [
    'a field spelt almost right',
    route('path: [/]'),
    `4: route "r" path: unknown field (paths?); known are ${routeKeys}`,
  ],
  [
    'a field in camel case',
    route('paths: [/]', 'stripPath: true'),
    `5: route "r" stripPath: unknown field (strip_path?); known are ${routeKeys}`,
  ],
  [
    'a field with the name of a property of objects',
    route('paths: [/]', 'constructor: 1', 'toString: 1', '__proto__: 1'),
    [
      `5: route "r" constructor: unknown field; known are ${routeKeys}`,
      `6: route "r" toString: unknown field; known are ${routeKeys}`,
      `7: route "r" __proto__: unknown field; known are ${routeKeys}`,
    ],
  ],
  [
    'meta, which is not for people',
    route('paths: [/]', 'meta: {}'),
    `5: route "r" meta: unknown field; known are ${routeKeys}`,
  ],
  [
    'a split, which there is not',
    route('paths: [/]', 'split: [{ service: s, weight: 1 }]'),
    `5: route "r" split: unknown field; known are ${routeKeys}`,
  ],
  [
    'dns, which there is not',
    service('discovery: { dns: { host: a, port: 80 } }'),
    '3: service "s" discovery.dns: unknown field; known are consul, static',
  ],
  [
    'slow_start, which there is not',
    service(consul, 'balancing: { slow_start: 30s }'),
    '4: service "s" balancing.slow_start: unknown field; known are policy',
  ],
  ['no discovery', service('protocol: http'), '2: service "s": needs discovery'],
  ['discovery without a source', service('discovery: {}'), '3: service "s" discovery: needs one of consul, static'],
  [
    'two sources',
    service('discovery:', '  consul: { service: s }', '  static: { endpoints: [] }'),
    '5: service "s" discovery.static: cannot stand beside consul: only one of consul, static',
  ],
  [
    'a source without a value',
    service('discovery: { consul }'),
    '3: service "s" discovery.consul: must be a mapping of service, tags, datacenter',
  ],
  [
    'a path of two kinds',
    route('paths: [{ exact: /a, prefix: /b }]'),
    '4: route "r" paths[0].prefix: cannot stand beside exact: only one of prefix, exact, segment_prefix, regex, template',
  ],
  [
    'a path of no kind',
    route('paths: [{}]'),
    '4: route "r" paths[0]: needs one of prefix, exact, segment_prefix, regex, template',
  ],
  [
    'a path of an unknown kind',
    route('paths: [{ glob: /a }]'),
    '4: route "r" paths[0].glob: unknown field; known are prefix, exact, segment_prefix, regex, template',
  ],
  [
    'a path with a priority and no regex',
    route('paths: [{ prefix: /a, regex_priority: 1 }]'),
    '4: route "r" paths[0].regex_priority: stands only beside a regex',
  ],
  [
    'a regex and another kind',
    route('paths: [{ regex: /a, regex_priority: 1, exact: /b }]'),
    '4: route "r" paths[0].exact: cannot stand beside regex: only one of prefix, exact, segment_prefix, regex, template',
  ],
  [
    'two forms of descriptors',
    schema('descriptor_set_file: good.binpb', 'descriptor_set_base64: AAAA'),
    '4: schema "books" descriptor_set_base64: cannot stand beside descriptor_set_file: only one of descriptor_set_file, descriptor_set_base64',
  ],
  [
    'descriptor_set, which has other names here',
    schema('descriptor_set: AAAA'),
    '3: schema "books" descriptor_set: unknown field; known are name, http_rules, reflect, descriptor_set_file, descriptor_set_base64, http_rules_file',
  ],
  [
    'two forms of trust',
    service(consul, 'protocol: https', 'tls: { ca_pem: a, ca_file: secret.pem }'),
    '5: service "s" tls.ca_file: cannot stand beside ca_pem: only one of ca_pem, ca_file',
  ],
  [
    'a name twice',
    'services:\n  - { name: s, discovery: { consul: { service: s } } }\n  - name: s\n    discovery: { consul: { service: s } }\n',
    '3: service "s" name: stands already at DIR/gw.yaml:2',
  ],
];

const types: readonly Case[] = [
  [
    'a number for a name',
    'routes:\n  - name: 5\n    paths: [/]\n    service: s\n',
    '2: routes[0] name: must be a text: put 5 in quotes',
  ],
  [
    'a number for a service',
    'routes:\n  - name: r\n    paths: [/]\n    service: 0x10\n',
    '4: route "r" service: must be a text: put 0x10 in quotes',
  ],
  ['a text for a list', route('hosts: a.example'), '4: route "r" hosts: must be a list: write [a.example]'],
  ['nothing for a list', route('hosts:'), '4: route "r" hosts: must be a list'],
  [
    'a number in a list of texts',
    route('hosts: [a.example, 5]'),
    '4: route "r" hosts[1]: must be a text: put 5 in quotes',
  ],
  ['a mapping in a list of texts', route('methods: [{ GET: true }]'), '4: route "r" methods[0]: must be a text'],
  [
    'a number for a path',
    route('paths: [/a, 5]'),
    '4: route "r" paths[1]: must be a text (a prefix) or a mapping with one of prefix, exact, segment_prefix, regex, template',
  ],
  [
    'a list for a path',
    route('paths: [[/a]]'),
    '4: route "r" paths[0]: must be a text (a prefix) or a mapping with one of prefix, exact, segment_prefix, regex, template',
  ],
  [
    'a number for a regex',
    route('paths: [{ regex: 5 }]'),
    '4: route "r" paths[0].regex: must be a text: put 5 in quotes',
  ],
  [
    'a text for a regex priority',
    route('paths: [{ regex: /a, regex_priority: high }]'),
    '4: route "r" paths[0].regex_priority: must be a whole number from -2147483648 to 2147483647',
  ],
  [
    'a list for a regex priority',
    route('paths: [{ regex: /a, regex_priority: [1] }]'),
    '4: route "r" paths[0].regex_priority: must be a whole number from -2147483648 to 2147483647',
  ],
  [
    'a list for headers with an item that is none',
    route('headers: [x-tenant]'),
    '4: route "r" headers[0]: must be a mapping of name, values',
  ],
  [
    'a text for headers',
    route('headers: x-tenant'),
    '4: route "r" headers: must be a mapping of header names to lists of values',
  ],
  [
    'a text for the values of a header',
    route('headers: { x-tenant: blue }'),
    '4: route "r" headers.x-tenant: must be a list: write [blue]',
  ],
  [
    'a number for a header value',
    route('headers: { x-tenant: [a, 1] }'),
    '4: route "r" headers.x-tenant[1]: must be a text: put 1 in quotes',
  ],
  ['a text for a switch', route('paths: [/]', 'strip_path: yes'), '5: route "r" strip_path: must be true or false'],
  ['a number for a switch', route('paths: [/]', 'enabled: 1'), '5: route "r" enabled: must be true or false'],
  [
    'a text for a number',
    route('paths: [/]', 'priority: "5"'),
    '5: route "r" priority: must be a whole number from -2147483648 to 2147483647',
  ],
  [
    'a fraction for a number',
    route('paths: [/]', 'priority: 1.5'),
    '5: route "r" priority: must be a whole number from -2147483648 to 2147483647',
  ],
  [
    'a number that is too large',
    route('paths: [/]', 'priority: 2147483648'),
    '5: route "r" priority: must be a whole number from -2147483648 to 2147483647',
  ],
  [
    'a negative number',
    service('discovery:', '  static:', '    endpoints:', '      - { address: a, port: -1 }'),
    '6: service "s" discovery.static.endpoints[0].port: must be a whole number from 1 to 65535',
  ],
  [
    'a word that is none of an enum',
    service(consul, 'protocol: tcp'),
    '4: service "s" protocol: must be one of http, https, grpc, grpcs',
  ],
  [
    "the API's word of an enum",
    service(consul, 'protocol: PROTOCOL_HTTP'),
    '4: service "s" protocol: must be one of http, https, grpc, grpcs',
  ],
  [
    'a number for an enum',
    service(consul, 'protocol: 1'),
    '4: service "s" protocol: must be one of http, https, grpc, grpcs',
  ],
  [
    'a word that is none of a list of enums',
    route('paths: [/]', 'protocols: [http, ftp]'),
    '5: route "r" protocols[1]: must be one of http, https',
  ],
  [
    'a duration without a unit',
    service(consul, 'timeouts: { connect: 5 }'),
    '4: service "s" timeouts.connect: must be a duration with a unit, as 250ms, 5s, 1m or 1m30s',
  ],
  [
    'a duration with a space',
    service(consul, 'timeouts: { connect: 5 s }'),
    '4: service "s" timeouts.connect: must be a duration with a unit, as 250ms, 5s, 1m or 1m30s',
  ],
  [
    'a negative duration',
    service(consul, 'timeouts: { connect: -5s }'),
    '4: service "s" timeouts.connect: must be a duration with a unit, as 250ms, 5s, 1m or 1m30s',
  ],
  [
    'a duration finer than a nanosecond',
    service(consul, 'timeouts: { connect: 0.1ns }'),
    '4: service "s" timeouts.connect: must be a duration with a unit, as 250ms, 5s, 1m or 1m30s',
  ],
  [
    'a text for a mapping',
    service(consul, 'timeouts: 5s'),
    '4: service "s" timeouts: must be a mapping of connect, read, write, request, per_try',
  ],
  [
    'a text for transcode',
    route('transcode: books'),
    '4: route "r" transcode: must be a mapping of schema, services, profile, options',
  ],
];

const files: readonly Case[] = [
  [
    'a descriptor set that is not there',
    schema('descriptor_set_file: nowhere.binpb'),
    '3: schema "books" descriptor_set_file: nowhere.binpb: there is no such file',
  ],
  [
    'a descriptor set that is a folder',
    schema('descriptor_set_file: .'),
    '3: schema "books" descriptor_set_file: .: is a folder',
  ],
  [
    'a descriptor set that is proto source',
    schema('descriptor_set_file: books.proto'),
    '3: schema "books" descriptor_set_file: books.proto is proto source; name a descriptor set that is made of it, as by `buf build --as-file-descriptor-set -o books.binpb`',
  ],
  [
    'a descriptor set that has no name',
    schema('descriptor_set_file:'),
    '3: schema "books" descriptor_set_file: must be a text',
  ],
  [
    'base64 that is none',
    schema('descriptor_set_base64: "###"'),
    '3: schema "books" descriptor_set_base64: is not base64',
  ],
  [
    'a certificate that is not there',
    service(consul, 'protocol: https', 'tls:', '  ca_file: ca.pem'),
    '6: service "s" tls.ca_file: ca.pem: there is no such file',
  ],
];

const refusedByTheControlPlane: readonly Case[] = [
  [
    'a bad regex',
    route('hosts: [a.example]', 'paths:', '  - /a', '  - regex: "/v[\\\\d+"', '    regex_priority: 5'),
    '7: route "r" paths[1].regex: is not RE2 syntax: missing closing ]: `[\\d+`',
  ],
  [
    'a bad template',
    route('paths: [{ template: "/users/{id" }]'),
    '4: route "r" paths[0].template: column 11: the variable is not closed with "}"',
  ],
  ['a bad host', route('hosts: [a.example, "a*.example"]'), '4: route "r" hosts[1]: "*" must be a whole label'],
  [
    'a prefix with a query',
    route('paths: [/a, "/b?c=d"]'),
    '4: route "r" paths[1]: has "?" at column 3, which must be percent-encoded',
  ],
  ['a prefix that is empty', route('paths: [""]'), '4: route "r" paths[0]: must be at least 1 characters'],
  [
    'a lower-case method',
    route('methods: [GET, post]'),
    '4: route "r" methods[1]: does not match regex pattern `^[A-Z][A-Z0-9_-]*$`',
  ],
  [
    'a bad header name',
    route('headers: { "x tenant": [a] }'),
    `4: route "r" headers."x tenant": does not match regex pattern \`^[!#$%&'*+.^_\`|~0-9A-Za-z-]+$\``,
  ],
  [
    'a header value with a line break',
    route('headers:', '  x-a: [a]', '  x-b:', '    - ok', '    - "a\\nb"'),
    '8: route "r" headers.x-b[1]: is not what a header field can hold',
  ],
  ['no header value', route('headers: { x-a: [] }'), '4: route "r" headers.x-a: must contain at least 1 item(s)'],
  ['no name', 'services:\n  - discovery: { consul: { service: s } }\n', '2: services[0]: needs name'],
  [
    'a name that is none',
    'services:\n  - name: a b\n    discovery: { consul: { service: s } }\n',
    '2: service "a b" name: does not match regex pattern `^[A-Za-z0-9]([A-Za-z0-9._~-]*[A-Za-z0-9])?$`',
  ],
  ['no service', 'routes:\n  - name: r\n    paths: [/]\n', '2: route "r": needs service'],
  [
    'a service that is not there',
    'routes:\n  - name: r\n    paths: [/]\n    service: nowhere\n',
    '4: route "r" service: there is no service "nowhere"',
  ],
  [
    'a schema that is not there',
    'services:\n  - { name: s, protocol: grpc, discovery: { consul: { service: s } } }\nroutes:\n  - name: r\n    service: s\n    transcode:\n      schema: nowhere\n',
    '7: route "r" transcode.schema: there is no schema "nowhere"',
  ],
  [
    'a route that matches everything',
    route('methods: []'),
    '2: route "r": needs at least one of hosts, paths, methods, headers, snis',
  ],
  [
    'a port that is none',
    service(
      'discovery:',
      '  static:',
      '    endpoints:',
      '      - { address: a, port: 1 }',
      '      - address: a',
      '        port: 65536',
    ),
    '8: service "s" discovery.static.endpoints[1].port: must be a whole number from 1 to 65535',
  ],
  [
    'an address with a port',
    service('discovery:', '  static: { endpoints: [{ address: "a:1", port: 1 }] }'),
    '4: service "s" discovery.static.endpoints[0].address: must be an IP address or a host name',
  ],
  [
    'a timeout of nothing',
    service(consul, 'timeouts:', '  connect: 0s'),
    '5: service "s" timeouts.connect: must be greater than 0s and less than or equal to 86400s',
  ],
  [
    'a timeout of a week',
    service(consul, 'timeouts:', '  connect: 168h'),
    '5: service "s" timeouts.connect: must be greater than 0s and less than or equal to 86400s',
  ],
  [
    'a connect timeout longer than the whole',
    service(consul, 'timeouts: { request: 1s,', '  connect: 2s }'),
    '5: service "s" timeouts.connect: connect (2000 ms) must not be longer than request (1000 ms)',
  ],
  [
    'tls for http',
    service(consul, 'tls: { skip_verify: true }'),
    '4: service "s" tls: is only for services whose protocol is https or grpcs',
  ],
  [
    'a certificate that is none',
    service(consul, 'protocol: https', 'tls:', '  ca_file: not.pem'),
    '6: service "s" tls.ca_file: is not a list of PEM certificates',
  ],
  [
    'a rewrite with an unknown capture',
    route('paths: [/a]', 'rewrite: /b/$1'),
    '5: route "r" rewrite: uses $1, which none of the paths captures',
  ],
  [
    'a redirect for http',
    route('paths: [/]', 'https_redirect: 301'),
    '5: route "r" https_redirect: needs protocols to be https alone',
  ],
  [
    'a redirect that is none',
    route('paths: [/]', 'protocols: [https]', 'https_redirect: 200'),
    '6: route "r" https_redirect: must be in list [0, 301, 302, 307, 308]',
  ],
  [
    'a schema without descriptors',
    'schemas:\n  - name: books\n',
    '2: schema "books" descriptor_set: is required, unless reflect says which service to read it from',
  ],
  [
    'an empty descriptor set',
    schema('descriptor_set_base64: ""'),
    '3: schema "books" descriptor_set_base64: is required, unless reflect says which service to read it from',
  ],
  [
    'a descriptor set that is something else',
    schema('# from the build', 'descriptor_set_file: junk.binpb'),
    '4: schema "books" descriptor_set_file: the bytes are not a serialized google.protobuf.FileDescriptorSet',
  ],
  [
    'a descriptor set with a bad template',
    schema('descriptor_set_file: bad.binpb'),
    '3: schema "books" descriptor_set_file: books.proto: books.v1.Books.Get1: template "/v1/{x": column 7: the variable is not closed with "}"',
  ],
  [
    'a descriptor set without its imports',
    schema('descriptor_set_file: noimports.binpb'),
    '3: schema "books" descriptor_set_file: books.proto: imports "google/type/date.proto", which is not in the set; build the set with all imports',
  ],
  [
    'two routes that match the same',
    route('paths: [/a]').replace('services:', '  - { name: r2, paths: [/a], service: s }\nservices:'),
    [
      '2: route "r": has the same priority and matches the same as route "r2"',
      '5: route "r2": has the same priority and matches the same as route "r"',
    ],
  ],
];

describe('a file that does not parse is refused', () => {
  test.each(syntax)('%s', (_, text, said) => expectRefusal(text, said));
});

describe('a field that is not known or not alone is refused', () => {
  test.each(fieldCases)('%s', (_, text, said) => expectRefusal(text, said));
});

describe('a value of another type is refused', () => {
  test.each(types)('%s', (_, text, said) => expectRefusal(text, said));
});

describe('a file that cannot be read is refused where it is named', () => {
  test.each(files)('%s', (_, text, said) => expectRefusal(text, said));
});

describe('what the control plane refuses is shown where it stands', () => {
  test.each(refusedByTheControlPlane)('%s', (_, text, said) => expectRefusal(text, said));
});

test.each<[string, string[], string | string[]]>([
  [
    'a selector of no method',
    ['rules:', '- selector: books.v1.Books.Get1', '  get: /v2/{id}', '- selector: books.v1.Books.Nope', '  get: /x'],
    'DIR/rules.yaml:6: schema "books" http.rules[1].selector: books.v1.Books.Nope: service books.v1.Books has no such method',
  ],
  [
    'a selector of no service',
    ['rules:', '- { selector: gone.v1.Books.Get1, get: /x }'],
    'DIR/rules.yaml:4: schema "books" http.rules[0].selector: gone.v1.Books.Get1: the schema has no service gone.v1.Books',
  ],
  [
    'a selector of many methods',
    ['rules:', '- { selector: "books.v1.*", get: /x }'],
    'DIR/rules.yaml:4: schema "books" http.rules[0].selector: books.v1.*: the selector must be the full name of one method',
  ],
  [
    'no selector',
    ['rules:', '- get: /x'],
    'DIR/rules.yaml:4: schema "books" http.rules[0]: the rule has no selector: the full name of a method, as pkg.Service.Method',
  ],
  [
    'a bad template in an additional binding',
    [
      'rules:',
      '- selector: books.v1.Books.Get1',
      '  get: /v2/{id}',
      '  additional_bindings:',
      '  - get: /v3/{id}',
      '  - get: /v4/{id',
    ],
    'DIR/rules.yaml:8: schema "books" http.rules[0].additional_bindings[1]: books.v1.Books.Get1: template "/v4/{id": column 8: the variable is not closed with "}"',
  ],
  [
    'a variable of no field',
    ['rules:', '- { selector: books.v1.Books.Get1, get: "/v2/{isbn}" }'],
    'DIR/rules.yaml:4: schema "books" http.rules[0]: books.v1.Books.Get1: template "/v2/{isbn}": column 6: books.v1.Book has no field "isbn"',
  ],
  ['an unknown field', ['rules:', '- { selector: books.v1.Books.Get1, get: /x, bodi: "*" }'], /bodi/.source],
  [
    'two patterns',
    ['rules:', '- { selector: books.v1.Books.Get1, get: /x, post: /y }'],
    /cannot stand beside get/.source,
  ],
  [
    'no pattern',
    ['rules:', '- { selector: books.v1.Books.Get1, body: "*" }'],
    'DIR/rules.yaml:4: schema "books" http.rules[0]: books.v1.Books.Get1: the rule has no path: one of get, put, post, delete, patch and custom must be set',
  ],
])('PT17 a file of http rules with %s is refused where it stands', async (_, lines, said) => {
  folder.file('good.binpb', bookSet(get('/v1/books/{id}')));

  const { code, err } = await runCli(admin.address, ['apply', '-f', folder.file('gw.yaml', ruled(...lines))], folder);

  expect(code).toBe(1);
  expect(err).toMatch(/^DIR\/rules\.yaml:\d+: schema "books" http\./);
  expect(err.trimEnd()).toContain(said);
});

test.each([
  ['is no mapping', 'hello', 'DIR/rules.yaml:1: schema "books": must be a google.api.Service'],
  ['is empty', '', 'DIR/rules.yaml: schema "books": must be a google.api.Service'],
  ['has no http', 'type: google.api.Service', 'DIR/rules.yaml:1: schema "books": must be a google.api.Service'],
  ['is no YAML', 'http: [', 'DIR/rules.yaml:1: schema "books"'],
])('PT17 a file of http rules that %s is refused', async (_, text, said) => {
  folder.file('good.binpb', bookSet(get('/v1/books/{id}')));
  folder.file('rules.yaml', text);
  const file = folder.file('gw.yaml', schema('descriptor_set_file: good.binpb', 'http_rules_file: rules.yaml'));

  const { code, err } = await runCli(admin.address, ['apply', '-f', file], folder);

  expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(said) as string });
});

test('a schema that is read from a service needs one that speaks gRPC', async () => {
  await expectRefusal(
    schema('reflect: { service: gone }'),
    '3: schema "books" reflect.service: there is no service "gone"',
  );
  await expectRefusal(
    [schema('reflect: { service: s }'), ...serviceLines].join('\n'),
    '3: schema "books" reflect.service: service "s" does not speak grpc or grpcs, which reflection needs',
  );
});
