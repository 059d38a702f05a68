import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { keyOf, sortResources } from '../../proto/snapshot/snapshot.js';
import { decodeResource, toConfig } from './resources.js';
import { checkReferences, checkShape } from './routes.js';
import { checkService } from './services.js';

import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Problem } from '../../proto/snapshot/problem.js';
import type { Fault } from './fault.js';
import type { Config, Decoded } from './resources.js';

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

/** What is known of resources by their identity: with it, checking a config again costs what has changed. Made once, passed to each call. */
export interface CheckMemo {
  readonly decoded: WeakMap<Resource, Decoded | null>;
  readonly faults: WeakMap<Decoded, readonly Fault[]>;
}

export function createMemo(): CheckMemo {
  return { decoded: new WeakMap(), faults: new WeakMap() };
}

/** Everything wrong with a config, in the order of its resources. Of two routes that collide both are named. */
export function checkState(resources: readonly Resource[], memo: CheckMemo = createMemo()): Problem[] {
  return inspect(resources, memo, new Set()).map(({ kind, name, field, reason }) => ({ kind, name, field, reason }));
}

/** The part of the config that works. Leaving a resource out leaves out what refers to it, so this goes on until nothing is wrong. */
export function build(resources: readonly Resource[], memo: CheckMemo = createMemo()): Build {
  const problems: Problem[] = [];
  const leftOut = new Set<string>();
  let kept = sortResources(resources);
  for (;;) {
    const findings = inspect(kept, memo, leftOut);
    problems.push(...findings.map(({ kind, name, field, reason }) => ({ kind, name, field, reason })));
    const blamed = findings.filter((finding) => finding.blamed);
    if (blamed.length === 0) return { resources: kept, problems };
    for (const finding of blamed) leftOut.add(keyOf(finding));
    kept = kept.filter((resource) => !leftOut.has(keyOf(resource)));
  }
}

/** `blamed` is false for the older of two routes that collide: it is named for people, and goes on to work. */
type Finding = Problem & { readonly blamed: boolean };

function inspect(resources: readonly Resource[], memo: CheckMemo, leftOut: ReadonlySet<string>): Finding[] {
  const findings: Finding[] = [];
  const sound: Decoded[] = [];
  for (const resource of resources) {
    const decoded = remember(memo.decoded, resource, () => decodeResource(resource));
    if (decoded !== null) sound.push(decoded);
    else findings.push({ kind: resource.kind, name: resource.name, field: '', reason: 'cannot be decoded', blamed: true });
  }
  const config = toConfig(sound, leftOut);
  for (const decoded of sound) {
    const faults = [...remember(memo.faults, decoded, () => faultsAlone(decoded)), ...faultsAmongOthers(decoded, config)];
    const { kind, message } = decoded;
    for (const fault of faults) findings.push({ kind, name: message.name, ...fault, blamed: true });
  }
  return findings;
}

function faultsAlone(decoded: Decoded): Fault[] {
  switch (decoded.kind) {
    case Kind.SERVICE:
      return checkService(decoded.message);
    case Kind.ROUTE:
      return checkShape(decoded.message);
    case Kind.SCHEMA:
      return [];
  }
}

function faultsAmongOthers(decoded: Decoded, config: Config): Fault[] {
  return decoded.kind === Kind.ROUTE ? checkReferences(decoded.message, config) : [];
}

function remember<K extends object, V>(known: WeakMap<K, V>, key: K, find: () => V): V {
  const value = known.get(key);
  if (value !== undefined) return value;
  const found = find();
  known.set(key, found);
  return found;
}
