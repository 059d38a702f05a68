import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { findConflicts } from './certificates.js';
import { collisionReason, findCollisions } from './collisions.js';
import { checkMatching } from './matching.js';
import { toConfig } from './resources.js';
import { checkRewrite } from './rewrites.js';
import { checkReferences, checkReflect, checkShape } from './routes.js';
import { checkService } from './services.js';

import type { Binding } from '../../data-plane/transcoder/transcoder.js';
import type { Route } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Problem } from '../../proto/snapshot/problem.js';
import type { Collision, Entry } from './collisions.js';
import type { Fault } from './fault.js';
import type { CheckMemo } from './memo.js';
import type { Config, Decoded } from './resources.js';

export interface Finding {
  readonly problem: Problem;
  /** False for the older of two routes that collide: it is named for people, and goes on to work. */
  readonly blamed: boolean;
}

/** Looks at every resource alone, then at what it refers to, then at routes beside each other. */
export function inspect(resources: readonly Resource[], memo: CheckMemo, leftOut: ReadonlySet<string>): Finding[] {
  const findings: Finding[] = [];
  const readable: Decoded[] = [];
  for (const resource of resources) {
    const decoded = memo.decode(resource);
    if (decoded === null) findings.push(finding(resource, { field: '', reason: 'cannot be decoded' }));
    else readable.push(decoded);
  }
  const config = toConfig(readable, leftOut);
  for (const decoded of readable) {
    if (decoded.kind === Kind.ROUTE) continue;
    const inReferences = decoded.kind === Kind.SCHEMA ? checkReflect(decoded.message, config) : [];
    findings.push(
      ...[...faultsAlone(decoded, memo), ...inReferences].map((fault) =>
        finding({ ...decoded, name: decoded.message.name }, fault),
      ),
    );
  }
  return [...findings, ...inspectRoutes(config, memo), ...inspectCertificates(config, memo)];
}

function finding({ kind, name }: Pick<Resource, 'kind' | 'name'>, { field, reason }: Fault): Finding {
  return { problem: { kind, name, field, reason }, blamed: true };
}

function faultsAlone(decoded: Decoded, memo: CheckMemo): readonly Fault[] {
  switch (decoded.kind) {
    case Kind.SERVICE:
      return memo.faults(decoded.message, () => checkService(decoded.message));
    case Kind.SCHEMA:
      return memo.schema(decoded.message).faults;
    case Kind.CERTIFICATE:
      return memo.certificate(decoded.message).faults;
    case Kind.ROUTE:
      return memo.faults(decoded.message, () => checkRouteAlone(decoded.message));
  }
}

function checkRouteAlone(route: Route): Fault[] {
  const faults = [...checkShape(route), ...checkMatching(route)];
  return faults.length === 0 ? checkRewrite(route) : faults;
}

function inspectRoutes(config: Config, memo: CheckMemo): Finding[] {
  const findings: Finding[] = [];
  const entries: Entry[] = [];
  for (const route of config.routes) {
    const { bindings, faults: inBindings } = bindingsFor(route, config, memo);
    const alone = faultsAlone({ kind: Kind.ROUTE, message: route }, memo);
    const inReferences = checkReferences(route, config);
    if (alone.length + inReferences.length + inBindings.length > 0) {
      const key = { kind: Kind.ROUTE, name: route.name };
      findings.push(...[...alone, ...inReferences, ...inBindings].map((fault) => finding(key, fault)));
    } else if (route.enabled !== false) {
      for (const entry of memo.entries(route, bindings)) entries.push(entry);
    }
  }
  for (const collision of findCollisions(entries)) findings.push(...namedBoth(collision));
  return findings;
}

function namedBoth({ older, younger, text }: Collision): Finding[] {
  const fault = (other: string): Fault => ({ field: '', reason: collisionReason(other, text) });
  return [
    finding({ kind: Kind.ROUTE, name: younger }, fault(older)),
    { ...finding({ kind: Kind.ROUTE, name: older }, fault(younger)), blamed: false },
  ];
}

const noBindings: { readonly bindings: readonly Binding[]; readonly faults: readonly Fault[] } = {
  bindings: [],
  faults: [],
};

/** Nothing is said of a route whose schema has faults of its own: these come first. */
function bindingsFor({ transcode }: Route, { schemas }: Config, memo: CheckMemo): typeof noBindings {
  const schema = transcode === undefined ? undefined : schemas.get(transcode.schema);
  if (transcode === undefined || schema === undefined) return noBindings;
  const { descriptors, faults } = memo.schema(schema);
  return descriptors === null || faults.length > 0 ? noBindings : memo.bindings(descriptors, transcode);
}

/** Those with faults of their own claim nothing. */
function inspectCertificates({ certificates }: Config, memo: CheckMemo): Finding[] {
  const good = certificates.flatMap((certificate) => {
    const { facts } = memo.certificate(certificate);
    return facts === null ? [] : [{ certificate, names: facts.names }];
  });
  return findConflicts(good).flatMap(({ older, younger }) => [
    finding({ kind: Kind.CERTIFICATE, name: younger.name }, younger.fault),
    { ...finding({ kind: Kind.CERTIFICATE, name: older.name }, older.fault), blamed: false },
  ]);
}
