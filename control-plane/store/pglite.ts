import { mkdir, readdir } from 'node:fs/promises';

import { PGlite } from '@electric-sql/pglite';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';

import { AdminError, code } from '../errors.js';
import { faultOf } from './faults.js';
import { lockFolder } from './folder-lock.js';
import { migrationSettings, plantRows } from './migrate.js';
import { readTemplate } from './pglite-template.js';
import { takeEpoch } from './rows.js';
import { SqlStore } from './sql-store.js';
import { pause } from './stay-connected.js';

import type { PGliteOptions } from '@electric-sql/pglite';
import type { Connections, Session } from './connections.js';
import type { FolderLock } from './folder-lock.js';
import type { LeaderObserver, Store } from './store.js';

export interface PgliteOptions {
  /** Made when missing; undefined keeps everything in memory. */
  readonly dataDir?: string;
  /** Identifies the database's history if it is new; draw a new one each time. */
  readonly lineage: string;
}

const RETRY_MS = 500;

/**
 * Opens the store that is embedded in this process. Only one process at a time can have a folder open: others get AdminError
 * FAILED_PRECONDITION, reason STORE_IN_USE. Making a new database takes seconds unless there is a template (pglite-template.ts).
 */
export async function openPglite({ dataDir, lineage }: PgliteOptions): Promise<Store> {
  if (dataDir !== undefined) await mkdir(dataDir, { recursive: true });
  const lock = dataDir === undefined ? undefined : await lockFolder(dataDir);
  try {
    const pglite = await PGlite.create(await createOptions(dataDir));
    const db = drizzle(pglite);
    await migrate(db, migrationSettings());
    await plantRows(db, lineage);
    return new SqlStore(new PgliteConnections(pglite, lock));
  } catch (error) {
    await lock?.release();
    const reason = error instanceof Error ? error.message : String(error);
    throw new AdminError(
      code.unavailable,
      'STORE_UNAVAILABLE',
      `cannot open the embedded database in ${dataDir ?? 'memory'}: ${reason}`,
      [],
      error,
    );
  }
}

/** A new database is unpacked from the template, where there is one; one that is there is opened as it is. */
async function createOptions(dataDir: string | undefined): Promise<PGliteOptions> {
  const isNew = dataDir === undefined || (await readdir(dataDir)).length === 0;
  const template = isNew ? await readTemplate() : undefined;
  return {
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(template === undefined ? {} : { loadDataDir: template }),
  };
}

/** PGlite has one connection, so a turn is what a connection is elsewhere. */
class PgliteConnections implements Connections {
  readonly shared = false;
  readonly #pglite: PGlite;
  readonly #lock: FolderLock | undefined;
  readonly #session: Session;
  #lastTurn: Promise<unknown> = Promise.resolve();

  constructor(pglite: PGlite, lock: FolderLock | undefined) {
    this.#pglite = pglite;
    this.#lock = lock;
    const db = drizzle(pglite);
    this.#session = { quick: db, bulk: db };
  }

  run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(async () => {
      try {
        return await work(this.#session);
      } catch (error) {
        // There is no other connection to go on with: whatever is still open must not meet the next turn.
        if (faultOf(error) === 'unreachable') await this.#session.quick.execute('rollback').catch(() => undefined);
        throw error;
      }
    });
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  listen(): Promise<void> {
    return Promise.resolve();
  }

  /** Nobody else can have the database open, so the only candidate wins. */
  async campaign(holder: string, observer: LeaderObserver, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const epoch = await this.run(({ quick }) => takeEpoch(quick, holder)).catch(() => undefined);
      if (epoch === undefined) await pause(RETRY_MS, signal);
      else if (!signal.aborted) return observer.elected(epoch);
    }
  }

  async close(): Promise<void> {
    await this.#lastTurn;
    await this.#pglite.close();
    await this.#lock?.release();
  }
}
