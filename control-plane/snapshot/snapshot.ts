import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { compareResources, keyOf, sortResources } from '../../proto/snapshot/snapshot.js';
import { compareSchemas, type Difference } from './compatibility.js';
import { inspect, type Finding } from './inspect.js';
import { CheckMemo } from './memo.js';

import type { Schema as Descriptors } from '../../data-plane/transcoder/transcoder.js';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Problem } from '../../proto/snapshot/problem.js';

export { CheckMemo } from './memo.js';
export type { Difference } from './compatibility.js';

/**
 * From stored resources to what nodes run. Finds what a node would refuse, with the functions that a node compiles by, so that
 * a fault is met when it is written and not when it is live. Callers: admin (checkState, before each write) and sync (build).
 * Pure: this room reads no clock, logs nothing and throws for no resource, however bad.
 */
export interface Build {
  /** Sorted, without the resources that have a problem and those that refer to them. */
  readonly resources: readonly Resource[];
  readonly problems: readonly Problem[];
}

/** Everything wrong with a config, in the order of its resources. Of two routes that collide both are named. */
export function checkState(resources: readonly Resource[], memo: CheckMemo = new CheckMemo()): Problem[] {
  return problemsOf(inspect(resources, memo, new Set()));
}

/** The part of the config that works. Leaving a resource out leaves out what refers to it, so this goes on until nothing is wrong. */
export function build(resources: readonly Resource[], memo: CheckMemo = new CheckMemo()): Build {
  const problems: Problem[] = [];
  const leftOut = new Set<string>();
  let kept = sortResources(resources);
  for (;;) {
    const findings = inspect(kept, memo, leftOut);
    problems.push(...problemsOf(findings));
    const blamed = findings.filter((finding) => finding.blamed);
    if (blamed.length === 0) return { resources: kept, problems };
    for (const { problem } of blamed) leftOut.add(keyOf(problem));
    kept = kept.filter((resource) => !leftOut.has(keyOf(resource)));
  }
}

/** What differs for callers between two states of one schema; nothing while one of them has no descriptors. */
export function schemaDifferences(before: Resource, after: Resource, memo: CheckMemo): Difference[] {
  const [was, is] = [descriptorsOf(before, memo), descriptorsOf(after, memo)];
  return was === null || is === null ? [] : compareSchemas(was, is);
}

/** What the descriptors of a schema declare; null for other resources, and while there are none that can be read. */
export function descriptorsOf(resource: Resource, memo: CheckMemo): Descriptors | null {
  const decoded = memo.decode(resource);
  return decoded?.kind === Kind.SCHEMA ? memo.schema(decoded.message).descriptors : null;
}

function problemsOf(findings: readonly Finding[]): Problem[] {
  return findings.map(({ problem }) => problem).toSorted(compareResources);
}
