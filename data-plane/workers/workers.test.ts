import { create } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  EndpointSetSchema,
  Kind,
  ResourceSchema,
  type EndpointSet,
  type Resource,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { DataPlaneConfig } from '../config.js';
import { FakeProcess, type BadConfigs } from './fixture.js';
import { RestartPace } from './restart-pace.js';
import { Roster } from './roster.js';
import { WorkersServing } from './workers.js';

const config: DataPlaneConfig = {
  nodeId: 'node',
  cluster: 'test',
  host: '127.0.0.1',
  httpPort: 8080,
  tlsPort: 8443,
  tlsCert: '',
  tlsKey: '',
  workers: 3,
  opsHost: '127.0.0.1',
  opsPort: 0,
  natsUrl: '',
  stateDir: '',
  trustedIps: [],
  proxyProtocolFrom: [],
  latencyHeaders: true,
  drainGraceMs: 0,
  drainDeadlineMs: 1_000,
};

const configOf = (...names: string[]): Resource[] =>
  names.map((name) => create(ResourceSchema, { kind: Kind.ROUTE, name, body: new Uint8Array([1]) }));
const endpointsOf = (service: string): EndpointSet => create(EndpointSetSchema, { service });

describe('workers', () => {
  let processes: FakeProcess[];
  let notes: string[];
  let logged: string[];
  let bad: BadConfigs;
  let workers: WorkersServing;

  beforeEach(() => {
    [processes, notes, logged, bad] = [[], [], [], new Map()];
    const log = { info: note, warn: note };
    const tls = { ticketKeys: new Uint8Array(48), fallback: null };
    workers = new WorkersServing(config, { log, tls, registryIsSilent: () => false }, (events) => {
      const made = new FakeProcess(processes.length + 1, events, notes, bad);
      processes.push(made);
      return made;
    });
  });

  afterEach(() => workers.destroy());

  const note = (message: string): void => void logged.push(message);
  const living = (): FakeProcess[] => processes.filter(({ serving }) => serving.listening);
  const states = (): string =>
    workers.debug
      .workers()
      .map(({ state }) => state)
      .join();
  const allServe = (): Promise<void> => until(() => states() === 'serving,serving,serving');
  const running = (): string[] => living().map(({ serving }) => serving.names.join());
  const until = async (check: () => boolean): Promise<void> => {
    const deadline = performance.now() + 2_000;
    while (!check() && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve));
    expect(check()).toBe(true);
  };
  const process = (pid: number): FakeProcess => processes[pid - 1] as FakeProcess;

  it('listen, all of them, and are ready as soon as there is a config', async () => {
    expect(await workers.listen()).toEqual({ http: 8080, tls: 8443 });
    expect(living()).toHaveLength(3);
    expect(workers.ready).toBe(false);

    await workers.applyConfig(configOf('one'));

    expect(workers.ready).toBe(true);
    expect(running()).toEqual(['one', 'one', 'one']);
  });

  it('commit a config when all have compiled it, one before the others', async () => {
    await workers.listen();
    notes.length = 0;

    await workers.applyConfig(configOf('one', 'two'));

    expect(notes).toEqual([
      ...[1, 2, 3].map((pid) => `worker ${pid} prepares one,two`),
      ...[1, 2, 3].map((pid) => `worker ${pid} runs one,two`),
    ]);
  });

  it('refuse a config of which the first says what is wrong without asking the others', async () => {
    await workers.listen();
    await workers.applyConfig(configOf('one'));
    bad.set('two', 'refused');
    notes.length = 0;

    const problem = { kind: Kind.ROUTE, name: 'two', field: 'paths[0]', reason: 'cannot be run' };
    await expect(workers.applyConfig(configOf('one', 'two'))).rejects.toMatchObject({ problem });

    expect(notes).toEqual(['worker 1 prepares one,two']);
    expect(running()).toEqual(['one', 'one', 'one']);
  });

  it('run none of them what one alone refuses', async () => {
    await workers.listen();
    await workers.applyConfig(configOf('one'));
    bad.set('worker 3 two', 'refused');

    await expect(workers.applyConfig(configOf('two'))).rejects.toMatchObject({ problem: { name: 'two' } });
    expect(running()).toEqual(['one', 'one', 'one']);

    bad.clear();
    await workers.applyConfig(configOf('two'));
    expect(running()).toEqual(['two', 'two', 'two']);
  });

  it('take a config over the death of one that compiles it', async () => {
    await workers.listen();
    bad.set('worker 1 one', 'deadly');

    await workers.applyConfig(configOf('one'));
    await allServe();

    expect(running()).toEqual(['one', 'one', 'one']);
    expect(logged).toContain('a worker has ended and is replaced');
  });

  it('refuse a config that has killed two, and those that replace them run the one before', async () => {
    await workers.listen();
    await workers.applyConfig(configOf('one'));
    bad.set('two', 'deadly');

    await expect(workers.applyConfig(configOf('two'))).rejects.toThrow('2 workers ended while they compiled it');

    expect(running()).toContain('one');
    await allServe();
    expect(running()).toEqual(['one', 'one', 'one']);
  });

  it('count a config as applied when who joined in the midst of the change runs it, too', async () => {
    await workers.listen();
    await workers.applyConfig(configOf('one'));
    process(2).end('SIGKILL');

    const done = workers.applyConfig(configOf('two'));
    await until(() => processes.length === 4);
    await done;
    await allServe();

    expect(running()).toEqual(['two', 'two', 'two']);
  });

  it('kill and replace one that cannot run what the others run', async () => {
    await workers.listen();
    await workers.applyConfig(configOf('one'));
    bad.set('worker 4 one', 'refused');

    process(2).end('SIGKILL');
    await until(() => processes.length === 5);
    await allServe();

    expect(process(4).serving.listening).toBe(false);
    expect(logged).toContain('a worker cannot serve');
    expect(running()).toEqual(['one', 'one', 'one']);
  });

  it('wait with a config while there is no worker', async () => {
    await workers.listen();
    for (const each of processes.slice()) each.end('SIGKILL');
    await until(() => !states().includes('serving'));

    await workers.applyConfig(configOf('one'));
    await allServe();

    expect(running()).toEqual(['one', 'one', 'one']);
  });

  it('get changes of endpoints also while a config is compiled', async () => {
    await workers.listen();
    workers.applyEndpoints([endpointsOf('a'), endpointsOf('b')], []);
    const applying = workers.applyConfig(configOf('one'));
    workers.applyEndpoints([endpointsOf('c')], ['a']);
    await applying;

    for (const { serving } of living()) expect([...serving.endpoints.keys()]).toEqual(['b', 'c']);
  });

  it('that replace others know all that those knew before they listen', async () => {
    await workers.listen();
    workers.applyEndpoints([endpointsOf('a'), endpointsOf('b')], []);
    workers.applyEndpoints([], ['a']);
    await workers.applyConfig(configOf('one'));

    process(1).end('SIGKILL');
    await until(() => processes.length === 4);
    await allServe();

    expect([...process(4).serving.endpoints.keys()]).toEqual(['b']);
    expect(notes.slice(-3)).toEqual(['prepares one', 'runs one', 'listens'].map((text) => `worker 4 ${text}`));
  });

  it('do not start when one of them cannot listen', async () => {
    bad.set('listen', 'refused');

    await expect(workers.listen()).rejects.toThrow('EADDRINUSE');

    expect(workers.debug.workers()).toEqual([]);
    expect(processes).toHaveLength(3);
  });

  it('are counted together, those that have died with what they had reported', async () => {
    await workers.listen();
    await workers.applyConfig(configOf('orders'));
    const count = async (): Promise<string> => (await workers.metrics()).render(workers.gauges);
    const answered = { status: 200, durationMs: 1, bytesReceived: 0, bytesSent: 1, error: null };
    for (const { serving } of processes) serving.counted.route('orders').record(answered);

    expect(await count()).toContain('sluice_requests_total{route="orders",status="2xx"} 3');
    process(1).end('SIGKILL');
    await until(() => processes.length === 4);
    await allServe();
    process(4).serving.counted.route('orders').record(answered);

    expect(await count()).toContain('sluice_requests_total{route="orders",status="2xx"} 4');
    expect(await count()).toContain('sluice_workers 3');
    expect(await count()).toContain('sluice_workers_replaced_total 1');
    expect(await count()).toContain('sluice_connections 3');
  });

  it('have one of them describe the API, and describe none without one', async () => {
    const request = { host: 'api.example', version: '3.1', revision: 1n } as const;
    expect(await workers.openApi(request)).toMatchObject({ status: 404 });

    await workers.listen();
    await workers.applyConfig(configOf('books'));

    expect(await workers.openApi(request)).toEqual({ status: 200, text: '{"host":"api.example","routes":["books"]}' });
  });

  it('show the endpoints of each, by its number', async () => {
    await workers.listen();
    workers.applyEndpoints([endpointsOf('a')], []);

    expect(await workers.debug.endpoints()).toEqual({ 1: ['a'], 2: ['a'], 3: ['a'] });
    expect(workers.debug.workers()).toMatchObject(
      [1, 2, 3].map((number) => ({ number, pid: number, state: 'serving' })),
    );
  });

  it('tell each other what a probe has shown, and not the one that sent it', async () => {
    await workers.listen();
    notes.length = 0;

    process(2).tell({ kind: 'probe', news: { service: 'orders', endpoint: 'e1', stage: 'failed' } });
    await until(() => notes.length === 2);

    expect(notes).toEqual([1, 3].map((pid) => `worker ${pid} hears that a probe of orders e1 was failed`));
  });

  it('retire together, finish together, and nobody is replaced then', async () => {
    await workers.listen();
    workers.retire();
    notes.length = 0;

    for (const { stop } of workers.stopSteps) await stop();

    expect(notes.toSorted()).toEqual([1, 2, 3].flatMap((pid) => [`worker ${pid} finishes`, `worker ${pid} retires`]));
    expect(workers.debug.workers()).toEqual([]);
    expect(processes).toHaveLength(3);
  });

  it('do not keep a stop waiting for a config that no worker is there for', async () => {
    await workers.listen();
    for (const each of processes.slice()) each.end('SIGKILL');
    await until(() => !states().includes('serving'));
    const applying = workers.applyConfig(configOf('one'));

    workers.destroy();

    await applying;
    expect(workers.ready).toBe(false);
  });
});

describe('a worker', () => {
  const observer = { reported: () => undefined, probed: () => undefined, logged: () => undefined };
  const log = { info: () => undefined, warn: () => undefined };

  it('is killed when it says nothing for thirty looks', async () => {
    const killed: number[] = [];
    const fork = () => ({ pid: 1, send: () => undefined, release: () => undefined, kill: () => void killed.push(1) });
    const roster = new Roster({ count: 1, fork, observer, log, join: async () => undefined });
    await roster.start();

    for (let look = 0; look < 30; look++) roster.look();
    expect(killed).toEqual([]);
    roster.look();

    expect(killed).toEqual([1]);
    roster.close();
  });

  it.each([
    { livedMs: [60_000], pauseMs: [0] },
    { livedMs: [10, 10, 10, 10], pauseMs: [0, 100, 200, 400] },
    { livedMs: [10, 10, 60_000, 10], pauseMs: [0, 100, 0, 0] },
    {
      livedMs: Array.from({ length: 10 }, () => 10),
      pauseMs: [0, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000],
    },
  ])('that lived $livedMs ms is started again after $pauseMs ms', ({ livedMs, pauseMs }) => {
    const pace = new RestartPace();

    expect(livedMs.map((ms) => pace.pauseMs(ms))).toEqual(pauseMs);
  });
});
