import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import Consul from 'consul';
import { connect as connectNats, StringCodec } from 'nats';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import {
  findBinary,
  startConsul,
  startHaproxy,
  startNats,
  startPostgres,
  useOrStartConsul,
  useOrStartNats,
  useOrStartPostgres,
} from '../../deploy/servers/servers.js';

import type { AddressInfo } from 'node:net';
import type { RunningServer, ServerName } from '../../deploy/servers/servers.js';

const started: RunningServer[] = [];
let temp = '';

// So that no test's time limit holds a download.
beforeAll(async () => {
  const names: readonly ServerName[] = ['postgres', 'nats-server', 'consul', 'haproxy'];
  await Promise.all(names.map((name) => findBinary(name)));
}, 300_000);

// A temporary folder of our own shows what is left in it; Postgres, as another user, must be able to reach it.
beforeAll(async () => {
  temp = await mkdtemp(join(tmpdir(), 'servers-test-'));
  await chmod(temp, 0o755);
  process.env['TMPDIR'] = temp;
});
afterAll(async () => {
  delete process.env['TMPDIR'];
  await rm(temp, { recursive: true });
});

async function keep(starting: Promise<RunningServer>): Promise<RunningServer> {
  const server = await starting;
  started.push(server);
  console.log(`${server.name} ${server.version} on ${server.url}`);
  return server;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
  await expectNothingLeft();
});

describe('PostgreSQL', () => {
  it('answers queries, and keeps its data when restarted, also after a kill', async () => {
    const server = await keep(startPostgres());
    await query(server.url, 'create table kept (value text)');
    await query(server.url, "insert into kept values ('before')");
    const firstPid = server.pid;

    await server.restart();
    await query(server.url, "insert into kept values ('between')");
    await server.kill();
    await server.restart();

    expect(await query(server.url, 'select value from kept')).toEqual([{ value: 'before' }, { value: 'between' }]);
    expect(server.pid).not.toBe(firstPid);
    await expectGoneAfterStop(server);
  });

  it('keeps a data folder it was given beyond stop', async () => {
    const dataDir = join(temp, 'kept');
    const first = await keep(startPostgres({ dataDir }));
    await query(first.url, 'create table kept (value text)');
    await first.stop();

    const second = await keep(startPostgres({ dataDir }));

    expect(await query(second.url, 'select count(*)::int as rows from kept')).toEqual([{ rows: 0 }]);
    await second.stop();
    await rm(dataDir, { recursive: true });
  });
});

describe('NATS', () => {
  it('carries messages, also after a restart', async () => {
    const server = await keep(startNats());

    expect(await roundTrip(server.url)).toBe('hello');
    await server.restart();
    expect(await roundTrip(server.url)).toBe('hello');

    await expectGoneAfterStop(server);
  });

  it('freezes while paused and goes on when resumed', async () => {
    const server = await keep(startNats());

    await server.pause();
    await expect(roundTrip(server.url)).rejects.toThrow('TIMEOUT');
    await server.resume();

    expect(await roundTrip(server.url)).toBe('hello');
    await server.pause();
    await expectGoneAfterStop(server);
  });
});

describe('Consul', () => {
  it('keeps keys and services with health, and is empty after a restart', async () => {
    const server = await keep(startConsul());
    const consul = new Consul({ host: '127.0.0.1', port: server.port });

    await consul.kv.set('greeting', 'hello');
    await consul.agent.service.register({ name: 'echo', address: '127.0.0.1', port: 7 });

    expect((await consul.kv.get('greeting'))?.Value).toBe('hello');
    const healthy: { Service: { Port: number } }[] = await consul.health.service({ service: 'echo', passing: true });
    expect(healthy.map((entry) => entry.Service.Port)).toEqual([7]);

    await server.restart();

    expect(await consul.kv.get('greeting')).toBeFalsy();
    await expectGoneAfterStop(server);
  });
});

describe('HAProxy', () => {
  const upstream = createServer((_, response) => response.end('from upstream'));

  beforeAll(async () => {
    await once(upstream.listen(0, '127.0.0.1'), 'listening');
  });
  afterAll(() => {
    upstream.closeAllConnections();
    upstream.close();
  });

  it('forwards requests, also after a restart', async () => {
    const { port: target } = upstream.address() as AddressInfo;
    const server = await keep(startHaproxy({ config: (port) => forwardTo(port, target) }));

    expect(await (await fetch(server.url)).text()).toBe('from upstream');
    await server.restart();
    expect(await (await fetch(server.url)).text()).toBe('from upstream');

    await expectGoneAfterStop(server);
  });

  it('says what its configuration lacks', async () => {
    const starting = startHaproxy({ config: () => 'nonsense' });

    await expect(starting).rejects.toThrow(/haproxy ended at once; its last lines:[^]*nonsense/);
  });
});

describe('a server given by URL', () => {
  it('is used, and cannot be killed or restarted', async () => {
    const own = await Promise.all([keep(startPostgres()), keep(startNats()), keep(startConsul())]);
    const [postgresUrl, natsUrl, consulUrl] = own.map((server) => server.url);
    const env = {
      DATABASE_URL: postgresUrl,
      NATS_URL: natsUrl?.replace('nats://', ''),
      CONSUL_HTTP_ADDR: consulUrl?.replace('http://', ''),
    };

    const given = await Promise.all([useOrStartPostgres({ env }), useOrStartNats({ env }), useOrStartConsul({ env })]);

    expect(given.map((server) => [server.url, server.version])).toEqual(
      own.map((server) => [server.url, server.version]),
    );
    for (const server of given) {
      await expect(server.restart()).rejects.toThrow(`cannot restart ${server.name}: it was given by URL`);
      await expect(server.kill()).rejects.toThrow('cannot kill');
      await server.stop();
    }
    expect(own.map((server) => server.pid)).not.toContain(undefined);
  });
});

describe('a server that cannot be had', () => {
  it.each<[ServerName, string]>([
    ['postgres', 'apt-get install postgresql, or set DATABASE_URL'],
    ['nats-server', 'apt-get install nats-server, or set NATS_URL'],
    ['consul', 'put Consul 1.8 or later on PATH, or set CONSUL_HTTP_ADDR'],
    ['haproxy', 'apt-get install haproxy, or set SLUICE_HAPROXY_BIN'],
  ])('%s: the error says what is missing, why, and how to get it', async (name, remedy) => {
    const cacheDir = join(temp, 'cache');
    const env = { PATH: '' };

    const finding = findBinary(name, { env, cacheDir, aptGet: '/broken/apt-get', postgresDir: '/broken' });

    await expect(finding).rejects.toThrow(
      new RegExp(`^${name} is not on PATH and could not be downloaded \\([^)]+: not found\\): ${remedy}$`),
    );
    expect(await readdir(cacheDir)).toEqual(['.gitignore']);
    await rm(cacheDir, { recursive: true });
  });

  it('an explicit path that does not run is named, not passed over', async () => {
    const env = { ...process.env, SLUICE_CONSUL_BIN: '/broken/consul' };

    await expect(findBinary('consul', { env })).rejects.toThrow(
      'SLUICE_CONSUL_BIN names /broken/consul, which is not an executable file',
    );
  });
});

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function roundTrip(url: string): Promise<string> {
  const connection = await connectNats({ servers: url, timeout: 500, reconnect: false });
  const codec = StringCodec();
  const subscription = connection.subscribe('greeting', { max: 1 });
  connection.publish('greeting', codec.encode('hello'));
  const received = await subscription[Symbol.asyncIterator]().next();
  await connection.close();
  return codec.decode((received.value as { data: Uint8Array }).data);
}

function forwardTo(port: number, target: number): string {
  return [
    'defaults',
    '  mode http',
    '  timeout connect 1s',
    '  timeout client 5s',
    '  timeout server 5s',
    'listen web',
    `  bind 127.0.0.1:${port}`,
    `  server upstream 127.0.0.1:${target}`,
  ].join('\n');
}

async function expectGoneAfterStop(server: RunningServer): Promise<void> {
  const pid = server.pid ?? 0;

  await server.stop();

  expect(pid).toBeGreaterThan(0);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  await expect(dial(server.port)).rejects.toThrow('ECONNREFUSED');
  await expectNothingLeft();
}

async function expectNothingLeft(): Promise<void> {
  expect(await readdir(temp)).toEqual([]);
}

async function dial(port: number): Promise<void> {
  const socket = connectSocket(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
