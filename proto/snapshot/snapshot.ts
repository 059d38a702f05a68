import { create, fromBinary } from '@bufbuild/protobuf';

import { ConfigChangeSchema, ConfigVersionSchema } from '../gen/sluice/v1/snapshot_pb.js';
import { applyChange } from './apply.js';
import { checkPatch, firstChain } from './check.js';
import { StateDigest } from './digest.js';
import { equalBytes } from './hash.js';
import { sortResources } from './order.js';

import type {
  ConfigChange,
  ConfigPatch,
  ConfigSnapshot,
  ConfigVersion,
  Resource,
} from '../gen/sluice/v1/snapshot_pb.js';
import type { PatchVerdict } from './check.js';

/**
 * The snapshot as both planes see it: what identifies a state of the config and of the endpoints, and whether one state follows
 * another. Pure, and the only place that hashes or orders resources. This room never compiles, publishes or stores anything.
 */
export { applyChange } from './apply.js';
export { checkEndpointPatch, checkPatch, compareEndpointVersions, firstChain, nextChain, sameConfig } from './check.js';
export { digestState, StateDigest } from './digest.js';
export { digestEndpoints, digestEndpointSet } from './endpoints.js';
export { equalBytes, sha256 } from './hash.js';
export { compareNames, compareResources, findResource, keyOf, sortResources } from './order.js';
export type { ResourceChanges } from './apply.js';
export type { PatchVerdict } from './check.js';

/** A verified state of the config. Immutable; states share what did not change between them. */
export interface HeldConfig {
  readonly version: ConfigVersion;
  /** Sorted. */
  readonly resources: readonly Resource[];
  readonly digest: StateDigest;
}

/** Why a patch or snapshot was not taken; `digest-mismatch`: its resources are not those that its version names. */
export type ConfigFault = Exclude<PatchVerdict, 'ok'> | 'digest-mismatch';

export type HoldResult = { readonly held: HeldConfig } | { readonly fault: ConfigFault };

/** The state of a lineage at revision 0: no resources. */
export function emptyConfig(lineage: string): HeldConfig {
  const digest = StateDigest.empty;
  const version = create(ConfigVersionSchema, {
    lineage,
    revision: 0n,
    chain: firstChain(lineage),
    digest: digest.value,
  });
  return { version, resources: [], digest };
}

/** Takes a snapshot over after checking its digest. */
export function holdSnapshot(snapshot: ConfigSnapshot): HoldResult {
  const { version } = snapshot;
  if (version === undefined) return { fault: 'malformed' };
  const resources = sortResources(snapshot.resources);
  const digest = StateDigest.of(resources);
  if (!equalBytes(digest.value, version.digest)) return { fault: 'digest-mismatch' };
  return { held: { version, resources, digest } };
}

/** `have` after `patch`, if the patch follows it and gives the state it promises; `have` itself is not changed. */
export function applyPatch(have: HeldConfig | null, patch: ConfigPatch): HoldResult {
  const verdict = checkPatch(have?.version ?? null, patch);
  if (verdict !== 'ok') return { fault: verdict };
  const { version } = patch;
  const change = decodeChange(patch.change);
  if (version === undefined || change === undefined) return { fault: 'malformed' };
  const digest = (have?.digest ?? StateDigest.empty).with(change);
  if (!equalBytes(digest.value, version.digest)) return { fault: 'digest-mismatch' };
  return { held: { version, resources: applyChange(have?.resources ?? [], change), digest } };
}

function decodeChange(bytes: Uint8Array): ConfigChange | undefined {
  try {
    return fromBinary(ConfigChangeSchema, bytes);
  } catch {
    return undefined;
  }
}
