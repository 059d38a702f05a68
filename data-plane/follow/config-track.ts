import { timestampMs } from '@bufbuild/protobuf/wkt';

import { applyPatch, holdSnapshot, sameConfig } from '../../proto/snapshot/snapshot.js';

import type { Timestamp } from '@bufbuild/protobuf/wkt';
import type { ConfigPatch, ConfigSnapshot, ConfigVersion } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { HeldConfig } from '../../proto/snapshot/snapshot.js';

/** A verified state that a node may be told to run. */
export interface KnownConfig extends HeldConfig {
  /** Wall time of the control plane. */
  readonly commitTimeMs: number;
}

/** Null when the resources are not those of the version. */
export function knownOf(snapshot: ConfigSnapshot): KnownConfig | null {
  const result = holdSnapshot(snapshot);
  return 'fault' in result ? null : { ...result.held, commitTimeMs: msOf(snapshot.commitTime) };
}

/** `advanced`: there is a newer state · `ignored`: old or already known · `behind`: something before it is missing, so ask. */
export type Taken = 'advanced' | 'ignored' | 'behind';

interface TrackLimits {
  readonly maxWaiting: number;
  readonly maxWaitingBytes: number;
}

const defaultLimits: TrackLimits = { maxWaiting: 256, maxWaitingBytes: 4 * 1024 * 1024 };

/**
 * The newest state of the config that this node can prove, from patches in any order and with gaps, and from snapshots. Patches
 * whose predecessors are missing wait for them; too many are dropped, since a repair brings them anyway. Pure.
 */
export class ConfigTrack {
  readonly #limits: TrackLimits;
  /** By the revision that they follow. */
  readonly #waiting = new Map<bigint, ConfigPatch>();
  #waitingBytes = 0;
  #known: KnownConfig | null = null;
  #announced: ConfigVersion | null = null;
  /** What we hold may not be what the control plane has under the same numbers. */
  #broken = false;
  /** Patches came that there was no room to keep. */
  #overflowed = false;

  constructor(limits: Partial<TrackLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  get known(): KnownConfig | null {
    return this.#known;
  }

  /** What to tell the control plane that we have; undefined to be given everything. */
  get have(): ConfigVersion | undefined {
    return this.#broken ? undefined : this.#known?.version;
  }

  /** Whether the control plane has a state that we do not. */
  get isBehind(): boolean {
    if (this.#broken || this.#overflowed || this.#waiting.size > 0) return true;
    return this.#announced !== null && this.#lacks(this.#announced);
  }

  /** Starts from what a disk remembers. */
  remember(config: KnownConfig | null): void {
    this.#known = config;
  }

  /** A beacon or a hint says what the newest state is. */
  announce(version: ConfigVersion): Taken {
    this.#announced = version;
    return this.#lacks(version) ? 'behind' : 'ignored';
  }

  offer(patch: ConfigPatch): Taken {
    const result = applyPatch(this.#known, patch);
    if ('held' in result) {
      this.#advance({ ...result.held, commitTimeMs: msOf(patch.commitTime) });
      return 'advanced';
    }
    switch (result.fault) {
      case 'stale':
        return 'ignored';
      case 'gap':
        this.#wait(patch);
        return 'behind';
      case 'malformed':
        return 'behind';
      case 'other-lineage':
      case 'broken-chain':
      case 'digest-mismatch':
        // Either this patch or what we hold belongs to another history; only the whole state tells.
        this.#broken = true;
        return 'behind';
      default:
        return result.fault satisfies never;
    }
  }

  /** Takes over a whole state. Of the same lineage an older one is ignored, unless our own has turned out to be wrong. */
  replace(snapshot: ConfigSnapshot): Taken {
    const offered = knownOf(snapshot);
    if (offered === null) return 'behind';
    const { version } = offered;
    const known = this.#known?.version;
    const older = known?.lineage === version.lineage && version.revision < known.revision;
    if (!this.#broken && (older || (known !== undefined && sameConfig(known, version)))) return 'ignored';
    this.#broken = false;
    this.#advance(offered);
    return 'advanced';
  }

  /** The control plane has confirmed that we have all it has; what still waits follows nothing. */
  confirm(): void {
    this.#clear();
  }

  #advance(config: KnownConfig): void {
    let newest = config;
    for (let next = this.#next(newest); next !== undefined; next = this.#next(newest)) {
      const result = applyPatch(newest, next);
      if ('fault' in result) break;
      newest = { ...result.held, commitTimeMs: msOf(next.commitTime) };
    }
    this.#overflowed = false;
    this.#known = newest;
    for (const revision of this.#waiting.keys()) if (revision < newest.version.revision) this.#drop(revision);
  }

  /** Takes the patch that follows `held` out of those that wait. */
  #next(held: HeldConfig): ConfigPatch | undefined {
    const { revision } = held.version;
    const next = this.#waiting.get(revision);
    this.#drop(revision);
    return next;
  }

  #wait(patch: ConfigPatch): void {
    if (this.#waiting.has(patch.fromRevision)) return;
    this.#waiting.set(patch.fromRevision, patch);
    this.#waitingBytes += patch.change.length;
    const { maxWaiting, maxWaitingBytes } = this.#limits;
    if (this.#waiting.size <= maxWaiting && this.#waitingBytes <= maxWaitingBytes) return;
    this.#clear();
    this.#overflowed = true;
  }

  #drop(revision: bigint): void {
    this.#waitingBytes -= this.#waiting.get(revision)?.change.length ?? 0;
    this.#waiting.delete(revision);
  }

  #clear(): void {
    this.#waiting.clear();
    this.#waitingBytes = 0;
    this.#overflowed = false;
  }

  #lacks(version: ConfigVersion): boolean {
    const known = this.#known?.version;
    if (known === undefined || known.lineage !== version.lineage) return true;
    return version.revision > known.revision || (version.revision === known.revision && !sameConfig(version, known));
  }
}

function msOf(time: Timestamp | undefined): number {
  return time === undefined ? 0 : timestampMs(time);
}
