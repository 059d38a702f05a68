import { create, type DescMessage, type Message } from '@bufbuild/protobuf';
import { isMap, isScalar, isSeq, Pair, Scalar, YAMLMap, type Node } from 'yaml';
import {
  HeaderMatchSchema,
  PathMatchSchema,
  RouteSchema,
  SchemaSchema,
  UpstreamTlsSchema,
  type HeaderMatch,
  type PathMatch,
  type Route,
  type Schema,
  type UpstreamTls,
} from '../../proto/gen/sluice/v1/config_pb.js';
import { keyOf, report, type Place } from './place.js';

/** How a message is spelt in a config file where that is shorter than its fields; both directions stand together. */
export interface Sugar {
  /** Spells the node out, so that its keys are the message's fields; what it does not know it gives back as it is. */
  readonly expand?: (node: unknown, place: Place) => unknown;
  /** Keys with a reader of their own. */
  readonly fields?: Readonly<Record<string, (message: Message, node: unknown, place: Place) => void>>;
  /** The whole message as it stands in a file, instead of a mapping of its fields. */
  readonly collapse?: (message: Message) => unknown;
  /** Replaces fields of the mapping: undefined leaves the field out. */
  readonly write?: (message: Message, plain: Record<string, unknown>) => void;
}

const sugars: Readonly<Record<string, Sugar>> = {
  [PathMatchSchema.typeName]: { expand: expandPath, collapse: (message) => collapsePath(message as PathMatch) },
  [RouteSchema.typeName]: {
    fields: { headers: (message, node, place) => readHeaders(message as Route, node, place) },
    write: (message, plain) => writeHeaders(message as Route, plain),
  },
  [SchemaSchema.typeName]: {
    fields: {
      descriptor_set_file: (message, node, place) => {
        (message as Schema).descriptorSet = readFileField(node, place) ?? new Uint8Array();
      },
      descriptor_set_base64: (message, node, place) => {
        const text = isScalar(node) && typeof node.value === 'string' ? node.value : null;
        if (text === null) report(place, node, 'must be a text in base64');
        else (message as Schema).descriptorSet = Buffer.from(text, 'base64');
      },
      descriptor_set: (_message, node, place) => report(place, node, 'write descriptor_set_file or descriptor_set_base64 instead'),
    },
    write: (message, plain) => {
      delete plain['descriptor_set'];
      plain['descriptor_set_base64'] = Buffer.from((message as Schema).descriptorSet).toString('base64');
    },
  },
  [UpstreamTlsSchema.typeName]: {
    fields: {
      ca_file: (message, node, place) => {
        (message as UpstreamTls).caPem = Buffer.from(readFileField(node, place) ?? []).toString('utf8');
      },
    },
  },
};

export function sugarOf(desc: DescMessage): Sugar | undefined {
  return sugars[desc.typeName];
}

/** A text is a prefix; `{ regex: '/v\d+', regex_priority: 5 }` is a RegexPath. */
function expandPath(node: unknown, place: Place): unknown {
  if (isScalar(node) && typeof node.value === 'string') return mapping(node, [['prefix', node]]);
  if (!isMap(node)) return report(place, node, 'must be a text (a prefix) or one of prefix, exact, segment_prefix, regex, template') ?? new YAMLMap();
  const pattern = node.get('regex', true);
  if (!isScalar(pattern)) return node;
  const priority = node.get('regex_priority', true);
  const rest = node.items.filter(({ key }) => !['regex', 'regex_priority'].includes(keyOf(key)));
  const regex = mapping(pattern, isScalar(priority) ? [['pattern', pattern], ['priority', priority]] : [['pattern', pattern]]);
  const expanded = mapping(node, [['regex', regex]]);
  expanded.items.push(...(rest as typeof expanded.items));
  return expanded;
}

/** A mapping that was not written, placed where `around` stands. */
function mapping(around: Node, entries: readonly (readonly [string, Node])[]): YAMLMap {
  const map = new YAMLMap();
  map.items = entries.map(([key, value]) => new Pair(new Scalar(key), value));
  if (around.range) map.range = around.range;
  return map;
}

function collapsePath({ kind }: PathMatch): unknown {
  switch (kind.case) {
    case undefined:
      return {};
    case 'prefix':
      return kind.value;
    case 'regex':
      return { regex: kind.value.pattern, ...(kind.value.priority === 0 ? {} : { regex_priority: kind.value.priority }) };
    case 'segmentPrefix':
      return { segment_prefix: kind.value };
    case 'exact':
    case 'template':
      return { [kind.case]: kind.value };
  }
}

/** `headers: { x-tenant: [blue, green] }`. */
function readHeaders(route: Route, node: unknown, place: Place): void {
  if (!isMap(node)) return report(place, node, 'must be a mapping of header names to lists of values');
  for (const { key, value } of node.items) {
    const values = isSeq(value) ? value.items.map((item) => (isScalar(item) ? String(item.value) : null)) : [null];
    const texts = values.filter((text) => text !== null);
    if (texts.length !== values.length) report({ ...place, field: `${place.field}.${keyOf(key)}` }, value, 'must be a list of texts');
    route.headers.push(create(HeaderMatchSchema, { name: keyOf(key), values: texts }));
  }
}

function writeHeaders({ headers }: Route, plain: Record<string, unknown>): void {
  if (headers.length > 0) plain['headers'] = Object.fromEntries(headers.map(({ name, values }: HeaderMatch) => [name, values]));
}

function readFileField(node: unknown, place: Place): Uint8Array | undefined {
  const path: unknown = isScalar(node) ? node.value : undefined;
  if (typeof path !== 'string') return report(place, node, 'must be the path of a file');
  try {
    return place.readFile(path);
  } catch (error) {
    return report(place, node, `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
