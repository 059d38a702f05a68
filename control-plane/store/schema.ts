import { sql } from 'drizzle-orm';
import { bigint, check, customType, index, integer, pgSchema, smallint, text, timestamp } from 'drizzle-orm/pg-core';

/** Plain arrays on the way out: what a driver returns may be a slice of a larger, shared buffer. */
const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({
  dataType: () => 'bytea',
  fromDriver: (value) => new Uint8Array(value),
});
const revisionNumber = (name: string) => bigint(name, { mode: 'bigint' });
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' });
const onlyRow = () => smallint('id').primaryKey().default(1);

/** Everything that Sluice keeps, in a schema of its own so that it can share a database. */
export const sluice = pgSchema('sluice');

/** One resource a row, as it was encoded once; `body` alone is what nodes get and what digests cover. */
const resourceTable = (name: string) =>
  sluice.table(name, {
    name: text('name').primaryKey(),
    revision: revisionNumber('revision').notNull(),
    createdRevision: revisionNumber('created_revision').notNull(),
    body: bytes('body').notNull(),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  });

export const services = resourceTable('services');
export const routes = resourceTable('routes');
export const schemas = resourceTable('schemas');
export const policies = resourceTable('policies');
export const certificates = resourceTable('certificates');
export const consumers = resourceTable('consumers');

/** The one row that every commit locks: it makes revisions dense, and visible in their order. */
export const configHead = sluice.table(
  'config_head',
  {
    id: onlyRow(),
    lineage: text('lineage').notNull(),
    revision: revisionNumber('revision').notNull(),
    chain: bytes('chain').notNull(),
    digest: bytes('digest').notNull(),
    commitTime: instant('commit_time').notNull(),
  },
  (table) => [check('config_head_is_one_row', sql`${table.id} = 1`)],
);

/** History, and at once the outbox: what is here is to be published. */
export const revisions = sluice.table('revisions', {
  revision: revisionNumber('revision').primaryKey(),
  lineage: text('lineage').notNull(),
  epoch: revisionNumber('epoch').notNull(),
  change: bytes('change').notNull(),
  previousChain: bytes('previous_chain').notNull(),
  chain: bytes('chain').notNull(),
  digest: bytes('digest').notNull(),
  actor: text('actor').notNull(),
  commitTime: instant('commit_time').notNull(),
});

/** Who leads. The lock elects; the epoch is the fence. */
export const leader = sluice.table(
  'leader',
  {
    id: onlyRow(),
    epoch: revisionNumber('epoch').notNull(),
    holder: text('holder').notNull(),
    since: instant('since').notNull(),
  },
  (table) => [check('leader_is_one_row', sql`${table.id} = 1`)],
);

/** Who changed what and when, for people with SQL: one row for each resource of each revision. */
export const audit = sluice.table(
  'audit',
  {
    id: bigint('id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    at: instant('at').notNull(),
    actor: text('actor').notNull(),
    revision: revisionNumber('revision').notNull(),
    action: text('action', { enum: ['create', 'update', 'delete'] }).notNull(),
    kind: integer('kind').notNull(),
    name: text('name').notNull(),
  },
  (table) => [index('audit_by_revision').on(table.revision), index('audit_by_resource').on(table.kind, table.name)],
);
