import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';

import { open, seal, sealLarge } from '../../proto/bus/bus.js';
import {
  BeaconSchema,
  ConfigHintSchema,
  ConfigPatchSchema,
  EndpointPatchSchema,
  NodeControlSchema,
  NodeStatusSchema,
  SourceState,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { Answers } from './answers.js';
import { Blobs } from './blobs.js';
import { ConfigFeed } from './config-feed.js';
import { EndpointFeed } from './endpoint-feed.js';
import { HoldOff } from './hold-off.js';
import { Leadership } from './leadership.js';
import { NodeTable } from './node-table.js';
import { WantedServices } from './wanted.js';

import type { Bus, Subjects, Subscription } from '../../proto/bus/bus.js';
import type {
  ConfigPatch,
  ConfigVersion,
  EndpointSet,
  EndpointVersion,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Registry, WantedService } from '../registry/registry.js';
import type { State, Store } from '../store/store.js';
import type { EndpointUrgency } from './endpoint-feed.js';
import type { HoldOffTimes } from './hold-off.js';

export { tellingCommits } from './own-commits.js';
export type { HeardNode, NodeTable } from './node-table.js';

export interface SyncOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly bus: Bus;
  readonly subjects: Subjects;
  /** Differs between replicas. */
  readonly replicaId: string;
  readonly log: SyncLog;
  readonly timings?: Partial<SyncTimings>;
}

export interface SyncLog {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface SyncTimings {
  readonly beaconMs: number;
  readonly config: HoldOffTimes;
  readonly endpointRemoval: HoldOffTimes;
  readonly endpointAddition: HoldOffTimes;
  /** How long a revision that adds a service waits for the registry's first answer. */
  readonly firstAnswerMs: number;
  readonly storeRetryMs: number;
  readonly nodeSilentMs: number;
  readonly nodeForgetMs: number;
}

const defaultTimings: SyncTimings = {
  beaconMs: 1_000,
  config: { quietMs: 10, ceilingMs: 200 },
  endpointRemoval: { quietMs: 5, ceilingMs: 20 },
  endpointAddition: { quietMs: 50, ceilingMs: 500 },
  firstAnswerMs: 1_000,
  storeRetryMs: 500,
  nodeSilentMs: 30_000,
  nodeForgetMs: 600_000,
};

/** A larger message is not broadcast: with a thousand nodes it would be a burst that the bus has to buffer. */
const maxBroadcastBytes = 64 * 1024;
const maxBlobBytes = 64 * 1024 * 1024;
/** Patches a replica knows from its start on, for nodes that come back at the same time. */
const patchesAtStart = 200n;

/** What this replica knows, for the admin API and for ops. */
export interface SyncStatus {
  readonly state: 'starting' | 'ready' | 'closed';
  readonly leading: boolean;
  /** The highest epoch heard of. */
  readonly epoch: bigint;
  /** Null until the first read of the store. */
  readonly config: ConfigVersion | null;
  readonly endpoints: EndpointVersion;
  readonly postgres: SourceState;
  readonly consul: SourceState;
  readonly consulStaleMs: number;
  /** Nodes that are not silent. */
  readonly fleetSize: number;
}

/** The endpoints as this replica's registry says. */
export interface EndpointTable {
  /** Null while the registry has not answered for the service. */
  endpoints(service: string): EndpointSet | null;
  version(): EndpointVersion;
}

/**
 * The one loop between what is wanted (store, registry) and what nodes run (bus). Every replica follows store and registry, answers
 * nodes and hears their status; the leader announces: patches of config and endpoints, and the beacon. What goes to a node is fixed
 * by its commit, so announcing twice is harmless. Lost messages are no concern here: nodes see them missing and ask.
 * This room never judges a config, never talks to Consul or Postgres itself, and never decides what a node does.
 */
export interface Sync {
  readonly nodes: NodeTable;
  readonly endpoints: EndpointTable;
  readonly status: SyncStatus;
  /** Begins everything; returns at once, works with any of its partners down. Call once. */
  start(): void;
  /** This replica has just committed `revision` (see tellingCommits): it announces it even when it does not lead, which is faster. */
  committed(revision: bigint): void;
  /** Finishes what it is publishing and gives the leadership back. Bus, registry and store stay open. */
  close(): Promise<void>;
}

export function createSync(options: SyncOptions): Sync {
  return new SyncLoop(options);
}

class SyncLoop implements Sync {
  readonly nodes: NodeTable;
  readonly endpoints: EndpointTable;
  readonly #options: SyncOptions;
  readonly #timings: SyncTimings;
  readonly #config = new ConfigFeed();
  readonly #endpoints = new EndpointFeed();
  readonly #wanted = new WantedServices();
  readonly #blobs: Blobs;
  readonly #answers: Answers;
  readonly #leadership: Leadership;
  readonly #configHold: HoldOff;
  readonly #endpointHold: HoldOff;
  readonly #closing = new AbortController();
  readonly #cleanups: (() => void)[] = [];
  /** Called when the registry has said something; see `#firstAnswers`. */
  #answered: () => void = () => undefined;
  #passing: Promise<void> | null = null;
  #passAgain = false;
  #lastPassMs = -Infinity;
  #ownRevision = 0n;
  #storeFailed = false;
  #endpointServer: Subscription | null = null;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#timings = { ...defaultTimings, ...options.timings };
    const { nodeSilentMs: silentMs, nodeForgetMs: forgetMs } = this.#timings;
    this.nodes = new NodeTable({ silentMs, forgetMs }, Date.now);
    this.endpoints = {
      endpoints: (service) => this.#endpoints.get(service) ?? null,
      version: () => this.#endpoints.version,
    };
    this.#blobs = new Blobs(options.replicaId, maxBlobBytes);
    this.#leadership = new Leadership((epoch) => this.#led(epoch));
    this.#answers = new Answers(this.#config, this.#endpoints, this.#blobs, () => this.#leadership.highest);
    this.#configHold = new HoldOff(() => this.#pass());
    this.#endpointHold = new HoldOff(() => this.#announceEndpoints());
  }

  get status(): SyncStatus {
    const registry = this.#options.registry.status();
    const version = this.#config.state?.version ?? null;
    return {
      state: this.#closing.signal.aborted ? 'closed' : version === null ? 'starting' : 'ready',
      leading: this.#leadership.epoch !== null,
      epoch: this.#leadership.highest,
      config: version,
      endpoints: this.#endpoints.version,
      postgres: this.#options.store.reachable ? SourceState.UP : SourceState.DOWN,
      consul: registry.state,
      consulStaleMs: registry.staleMs,
      fleetSize: this.nodes.fleetSize,
    };
  }

  start(): void {
    const { store, registry, bus, replicaId } = this.#options;
    registry.observe({
      endpoints: (service, endpoints) => {
        this.#endpointsChanged(this.#endpoints.change(service, endpoints, Date.now()));
        this.#answered();
      },
      status: ({ state }) => this.#options.log.info(`registry ${SourceState[state]}`),
    });
    this.#serve();
    this.#cleanups.push(
      store.watch(() => this.#configChanged()),
      bus.onState((state) => void (state === 'connected' && this.#busConnected())),
    );
    const timer = setInterval(() => this.#tick(), this.#timings.beaconMs);
    this.#cleanups.push(() => clearInterval(timer));
    store.campaign(
      replicaId,
      { elected: (epoch) => this.#leadership.elected(epoch), deposed: () => this.#leadership.deposed() },
      this.#closing.signal,
    );
    if (bus.state === 'connected') this.#busConnected();
    this.#pass();
  }

  committed(revision: bigint): void {
    if (revision > this.#ownRevision) this.#ownRevision = revision;
    this.#configChanged();
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#answered();
    this.#configHold.cancel();
    this.#endpointHold.cancel();
    await this.#passing;
    this.#endpointServer?.close();
    for (const cleanup of this.#cleanups.toReversed()) cleanup();
    this.#leadership.close();
  }

  #serve(): void {
    const { bus, subjects, replicaId } = this.#options;
    const answerBlob = (request: Uint8Array): Promise<Uint8Array> => this.#answers.blob(request);
    const subscriptions = [
      bus.serve(subjects.configRequest, 'cp', (request) => this.#answers.config(request)),
      bus.serve(subjects.blobRequest, 'blob', answerBlob),
      bus.serve(subjects.blobRequestOf(replicaId), 'blob', answerBlob),
      bus.subscribe(subjects.anyNodeStatus, (message) => this.#hearNode(message)),
      bus.subscribe(subjects.beacon, (message) => this.#hearLeader(message)),
    ];
    for (const subscription of subscriptions) this.#cleanups.push(() => subscription.close());
  }

  // ---- config

  /** The first change after quiet goes at once; only those right behind another are gathered. */
  #configChanged(): void {
    if (this.#closing.signal.aborted) return;
    const { quietMs, ceilingMs } = this.#timings.config;
    const quiet = this.#passing === null && performance.now() - this.#lastPassMs > quietMs;
    this.#configHold.touch({ quietMs: quiet ? 0 : quietMs, ceilingMs });
  }

  #pass(): void {
    if (this.#passing !== null) {
      this.#passAgain = true;
      return;
    }
    this.#passing = this.#readAndAnnounce()
      .catch((error: unknown) => this.#passFailed(error))
      .finally(() => {
        this.#passing = null;
        this.#lastPassMs = performance.now();
        if (this.#passAgain) this.#configChanged();
        this.#passAgain = false;
      });
  }

  #passFailed(error: unknown): void {
    if (!this.#storeFailed) this.#options.log.warn('the store cannot be read', { error: String(error) });
    this.#storeFailed = true;
    const { storeRetryMs } = this.#timings;
    const retryMs = storeRetryMs * (0.5 + Math.random());
    if (!this.#closing.signal.aborted) this.#configHold.touch({ quietMs: retryMs, ceilingMs: retryMs });
  }

  async #readAndAnnounce(): Promise<void> {
    const { store, registry } = this.#options;
    const state = await store.read();
    if (this.#storeFailed) this.#options.log.info('the store can be read again');
    this.#storeFailed = false;
    const before = this.#config.state?.version;
    if (before?.lineage === state.version.lineage && before.revision >= state.version.revision) return;
    const wanted = this.#wanted.of(state.resources);
    registry.want(wanted);
    await this.#firstAnswers(wanted);
    this.#announceEndpoints();
    await this.#announceConfig(state);
    this.#endpointsChanged(this.#endpoints.keepOnly(new Set(wanted.map(({ service }) => service)), Date.now()));
  }

  /** A new route needs endpoints to go to. Waits for those of new services, but not for ever: the registry may be down. */
  async #firstAnswers(wanted: readonly WantedService[]): Promise<void> {
    const deadlineMs = performance.now() + this.#timings.firstAnswerMs;
    const missing = (): boolean => wanted.some(({ service }) => this.#endpoints.get(service) === undefined);
    while (missing() && !this.#closing.signal.aborted) {
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#answered = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  async #announceConfig(state: State): Promise<void> {
    const { store, log } = this.#options;
    const former = this.#config.state?.version;
    const from = former?.lineage === state.version.lineage ? former.revision : startOf(state.version.revision);
    const revisions = (await store.patchesSince(from)) ?? [];
    const patches = this.#config.advance(state, revisions, this.#leadership.highest);
    log.info('config revision', { revision: state.version.revision, resources: state.resources.length });
    if (this.#leadership.epoch === null && state.version.revision > this.#ownRevision) return;
    for (const patch of patches) await this.#announcePatch(patch);
    // Without patches nodes learn of the new revision from the beacon, and fetch it.
    if (patches.length === 0) this.#beacon();
  }

  async #announcePatch(patch: ConfigPatch): Promise<void> {
    const { subjects } = this.#options;
    const sealed = await sealLarge(ConfigPatchSchema, patch);
    if (sealed.length <= maxBroadcastBytes) return this.#send(subjects.configPatch, sealed);
    const { epoch, fromRevision, version, commitTime } = patch;
    const hint = create(ConfigHintSchema, { epoch, fromRevision, blob: this.#blobs.put(sealed) });
    if (version !== undefined) hint.version = version;
    if (commitTime !== undefined) hint.commitTime = commitTime;
    this.#send(subjects.configHint, seal(ConfigHintSchema, hint));
  }

  // ---- endpoints

  #endpointsChanged(urgency: EndpointUrgency): void {
    if (this.#closing.signal.aborted || urgency === 'none') return;
    this.#endpointHold.touch(urgency === 'urgent' ? this.#timings.endpointRemoval : this.#timings.endpointAddition);
  }

  /** A replica that does not lead goes on counting silently: its first state as a leader is then the newest. */
  #announceEndpoints(): void {
    this.#endpointHold.cancel();
    const patch = this.#endpoints.advance();
    if (patch === null || this.#leadership.epoch === null) return;
    const sealed = seal(EndpointPatchSchema, patch);
    if (sealed.length <= maxBroadcastBytes) this.#send(this.#options.subjects.endpointPatch, sealed);
    else this.#beacon();
  }

  // ---- leading

  #led(epoch: bigint | null): void {
    const { bus, subjects, log } = this.#options;
    this.#endpointServer?.close();
    this.#endpointServer = null;
    log.info(epoch === null ? 'does not lead any more' : 'leads', epoch === null ? {} : { epoch });
    if (epoch === null) return;
    this.#endpoints.lead(epoch);
    this.#endpointServer = bus.serve(subjects.endpointRequest, 'cp', (request) => this.#answers.endpoints(request));
    this.#beacon();
  }

  #tick(): void {
    this.#beacon();
    this.nodes.sweep();
  }

  #beacon(): void {
    const { state } = this.#config;
    const { epoch } = this.#leadership;
    if (epoch === null || state === null) return;
    const { postgres, consul, consulStaleMs, fleetSize } = this.status;
    const beacon = create(BeaconSchema, {
      epoch,
      leaderId: this.#options.replicaId,
      config: state.version,
      endpoints: this.#endpoints.version,
      oldestPatchRevision: this.#config.oldestPatchRevision,
      fleetSize,
      postgres,
      consul,
      consulStaleMs: BigInt(Math.round(consulStaleMs)),
      time: timestampFromMs(Date.now()),
    });
    this.#send(this.#options.subjects.beacon, seal(BeaconSchema, beacon));
  }

  #hearLeader(message: Uint8Array): void {
    const opened = open(BeaconSchema, message);
    if ('fault' in opened) return this.#options.log.warn('a beacon cannot be read', { fault: opened.fault });
    const { epoch, config, leaderId } = opened.message;
    const lineage = this.#config.state?.version.lineage;
    if (lineage !== undefined && config?.lineage !== lineage) {
      return this.#options.log.error('a control plane on another database uses this cluster name', { leaderId });
    }
    this.#leadership.hear(epoch);
  }

  // ---- nodes

  #hearNode(message: Uint8Array): void {
    const opened = open(NodeStatusSchema, message);
    if ('fault' in opened) return this.#options.log.warn('a node status cannot be read', { fault: opened.fault });
    this.nodes.hear(opened.message);
  }

  /** What was said during an outage is lost: nodes are asked where they are, and told where we are. */
  #busConnected(): void {
    const control = create(NodeControlSchema, { command: { case: 'report', value: {} } });
    this.#send(this.#options.subjects.allNodesControl, seal(NodeControlSchema, control));
    this.#beacon();
  }

  #send(subject: string, message: Uint8Array): void {
    try {
      this.#options.bus.publish(subject, message);
    } catch (error) {
      this.#options.log.error('a message could not be published', { subject, error: String(error) });
    }
  }
}

function startOf(revision: bigint): bigint {
  return revision > patchesAtStart ? revision - patchesAtStart : 0n;
}
