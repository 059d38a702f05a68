import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';

import { ConfigPatchSchema, ConfigSnapshotSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { equalBytes, sameConfig } from '../../proto/snapshot/snapshot.js';

import type { ConfigPatch, ConfigSnapshot, ConfigVersion } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { CommittedRevision, State } from '../store/store.js';

/** What a node is told that has `have`; `behind`: it knows more than this replica, which therefore has nothing to say yet. */
export type ConfigAnswer =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'patches'; readonly patches: readonly ConfigPatch[] }
  | { readonly kind: 'snapshot'; readonly state: State }
  | { readonly kind: 'behind' };

interface FeedLimits {
  readonly maxPatches: number;
  readonly maxPatchBytes: number;
  /** Of the patches of one answer; more, and a snapshot is less work for both. */
  readonly maxAnswerBytes: number;
}

const defaultLimits: FeedLimits = { maxPatches: 1_000, maxPatchBytes: 16 * 1024 * 1024, maxAnswerBytes: 256 * 1024 };

/** The newest state that this replica has announced and the patches that led there: what it can tell nodes without the database. */
export class ConfigFeed {
  readonly #limits: FeedLimits;
  #state: State | null = null;
  /** Without gaps, the last one making `#state`. */
  #patches: ConfigPatch[] = [];
  #patchBytes = 0;

  constructor(limits: Partial<FeedLimits> = {}) {
    this.#limits = { ...defaultLimits, ...limits };
  }

  get state(): State | null {
    return this.#state;
  }

  get oldestPatchRevision(): bigint {
    return this.#patches[0]?.version?.revision ?? 0n;
  }

  /** Goes on to `state` and returns the patches from the former state, or none when they are not among `revisions`. */
  advance(state: State, revisions: readonly CommittedRevision[], epoch: bigint): readonly ConfigPatch[] {
    const from = this.#state?.version;
    const patches = revisions
      .filter(({ version }) => version.revision <= state.version.revision)
      .map((revision) => toPatch(revision, epoch));
    const last = patches.at(-1)?.version;
    const complete = last !== undefined && sameConfig(last, state.version);
    this.#state = state;
    if (from !== undefined && complete && follows(patches[0], from)) {
      this.#keep(patches);
      return patches;
    }
    this.#patches = [];
    this.#patchBytes = 0;
    if (complete) this.#keep(patches);
    return [];
  }

  answer(have: ConfigVersion | undefined): ConfigAnswer {
    const state = this.#state;
    if (state === null) return { kind: 'behind' };
    const now = state.version;
    if (have === undefined || have.lineage !== now.lineage) return { kind: 'snapshot', state };
    if (sameConfig(have, now)) return { kind: 'unchanged' };
    if (have.revision > now.revision) return { kind: 'behind' };
    const first = this.#patches.findIndex((patch) => follows(patch, have));
    const patches = first === -1 ? [] : this.#patches.slice(first);
    if (patches.length === 0 || sizeOf(patches) > this.#limits.maxAnswerBytes) return { kind: 'snapshot', state };
    return { kind: 'patches', patches };
  }

  #keep(patches: readonly ConfigPatch[]): void {
    this.#patches.push(...patches);
    this.#patchBytes += sizeOf(patches);
    while (this.#patches.length > this.#limits.maxPatches || this.#patchBytes > this.#limits.maxPatchBytes) {
      const dropped = this.#patches.shift();
      if (dropped === undefined) return;
      this.#patchBytes -= sizeOf([dropped]);
    }
  }
}

export function snapshotOf(state: State): ConfigSnapshot {
  return create(ConfigSnapshotSchema, {
    version: state.version,
    resources: [...state.resources],
    commitTime: timestampFromMs(state.commitTimeMs),
  });
}

function toPatch(revision: CommittedRevision, epoch: bigint): ConfigPatch {
  return create(ConfigPatchSchema, {
    epoch: epoch > revision.epoch ? epoch : revision.epoch,
    fromRevision: revision.version.revision - 1n,
    version: revision.version,
    previousChain: revision.previousChain,
    change: revision.change,
    commitTime: timestampFromMs(revision.commitTimeMs),
  });
}

function follows(patch: ConfigPatch | undefined, have: ConfigVersion): boolean {
  return (
    patch !== undefined &&
    patch.version?.lineage === have.lineage &&
    patch.fromRevision === have.revision &&
    equalBytes(patch.previousChain, have.chain)
  );
}

function sizeOf(patches: readonly ConfigPatch[]): number {
  let bytes = 0;
  for (const patch of patches) bytes += patch.change.length + 200;
  return bytes;
}
