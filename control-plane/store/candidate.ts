import { drizzle } from 'drizzle-orm/node-postgres';

import { holdsEpoch, takeEpoch } from './rows.js';
import { pause, stayConnected } from './stay-connected.js';

import type { Client, ClientConfig } from 'pg';
import type { LeaderObserver } from './store.js';

/** Any number, as long as every replica has the same; advisory locks are per database. */
const LEADER_LOCK = 7_304_185_512;
const ASK_MS = 250;
const BEAT_MS = 400;
/** The server ends the leader's session, and with it the lock, when it hears nothing for this long: paused or cut off. */
const SILENCE_MS = 1500;

/**
 * Stands for leader on Postgres: a session lock on a connection of its own elects, and the epoch it then takes is the fence.
 * While the database cannot be reached nobody can get a higher epoch, so a leader stays one; when it is back it must win again,
 * with a new epoch, or is deposed.
 */
export async function campaignOnPostgres(
  config: ClientConfig,
  holder: string,
  observer: LeaderObserver,
  signal: AbortSignal,
): Promise<void> {
  let epoch: bigint | undefined;
  const stepDown = (): void => {
    if (epoch === undefined) return;
    epoch = undefined;
    observer.deposed();
  };

  const attend = async (client: Client, lost: AbortSignal): Promise<void> => {
    const db = drizzle(client);
    await endSilentSessions(client);
    while (!lost.aborted && !(await tryLock(client))) {
      stepDown();
      await pause(ASK_MS, lost);
    }
    if (lost.aborted) return;
    epoch = await takeEpoch(db, holder);
    if (!signal.aborted) observer.elected(epoch);
    while (!lost.aborted && (await holdsEpoch(db, epoch))) await pause(BEAT_MS, lost);
    // The lock is ours and yet somebody began a newer epoch: give the lock back and stand again.
    if (!lost.aborted) stepDown();
  };
  await stayConnected(config, attend, signal);
}

async function tryLock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ won: boolean }>('select pg_try_advisory_lock($1) as won', [LEADER_LOCK]);
  return rows[0]?.won === true;
}

/** Postgres before 14 has no such setting; there, only TCP ends a silent session. */
async function endSilentSessions(client: Client): Promise<void> {
  await client.query(
    `select set_config(name, '${SILENCE_MS}', false) from pg_settings where name = 'idle_session_timeout'`,
  );
}
