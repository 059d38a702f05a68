import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { code } from '../../control-plane/errors.js';
import { openPostgres } from '../../control-plane/store/postgres.js';
import { startPostgres } from '../../deploy/servers/servers.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { change, put, replayed, resource } from './store.contract.js';

import type { AddressInfo, Socket } from 'node:net';
import type { Change, LeaderObserver, Store } from '../../control-plane/store/store.js';
import type { RunningServer } from '../../deploy/servers/servers.js';

/** What only a real server with several replicas shows: concurrency, faults, leadership. */

let server: RunningServer;
let url: string;
const closers: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await startPostgres({ args: ['-c', 'deadlock_timeout=300ms'] });
});
afterAll(() => server.stop());
beforeEach(async () => {
  const name = `store_${randomUUID().replaceAll('-', '')}`;
  await query(server.url, `create database ${name}`);
  url = databaseUrl(name, server.port);
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function open(at = url): Promise<Store> {
  const store = await openPostgres({ url: at, lineage: randomUUID() });
  closers.push(() => store.close());
  return store;
}

describe('several replicas on one database', () => {
  it('that open an empty database at once make it once, and agree on its lineage', async () => {
    const stores = await Promise.all([open(), open(), open(), open()]);

    const states = await Promise.all(stores.map((store) => store.read()));
    expect(new Set(states.map((state) => state.version.lineage)).size).toBe(1);
    expect(await query(url, 'select count(*)::int as n from sluice.migrations')).toEqual([{ n: 1 }]);
  });

  it('with 20 concurrent writers make dense revisions, whose history replays to what each of them reads', async () => {
    const stores = await Promise.all([open(), open()]);

    const states = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        Promise.all(stores.map((store, replica) => put(store, `n${index % 5}`, `${replica}-${index}`))),
      ),
    );

    const revisions = states.flat().map((state) => Number(state.version.revision));
    expect(revisions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
    const held = replayed((await stores[0]?.patchesSince(0n)) ?? []);
    for (const store of stores)
      expect(await store.read()).toMatchObject({ version: held?.version, resources: held?.resources });
  });

  it('hear of each other by notification, also after the listening connection has been cut', async () => {
    const [writer, other] = [await open(), await open()];
    const changed = vi.fn<() => void>();
    other.watch(changed);
    await vi.waitFor(async () => expect(await query(url, LISTENERS)).toHaveLength(1));
    for (const cut of [false, true]) {
      if (cut) await query(url, `select pg_terminate_backend(pid) from (${LISTENERS}) as listeners`);
      changed.mockClear();

      await put(writer, 'a', `${cut}`);

      await vi.waitFor(() => expect(changed).toHaveBeenCalled(), { timeout: 1000, interval: 5 });
    }
  });

  it('hear of a commit even if its notification was lost', async () => {
    const store = await open();
    const changed = vi.fn<() => void>();
    store.watch(changed);
    await vi.waitFor(() => expect(changed).toHaveBeenCalled());
    await vi.waitFor(async () => expect(await query(url, LISTENERS)).toHaveLength(1));
    changed.mockClear();

    await query(url, 'update sluice.config_head set revision = 1');

    await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1), { timeout: 1000, interval: 5 });
  });

  it('a writer that the database asks to try again decides again and commits once', async () => {
    const store = await open();
    const rival = new Client(url);
    await rival.connect();
    closers.push(() => rival.end());
    await rival.query("set deadlock_timeout = '10s'");
    await rival.query('begin');
    await rival.query(`insert into sluice.services values ('a', 1, 1, '', now(), now())`);

    const decide = vi.fn<() => Change>(() => change([resource(Kind.SERVICE, 'a')]));
    const written = store.transact('test', decide);
    await vi.waitFor(async () => expect(await query(url, WAITING)).toHaveLength(1), { interval: 5 });
    await rival.query('select * from sluice.config_head for update');
    await rival.query('rollback');

    expect((await written).version.revision).toBe(1n);
    expect(decide).toHaveBeenCalledTimes(2);
    expect(await query(url, 'select count(*)::int as n from sluice.audit')).toEqual([{ n: 1 }]);
  });

  it('one that is behind by more than the history holds reads everything, and patches from there are null', async () => {
    const [writer, behind] = [await open(), await open()];
    await put(behind, 'a');
    for (let step = 0; step < 4; step++) await put(writer, `n${step}`);
    await query(url, 'delete from sluice.revisions where revision <= 3');

    expect(await behind.read()).toEqual(await writer.read());
    expect(await behind.patchesSince(1n)).toBeNull();
    expect(await behind.patchesSince(3n)).toHaveLength(2);
  });

  it('rows that were changed past Sluice are refused with a clear error', async () => {
    await put(await open(), 'a');
    await query(url, `update sluice.services set body = 'x'`);

    await expect((await open()).read()).rejects.toMatchObject({ code: code.internal, reason: 'STORE_DAMAGED' });
  });

  it('a restored database, known by its new lineage, is read anew even though its revision is lower', async () => {
    const store = await open();
    await put(store, 'a');
    const { version } = await put(store, 'b');
    await query(
      url,
      `update sluice.config_head set lineage = 'restored', (revision, chain, digest) =
         (select revision, chain, digest from sluice.revisions where revision = 1)`,
    );
    await query(url, `delete from sluice.services where name = 'b'`);
    await query(url, 'delete from sluice.revisions');

    const state = await store.read();

    expect(state.version).toMatchObject({ lineage: 'restored', revision: 1n });
    expect(state.resources.map((one) => one.name)).toEqual(['a']);
    expect(state.version.lineage).not.toBe(version.lineage);
  });
});

describe('when Postgres fails', () => {
  it('opening a store that cannot be reached fails within 3 s and says so', async () => {
    const began = performance.now();

    await expect(open(databaseUrl('postgres', 1))).rejects.toMatchObject({
      code: code.unavailable,
      reason: 'STORE_UNAVAILABLE',
    });

    expect(performance.now() - began).toBeLessThan(3000);
  });

  it.each([
    ['killed', () => server.kill(), () => server.restart()],
    ['paused', () => server.pause(), () => server.resume()],
  ])(
    '%s, reads and writes fail with UNAVAILABLE within 3 s, queued ones too, and work again after',
    async (_how, stop, start) => {
      const store = await open();
      const before = await put(store, 'a');
      await stop();
      const began = performance.now();

      const calls = [store.read(), ...['b', 'c', 'd'].map((name) => put(store, name)), store.history(null, 1)];
      const outcomes = await Promise.allSettled(calls);

      const elapsed = performance.now() - began;
      await start();
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ status: 'rejected', reason: { reason: 'STORE_UNAVAILABLE' } });
      expect(elapsed).toBeLessThan(3000);
      expect(store.reachable).toBe(false);
      await vi.waitFor(async () => expect(await store.read()).toBe(before), { timeout: 5000 });
      expect(store.reachable).toBe(true);
      expect((await put(store, 'b')).version.revision).toBe(2n);
    },
  );

  it('a connection cut during the commit leaves it open whether it was written, and the error says that', async () => {
    const proxy = await startProxy(server.port);
    const store = await open(databaseUrl(new URL(url).pathname.slice(1), proxy.port));
    await put(store, 'a');
    proxy.cutAfter('commit\0');

    const error = await put(store, 'b').then(
      () => undefined,
      (reason: unknown) => reason,
    );

    expect(error).toMatchObject({ code: code.unavailable, reason: 'STORE_UNAVAILABLE' });
    expect(String(error)).toContain('whether the change was written');
    await vi.waitFor(async () => expect((await store.read()).version.revision).toBe(2n));
  });
});

describe('leadership', () => {
  it('goes to one candidate, and to the next when that one resigns', async () => {
    const [a, b] = [await candidate(), await candidate()];
    const first = await leaderOf([a, b]);
    const second = first === a ? b : a;
    expect(second.events).toEqual([]);

    first.resign.abort();

    await vi.waitFor(() => expect(second.events).toEqual(['elected 2']), { timeout: 3000 });
    expect(first.events).toEqual(['elected 1']);
    await put(second.store, 'a');
    expect(await second.store.history(null, 1)).toMatchObject([{ epoch: 2n }]);
  });

  it('is won again within 3 s, with a higher epoch, when the connection that holds the lock is killed', async () => {
    const candidates = [await candidate(), await candidate()];
    await leaderOf(candidates);

    await query(url, `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'`);

    await vi.waitFor(() => expect(candidates.flatMap((one) => one.events)).toContain('elected 2'), { timeout: 3000 });
    // The old leader either won again itself, or hears that it did not.
    await vi.waitFor(() => expect(candidates.filter((one) => one.leads)).toHaveLength(1), { timeout: 3000 });
  });

  it('goes to another within 3 s when the leader is cut off, who finds itself deposed when it is back', async () => {
    const proxy = await startProxy(server.port);
    const cutOff = await candidate(databaseUrl(new URL(url).pathname.slice(1), proxy.port));
    await leaderOf([cutOff]);
    const other = await candidate();
    proxy.freeze();

    await vi.waitFor(() => expect(other.events).toEqual(['elected 2']), { timeout: 3000, interval: 10 });
    expect(cutOff.events).toEqual(['elected 1']);
    proxy.thaw();

    await vi.waitFor(() => expect(cutOff.events).toEqual(['elected 1', 'deposed']), { timeout: 5000 });
    expect(other.events).toEqual(['elected 2']);
  });

  it('ends when a newer epoch has begun, whoever holds the lock', async () => {
    const one = await candidate();
    await leaderOf([one]);

    await query(url, 'update sluice.leader set epoch = 10');

    await vi.waitFor(() => expect(one.events).toEqual(['elected 1', 'deposed', 'elected 11']), { timeout: 3000 });
  });

  it('lasts while Postgres is away, and is won anew with a higher epoch when it is back', async () => {
    const one = await candidate();
    await leaderOf([one]);

    await server.kill();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(one.events).toEqual(['elected 1']);
    await server.restart();

    await vi.waitFor(() => expect(one.events).toEqual(['elected 1', 'elected 2']), { timeout: 5000 });
  });
});

const LISTENERS = `select pid from pg_stat_activity where datname = current_database() and query like 'listen %'`;
const WAITING = `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;

interface Candidate extends LeaderObserver {
  readonly store: Store;
  readonly events: readonly string[];
  readonly resign: AbortController;
  readonly leads: boolean;
}

async function candidate(at = url): Promise<Candidate> {
  const store = await open(at);
  const events: string[] = [];
  const resign = new AbortController();
  const one: Candidate = {
    store,
    events,
    resign,
    get leads() {
      return events.at(-1)?.startsWith('elected') === true;
    },
    elected: (epoch) => void events.push(`elected ${epoch}`),
    deposed: () => void events.push('deposed'),
  };
  store.campaign(randomUUID(), one, resign.signal);
  return one;
}

async function leaderOf(candidates: readonly Candidate[]): Promise<Candidate> {
  return vi.waitFor(() => {
    const found = candidates.find((one) => one.leads);
    if (found === undefined) throw new Error('nobody was elected');
    return found;
  });
}

function databaseUrl(name: string, port: number): string {
  const at = new URL(server.url);
  at.pathname = `/${name}`;
  at.port = String(port);
  return at.href;
}

async function query(at: string, text: string): Promise<unknown[]> {
  const client = new Client(at);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

interface Proxy {
  readonly port: number;
  /** Cuts the connection that next sends `word`, after the server got it. */
  cutAfter(word: string): void;
  /** Keeps connections open and passes nothing on, in either direction. */
  freeze(): void;
  thaw(): void;
}

async function startProxy(to: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let frozen = false;
  let fatal: string | undefined;
  const proxy = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    for (const [from, into] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      if (frozen) from.pause();
      from.on('error', () => into.destroy());
      from.on('close', () => into.destroy() && sockets.delete(from));
      from.on('data', (data) => {
        into.write(data);
        if (from !== client || fatal === undefined || !data.includes(fatal)) return;
        fatal = undefined;
        // Nothing comes back any more; what was sent still arrives.
        upstream.removeAllListeners('data').resume().end();
        client.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
    await once(proxy, 'close');
  });
  return {
    port: (proxy.address() as AddressInfo).port,
    cutAfter: (word) => void (fatal = word),
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
  };
}
