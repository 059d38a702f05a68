import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { emptyConfig } from '../../proto/snapshot/snapshot.js';
import { configHead, leader } from './schema.js';

import type { Database } from './connections.js';

/**
 * What drizzle's migrator is told. It reads what was applied before it begins its transaction, and takes no lock: the caller
 * must hold one over the whole call. It skips a migration that is older than the newest applied one, so journal times must rise.
 */
export function migrationSettings(): { migrationsFolder: string; migrationsSchema: string; migrationsTable: string } {
  return { migrationsFolder: migrationsFolder(), migrationsSchema: 'sluice', migrationsTable: 'migrations' };
}

/** Makes the rows that are always there. `lineage` counts only if the database has none yet. */
export async function plantRows(db: Database, lineage: string): Promise<void> {
  const { version } = emptyConfig(lineage);
  const { revision, chain, digest } = version;
  const now = new Date();
  await db.insert(configHead).values({ lineage, revision, chain, digest, commitTime: now }).onConflictDoNothing();
  await db.insert(leader).values({ epoch: 0n, holder: '', since: now }).onConflictDoNothing();
}

/** The SQL files are not compiled, so this looks for them upwards: the same folder from the sources as from dist. */
function migrationsFolder(): string {
  const place = join('control-plane', 'store', 'migrations');
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, place, 'meta', '_journal.json'))) {
    if (dir === dirname(dir)) throw new Error(`the folder ${place} is missing from this installation`);
    dir = dirname(dir);
  }
  return join(dir, place);
}
