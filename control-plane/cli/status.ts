import { create } from '@bufbuild/protobuf';
import { timestampDate } from '@bufbuild/protobuf/wkt';

import {
  Admin,
  GetRequestSchema,
  ListNodesRequestSchema,
  ListRequestSchema,
} from '../../proto/gen/sluice/v1/admin_pb.js';
import { EndpointState, NodePhase } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { changeLines, kindWord, table } from './print.js';

import type { Timestamp } from '@bufbuild/protobuf/wkt';
import type { ConfigRefusal } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { AdminClient } from './client.js';
import type { Output } from './print.js';

/** The newest committed revision; 0 before the first change. */
export async function newestRevision(client: AdminClient): Promise<bigint> {
  return (await client.call(Admin.method.listNodes, create(ListNodesRequestSchema))).revision;
}

/** What the cluster is doing, for people. */
export async function printNodes(client: AdminClient, output: Output): Promise<void> {
  const { nodes, revision } = await client.call(Admin.method.listNodes, create(ListNodesRequestSchema));
  const rows = nodes.map(({ status, silent, lastSeen }) => [
    status?.nodeId ?? '',
    silent ? 'silent' : (NodePhase[status?.phase ?? 0] ?? '').toLowerCase(),
    String(status?.config?.revision ?? '-'),
    `${status?.configLagMs ?? 0n} ms`,
    status?.address ?? '',
    timeText(lastSeen),
    status?.refusal === undefined ? '' : refusalText(status.refusal),
  ]);
  const head = ['NODE', 'PHASE', 'REVISION', 'LAG', 'ADDRESS', 'LAST SEEN', ''];
  for (const line of table([head, ...rows])) output.line(line);
  output.line(`newest revision: ${revision}`);
}

function refusalText({ revision, kind, name, field, reason }: ConfigRefusal): string {
  return `refuses ${revision}: ${[kindWord(kind), name, field].filter((part) => part !== '').join(' ')}: ${reason}`;
}

/** Newest first, at most `limit`. */
export async function printHistory(client: AdminClient, output: Output, limit: number): Promise<void> {
  let left = limit;
  let pageToken = '';
  do {
    const request = create(ListRequestSchema, { pageSize: Math.min(left, 100), pageToken });
    const page = await client.call(Admin.method.listRevisions, request);
    for (const { revision, commitTime, actor, changes } of page.revisions) {
      output.line(`${revision}  ${timeText(commitTime)}  ${actor}`);
      for (const line of changeLines(changes)) output.line(`  ${line}`);
    }
    left -= page.revisions.length;
    pageToken = page.nextPageToken;
  } while (left > 0 && pageToken !== '');
}

/** The endpoints of a service, as the registry says. */
export async function printEndpoints(client: AdminClient, output: Output, service: string): Promise<void> {
  const { endpoints } = await client.call(Admin.method.listEndpoints, create(GetRequestSchema, { name: service }));
  const rows = (endpoints?.endpoints ?? []).map(({ id, address, port, weight, state, tags, reason }) => [
    id,
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
    String(weight),
    (EndpointState[state] ?? '').toLowerCase(),
    tags.join(','),
    reason,
  ]);
  for (const line of table([['ENDPOINT', 'ADDRESS', 'WEIGHT', 'STATE', 'TAGS', ''], ...rows])) output.line(line);
}

function timeText(time: Timestamp | undefined): string {
  return time === undefined ? '-' : timestampDate(time).toISOString();
}
