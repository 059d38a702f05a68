import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from 'pg';
import { afterAll, beforeAll, describe } from 'vitest';

import { openPglite } from '../../control-plane/store/pglite.js';
import { openPostgres } from '../../control-plane/store/postgres.js';
import { useOrStartPostgres } from '../../deploy/servers/servers.js';
import { storeContract } from './store.contract.js';

import type { RunningServer } from '../../deploy/servers/servers.js';
import type { StoreWorld } from './store.contract.js';

describe('Postgres', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await useOrStartPostgres();
  });
  afterAll(() => server.stop());

  storeContract(() => postgresWorld(server.url));
});

describe('PGlite in a folder', () => {
  let template = '';
  beforeAll(async () => {
    template = await mkdtemp(join(tmpdir(), 'pglite-template-'));
    await (await openPglite({ dataDir: join(template, 'data'), lineage: 'template' })).close();
  });
  afterAll(() => rm(template, { recursive: true, force: true }));

  storeContract(() => pgliteWorld(template));
});

async function postgresWorld(serverUrl: string): Promise<StoreWorld> {
  const name = `store_${randomUUID().replaceAll('-', '')}`;
  await onServer(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    open: () => openPostgres({ url: url.href, lineage: randomUUID() }),
    dispose: () => onServer(serverUrl, `drop database ${name} with (force)`),
  };
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  await client.query(statement);
  await client.end();
}

/** From a copy of a new database: making one takes seconds. */
async function pgliteWorld(template: string): Promise<StoreWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'pglite-'));
  await cp(template, folder, { recursive: true });
  return {
    open: () => openPglite({ dataDir: join(folder, 'data'), lineage: randomUUID() }),
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}
