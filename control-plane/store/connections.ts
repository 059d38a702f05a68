import { faultOf } from './faults.js';

import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import type { LeaderObserver } from './store.js';

export type Database = PgDatabase<PgQueryResultHKT>;

/** One connection, seen twice: `quick` gives up after about 2 s without an answer, `bulk` waits as long as large rows may take. */
export interface Session {
  readonly quick: Database;
  readonly bulk: Database;
}

/**
 * What SqlStore needs of a database, and all that differs between Postgres and PGlite.
 * Errors of `run` are those of the driver, or AdminError when there is no connection to be had.
 */
export interface Connections {
  /** Whether other processes may commit to the same database; if not, nothing has to be listened for. */
  readonly shared: boolean;
  /** Runs `work` on a connection that nobody else uses meanwhile, and that is made good or thrown away if it broke. */
  run<T>(work: (session: Session) => Promise<T>): Promise<T>;
  /** Calls `heard` on each notification, and when one may have been missed, until `signal` aborts. */
  listen(heard: () => void, signal: AbortSignal): Promise<void>;
  /** As Store.campaign; resolves when `signal` has aborted and the leadership is given back. */
  campaign(holder: string, observer: LeaderObserver, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Runs `work` between begin and commit; rolls back when it throws, unless the connection is what broke. */
export async function inTransaction<T>(
  { quick, bulk }: Session,
  mode: 'write' | 'read',
  work: () => Promise<T>,
): Promise<T> {
  await quick.execute(
    mode === 'write' ? 'begin isolation level read committed' : 'begin isolation level repeatable read read only',
  );
  let result: T;
  try {
    result = await work();
  } catch (error) {
    // On a connection that does not answer a rollback only waits; `run` throws it away, which rolls back as well.
    if (faultOf(error) !== 'unreachable') await quick.execute('rollback').catch(() => undefined);
    throw error;
  }
  await bulk.execute('commit');
  return result;
}
