import { create } from '@bufbuild/protobuf';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { createConsulRegistry } from '../../control-plane/registry/consul/consul.js';
import { createRegistry } from '../../control-plane/registry/registry.js';
import { createStaticRegistry } from '../../control-plane/registry/static.js';
import { startConsul } from '../../deploy/servers/servers.js';
import { DiscoverySchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { SourceState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { ConsulAgent } from '../feature/consul-agent.js';
import { Recorder } from './registry.recorder.js';

import type { Registry, WantedService } from '../../control-plane/registry/registry.js';
import type { RunningServer } from '../../deploy/servers/servers.js';
import type { Discovery } from '../../proto/gen/sluice/v1/config_pb.js';

interface Instance {
  readonly port: number;
  readonly weight: number;
  readonly tags: readonly string[];
}

interface Adapter {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  make(): Registry;
  /** A discovery that finds exactly these; another one at each call. */
  place(instances: readonly Instance[]): Promise<Discovery>;
  /** A discovery that the adapter does not understand. */
  readonly foreign: Discovery;
}

const two: readonly Instance[] = [
  { port: 9002, weight: 1, tags: ['v2'] },
  { port: 9001, weight: 3, tags: ['v1', 'blue'] },
];
const one: readonly Instance[] = [{ port: 9003, weight: 5, tags: [] }];

const foreignToConsul = create(DiscoverySchema, { source: { case: 'static', value: {} } });
const foreignToStatic = create(DiscoverySchema, { source: { case: 'consul', value: { service: 'other' } } });

const staticAdapter: Adapter = {
  name: 'static',
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  make: createStaticRegistry,
  place: (instances) => Promise.resolve(staticDiscovery(instances)),
  foreign: foreignToStatic,
};

function consulAdapter(name: string, make: (address: string) => Registry, foreign: Discovery): Adapter {
  let server: RunningServer;
  let placed = 0;
  return {
    name,
    start: async () => {
      server = await startConsul();
    },
    stop: () => server.stop(),
    make: () => make(server.url),
    place: async (instances) => {
      placed += 1;
      const service = `placed-${placed}`;
      for (const { port, weight, tags } of instances) {
        await new ConsulAgent(server.url).register({
          ID: `${service}-${port}`,
          Name: service,
          Address: '127.0.0.1',
          Port: port,
          Tags: tags,
          Weights: { Passing: weight, Warning: 1 },
        });
      }
      return create(DiscoverySchema, { source: { case: 'consul', value: { service } } });
    },
    foreign,
  };
}

const silentLog = { info: () => undefined, warn: () => undefined };

describe.each([
  staticAdapter,
  consulAdapter(
    'consul',
    (address) => createConsulRegistry({ address, token: '', caPem: '', datacenter: '', report: () => undefined }),
    foreignToConsul,
  ),
  consulAdapter(
    'consul, with more services than blocking queries',
    (address) =>
      createConsulRegistry({ address, token: '', caPem: '', datacenter: '', report: () => undefined, maxBlocking: 0 }),
    foreignToConsul,
  ),
  consulAdapter(
    'of a control plane, over Consul',
    (address) => createRegistry({ address, token: '', caFile: '' }, silentLog),
    create(DiscoverySchema),
  ),
])('the registry $name', (adapter) => {
  let registry: Registry;
  let heard: Recorder;

  beforeAll(() => adapter.start());
  afterAll(() => adapter.stop());
  beforeEach(() => {
    registry = adapter.make();
    heard = Recorder.of(registry);
  });
  afterEach(() => registry.close());

  async function wantAndHear(...services: readonly WantedService[]): Promise<void> {
    const before = new Map(services.map(({ service }) => [service, heard.count(service)]));
    registry.want(services);
    await heard.until(() => services.every(({ service }) => heard.count(service) > (before.get(service) ?? 0)));
  }

  it('reports the complete set of a wanted service, sorted by unique ids', async () => {
    await wantAndHear({ service: 'a', discovery: await adapter.place(two) });

    const endpoints = heard.last('a') ?? [];
    const ids = endpoints.map(({ id }) => id);
    expect(endpoints.map(({ address, port, weight, tags }) => ({ address, port, weight, tags }))).toEqual([
      { address: '127.0.0.1', port: 9001, weight: 3, tags: ['v1', 'blue'] },
      { address: '127.0.0.1', port: 9002, weight: 1, tags: ['v2'] },
    ]);
    expect(ids).toEqual([...new Set(ids)].toSorted());
  });

  it('reports the empty list of a service that has no endpoints', async () => {
    await wantAndHear({ service: 'a', discovery: await adapter.place([]) });

    expect(heard.last('a')).toEqual([]);
  });

  it('reports each of the services that share one discovery', async () => {
    const discovery = await adapter.place(two);

    await wantAndHear({ service: 'a', discovery }, { service: 'b', discovery });

    expect(heard.last('b')).toEqual(heard.last('a'));
    expect(heard.last('b')).toHaveLength(2);
  });

  it('says nothing more when the same is wanted again', async () => {
    const wanted = [{ service: 'a', discovery: await adapter.place(two) }];
    await wantAndHear(...wanted);

    registry.want(wanted);
    registry.want([...wanted, { service: 'b', discovery: await adapter.place(one) }]);
    await heard.until(() => heard.count('b') > 0);

    expect(heard.count('a')).toBe(1);
  });

  it('reports anew when the discovery is another one', async () => {
    await wantAndHear({ service: 'a', discovery: await adapter.place(two) });

    await wantAndHear({ service: 'a', discovery: await adapter.place(one) });

    expect(heard.last('a')?.map(({ port }) => port)).toEqual([9003]);
  });

  it('forgets a service that is not wanted, and reports it as new when it is again', async () => {
    const wanted = { service: 'a', discovery: await adapter.place(two) };
    await wantAndHear(wanted);

    registry.want([]);
    await wantAndHear(wanted);

    expect(heard.count('a')).toBe(2);
    expect(heard.last('a')).toHaveLength(2);
  });

  it('leaves alone what other adapters understand', async () => {
    registry.want([{ service: 'foreign', discovery: adapter.foreign }]);
    await wantAndHear(
      { service: 'a', discovery: await adapter.place(one) },
      { service: 'foreign-too', discovery: await adapter.place(one) },
    );

    expect(heard.count('foreign')).toBe(0);
  });

  it('is up while nothing is wanted, and once all is answered', async () => {
    expect(registry.status()).toEqual({ state: SourceState.UP, staleMs: 0 });

    await wantAndHear({ service: 'a', discovery: await adapter.place(two) });

    await heard.until(() => registry.status().state === SourceState.UP);
    expect(registry.status()).toEqual({ state: SourceState.UP, staleMs: 0 });
  });

  it('is silent once closed, at once and for good, and may be closed twice', async () => {
    const discovery = await adapter.place(two);
    registry.want([{ service: 'a', discovery }]);
    const before = heard.reports.length;

    const closing = registry.close();
    await adapter.place(one);
    await closing;
    await registry.close();

    expect(heard.reports).toHaveLength(before);
  });
});

function staticDiscovery(instances: readonly Instance[]): Discovery {
  const endpoints = instances.map(({ port, weight, tags }) => ({
    address: '127.0.0.1',
    port,
    weight,
    tags: [...tags],
  }));
  return create(DiscoverySchema, { source: { case: 'static', value: { endpoints } } });
}
