import { create } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';

import { Admin, DeleteRequestSchema, GetRequestSchema, ListRequestSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { CertificateSchema, RouteSchema, SchemaSchema, ServiceSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { RefusedError } from './errors.js';
import { configText } from './config-file/config-file.js';
import { jsonOf, table } from './print.js';
import { printSchemas } from './schemas.js';

import type { Message } from '@bufbuild/protobuf';
import type { Certificate, Route, Schema, Service } from '../../proto/gen/sluice/v1/config_pb.js';
import type { AdminClient } from './client.js';
import type { Output } from './print.js';

export type OutputFormat = 'table' | 'yaml' | 'json';

const pageSize = 1_000;
/** Lists are read page by page, and only pages of one revision fit together. */
const dumpAttempts = 10;

/** How each kind is fetched, deleted and shown; the keys are what people type. */
const kinds = {
  service: {
    desc: ServiceSchema,
    get: (client: AdminClient, name: string) =>
      client.call(Admin.method.getService, create(GetRequestSchema, { name })),
    page: async (client: AdminClient, pageToken: string) => {
      const request = create(ListRequestSchema, { pageSize, pageToken });
      const { services, nextPageToken, revision } = await client.call(Admin.method.listServices, request);
      return { items: services as Message[], nextPageToken, revision };
    },
    delete: (client: AdminClient, name: string, etag: string) =>
      client.call(Admin.method.deleteService, create(DeleteRequestSchema, { name, etag })),
    head: ['NAME', 'DISCOVERY', 'REVISION'],
    row: (message: Message) => serviceRow(message as Service),
  },
  route: {
    desc: RouteSchema,
    get: (client: AdminClient, name: string) => client.call(Admin.method.getRoute, create(GetRequestSchema, { name })),
    page: async (client: AdminClient, pageToken: string) => {
      const request = create(ListRequestSchema, { pageSize, pageToken });
      const { routes, nextPageToken, revision } = await client.call(Admin.method.listRoutes, request);
      return { items: routes as Message[], nextPageToken, revision };
    },
    delete: (client: AdminClient, name: string, etag: string) =>
      client.call(Admin.method.deleteRoute, create(DeleteRequestSchema, { name, etag })),
    head: ['NAME', 'HOSTS', 'PATHS', 'METHODS', 'SERVICE', 'REVISION'],
    row: (message: Message) => routeRow(message as Route),
  },
  schema: {
    desc: SchemaSchema,
    get: (client: AdminClient, name: string) => client.call(Admin.method.getSchema, create(GetRequestSchema, { name })),
    page: async (client: AdminClient, pageToken: string) => {
      const request = create(ListRequestSchema, { pageSize, pageToken });
      const { schemas, nextPageToken, revision } = await client.call(Admin.method.listSchemas, request);
      return { items: schemas as Message[], nextPageToken, revision };
    },
    delete: (client: AdminClient, name: string, etag: string) =>
      client.call(Admin.method.deleteSchema, create(DeleteRequestSchema, { name, etag })),
    // The table has more than the resource says: see printSchemas.
    head: [],
    row: () => [],
  },
  certificate: {
    desc: CertificateSchema,
    get: (client: AdminClient, name: string) =>
      client.call(Admin.method.getCertificate, create(GetRequestSchema, { name })),
    page: async (client: AdminClient, pageToken: string) => {
      const request = create(ListRequestSchema, { pageSize, pageToken });
      const { certificates, nextPageToken, revision } = await client.call(Admin.method.listCertificates, request);
      return { items: certificates as Message[], nextPageToken, revision };
    },
    delete: (client: AdminClient, name: string, etag: string) =>
      client.call(Admin.method.deleteCertificate, create(DeleteRequestSchema, { name, etag })),
    head: ['NAME', 'FOR', 'EXPIRES', 'SHA-256', 'REVISION'],
    row: (message: Message) => certificateRow(message as Certificate),
  },
} as const;

export type KindWord = keyof typeof kinds;

export const kindWords = Object.keys(kinds) as readonly KindWord[];

/** `service`, `services`, … or null. */
export function kindOf(word: string): KindWord | null {
  const singular = word.toLowerCase().replace(/s$/, '');
  return kindWords.find((kind) => kind === singular) ?? null;
}

/** As a table; as a file that `apply` takes; or as the API's JSON, an object for a named resource and else a list. */
export async function printResources(
  client: AdminClient,
  output: Output,
  kind: KindWord,
  name: string | null,
  format: OutputFormat,
): Promise<void> {
  const { desc, get, head, row } = kinds[kind];
  const messages: Message[] = name === null ? await listAll(client, kind) : [await get(client, name)];
  switch (format) {
    case 'table':
      if (kind === 'schema') return printSchemas(client, output, messages as Schema[]);
      for (const line of table([head, ...messages.map(row)])) output.line(line);
      return;
    case 'yaml':
      output.line(configText({ [`${kind}s`]: messages }).trimEnd());
      return;
    case 'json': {
      const plain = messages.map((message) => jsonOf(desc, message));
      output.line(JSON.stringify(name === null ? plain : plain[0], null, 2));
    }
  }
}

export async function deleteResource(client: AdminClient, kind: KindWord, name: string, etag: string): Promise<void> {
  await kinds[kind].delete(client, name, etag);
}

/** The whole config as one file that `apply --prune` would make again, given that the keys of certificates are still there. */
export async function dump(client: AdminClient): Promise<string> {
  for (let attempt = 1; attempt <= dumpAttempts; attempt++) {
    const revisions = new Set<bigint>();
    const read = async (kind: KindWord): Promise<Message[]> => (await listAll(client, kind, revisions)).toSorted(byAge);
    const config = {
      schemas: await read('schema'),
      certificates: await read('certificate'),
      services: await read('service'),
      routes: await read('route'),
    };
    if (revisions.size === 1) return configText(config).trimEnd();
  }
  throw new RefusedError(['the config changes faster than it can be read; try again']);
}

/** Oldest first: the order of a file is the age of what it creates, which decides between equal routes. */
function byAge(a: Message, b: Message): number {
  const [left, right] = [(a as Route).meta, (b as Route).meta];
  const revisions = Number((left?.createdRevision ?? 0n) - (right?.createdRevision ?? 0n));
  return revisions === 0 ? (left?.ordinal ?? 0) - (right?.ordinal ?? 0) : revisions;
}

async function listAll(client: AdminClient, kind: KindWord, revisions = new Set<bigint>()): Promise<Message[]> {
  const all: Message[] = [];
  let pageToken = '';
  do {
    const { items, nextPageToken, revision } = await kinds[kind].page(client, pageToken);
    all.push(...items);
    revisions.add(revision);
    pageToken = nextPageToken;
  } while (pageToken !== '');
  return all;
}

function serviceRow({ name, discovery, meta }: Service): string[] {
  return [name, discoveryText(discovery?.source), String(meta?.revision ?? '')];
}

function discoveryText(source: NonNullable<Service['discovery']>['source'] | undefined): string {
  switch (source?.case) {
    case 'consul':
      return [`consul ${source.value.service}`, ...source.value.tags].join(' #');
    case 'static':
      return `static ${source.value.endpoints.length}`;
    case undefined:
      return '';
  }
}

function routeRow({ name, hosts, paths, grpc, methods, service, transcode, meta }: Route): string[] {
  const calls = grpc.map((match) => `${match.service}/${match.method || '*'}`);
  const matched = [...paths.map(({ kind }) => pathText(kind)), ...calls];
  const pathTexts = transcode === undefined ? matched : [`(${transcode.schema})`];
  return [name, list(hosts), list(pathTexts), list(methods), service, String(meta?.revision ?? '')];
}

/** As in routing tables elsewhere: `~` for a regex, `=` for the exact path, `/…` for a prefix of whole segments. */
function pathText(kind: Route['paths'][number]['kind']): string {
  switch (kind.case) {
    case 'regex':
      return `~${kind.value.pattern}`;
    case 'exact':
      return `=${kind.value}`;
    case 'segmentPrefix':
      return `${kind.value.replace(/\/$/, '')}/…`;
    case 'prefix':
    case 'template':
      return kind.value;
    case undefined:
      return '';
  }
}

function list(items: readonly string[]): string {
  return items.length === 0 ? '*' : items.join(',');
}

/** As much of the fingerprint as browsers' dialogs are compared by at a glance. */
function certificateRow({ name, facts, default: isDefault, meta }: Certificate): string[] {
  const names = [...(facts?.names ?? []), ...(isDefault ? ['(default)'] : [])];
  const expires = facts?.notAfter === undefined ? '' : timestampDate(facts.notAfter).toISOString();
  return [name, names.join(','), expires, facts?.fingerprint.slice(0, 16) ?? '', String(meta?.revision ?? '')];
}
