import { randomUUID } from 'node:crypto';

import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';

import { open, seal } from '../../proto/bus/bus.js';
import {
  BeaconSchema,
  ConfigHintSchema,
  ConfigPatchSchema,
  ConfigSnapshotSchema,
  EndpointPatchSchema,
  EndpointSnapshotSchema,
  Kind,
  NodeControlSchema,
  NodePhase,
  NodeStatusSchema,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { Applier } from './apply.js';
import { ConfigTrack, knownOf } from './config-track.js';
import { EndpointTrack } from './endpoint-track.js';
import { Epochs } from './epochs.js';
import { Fetch } from './fetch.js';
import { Repair } from './repair.js';
import { lastGoodOf, Saver } from './saver.js';
import { StatusReports } from './status.js';

import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Bus, Subjects } from '../../proto/bus/bus.js';
import type {
  Beacon,
  ConfigHint,
  ConfigRefusal,
  ConfigVersion,
  EndpointSet,
  EndpointVersion,
  LastGood,
  NodeStatus,
  Resource,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { NodeRuntime } from './apply.js';
import type { KnownConfig, Taken } from './config-track.js';
import type { LastGoodStore } from './last-good.js';
import type { RepairOutcome } from './repair.js';

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
  readonly #config = new ConfigTrack();
  readonly #endpoints = new EndpointTrack();
  readonly #fetch: Fetch;
  readonly #applier: Applier;
  readonly #configRepair: Repair;
  readonly #endpointRepair: Repair;
  readonly #saver: Saver;
  readonly #reports: StatusReports;
  readonly #cleanups: (() => void)[] = [];
  /** What the runtime was given. */
  #given = new Map<string, EndpointSet>();
  #applied: KnownConfig | null = null;
  #appliedTimeMs = 0;
  #applyMs = 0;
  #lagMs = 0;
  #refusal: ConfigRefusal | null = null;
  #hint: ConfigHint | null = null;
  #mustAsk = { config: false, endpoints: false };
  #endpointsArrived: () => void = () => undefined;
  #fleetSize = 0;
  #beaconMs: number | null = null;
  #detachTimer: NodeJS.Timeout | undefined;
  #detached = false;
  #life: 'boot' | 'running' | 'draining' | 'closed' = 'boot';
  #phase: NodePhase = NodePhase.BOOT;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    const { bus, subjects, nodeId, log } = options;
    const { repairBaseMs: baseMs, repairCapMs: capMs, saveConfigMs, saveEndpointsMs } = this.#timings;
    this.#epochs = new Epochs(this.#timings.forgetEpochMs);
    this.#fetch = new Fetch(bus, subjects, nodeId, this.#timings.requestTimeoutMs);
    this.#applier = new Applier(
      options.runtime,
      () => this.#config.known,
      (config) => this.#firstEndpoints(config),
      {
        applied: (config, applyMs) => this.#configApplied(config, applyMs),
        refused: (refusal) => this.#configRefused(refusal),
      },
    );
    const times = { baseMs, capMs, spreadMs: () => Math.min(1_000, baseMs + this.#fleetSize) };
    this.#configRepair = new Repair(
      (signal) => this.#repairConfig(signal),
      times,
      (reason) => log.warn('the config could not be compared with the control plane', { reason }),
    );
    this.#endpointRepair = new Repair(
      (signal) => this.#repairEndpoints(signal),
      times,
      (reason) => log.warn('the endpoints could not be compared with the control plane', { reason }),
    );
    const saveTimes = { configMs: saveConfigMs, endpointsMs: saveEndpointsMs };
    this.#saver = new Saver(
      options.disk,
      () => this.#lastGood(),
      saveTimes,
      (error) => log.warn('the last good state could not be written', { error: String(error) }),
    );
    this.#reports = new StatusReports(() => this.#report(), this.#timings.heartbeatMs);
  }

  get status(): FollowerStatus {
    return {
      phase: this.#phase,
      config: this.#applied?.version ?? null,
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
      if (this.#admits(patch.epoch)) this.#configTaken(this.#config.offer(patch));
    });
    this.#hear(subjects.configHint, ConfigHintSchema, (hint) => this.#heardHint(hint));
    this.#hear(subjects.endpointPatch, EndpointPatchSchema, (patch) => {
      if (this.#admits(patch.version?.epoch ?? 0n)) this.#endpointsTaken(this.#endpoints.offer(patch));
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
    this.#endpointsArrived();
    await Promise.all([this.#configRepair.close(), this.#endpointRepair.close(), this.#applier.close()]);
    this.#reports.now();
    this.#reports.stop();
    await this.#saver.close();
  }

  // ---- start

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
    this.#giveEndpoints();
    this.#config.remember(known);
    const refusal = await this.#applier.apply(known);
    if (refusal === null) return null;
    this.#config.remember(null);
    return refusal.reason;
  }

  /** The subscriptions are in place before anything is asked, so that nothing falls between the answer and the first patch. */
  #connected(): void {
    this.#options.bus.flush().then(
      () => this.#compare(),
      // The connection is gone again, or so slow that asking will tell.
      () => this.#compare(),
    );
  }

  #compare(): void {
    if (this.#life === 'closed') return;
    this.#mustAsk = { config: true, endpoints: true };
    this.#configRepair.wantAfresh();
    this.#endpointRepair.wantAfresh();
    this.#reports.report(this.#spreadMs());
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

  #heardBeacon(beacon: Beacon): void {
    const { epoch, config, endpoints } = beacon;
    const another = epoch !== this.#epochs.highest;
    if (!this.#admits(epoch)) return;
    const recovered = another || this.#detached;
    this.#fleetSize = beacon.fleetSize;
    this.#beaconMs = performance.now();
    this.#detached = false;
    this.#watchForSilence();
    if (config !== undefined && this.#config.announce(config) === 'behind') want(this.#configRepair, recovered);
    if (endpoints !== undefined && this.#endpoints.announce(endpoints) === 'behind')
      want(this.#endpointRepair, recovered);
    this.#updatePhase();
  }

  #heardHint(hint: ConfigHint): void {
    if (!this.#admits(hint.epoch) || hint.version === undefined) return;
    this.#hint = hint;
    this.#configTaken(this.#config.announce(hint.version));
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

  // ---- config

  #configTaken(taken: Taken): void {
    switch (taken) {
      case 'advanced':
        this.#applier.poke();
        break;
      case 'behind':
        this.#configRepair.want();
        break;
      case 'ignored':
        return;
      default:
        return taken satisfies never;
    }
    this.#updatePhase();
  }

  async #repairConfig(signal: AbortSignal): Promise<RepairOutcome> {
    await this.#takeHint(signal);
    if (!this.#mustAsk.config && !this.#config.isBehind) return 'done';
    const { reply, epoch } = await this.#fetch.config(this.#config.have, signal);
    // Zero comes from a control plane that has just started and has not heard of a leader.
    if (epoch !== 0n && this.#epochs.isOutdated(epoch, performance.now()))
      return { again: 'a control plane cut off answered' };
    switch (reply.case) {
      case 'unchanged':
        this.#config.confirm();
        break;
      case 'patches':
        for (const patch of reply.value.patches) this.#configTaken(this.#config.offer(patch));
        break;
      case 'snapshot':
        this.#configTaken(this.#config.replace(await this.#fetch.blob(reply.value, ConfigSnapshotSchema, signal)));
        break;
      case 'busy':
        return { again: 'the control plane is busy', afterMs: reply.value.retryAfterMs };
      case undefined:
        return { again: 'the control plane answered something newer than this node knows' };
    }
    if (this.#config.isBehind) return { again: 'the answer did not lead to what was announced' };
    this.#mustAsk.config = false;
    this.#updatePhase();
    return 'done';
  }

  /** A patch too large to broadcast is worth fetching only if it follows what we have. */
  async #takeHint(signal: AbortSignal): Promise<void> {
    const hint = this.#hint;
    this.#hint = null;
    const known = this.#config.known?.version;
    if (hint?.blob === undefined || known === undefined || hint.fromRevision !== known.revision) return;
    if (hint.version?.lineage !== known.lineage) return;
    this.#configTaken(this.#config.offer(await this.#fetch.blob(hint.blob, ConfigPatchSchema, signal)));
  }

  /** A route to a service without endpoints answers errors: give the endpoints of new services a moment to come. */
  async #firstEndpoints({ resources }: KnownConfig): Promise<void> {
    const former = new Set(servicesOf(this.#applied?.resources ?? []));
    const added = servicesOf(resources).filter((service) => !former.has(service));
    const deadlineMs = performance.now() + this.#timings.firstEndpointsMs;
    while (this.#life !== 'closed' && added.some((service) => this.#endpoints.get(service) === undefined)) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#endpointsArrived = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  #configApplied(config: KnownConfig, applyMs: number): void {
    const nowMs = Date.now();
    this.#applied = config;
    this.#refusal = null;
    this.#appliedTimeMs = nowMs;
    this.#applyMs = applyMs;
    // What was committed before this node started says nothing about how fast changes arrive.
    this.#lagMs = config.commitTimeMs < this.#startTimeMs ? 0 : Math.max(0, nowMs - config.commitTimeMs);
    this.#endpoints.keepOnly(new Set(servicesOf(config.resources)));
    this.#giveEndpoints();
    const { revision } = config.version;
    this.#options.log.info('config applied', { revision, applyMs: Math.round(applyMs), lagMs: this.#lagMs });
    if (this.#life === 'boot') return;
    this.#reports.report(this.#spreadMs());
    this.#saver.configChanged();
  }

  #configRefused(refusal: ConfigRefusal): void {
    this.#refusal = refusal;
    const { revision, name, field, reason } = refusal;
    this.#options.log.warn('config refused; the one before stays', {
      revision,
      kind: Kind[refusal.kind],
      name,
      field,
      reason,
    });
    this.#reports.report(this.#spreadMs());
  }

  // ---- endpoints

  #endpointsTaken(taken: Taken): void {
    switch (taken) {
      case 'advanced':
        this.#giveEndpoints();
        this.#endpointsArrived();
        this.#saver.endpointsChanged();
        break;
      case 'behind':
        this.#endpointRepair.want();
        break;
      case 'ignored':
        return;
      default:
        return taken satisfies never;
    }
    this.#updatePhase();
  }

  async #repairEndpoints(signal: AbortSignal): Promise<RepairOutcome> {
    if (!this.#mustAsk.endpoints && !this.#endpoints.isBehind) return 'done';
    const { reply, version } = await this.#fetch.endpoints(this.#endpoints.version, signal);
    if (version === undefined || this.#epochs.isOutdated(version.epoch, performance.now()))
      return { again: 'a leader cut off answered' };
    switch (reply.case) {
      case 'unchanged':
        this.#endpoints.announce(version);
        break;
      case 'snapshot':
        this.#endpointsTaken(
          this.#endpoints.replace(await this.#fetch.blob(reply.value, EndpointSnapshotSchema, signal)),
        );
        break;
      case 'busy':
        return { again: 'the leader is busy', afterMs: reply.value.retryAfterMs };
      case undefined:
        return { again: 'the leader answered something newer than this node knows' };
    }
    if (this.#endpoints.isBehind) return { again: 'the answer did not lead to what was announced' };
    this.#mustAsk.endpoints = false;
    return 'done';
  }

  /** Tells the runtime what differs from what it has. */
  #giveEndpoints(): void {
    const now = new Map(this.#endpoints.sets().map((set) => [set.service, set]));
    const changed = [...now.values()].filter((set) => this.#given.get(set.service) !== set);
    const removed = [...this.#given.keys()].filter((service) => !now.has(service));
    this.#given = now;
    if (changed.length > 0 || removed.length > 0) this.#options.runtime.applyEndpoints(changed, removed);
  }

  // ---- telling

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
    const following = this.#beaconMs !== null && this.#config.known !== null && !this.#config.isBehind;
    return following ? NodePhase.LIVE : NodePhase.SYNCING;
  }

  #report(): void {
    const { bus, subjects, nodeId, softwareVersion, address } = this.#options;
    const status: NodeStatus = create(NodeStatusSchema, {
      nodeId,
      incarnation: this.#incarnation,
      softwareVersion,
      epochSeen: this.#epochs.highest,
      configLagMs: BigInt(this.#lagMs),
      configApplyMs: BigInt(Math.round(this.#applyMs)),
      phase: this.#phase,
      address: address(),
      time: timestampFromMs(Date.now()),
    });
    const endpoints = this.#endpoints.version;
    if (this.#applied !== null) {
      status.config = this.#applied.version;
      status.configApplyTime = timestampFromMs(this.#appliedTimeMs);
    }
    if (this.#refusal !== null) status.refusal = this.#refusal;
    if (endpoints !== null) status.endpoints = endpoints;
    bus.publish(subjects.nodeStatus(nodeId), seal(NodeStatusSchema, status));
  }

  #lastGood(): LastGood | null {
    return this.#applied === null ? null : lastGoodOf(this.#applied, this.#endpoints.sets(), Date.now());
  }

  #spreadMs(): number {
    return this.#fleetSize > largeFleet ? 50 : 0;
  }
}

function want(repair: Repair, afresh: boolean): void {
  if (afresh) repair.wantAfresh();
  else repair.want();
}

function servicesOf(resources: readonly Resource[]): string[] {
  return resources.filter((resource) => resource.kind === Kind.SERVICE).map((resource) => resource.name);
}
