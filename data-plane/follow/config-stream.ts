import { ConfigPatchSchema, ConfigSnapshotSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { ConfigTrack } from './config-track.js';
import { Repair } from './repair.js';

import type { ConfigHint, ConfigPatch, ConfigVersion } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { KnownConfig, Taken } from './config-track.js';
import type { Epochs } from './epochs.js';
import type { Fetch } from './fetch.js';
import type { RepairOutcome, RepairTimes } from './repair.js';

export interface ConfigStreamDeps {
  readonly fetch: Fetch;
  readonly epochs: Epochs;
  readonly repairTimes: RepairTimes;
  /** There is a newer `known`. */
  readonly advanced: () => void;
  /** `isCurrent` may have changed. */
  readonly turned: () => void;
  readonly repairFailed: (reason: string) => void;
}

/** Follows the config that control planes announce, up to the newest state that can be proved; what runs is the applier's concern. */
export class ConfigStream {
  readonly #deps: ConfigStreamDeps;
  readonly #track = new ConfigTrack();
  readonly #repair: Repair;
  #hint: ConfigHint | null = null;
  #mustAsk = true;

  constructor(deps: ConfigStreamDeps) {
    this.#deps = deps;
    this.#repair = new Repair((signal) => this.#ask(signal), deps.repairTimes, deps.repairFailed);
  }

  get known(): KnownConfig | null {
    return this.#track.known;
  }

  /** Whether a control plane has confirmed that there is nothing newer, as far as has been heard since. */
  get isCurrent(): boolean {
    return this.#track.known !== null && !this.#mustAsk && !this.#track.isBehind;
  }

  remember(config: KnownConfig | null): void {
    this.#track.remember(config);
  }

  heardPatch(patch: ConfigPatch): void {
    this.#take(this.#track.offer(patch));
  }

  heardHint(hint: ConfigHint): void {
    if (hint.version === undefined) return;
    this.#hint = hint;
    this.#take(this.#track.announce(hint.version));
  }

  /** `afresh`: the control plane is new or back, so that former failures mean nothing. */
  heardVersion(version: ConfigVersion, afresh: boolean): void {
    if (this.#track.announce(version) === 'behind') this.#repair.want(afresh);
    this.#deps.turned();
  }

  /** Asks a control plane, whether anything is known to be missing or not. */
  compare(): void {
    this.#mustAsk = true;
    this.#repair.want(true);
    this.#deps.turned();
  }

  close(): Promise<void> {
    return this.#repair.close();
  }

  #take(taken: Taken): void {
    if (taken === 'behind') this.#repair.want();
    if (taken === 'advanced') this.#deps.advanced();
    this.#deps.turned();
  }

  async #ask(signal: AbortSignal): Promise<RepairOutcome> {
    await this.#takeHint(signal);
    if (!this.#mustAsk && !this.#track.isBehind) return 'done';
    const { fetch, epochs } = this.#deps;
    const { reply, epoch } = await fetch.config(this.#track.have, signal);
    // Zero comes from a control plane that has just started and has not heard of a leader.
    if (epoch !== 0n && epochs.isOutdated(epoch, performance.now())) {
      return { again: 'a control plane cut off answered' };
    }
    switch (reply.case) {
      case 'unchanged':
        this.#track.confirm();
        break;
      case 'patches':
        for (const patch of reply.value.patches) this.#take(this.#track.offer(patch));
        break;
      case 'snapshot':
        this.#take(this.#track.replace(await fetch.blob(reply.value, ConfigSnapshotSchema, signal)));
        break;
      case 'busy':
        return { again: 'the control plane is busy', afterMs: reply.value.retryAfterMs };
      case undefined:
        return { again: 'the control plane answered something newer than this node knows' };
      default:
        return reply satisfies never;
    }
    if (this.#track.isBehind) return { again: 'the answer did not lead to what was announced' };
    this.#mustAsk = false;
    this.#deps.turned();
    return 'done';
  }

  /** A patch too large to broadcast is worth fetching only if it follows what we have. */
  async #takeHint(signal: AbortSignal): Promise<void> {
    const hint = this.#hint;
    this.#hint = null;
    const known = this.#track.known?.version;
    if (hint?.blob === undefined || known === undefined || hint.fromRevision !== known.revision) return;
    if (hint.version?.lineage !== known.lineage) return;
    this.#take(this.#track.offer(await this.#deps.fetch.blob(hint.blob, ConfigPatchSchema, signal)));
  }
}
