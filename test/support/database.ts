import { randomUUID } from 'node:crypto';

import { Client } from 'pg';
import { afterAll } from 'vitest';

import { openPostgres } from '../../control-plane/store/postgres.js';
import { useOrStartPostgres } from '../../deploy/servers/servers.js';

import type { Store } from '../../control-plane/store/store.js';
import type { RunningServer } from '../../deploy/servers/servers.js';

/** One Postgres for a test file, with a migrated database to copy; both are made when first asked for. */
interface Shelf {
  readonly server: RunningServer;
  readonly template: string;
}

let shelf: Promise<Shelf> | null = null;

afterAll(async () => {
  await (await shelf)?.server.stop();
}, 30_000);

/** An empty store in a database of its own on the real Postgres. Copying a database takes a tenth of the time of opening PGlite. */
export async function openFreshStore(): Promise<Store> {
  shelf ??= startShelf();
  const { server, template } = await shelf;
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await command(server.url, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  return openPostgres({ url: databaseUrl(server.url, name), lineage: randomUUID() });
}

async function startShelf(): Promise<Shelf> {
  const server = await useOrStartPostgres();
  const template = `template_${randomUUID().replaceAll('-', '')}`;
  await command(server.url, `CREATE DATABASE ${template}`);
  const store = await openPostgres({ url: databaseUrl(server.url, template), lineage: randomUUID() });
  await store.close();
  return { server, template };
}

async function command(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function databaseUrl(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}
