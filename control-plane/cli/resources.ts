import { create, type Message } from '@bufbuild/protobuf';
import { stringify } from 'yaml';
import { Admin, DeleteRequestSchema, GetRequestSchema, ListRequestSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { RouteSchema, SchemaSchema, ServiceSchema, type Route, type Schema, type Service } from '../../proto/gen/sluice/v1/config_pb.js';
import type { AdminClient } from './client.js';
import { table, renderMessages, type Output, type OutputFormat } from './print.js';
import { writeMessage } from './write.js';

const pageSize = 1_000;

/** How each kind is fetched, deleted and shown; the keys are what people type. */
const kinds = {
  service: {
    desc: ServiceSchema,
    get: (client: AdminClient, name: string) => client.call(Admin.method.getService, create(GetRequestSchema, { name })),
    page: async (client: AdminClient, pageToken: string) => {
      const { services, nextPageToken } = await client.call(Admin.method.listServices, create(ListRequestSchema, { pageSize, pageToken }));
      return { items: services as Message[], nextPageToken };
    },
    delete: (client: AdminClient, name: string, etag: string) => client.call(Admin.method.deleteService, create(DeleteRequestSchema, { name, etag })),
    head: ['NAME', 'DISCOVERY', 'REVISION'],
    row: (message: Message) => serviceRow(message as Service),
  },
  route: {
    desc: RouteSchema,
    get: (client: AdminClient, name: string) => client.call(Admin.method.getRoute, create(GetRequestSchema, { name })),
    page: async (client: AdminClient, pageToken: string) => {
      const { routes, nextPageToken } = await client.call(Admin.method.listRoutes, create(ListRequestSchema, { pageSize, pageToken }));
      return { items: routes as Message[], nextPageToken };
    },
    delete: (client: AdminClient, name: string, etag: string) => client.call(Admin.method.deleteRoute, create(DeleteRequestSchema, { name, etag })),
    head: ['NAME', 'HOSTS', 'PATHS', 'METHODS', 'SERVICE', 'REVISION'],
    row: (message: Message) => routeRow(message as Route),
  },
  schema: {
    desc: SchemaSchema,
    get: (client: AdminClient, name: string) => client.call(Admin.method.getSchema, create(GetRequestSchema, { name })),
    page: async (client: AdminClient, pageToken: string) => {
      const { schemas, nextPageToken } = await client.call(Admin.method.listSchemas, create(ListRequestSchema, { pageSize, pageToken }));
      return { items: schemas as Message[], nextPageToken };
    },
    delete: (client: AdminClient, name: string, etag: string) => client.call(Admin.method.deleteSchema, create(DeleteRequestSchema, { name, etag })),
    head: ['NAME', 'BYTES', 'REVISION'],
    row: (message: Message) => schemaRow(message as Schema),
  },
} as const;

export type KindWord = keyof typeof kinds;

/** `service`, `services`, … or null. */
export function kindOf(word: string): KindWord | null {
  const singular = word.toLowerCase().replace(/s$/, '');
  return Object.hasOwn(kinds, singular) ? (singular as KindWord) : null;
}

export const kindWords: readonly string[] = Object.keys(kinds);

export async function printResources(client: AdminClient, output: Output, kind: KindWord, name: string | null, format: OutputFormat): Promise<void> {
  const { desc, get, head, row } = kinds[kind];
  const messages = name === null ? await listAll(client, kind) : [await get(client, name)];
  if (format === 'table') for (const line of table([head, ...messages.map(row)])) output.line(line);
  else output.line(renderMessages(desc, messages as never[], format));
}

export async function deleteResource(client: AdminClient, kind: KindWord, name: string, etag: string): Promise<void> {
  await kinds[kind].delete(client, name, etag);
}

/** The whole config as one file that `apply --prune` would make again. */
export async function dump(client: AdminClient): Promise<string> {
  const sections: Record<string, unknown[]> = {};
  for (const kind of ['schema', 'service', 'route'] as const) {
    const messages = (await listAll(client, kind)).toSorted(byAge);
    if (messages.length > 0) sections[`${kind}s`] = messages.map((message) => writeMessage(kinds[kind].desc, message));
  }
  return stringify(sections);
}

/** Oldest first: the order of a file is the age of what it creates, which decides between equal routes. */
function byAge(a: Message, b: Message): number {
  const [left, right] = [(a as Route).meta, (b as Route).meta];
  const revisions = Number((left?.createdRevision ?? 0n) - (right?.createdRevision ?? 0n));
  return revisions === 0 ? (left?.ordinal ?? 0) - (right?.ordinal ?? 0) : revisions;
}

async function listAll(client: AdminClient, kind: KindWord): Promise<Message[]> {
  const all: Message[] = [];
  let pageToken = '';
  do {
    const { items, nextPageToken } = await kinds[kind].page(client, pageToken);
    all.push(...items);
    pageToken = nextPageToken;
  } while (pageToken !== '');
  return all;
}

function serviceRow(service: Service): string[] {
  const source = service.discovery?.source;
  const discovery = source?.case === 'consul' ? `consul ${source.value.service}` : `static ${source?.value?.endpoints.length ?? 0}`;
  return [service.name, discovery, String(service.meta?.revision ?? '')];
}

function routeRow(route: Route): string[] {
  const paths = route.transcode === undefined ? route.paths.map(({ kind }) => pathText(kind)) : [`(${route.transcode.schema})`];
  return [route.name, list(route.hosts), list(paths), list(route.methods), route.service, String(route.meta?.revision ?? '')];
}

function pathText(kind: Route['paths'][number]['kind']): string {
  if (kind.case === undefined) return '';
  return kind.case === 'regex' ? `~${kind.value.pattern}` : kind.value;
}

function list(items: readonly string[]): string {
  return items.length === 0 ? '*' : items.join(',');
}

function schemaRow(schema: Schema): string[] {
  return [schema.name, String(schema.descriptorSet.length), String(schema.meta?.revision ?? '')];
}
