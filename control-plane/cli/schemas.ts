import { create } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';

import { Admin, ListSchemaStatusRequestSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { table } from './print.js';

import type { SchemaStatus } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Schema } from '../../proto/gen/sluice/v1/config_pb.js';
import type { ReflectionStatus } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { AdminClient } from './client.js';
import type { Output } from './print.js';

const head = ['NAME', 'SOURCE', 'SERVICES', 'BYTES', 'DIGEST', 'REFRESHED', 'REVISION'];
/** Enough to tell two digests apart. */
const digestLength = 12;

/** As a table, and under it what is wrong with those that are read from services. */
export async function printSchemas(client: AdminClient, output: Output, schemas: readonly Schema[]): Promise<void> {
  const { schemas: statuses } = await client.call(Admin.method.listSchemaStatus, create(ListSchemaStatusRequestSchema));
  const byName = new Map(statuses.map((status) => [status.name, status]));
  const rows = schemas.map(({ name, meta, descriptorSet }) => [
    name,
    ...columnsOf(byName.get(name), descriptorSet.length),
    String(meta?.revision ?? ''),
  ]);
  for (const line of table([head, ...rows])) output.line(line);
  for (const { name } of schemas) {
    const reflection = byName.get(name)?.reflection;
    if (reflection !== undefined) for (const line of troubles(name, reflection)) output.line(line);
  }
}

function columnsOf(status: SchemaStatus | undefined, bytes: number): string[] {
  if (status === undefined) return ['', '', String(bytes), '', ''];
  const { reflection, services, digest } = status;
  const refreshed = reflection?.lastSuccess;
  return [
    reflection === undefined ? 'upload' : `reflect ${reflection.service}`,
    String(services.length),
    String(status.bytes),
    digest.slice(0, digestLength) || '-',
    refreshed === undefined ? '-' : timestampDate(refreshed).toISOString(),
  ];
}

/** Nothing when the endpoints serve what is in force. */
function troubles(name: string, { lastAttempt, lastError, disagreement, endpoints }: ReflectionStatus): string[] {
  const lines: string[] = [];
  if (lastAttempt === undefined) lines.push(`${name}: not read from its service yet`);
  if (lastError !== '') lines.push(`${name}: ${lastError}`);
  if (!disagreement && !endpoints.some(({ error }) => error !== '')) return lines;
  if (lastError === '') lines.push(`${name}: not all endpoints serve the same`);
  for (const { address, digest, error } of endpoints)
    lines.push(`  ${address}  ${error === '' ? `serves ${digest.slice(0, digestLength)}` : error}`);
  return lines;
}
