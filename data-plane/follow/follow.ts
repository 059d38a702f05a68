import { randomUUID } from 'node:crypto';

import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';

import { open, seal } from '../../proto/bus/bus.js';
import {
  BeaconSchema,
  ConfigHintSchema,
  ConfigPatchSchema,
  EndpointPatchSchema,
  Kind,
  NodeControlSchema,
  NodePhase,
  NodeStatusSchema,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { Applier } from './apply.js';
import { ConfigStream } from './config-stream.js';
import { knownOf } from './config-track.js';
import { EndpointStream } from './endpoint-stream.js';
import { Epochs } from './epochs.js';
import { Fetch } from './fetch.js';
import { lastGoodOf, Saver } from './saver.js';
import { StatusReports } from './status.js';

import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Bus, Subjects } from '../../proto/bus/bus.js';
import type {
  Beacon,
  ConfigRefusal,
  ConfigVersion,
  EndpointVersion,
  LastGood,
  Resource,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { NodeRuntime } from './apply.js';
import type { ConfigStreamDeps } from './config-stream.js';
import type { KnownConfig } from './config-track.js';
import type { LastGoodStore } from './last-good.js';

export { lastGoodFolder } from './last-good.js';
export type { NodeRuntime } from './apply.js';
export type { LastGoodStore } from './last-good.js';

export interface FollowerOptions {
  readonly bus: Bus;
  readonly subjects: Subjects;
  /** Unique in the cluster. */
  readonly nodeId: string;
  readonly softwareVersion: string;
  /** Where traffic reaches the node, for people; read for each report. */
  readonly address: () => string;
  readonly runtime: NodeRuntime;
  readonly disk: LastGoodStore;
  readonly log: FollowLog;
  /** A control plane wants this node to drain. */
  readonly drainRequested?: () => void;
  readonly timings?: Partial<FollowTimings>;
}

export interface FollowLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
}

export interface FollowTimings {
  readonly heartbeatMs: number;
  /** Without a beacon for this long the node counts as detached. */
  readonly detachedMs: number;
  /** How long a config that adds a service waits for that service's first endpoints. */
  readonly firstEndpointsMs: number;
  readonly requestTimeoutMs: number;
  readonly repairBaseMs: number;
  readonly repairCapMs: number;
  /** After so long without a word from the highest epoch, a lower one counts again. */
  readonly forgetEpochMs: number;
  readonly saveConfigMs: number;
  readonly saveEndpointsMs: number;
}

const defaultTimings: FollowTimings = {
  heartbeatMs: 10_000,
  detachedMs: 5_000,
  firstEndpointsMs: 1_000,
  requestTimeoutMs: 2_000,
  repairBaseMs: 50,
  repairCapMs: 5_000,
  forgetEpochMs: 30_000,
  saveConfigMs: 1_000,
  saveEndpointsMs: 10_000,
};

/** From this fleet size on, answers to one event are spread over a moment. */
const largeFleet = 200;

export interface FollowerStatus {
  readonly phase: NodePhase;
  /** What runs; null before the first config. */
  readonly config: ConfigVersion | null;
  /** Why the newest config does not run, while that is so. */
  readonly refusal: ConfigRefusal | null;
  readonly endpoints: EndpointVersion | null;
  readonly epoch: bigint;
  /** Since the last beacon that counted; null before the first. */
  readonly beaconAgeMs: number | null;
}

/**
 * The node's side of the bus: brings what the control plane announces into force, whole or not at all, finds out what it missed and
 * asks for it, keeps the last good state on disk, and reports what runs. With no control plane it goes on with what it has.
 * This room never compiles a config, never opens a connection to an endpoint, and never talks to Consul or Postgres.
 */
export interface Follower {
  readonly status: FollowerStatus;
  /** Resolves when the last good state, if there is one, runs; the bus is followed from then on. Call once. */
  start(): Promise<void>;
  /** Reports that this node drains; it goes on following. */
  drain(): void;
  /** Reports a last time and writes what is not on disk yet. The bus stays open. */
  close(): Promise<void>;
}

export function createFollower(options: FollowerOptions): Follower {
  return new BusFollower(options);
}

class BusFollower implements Follower {
  readonly #options: FollowerOptions;
  readonly #timings: FollowTimings;
  readonly #incarnation = randomUUID();
  readonly #startTimeMs = Date.now();
  readonly #epochs: Epochs;
  readonly #config: ConfigStream;
  readonly #endpoints: EndpointStream;
  readonly #applier: Applier;
  readonly #saver: Saver;
  readonly #reports: StatusReports;
  readonly #cleanups: (() => void)[] = [];
  #applied: Applied | null = null;
  #refusal: ConfigRefusal | null = null;
  #fleetSize = 0;
  #beaconMs: number | null = null;
  #detachTimer: NodeJS.Timeout | undefined;
  #detached = false;
  #life: 'boot' | 'running' | 'draining' | 'closed' = 'boot';
  #phase: NodePhase = NodePhase.BOOT;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    this.#epochs = new Epochs(this.#timings.forgetEpochMs);
    this.#endpoints = new EndpointStream({
      ...this.#streamDeps('endpoints'),
      give: (changed, removed) => options.runtime.applyEndpoints(changed, removed),
      advanced: () => this.#saver.endpointsChanged(),
    });
    this.#config = new ConfigStream({
      ...this.#streamDeps('config'),
      advanced: () => this.#applier.poke(),
      turned: () => this.#updatePhase(),
    });
    this.#applier = new Applier(options.runtime, {
      newest: () => this.#config.known,
      ready: (config) => this.#firstEndpoints(config),
      applied: (config, applyMs) => this.#configApplied(config, applyMs),
      refused: (refusal) => this.#configRefused(refusal),
    });
    this.#saver = this.#newSaver();
    this.#reports = new StatusReports(() => this.#report(), this.#timings.heartbeatMs);
  }

  get status(): FollowerStatus {
    return {
      phase: this.#phase,
      config: this.#applied?.config.version ?? null,
      refusal: this.#refusal,
      endpoints: this.#endpoints.version,
      epoch: this.#epochs.highest,
      beaconAgeMs: this.#beaconMs === null ? null : performance.now() - this.#beaconMs,
    };
  }

  async start(): Promise<void> {
    await this.#bootFromDisk();
    this.#life = 'running';
    const { bus, subjects, nodeId } = this.#options;
    this.#hear(subjects.configPatch, ConfigPatchSchema, (patch) => {
      if (this.#admits(patch.epoch)) this.#config.heardPatch(patch);
    });
    this.#hear(subjects.configHint, ConfigHintSchema, (hint) => {
      if (this.#admits(hint.epoch)) this.#config.heardHint(hint);
    });
    this.#hear(subjects.endpointPatch, EndpointPatchSchema, (patch) => {
      if (this.#admits(patch.version?.epoch ?? 0n)) this.#endpoints.heardPatch(patch);
    });
    this.#hear(subjects.beacon, BeaconSchema, (beacon) => this.#heardBeacon(beacon));
    for (const subject of [subjects.nodeControl(nodeId), subjects.allNodesControl]) {
      this.#hear(subject, NodeControlSchema, ({ command }) => this.#heardCommand(command.case));
    }
    this.#cleanups.push(bus.onState((state) => void (state === 'connected' && this.#connected())));
    this.#watchForSilence();
    this.#updatePhase();
    if (bus.state === 'connected') this.#connected();
  }

  drain(): void {
    if (this.#life !== 'running') return;
    this.#life = 'draining';
    this.#updatePhase();
  }

  async close(): Promise<void> {
    if (this.#life === 'closed') return;
    this.drain();
    this.#life = 'closed';
    for (const cleanup of this.#cleanups) cleanup();
    clearTimeout(this.#detachTimer);
    await Promise.all([this.#config.close(), this.#endpoints.close(), this.#applier.close()]);
    this.#reports.now();
    this.#reports.stop();
    await this.#saver.close();
  }

  // ---- start

  #streamDeps(stream: string): Pick<ConfigStreamDeps, 'fetch' | 'epochs' | 'repairTimes' | 'repairFailed'> {
    const { bus, subjects, nodeId, log } = this.#options;
    const { repairBaseMs: baseMs, repairCapMs: capMs, requestTimeoutMs } = this.#timings;
    return {
      fetch: new Fetch(bus, subjects, nodeId, requestTimeoutMs),
      epochs: this.#epochs,
      repairTimes: { baseMs, capMs, spreadMs: () => Math.min(1_000, baseMs + this.#fleetSize) },
      repairFailed: (reason) => log.warn('could not compare with the control plane', { stream, reason }),
    };
  }

  #newSaver(): Saver {
    const { disk, log } = this.#options;
    const current = (): LastGood | null =>
      this.#applied === null ? null : lastGoodOf(this.#applied.config, this.#endpoints.sets(), Date.now());
    const times = { configMs: this.#timings.saveConfigMs, endpointsMs: this.#timings.saveEndpointsMs };
    return new Saver(disk, current, times, (error) =>
      log.warn('the last good state could not be written', { error: String(error) }),
    );
  }

  /** The newest state that is readable and that this version of the software can run. */
  async #bootFromDisk(): Promise<void> {
    const { disk, log } = this.#options;
    try {
      for await (const lastGood of disk.newestFirst()) {
        const fault = await this.#bootFrom(lastGood);
        if (fault === null) return;
        log.warn('a last good state cannot be used', { fault });
      }
    } catch (error) {
      log.warn('the last good state could not be read', { error: String(error) });
    }
  }

  async #bootFrom({ config, endpoints }: LastGood): Promise<string | null> {
    const known = config === undefined ? null : knownOf(config);
    if (known === null) return 'its digest does not fit';
    this.#endpoints.remember(endpoints?.sets ?? []);
    const refusal = await this.#applier.apply(known);
    if (refusal !== null) return refusal.reason;
    this.#config.remember(known);
    return null;
  }

  /** Asks only when the subscriptions are in place: nothing may fall between the answer and the first patch. */
  #connected(): void {
    const compare = (): void => {
      if (this.#life === 'closed') return;
      this.#compare();
      this.#reports.report(this.#spreadMs());
    };
    // A flush that fails says that the connection is gone again, or slow: the question will show.
    this.#options.bus.flush().then(compare, compare);
  }

  #compare(): void {
    this.#config.compare();
    this.#endpoints.compare();
  }

  // ---- what is heard

  #hear<D extends DescMessage>(subject: string, schema: D, handle: (message: MessageShape<D>) => void): void {
    const subscription = this.#options.bus.subscribe(subject, (bytes) => {
      const opened = open(schema, bytes);
      if ('fault' in opened) this.#options.log.warn('a message cannot be read', { subject, fault: opened.fault });
      else handle(opened.message);
    });
    this.#cleanups.push(() => subscription.close());
  }

  #heardBeacon({ epoch, config, endpoints, fleetSize }: Beacon): void {
    const afresh = this.#detached || epoch !== this.#epochs.highest;
    if (!this.#admits(epoch)) return;
    this.#fleetSize = fleetSize;
    this.#beaconMs = performance.now();
    this.#detached = false;
    this.#watchForSilence();
    if (config !== undefined) this.#config.heardVersion(config, afresh);
    if (endpoints !== undefined) this.#endpoints.heardVersion(endpoints, afresh);
    this.#updatePhase();
  }

  #heardCommand(command: 'resync' | 'drain' | 'report' | undefined): void {
    switch (command) {
      case 'resync':
        return this.#compare();
      case 'drain':
        return this.#options.drainRequested?.();
      case 'report':
        return this.#reports.report(this.#spreadMs());
      case undefined:
        // A newer control plane may know more commands.
        return;
      default:
        return command satisfies never;
    }
  }

  #admits(epoch: bigint): boolean {
    return this.#epochs.admit(epoch, performance.now());
  }

  #watchForSilence(): void {
    clearTimeout(this.#detachTimer);
    this.#detachTimer = setTimeout(() => {
      this.#detached = true;
      this.#updatePhase();
    }, this.#timings.detachedMs);
  }

  // ---- what runs

  /** A route to a service without endpoints answers errors: give the endpoints of new services a moment to come. */
  #firstEndpoints({ resources }: KnownConfig): Promise<void> {
    const former = new Set(servicesOf(this.#applied?.config.resources ?? []));
    const added = servicesOf(resources).filter((service) => !former.has(service));
    return this.#endpoints.arrival(added, this.#timings.firstEndpointsMs);
  }

  #configApplied(config: KnownConfig, applyMs: number): void {
    const nowMs = Date.now();
    // What was committed before this node started says nothing about how fast changes arrive.
    const lagMs = config.commitTimeMs < this.#startTimeMs ? 0 : Math.max(0, nowMs - config.commitTimeMs);
    this.#applied = { config, timeMs: nowMs, applyMs, lagMs };
    this.#refusal = null;
    this.#endpoints.keepOnly(new Set(servicesOf(config.resources)));
    const { revision } = config.version;
    this.#options.log.info('config applied', { revision, applyMs: Math.round(applyMs), lagMs });
    if (this.#life === 'boot') return;
    this.#reports.report(this.#spreadMs());
    this.#saver.configChanged();
  }

  #configRefused(refusal: ConfigRefusal): void {
    this.#refusal = refusal;
    const { revision, name, field, reason } = refusal;
    const fields = { revision, kind: Kind[refusal.kind], name, field, reason };
    this.#options.log.warn('config refused; the one before stays', fields);
    this.#reports.report(this.#spreadMs());
  }

  // ---- what is told

  #updatePhase(): void {
    const phase = this.#currentPhase();
    if (phase === this.#phase) return;
    this.#options.log.info(`node ${NodePhase[phase]}`, { before: NodePhase[this.#phase] });
    this.#phase = phase;
    this.#reports.report(this.#spreadMs());
  }

  #currentPhase(): NodePhase {
    if (this.#life === 'boot') return NodePhase.BOOT;
    if (this.#life !== 'running') return NodePhase.DRAINING;
    if (this.#detached) return NodePhase.DETACHED;
    return this.#config.isCurrent ? NodePhase.LIVE : NodePhase.SYNCING;
  }

  #report(): void {
    const { bus, subjects, nodeId, softwareVersion, address } = this.#options;
    const applied = this.#applied;
    const endpoints = this.#endpoints.version;
    const status = create(NodeStatusSchema, {
      nodeId,
      incarnation: this.#incarnation,
      softwareVersion,
      epochSeen: this.#epochs.highest,
      phase: this.#phase,
      address: address(),
      time: timestampFromMs(Date.now()),
      ...(applied !== null && {
        config: applied.config.version,
        configApplyTime: timestampFromMs(applied.timeMs),
        configLagMs: BigInt(applied.lagMs),
        configApplyMs: BigInt(Math.round(applied.applyMs)),
      }),
      ...(this.#refusal !== null && { refusal: this.#refusal }),
      ...(endpoints !== null && { endpoints }),
    });
    bus.publish(subjects.nodeStatus(nodeId), seal(NodeStatusSchema, status));
  }

  #spreadMs(): number {
    return this.#fleetSize > largeFleet ? 50 : 0;
  }
}

interface Applied {
  readonly config: KnownConfig;
  readonly timeMs: number;
  readonly applyMs: number;
  readonly lagMs: number;
}

function servicesOf(resources: readonly Resource[]): string[] {
  return resources.filter((resource) => resource.kind === Kind.SERVICE).map((resource) => resource.name);
}
