import { equalBytes, sha256 } from './hash.js';

import type { ConfigPatch, ConfigVersion, EndpointPatch, EndpointVersion } from '../gen/sluice/v1/snapshot_pb.js';

/** The chain of the revision that `changeBytes` (an encoded ConfigChange) makes: H(previous chain ‖ H(change)). */
export function nextChain(previousChain: Uint8Array, changeBytes: Uint8Array): Uint8Array {
  return sha256(previousChain, sha256(changeBytes));
}

/** The chain of revision 0. It differs between lineages, so that two histories of equal changes do not meet. */
export function firstChain(lineage: string): Uint8Array {
  return sha256(lineage);
}

/**
 * What a patch is to one who has `have`:
 * `ok` follows it · `stale` is not newer · `gap` follows something else · `other-lineage` belongs to another database ·
 * `broken-chain` claims a history that is not ours, or bytes that do not make the chain it names · `malformed` lacks its version.
 */
export type PatchVerdict = 'ok' | 'stale' | 'gap' | 'other-lineage' | 'broken-chain' | 'malformed';

/** Says whether `patch` follows `have`; null, for one who has nothing, is followed only by the first revision. */
export function checkPatch(have: ConfigVersion | null, patch: ConfigPatch): PatchVerdict {
  const { version } = patch;
  if (version === undefined || version.revision <= patch.fromRevision) return 'malformed';
  const base = have ?? { lineage: version.lineage, revision: 0n, chain: firstChain(version.lineage) };
  if (version.lineage !== base.lineage) return 'other-lineage';
  if (version.revision === base.revision) return equalBytes(version.chain, base.chain) ? 'stale' : 'broken-chain';
  if (version.revision < base.revision) return 'stale';
  if (patch.fromRevision !== base.revision) return 'gap';
  if (!equalBytes(patch.previousChain, base.chain)) return 'broken-chain';
  return equalBytes(nextChain(base.chain, patch.change), version.chain) ? 'ok' : 'broken-chain';
}

/** Same lineage, revision, chain and digest. */
export function sameConfig(a: ConfigVersion, b: ConfigVersion): boolean {
  return (
    a.lineage === b.lineage &&
    a.revision === b.revision &&
    equalBytes(a.chain, b.chain) &&
    equalBytes(a.digest, b.digest)
  );
}

/** The order of endpoint versions: epoch, then sequence. */
export function compareEndpointVersions(a: EndpointVersion, b: EndpointVersion): number {
  return compare(a.epoch, b.epoch) || compare(a.sequence, b.sequence);
}

/**
 * Says whether `patch` follows `have`. A patch of another epoch never does: a new leader counts from its own first state,
 * which is to be fetched whole.
 */
export function checkEndpointPatch(
  have: EndpointVersion | null,
  patch: EndpointPatch,
): 'ok' | 'stale' | 'gap' | 'malformed' {
  const { version } = patch;
  if (version === undefined || version.sequence <= patch.fromSequence) return 'malformed';
  if (have === null) return 'gap';
  if (compareEndpointVersions(version, have) <= 0) return 'stale';
  return version.epoch === have.epoch && patch.fromSequence === have.sequence ? 'ok' : 'gap';
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
