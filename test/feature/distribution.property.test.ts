import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { MemoryBroker } from '../../proto/bus/memory.js';
import { NodePhase } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { digestState } from '../../proto/snapshot/snapshot.js';
import {
  endpoint,
  put,
  remove,
  routeResource,
  serviceResource,
  startNode,
  startReplica,
} from '../support/distribution.js';
import { FakeDatabase } from '../support/fake-store.js';
import { FakeRegistry } from '../support/fake-registry.js';
import { FaultyBus } from '../support/faulty-bus.js';

import type { Replica } from '../support/distribution.js';

const quiet = { info: () => undefined, warn: () => undefined };
const services = ['s0', 's1', 's2'];

const event = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('put' as const), name: fc.nat(5), bytes: fc.constantFrom(10, 100_000) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), name: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('endpoints' as const), service: fc.nat(2), count: fc.nat(4) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pause' as const), ms: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('newLeader' as const) }) },
);

type Event = typeof event extends fc.Arbitrary<infer E> ? E : never;

/** The run of one history: two replicas, two nodes whose buses lose, double and reorder what they hear. */
async function run(events: readonly Event[], seed: number): Promise<void> {
  const random = seeded(seed);
  const broker = new MemoryBroker(quiet);
  const database = new FakeDatabase();
  const registry = new FakeRegistry();
  const faults = { drop: 0.25, duplicate: 0.15, delay: 0.25, failRequest: 0.2 };
  const buses = ['n1', 'n2'].map(() => new FaultyBus(broker.connect(), faults, random));
  const timings = { beaconMs: 20, firstAnswerMs: 50, endpointAddition: { quietMs: 5, ceilingMs: 20 } };
  const start = (id: string): Replica => startReplica(id, broker.connect(), database, registry, timings);
  let replicas: readonly [Replica, Replica] = [start('a'), start('b')];
  for (const service of services) registry.answer(service, [endpoint('e0')]);
  const initial = database.state.version;
  await put(replicas[0].store, ...services.map(serviceResource));
  const follow = { heartbeatMs: 20, repairBaseMs: 5, repairCapMs: 30, requestTimeoutMs: 50, firstEndpointsMs: 50 };
  const nodes = await Promise.all(buses.map((bus, i) => startNode(`n${i + 1}`, bus, undefined, follow)));
  const committed = (digest: string): boolean =>
    [initial, ...database.revisions.map(({ version }) => version)].some(
      (version) => Buffer.from(version.digest).toString('hex') === digest,
    );
  const problems: string[] = [];
  for (const node of nodes) {
    let last = 0n;
    node.runtime.changed = () => {
      if (node.runtime.resources !== null && !committed(node.runtime.digest))
        problems.push('a state ran that was never committed');
      const revision = node.follower.status.config?.revision ?? 0n;
      if (revision < last) problems.push('a revision came back');
      last = revision;
    };
  }

  for (const [index, happening] of events.entries()) {
    const { store } = index % 2 === 0 ? replicas[0] : replicas[1];
    switch (happening.kind) {
      case 'put':
        await put(store, routeResource(`r${happening.name}`, happening.bytes));
        break;
      case 'delete':
        await remove(store, routeResource(`r${happening.name}`));
        break;
      case 'endpoints':
        registry.answer(
          `s${happening.service}`,
          Array.from({ length: happening.count }, (_, i) => endpoint(`e${i}-${index}`)),
        );
        break;
      case 'pause':
        await new Promise((resolve) => setTimeout(resolve, happening.ms));
        break;
      case 'newLeader':
        await replicas[0].sync.close();
        replicas = [replicas[1], start(`later-${index}`)];
        break;
    }
  }
  for (const bus of buses) bus.calm();

  const head = Buffer.from(digestState(database.state.resources)).toString('hex');
  const soon = { timeout: 4_000, interval: 5 };
  for (const node of nodes) {
    await expect.poll(() => node.runtime.digest, soon).toBe(head);
    await expect
      .poll(() => services.map((service) => node.runtime.ids(service)), soon)
      .toEqual(services.map((service) => replicas[0].sync.endpoints.endpoints(service)?.endpoints.map(({ id }) => id)));
    await expect.poll(() => node.follower.status.phase, soon).toBe(NodePhase.LIVE);
  }
  expect(problems).toEqual([]);
  for (const { sync } of replicas) {
    await expect
      .poll(() => sync.nodes.nodes().map(({ status }) => status.config?.revision), soon)
      .toEqual(nodes.map(() => database.state.version.revision));
  }
  await Promise.all(nodes.map((node) => node.follower.close()));
  await Promise.all(replicas.map(({ sync }) => sync.close()));
}

function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('whatever is lost, doubled or reordered, all nodes end with the state of the database and the registry', async () => {
  await fc.assert(fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 40 }), fc.integer(), run), {
    numRuns: Number(process.env['DISTRIBUTION_RUNS'] ?? 12),
    endOnFailure: true,
  });
}, 60_000);
