import { fromBinary } from '@bufbuild/protobuf';

import { SchemaSchema, ServiceSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { Reports } from './reports.js';
import { SchemaSource } from './source.js';

import type { Bus, Subjects } from '../../proto/bus/bus.js';
import type { SchemaChange } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Schema, Service } from '../../proto/gen/sluice/v1/config_pb.js';
import type { EndpointSet, ReflectionStatus, Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Store } from '../store/store.js';
import type { ReadLimits } from './endpoint.js';
import type { SourceTimes, Wanted } from './source.js';

export interface ReflectionOptions {
  readonly store: Pick<Store, 'read'>;
  readonly bus: Bus;
  readonly subjects: Subjects;
  /** Null while another replica leads. */
  leading(): bigint | null;
  /** The newest revision this replica knows. */
  revision(): bigint | null;
  /** Null while the registry has not answered. */
  endpoints(service: string): EndpointSet | null;
  /**
   * Writes what was read as a revision, and gives what differs for callers. Rejects when the schema is not to be read from that
   * service any more, or does not fit the config.
   */
  adopt(schema: string, service: string, descriptorSet: Uint8Array): Promise<readonly SchemaChange[]>;
  readonly log: ReflectionLog;
  readonly timings?: Partial<ReflectionTimings>;
  readonly limits?: Partial<ReadLimits>;
}

export interface ReflectionLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface ReflectionTimings extends SourceTimes {
  /** How often config and endpoints are looked at. */
  readonly tickMs: number;
  readonly reportMs: number;
}

type Reflected = Pick<Wanted, 'schema' | 'service'>;

const defaultTimings: ReflectionTimings = {
  intervalMs: 30_000,
  retryMs: 1_000,
  gapMs: 500,
  tickMs: 100,
  reportMs: 5_000,
};

const defaultLimits: ReadLimits = {
  // What a descriptor_set may have.
  bytes: 33_554_432,
  files: 10_000,
  services: 5_000,
  timeoutMs: 10_000,
};

/** Of breaking changes, in the log. */
const maxTold = 10;

/** Schemas that are read at the same time; each may be large while it is. */
const parallelRounds = 4;

/**
 * Keeps schemas with `reflect` as their services have them. The leader asks the endpoints by gRPC server reflection, when they
 * change, when a connection to one is lost and from time to time, and has what they agree on written as a revision; whatever fails,
 * the last good descriptors stay. The other replicas hear how it goes.
 * This room never judges descriptors (admin refuses bad ones) and never writes to the store itself.
 */
export interface Reflection {
  /** Null while no leader has said anything of the schema. */
  status(schema: string): ReflectionStatus | null;
  /** Of the schemas that this replica reads, so none where it does not lead. */
  readonly statuses: readonly ReflectionStatus[];
  /** Begins to follow config and endpoints; returns at once. Call once. */
  start(): void;
  /** Ends the connections to endpoints; a round that is under way comes to nothing. */
  close(): Promise<void>;
}

export function createReflection(options: ReflectionOptions): Reflection {
  return new Reflector(options);
}

class Reflector implements Reflection {
  readonly #options: ReflectionOptions;
  readonly #timings: ReflectionTimings;
  readonly #limits: ReadLimits;
  readonly #reports: Reports;
  readonly #sources = new Map<string, SchemaSource>();
  readonly #rounds = new Set<Promise<void>>();
  readonly #decoded = new Decoded();
  #wanted: readonly Reflected[] = [];
  #revision: bigint | null = null;
  #reading: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ReflectionOptions) {
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#reports = new Reports(options.bus, options.subjects, this.#timings.reportMs);
  }

  status(schema: string): ReflectionStatus | null {
    return this.#sources.get(schema)?.status ?? this.#reports.heard(schema);
  }

  get statuses(): readonly ReflectionStatus[] {
    return [...this.#sources.values()].map(({ status }) => status);
  }

  start(): void {
    this.#timer = setInterval(() => this.#tick(), this.#timings.tickMs);
    this.#reports.start(() => ({ epoch: this.#options.leading(), statuses: this.statuses }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#reports.close();
    this.#follow([]);
    await Promise.all(this.#rounds);
  }

  #tick(): void {
    if (this.#options.leading() === null) {
      this.#revision = null;
      this.#wanted = [];
      return this.#follow([]);
    }
    if (this.#options.revision() !== this.#revision && this.#reading === null) void this.#read();
    this.#follow(this.#wanted);
    const nowMs = performance.now();
    for (const source of this.#sources.values())
      if (this.#rounds.size < parallelRounds && source.isDue(nowMs)) this.#begin(source);
  }

  #read(): Promise<void> {
    this.#reading = this.#readStore().finally(() => (this.#reading = null));
    return this.#reading;
  }

  async #readStore(): Promise<void> {
    try {
      const { version, resources } = await this.#options.store.read();
      this.#wanted = this.#decoded.wantedIn(resources);
      this.#revision = version.revision;
    } catch {
      // The store says itself that it cannot be read, and the next tick tries again.
    }
  }

  #follow(wanted: readonly Reflected[]): void {
    const names = new Set(wanted.map(({ schema }) => schema.name));
    for (const [name, source] of this.#sources) {
      if (names.has(name)) continue;
      source.close();
      if (this.#options.leading() !== null) this.#reports.forget(name);
      this.#sources.delete(name);
    }
    if (this.#closed) return;
    for (const { schema, service } of wanted) {
      const now = { schema, service, endpoints: this.#options.endpoints(service.name) };
      const source = this.#sources.get(schema.name);
      if (source !== undefined) source.update(now);
      // Right after a start the registry has not answered yet: nothing could be read.
      else if (now.endpoints !== null) this.#sources.set(schema.name, this.#newSource(now));
    }
  }

  #newSource(wanted: Wanted): SchemaSource {
    const parts = {
      times: this.#timings,
      limits: this.#limits,
      adopt: (schema: string, service: string, set: Uint8Array) => this.#adopt(schema, service, set),
    };
    return new SchemaSource(parts, wanted, this.#reports.heard(wanted.schema.name));
  }

  async #adopt(schema: string, service: string, descriptorSet: Uint8Array): Promise<void> {
    if (this.#closed || this.#options.leading() === null) throw new Error('this control plane does not lead any more');
    const { adopt, log } = this.#options;
    const changes = await adopt(schema, service, descriptorSet);
    // A config from before would look as if somebody had taken the descriptors out again.
    while (this.#reading !== null) await this.#reading;
    await this.#read();
    log.info('schema read from its service', { schema, service, bytes: descriptorSet.length, changes: changes.length });
    const broken = changes.filter(({ breaking }) => breaking);
    if (broken.length === 0) return;
    const first = broken.slice(0, maxTold).map(({ symbol, description }) => `${symbol}: ${description}`);
    log.warn('a service breaks callers of its schema', { schema, service, breaking: broken.length, first });
  }

  #begin(source: SchemaSource): void {
    const before = source.status.lastError;
    const round = source
      .round(() => performance.now())
      .then(() => {
        const { schema, service, lastError } = source.status;
        if (this.#closed) return;
        if (lastError !== '' && lastError !== before)
          this.#options.log.warn('schema not brought up to date', { schema, service, error: lastError });
        this.#reports.send(this.#options.leading(), source.status);
      })
      .catch((error: unknown) => this.#options.log.warn('a round of reflection failed', { error: String(error) }))
      .finally(() => this.#rounds.delete(round));
    this.#rounds.add(round);
  }
}

/** Decodes a resource once: a descriptor set may be large, and a revision changes little. */
class Decoded {
  readonly #schemas = new WeakMap<Resource, Schema>();
  readonly #services = new WeakMap<Resource, Service>();

  wantedIn(resources: readonly Resource[]): Reflected[] {
    const services = new Map(resources.filter(({ kind }) => kind === Kind.SERVICE).map((each) => [each.name, each]));
    return resources.flatMap((resource) => {
      if (resource.kind !== Kind.SCHEMA) return [];
      const schema = remember(this.#schemas, resource, () => fromBinary(SchemaSchema, resource.body));
      const found = schema.reflect === undefined ? undefined : services.get(schema.reflect.service);
      if (found === undefined) return [];
      return [{ schema, service: remember(this.#services, found, () => fromBinary(ServiceSchema, found.body)) }];
    });
  }
}

function remember<V>(known: WeakMap<Resource, V>, resource: Resource, decode: () => V): V {
  const found = known.get(resource) ?? decode();
  known.set(resource, found);
  return found;
}
