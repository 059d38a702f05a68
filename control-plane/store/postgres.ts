import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import { Client, Pool } from 'pg';

import { campaignOnPostgres } from './candidate.js';
import { faultOf, toAdminError, unavailable } from './faults.js';
import { migrationSettings, plantRows } from './migrate.js';
import { CHANNEL } from './rows.js';
import { SqlStore } from './sql-store.js';
import { endClient, stayConnected } from './stay-connected.js';

import type { ClientConfig, PoolClient, QueryConfig } from 'pg';
import type { Connections, Database, Session } from './connections.js';
import type { LeaderObserver, Store } from './store.js';

export interface PostgresOptions {
  /** As `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Identifies the database's history if this replica is the first ever to open it; draw a new one each time. */
  readonly lineage: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
}

const CONNECT_MS = 2000;
const QUICK_MS = 2000;
const BULK_MS = 30_000;
const MIGRATE_MS = 60_000;
const POOL_SIZE = 8;
const MIGRATE_LOCK = 7_304_185_511;

/**
 * Opens the store of a Postgres database, after making or migrating its tables; any number of replicas may do so at once.
 * Throws AdminError STORE_UNAVAILABLE when the database cannot be reached. Once open it reconnects by itself.
 */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const config: ClientConfig = {
    connectionString: options.url,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 1000,
    application_name: options.applicationName ?? 'sluice',
  };
  await migratePostgres(config, options.lineage);
  return new SqlStore(new PostgresConnections(config));
}

/** Under one lock, on one connection, from before the first statement to the last: drizzle's migrator takes none. */
async function migratePostgres(config: ClientConfig, lineage: string): Promise<void> {
  const client = new Client({ ...config, query_timeout: MIGRATE_MS });
  client.on('error', () => undefined);
  try {
    await client.connect().catch((error: unknown) => Promise.reject(unavailable(error, 'the store was not opened')));
    await client.query({ text: 'select 1', query_timeout: QUICK_MS } as QueryConfig);
    await client.query('select pg_advisory_lock($1)', [MIGRATE_LOCK]);
    const db = drizzle(client);
    await migrate(db, migrationSettings());
    await plantRows(db, lineage);
  } catch (error) {
    throw toAdminError(error, 'the store was not opened');
  } finally {
    await endClient(client);
  }
}

class PostgresConnections implements Connections {
  readonly shared = true;
  readonly #config: ClientConfig;
  readonly #pool: Pool;

  constructor(config: ClientConfig) {
    this.#config = config;
    this.#pool = new Pool({
      ...config,
      max: POOL_SIZE,
      idleTimeoutMillis: 30_000,
      statement_timeout: BULK_MS,
      // Bounds what a replica that hangs in mid-transaction can do to the others.
      idle_in_transaction_session_timeout: 5000,
      lock_timeout: 8000,
    });
    // A connection that dies in use fails its query as well; without a listener the event would end the process.
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
    this.#pool.on('error', () => undefined);
  }

  async run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#pool
      .connect()
      .catch((error: unknown) => Promise.reject(unavailable(error, 'nothing was done')));
    let broken = false;
    try {
      return await work({ quick: within(client, QUICK_MS), bulk: within(client, BULK_MS) });
    } catch (error) {
      // A query that timed out still occupies its connection.
      broken = faultOf(error) === 'unreachable';
      throw error;
    } finally {
      client.release(broken);
    }
  }

  listen(heard: () => void, signal: AbortSignal): Promise<void> {
    const attend = async (client: Client, lost: AbortSignal): Promise<void> => {
      client.on('notification', heard);
      await client.query(`listen ${CHANNEL}`);
      heard();
      await aborted(lost);
    };
    return stayConnected({ ...this.#config, query_timeout: QUICK_MS }, attend, signal);
  }

  campaign(holder: string, observer: LeaderObserver, signal: AbortSignal): Promise<void> {
    return campaignOnPostgres({ ...this.#config, query_timeout: QUICK_MS }, holder, observer, signal);
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

/** drizzle over `client` with a time limit for each statement. */
function within(client: PoolClient, timeoutMs: number): Database {
  const query = (config: QueryConfig, values: unknown[]) =>
    client.query({ ...config, query_timeout: timeoutMs } as QueryConfig, values);
  // drizzle's session calls nothing but `query` on what it is given, as long as it opens no transaction itself.
  return drizzle({ client: { query } as PoolClient });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
