import { isMap, isScalar } from 'yaml';

import { HttpRuleSchema, HttpSchema } from '../../../proto/gen/google/api/http_pb.js';
import {
  CertificateSchema,
  PathMatchSchema,
  RouteSchema,
  SchemaSchema,
  UpstreamTlsSchema,
} from '../../../proto/gen/sluice/v1/config_pb.js';
import { readFailure } from './failure.js';
import { readRulesFile } from './http-rules.js';
import { keyOf, readText, valueOf } from './scalars.js';

import type { DescMessage, Message } from '@bufbuild/protobuf';
import type { PathMatch, Route, Schema } from '../../../proto/gen/sluice/v1/config_pb.js';
import type { Place } from './place.js';

/** A value of a file: a YAML node, or the parts that a short spelling stands for, placed at that node. */
export interface Source {
  readonly node: unknown;
  readonly entries?: readonly Entry[];
}

/** One field of a message, or one item of a list, which has no key. */
export interface Entry {
  readonly key: string;
  readonly keyNode: unknown;
  readonly source: Source;
  readonly place: Place;
}

/** Another key for a field, with a reader of its own. */
export interface Spelling {
  readonly of: string;
  read(node: unknown, place: Place, readMessage: ReadMessage): unknown;
}

export type ReadMessage = (desc: DescMessage, source: Source, place: Place) => Message | undefined;

/** A repeated field that has a shorter form than a list. */
interface ListSugar {
  /** For people. */
  readonly shape: string;
  /** Undefined when it is written as a list. */
  spell(node: unknown, place: Place): readonly Entry[] | undefined;
}

/** How a message is spelt in a config file where that is shorter than its fields; both directions stand together. */
export interface Sugar {
  /** What the message looks like in a file, for people. */
  readonly shape?: string;
  /** Spells the whole message out; undefined when it is written as a mapping of its fields. */
  readonly spell?: (node: unknown, place: Place) => readonly Entry[] | undefined;
  readonly lists?: ReadonlyMap<string, ListSugar>;
  readonly spellings?: ReadonlyMap<string, Spelling>;
  /** Fields that a file has under another key only. */
  readonly hidden?: readonly string[];
  /** The field's name for a key that means the same. */
  readonly nameOf?: (key: string) => string;
  /** Keys that `spell` takes, and what to say where it cannot. */
  readonly misplaced?: ReadonlyMap<string, string>;
  /** The whole message as it stands in a file, instead of a mapping of its fields. */
  readonly collapse?: (message: Message) => unknown;
  /** Changes the mapping of fields to what stands in a file. */
  readonly write?: (message: Message, plain: Map<string, unknown>) => void;
}

/** Fields of resources that the control plane alone fills in, which no file has. */
export const outputOnly: ReadonlySet<string> = new Set(['meta', 'facts']);

const sugars: ReadonlyMap<string, Sugar> = new Map<string, Sugar>([
  [
    PathMatchSchema.typeName,
    {
      shape: 'a text (a prefix) or a mapping with one of prefix, exact, segment_prefix, regex, template',
      spell: spellPath,
      misplaced: new Map([['regex_priority', 'stands only beside a regex']]),
      collapse: (message) => collapsePath(message as PathMatch),
    },
  ],
  [
    RouteSchema.typeName,
    {
      lists: new Map([['headers', { shape: 'a mapping of header names to lists of values', spell: spellHeaders }]]),
      write: (message, plain) => writeHeaders(message as Route, plain),
    },
  ],
  [
    SchemaSchema.typeName,
    {
      hidden: ['descriptor_set'],
      spellings: new Map([
        ['descriptor_set_file', { of: 'descriptor_set', read: readDescriptorFile }],
        ['descriptor_set_base64', { of: 'descriptor_set', read: readBase64 }],
        ['http_rules_file', { of: 'http_rules', read: readRulesFile }],
      ]),
      write: (message, plain) => writeDescriptors(message as Schema, plain),
    },
  ],
  [HttpSchema.typeName, { nameOf: protoName }],
  [HttpRuleSchema.typeName, { nameOf: protoName }],
  [
    CertificateSchema.typeName,
    {
      spellings: new Map([
        ['cert_file', { of: 'cert_pem', read: readPem }],
        ['key_file', { of: 'key_pem', read: readPem }],
      ]),
    },
  ],
  [
    UpstreamTlsSchema.typeName,
    {
      spellings: new Map([
        ['ca_file', { of: 'ca_pem', read: readPem }],
        ['cert_file', { of: 'cert_pem', read: readPem }],
        ['key_file', { of: 'key_pem', read: readPem }],
      ]),
    },
  ],
]);

export function sugarOf(desc: DescMessage): Sugar | undefined {
  return sugars.get(desc.typeName);
}

/** A text is a prefix; `{ regex: '/v\d+', regex_priority: 5 }` is a RegexPath. */
function spellPath(node: unknown, place: Place): readonly Entry[] | undefined {
  if (isScalar(node) && typeof node.value === 'string')
    return [{ key: 'prefix', keyNode: node, source: { node }, place: place.within('prefix') }];
  if (!isMap(node)) return undefined;
  const regex = node.get('regex', true);
  if (regex === undefined || isMap(regex)) return undefined;
  const at = place.key('regex');
  const parts: Entry[] = [{ key: 'pattern', keyNode: regex, source: { node: regex }, place: at.within('pattern') }];
  const entries: Entry[] = [{ key: 'regex', keyNode: regex, source: { node: regex, entries: parts }, place: at }];
  for (const pair of node.items) {
    const key = keyOf(pair.key);
    const entry: Entry = { key, keyNode: pair.key, source: { node: valueOf(pair) }, place: place.key(key) };
    if (key === 'regex_priority')
      parts.push({ ...entry, key: 'priority', place: at.within('priority', entry.place.field) });
    else if (key !== 'regex') entries.push(entry);
  }
  return entries;
}

function collapsePath({ kind }: PathMatch): unknown {
  switch (kind.case) {
    case undefined:
      return {};
    case 'prefix':
      return kind.value;
    case 'regex':
      return {
        regex: kind.value.pattern,
        ...(kind.value.priority === 0 ? {} : { regex_priority: kind.value.priority }),
      };
    case 'segmentPrefix':
      return { segment_prefix: kind.value };
    case 'exact':
    case 'template':
      return { [kind.case]: kind.value };
  }
}

/** `headers: { x-tenant: [blue, green] }`. */
function spellHeaders(node: unknown, place: Place): readonly Entry[] | undefined {
  if (!isMap(node)) return undefined;
  return node.items.map((pair, i) => {
    const at = place.within(`[${i}]`, place.key(keyOf(pair.key)).field);
    const entries: Entry[] = [
      { key: 'name', keyNode: pair.key, source: { node: pair.key }, place: at.within('name') },
      { key: 'values', keyNode: pair.key, source: { node: valueOf(pair) }, place: at.within('values') },
    ];
    return { key: '', keyNode: pair.key, source: { node: pair.key, entries }, place: at };
  });
}

/** A mapping cannot hold a name twice, as a route may: that one is written as the list that it is. */
function writeHeaders({ headers }: Route, plain: Map<string, unknown>): void {
  const byName = new Map(headers.map(({ name, values }) => [name, values]));
  if (headers.length > 0 && byName.size === headers.length) plain.set('headers', byName);
}

/** Files of http rules are JSON as well, and that has `additionalBindings`. */
function protoName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function readDescriptorFile(node: unknown, place: Place): Uint8Array | undefined {
  const path = isScalar(node) ? node.value : undefined;
  if (typeof path !== 'string' || !path.endsWith('.proto')) return readFile(node, place);
  const command = `buf build --as-file-descriptor-set -o ${path.replace(/\.proto$/, '.binpb')}`;
  return place.report(node, `${path} is proto source; name a descriptor set that is made of it, as by \`${command}\``);
}

function readFile(node: unknown, place: Place): Uint8Array | undefined {
  const path = readText(node, place);
  if (path === undefined) return undefined;
  try {
    return place.reading.readFile(path);
  } catch (error) {
    return place.report(node, `${path}: ${readFailure(error)}`);
  }
}

function readPem(node: unknown, place: Place): string | undefined {
  const bytes = readFile(node, place);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

function readBase64(node: unknown, place: Place): Uint8Array | undefined {
  const text = readText(node, place)?.replaceAll(/\s/g, '');
  if (text === undefined) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : place.report(node, 'is not base64');
}

function writeDescriptors({ descriptorSet }: Schema, plain: Map<string, unknown>): void {
  plain.delete('descriptor_set');
  if (descriptorSet.length > 0) plain.set('descriptor_set_base64', Buffer.from(descriptorSet).toString('base64'));
}
