import { create, toBinary } from '@bufbuild/protobuf';

import { createSync, tellingCommits } from '../../control-plane/sync/sync.js';
import { createFollower } from '../../data-plane/follow/follow.js';
import { subjectsOf } from '../../proto/bus/bus.js';
import { RouteSchema, ServiceSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { EndpointSchema, EndpointState, Kind, ResourceKeySchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { digestState } from '../../proto/snapshot/snapshot.js';

import type { Store } from '../../control-plane/store/store.js';
import type { Sync, SyncTimings } from '../../control-plane/sync/sync.js';
import type { Follower, FollowTimings, LastGoodStore, NodeRuntime } from '../../data-plane/follow/follow.js';
import type { Bus } from '../../proto/bus/bus.js';
import type { Endpoint, EndpointSet, LastGood, Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { FakeDatabase } from './fake-store.js';
import type { FakeRegistry } from './fake-registry.js';

/** The parts of a cluster around the bus: replicas of sync over one database and registry, and nodes that note what they are given. */
export const subjects = subjectsOf('test');

export interface Line {
  readonly text: string;
  readonly fields: Record<string, unknown>;
}

export class NotedLog {
  readonly lines: Line[] = [];
  readonly info = (text: string, fields: Record<string, unknown> = {}): void => void this.lines.push({ text, fields });
  readonly warn = this.info;
  readonly error = this.info;
}

export interface Replica {
  readonly sync: Sync;
  readonly store: Store;
  readonly log: NotedLog;
}

export function startReplica(
  id: string,
  bus: Bus,
  database: FakeDatabase,
  registry: FakeRegistry,
  timings: Partial<SyncTimings> = {},
): Replica {
  const own = database.connect();
  const log = new NotedLog();
  const sync = createSync({ store: own, registry: registry.connect(), bus, subjects, replicaId: id, log, timings });
  sync.start();
  return { sync, store: tellingCommits(own, (revision) => sync.committed(revision)), log };
}

/** A runtime that notes what it is given, and refuses a config with a resource named `refused`. */
export class NotedRuntime implements NodeRuntime {
  resources: readonly Resource[] | null = null;
  readonly endpoints = new Map<string, EndpointSet>();
  configs = 0;
  /** Called after each change. */
  changed: () => void = () => undefined;

  applyConfig(resources: readonly Resource[]): void {
    const bad = resources.find(({ name }) => name === 'refused');
    if (bad !== undefined) {
      throw Object.assign(new Error('refused'), {
        problem: { kind: bad.kind, name: bad.name, field: 'paths[0]', reason: 'no node of this version can run it' },
      });
    }
    this.resources = resources;
    this.configs++;
    this.changed();
  }

  applyEndpoints(changed: readonly EndpointSet[], removed: readonly string[]): void {
    for (const service of removed) this.endpoints.delete(service);
    for (const set of changed) this.endpoints.set(set.service, set);
    this.changed();
  }

  get names(): string[] {
    return (this.resources ?? []).map(({ name }) => name);
  }

  get digest(): string {
    return this.resources === null ? '' : Buffer.from(digestState(this.resources)).toString('hex');
  }

  ids(service: string): string[] | null {
    return this.endpoints.get(service)?.endpoints.map(({ id }) => id) ?? null;
  }
}

export class MemoryDisk implements LastGoodStore {
  saved: LastGood[] = [];

  async *newestFirst(): AsyncGenerator<LastGood> {
    yield* this.saved.toReversed();
  }

  async save(lastGood: LastGood): Promise<void> {
    this.saved.push(lastGood);
  }
}

export interface TestNode {
  readonly follower: Follower;
  readonly runtime: NotedRuntime;
  readonly log: NotedLog;
}

export async function startNode(
  id: string,
  bus: Bus,
  disk: LastGoodStore = new MemoryDisk(),
  timings: Partial<FollowTimings> = {},
  drainRequested: () => void = () => undefined,
): Promise<TestNode> {
  const runtime = new NotedRuntime();
  const log = new NotedLog();
  const follower = createFollower({
    bus,
    subjects,
    nodeId: id,
    softwareVersion: 'test',
    address: () => '127.0.0.1:0',
    runtime,
    disk,
    log,
    timings,
    drainRequested,
  });
  await follower.start();
  return { follower, runtime, log };
}

export function serviceResource(name: string): Resource {
  const service = create(ServiceSchema, {
    name,
    discovery: { source: { case: 'consul', value: { service: name } } },
  });
  return resource(Kind.SERVICE, name, toBinary(ServiceSchema, service));
}

export function routeResource(name: string, pathBytes = 10): Resource {
  const path = Buffer.from(crypto.getRandomValues(new Uint8Array(Math.min(65_536, pathBytes)))).toString('base64');
  const route = create(RouteSchema, { name, hosts: [path] });
  return resource(Kind.ROUTE, name, toBinary(RouteSchema, route));
}

function resource(kind: Kind, name: string, body: Uint8Array): Resource {
  return { $typeName: 'sluice.v1.Resource', kind, name, body };
}

export function endpoint(id: string, state = EndpointState.ACTIVE): Endpoint {
  return create(EndpointSchema, { id, address: '127.0.0.1', port: 1_000, weight: 1, state });
}

export async function remove(store: Store, ...resources: Resource[]): Promise<void> {
  const deletes = resources.map(({ kind, name }) => create(ResourceKeySchema, { kind, name }));
  await store.transact('test', () => ({ upserts: [], deletes }));
}

export async function put(store: Store, ...upserts: Resource[]): Promise<bigint> {
  const { version } = await store.transact('test', () => ({ upserts, deletes: [] }));
  return version.revision;
}
