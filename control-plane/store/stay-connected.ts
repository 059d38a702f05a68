import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from 'pg';

import type { ClientConfig } from 'pg';

const RETRY_MS = 250;
const END_MS = 1000;

/**
 * Keeps one connection open until `signal` aborts: `attend` works on it, until `lost` aborts at the latest, and when it ends or
 * throws the next connection is made. Used where the session itself counts: the leader's lock, and listening.
 */
export async function stayConnected(
  config: ClientConfig,
  attend: (client: Client, lost: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const lost = new AbortController();
    const client = new Client(config);
    client.on('error', () => lost.abort());
    client.on('end', () => lost.abort());
    try {
      await client.connect();
      await attend(client, AbortSignal.any([lost.signal, signal]));
    } catch {
      // Whatever it was, the remedy is the next connection; that the database is away shows in Store.reachable.
    } finally {
      await endClient(client);
    }
    await pause(RETRY_MS * (0.75 + Math.random() / 2), signal);
  }
}

/** Ends a connection, and drops it when the server does not take part. */
export async function endClient(client: Client): Promise<void> {
  const dropped = setTimeout(() => client.connection.stream.destroy(), END_MS);
  await client.end().catch(() => undefined);
  clearTimeout(dropped);
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
