import { and, asc, desc, eq, gt, inArray, lt, lte, sql } from 'drizzle-orm';

import { create } from '@bufbuild/protobuf';
import { ConfigVersionSchema, Kind, ResourceSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { findResource } from '../../proto/snapshot/snapshot.js';
import {
  audit,
  certificates,
  configHead,
  consumers,
  leader,
  policies,
  revisions,
  routes,
  schemas,
  services,
} from './schema.js';

import type { ConfigVersion, Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Database } from './connections.js';
import type { Change, CommittedRevision } from './store.js';

/** The statements of the store; nothing here decides anything. */

const TABLES = [
  [Kind.SERVICE, services],
  [Kind.ROUTE, routes],
  [Kind.SCHEMA, schemas],
  [Kind.POLICY, policies],
  [Kind.CERTIFICATE, certificates],
  [Kind.CONSUMER, consumers],
] as const;

/** Rows of one statement: Postgres takes 65,535 parameters. */
const ROWS_PER_STATEMENT = 1000;

export interface Head {
  readonly version: ConfigVersion;
  readonly commitTimeMs: number;
}

export async function loadHead(db: Database): Promise<Head> {
  const [row] = await db.select().from(configHead);
  return headOf(row);
}

/** Holds the head row until the transaction ends, waiting for whoever holds it now. */
export async function lockHead(db: Database): Promise<{ head: Head; epoch: bigint; nowMs: number }> {
  const [row] = await db.select().from(configHead).for('update');
  // The clock is read after the lock was had: later revisions get later times, on whichever replica.
  const [clock] = await db.select({ epoch: leader.epoch, nowMs: millisecondsNow }).from(leader);
  if (clock === undefined) throw new Error('the leader row is missing');
  return { head: headOf(row), ...clock };
}

const millisecondsNow = sql`(extract(epoch from clock_timestamp()) * 1000)::bigint`.mapWith(Number);

function headOf(row: typeof configHead.$inferSelect | undefined): Head {
  if (row === undefined) throw new Error('the config_head row is missing');
  const { lineage, revision, chain, digest, commitTime } = row;
  return {
    version: create(ConfigVersionSchema, { lineage, revision, chain, digest }),
    commitTimeMs: commitTime.getTime(),
  };
}

export async function loadResources(db: Database): Promise<Resource[]> {
  const resources: Resource[] = [];
  for (const [kind, table] of TABLES) {
    const rows = await db.select({ name: table.name, body: table.body }).from(table);
    for (const { name, body } of rows) resources.push(create(ResourceSchema, { kind, name, body }));
  }
  return resources;
}

/** Revisions after `after` up to `upTo` of a lineage, in order. */
export async function loadRevisions(
  db: Database,
  lineage: string,
  after: bigint,
  upTo: bigint,
): Promise<CommittedRevision[]> {
  const range = and(eq(revisions.lineage, lineage), gt(revisions.revision, after), lte(revisions.revision, upTo));
  const rows = await db.select().from(revisions).where(range).orderBy(asc(revisions.revision));
  return rows.map(revisionOf);
}

/** Newest first, `before` exclusive. */
export async function loadHistory(db: Database, before: bigint | null, limit: number): Promise<CommittedRevision[]> {
  const range = before === null ? undefined : lt(revisions.revision, before);
  const rows = await db.select().from(revisions).where(range).orderBy(desc(revisions.revision)).limit(limit);
  return rows.map(revisionOf);
}

function revisionOf(row: typeof revisions.$inferSelect): CommittedRevision {
  const { lineage, revision, chain, digest, epoch, previousChain, change, actor, commitTime } = row;
  const version = create(ConfigVersionSchema, { lineage, revision, chain, digest });
  return { version, epoch, previousChain, change, actor, commitTimeMs: commitTime.getTime() };
}

/** Writes one revision: resources, audit, history and head. `before` are the sorted resources that it changes. */
export async function writeRevision(
  db: Database,
  before: readonly Resource[],
  change: Change,
  committed: CommittedRevision,
): Promise<void> {
  for (const [kind, table] of TABLES) {
    const upserts = change.upserts.filter((resource) => resource.kind === kind);
    for (const some of chunks(upserts)) await upsert(db, table, some, committed);
    const names = change.deletes.filter((key) => key.kind === kind).map((key) => key.name);
    for (const some of chunks(names)) await db.delete(table).where(inArray(table.name, some));
  }
  for (const some of chunks(auditRows(before, change, committed))) await db.insert(audit).values(some);
  await writeHistory(db, committed);
}

type ResourceTable = (typeof TABLES)[number][1];

async function upsert(
  db: Database,
  table: ResourceTable,
  resources: Resource[],
  committed: CommittedRevision,
): Promise<void> {
  const { revision } = committed.version;
  const at = new Date(committed.commitTimeMs);
  const rows = resources.map(({ name, body }) => ({
    name,
    body,
    revision,
    createdRevision: revision,
    createdAt: at,
    updatedAt: at,
  }));
  await db
    .insert(table)
    .values(rows)
    .onConflictDoUpdate({ target: table.name, set: { body: sql`excluded.body`, revision, updatedAt: at } });
}

function auditRows(before: readonly Resource[], change: Change, { actor, commitTimeMs, version }: CommittedRevision) {
  const { revision } = version;
  const at = new Date(commitTimeMs);
  const row = (action: 'create' | 'update' | 'delete', kind: Kind, name: string) => ({
    at,
    actor,
    revision,
    action,
    kind,
    name,
  });
  return [
    ...change.upserts.map((one) =>
      row(findResource(before, one) === undefined ? 'create' : 'update', one.kind, one.name),
    ),
    ...change.deletes.map((one) => row('delete', one.kind, one.name)),
  ];
}

async function writeHistory(db: Database, committed: CommittedRevision): Promise<void> {
  const { version, epoch, previousChain, change, actor, commitTimeMs } = committed;
  const { lineage, revision, chain, digest } = version;
  const commitTime = new Date(commitTimeMs);
  await db
    .insert(revisions)
    .values({ lineage, revision, epoch, change, previousChain, chain, digest, actor, commitTime });
  await db.update(configHead).set({ revision, chain, digest, commitTime });
}

/** Wakes the listeners of other replicas when the transaction commits. */
export async function notifyCommit(db: Database): Promise<void> {
  await db.execute(sql.raw(`notify ${CHANNEL}`));
}

export const CHANNEL = 'sluice_config';

/** Makes `holder` the leader of a new, higher epoch. Only the holder of the leader lock may call it. */
export async function takeEpoch(db: Database, holder: string): Promise<bigint> {
  const [row] = await db
    .update(leader)
    .set({ epoch: sql`${leader.epoch} + 1`, holder, since: sql`now()` })
    .returning({ epoch: leader.epoch });
  if (row === undefined) throw new Error('the leader row is missing');
  return row.epoch;
}

/** The fence: whether no newer leader has begun. */
export async function holdsEpoch(db: Database, epoch: bigint): Promise<boolean> {
  const rows = await db.select({ epoch: leader.epoch }).from(leader).where(eq(leader.epoch, epoch));
  return rows.length === 1;
}

function chunks<T>(all: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < all.length; start += ROWS_PER_STATEMENT)
    parts.push(all.slice(start, start + ROWS_PER_STATEMENT));
  return parts;
}
