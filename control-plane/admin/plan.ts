import { create } from '@bufbuild/protobuf';

import { ChangeAction, ResourceChangeSchema, SchemaChangeSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { Kind, ResourceKeySchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { applyChange, compareNames, equalBytes, findResource, keyOf } from '../../proto/snapshot/snapshot.js';
import { AdminError, code } from '../errors.js';
import { completed, contentOf, fromResource, kindOf, kinds, toResource } from './convert.js';
import { diffFields } from './diff.js';
import { expiryProblem } from './expiry.js';
import { toKeep } from './secrets.js';
import { invalid, summary } from './validate.js';

import type { ResourceChange, SchemaChange } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Problem } from '../../proto/snapshot/problem.js';
import type { FieldViolation } from '../errors.js';
import type { Difference } from '../snapshot/snapshot.js';
import type { Change, State } from '../store/store.js';
import type { ConfigMessage, ResourceKind } from './convert.js';

/** What a caller wants of the config, whatever its present state. */
export interface Edit {
  readonly puts: readonly Put[];
  readonly deletes: readonly Key[];
}

export interface Put {
  readonly row: ResourceKind;
  readonly message: ConfigMessage;
  /** Where the message stands in the request, as `routes[3]`. */
  readonly field: string;
  readonly ordinal: number;
}

export interface Key {
  readonly kind: Kind;
  readonly name: string;
}

export interface Plan {
  /** Empty when the config is already as wanted. */
  readonly change: Change;
  /** For people: schemas, certificates, services, routes, each by name. */
  readonly changes: readonly ResourceChange[];
}

/** Gives the faults of a whole config. */
export type Check = (resources: readonly Resource[]) => readonly Problem[];
/** Gives what callers of a schema meet otherwise, breaking differences first. */
export type Compare = (before: Resource, after: Resource) => readonly Difference[];

/**
 * The change that brings `state` to where `edit` wants it. Resources whose content is already as wanted keep their bytes.
 * Throws an AdminError that names the faulty fields when the config would not work after it. Pure.
 */
export function plan(state: State, edit: Edit, nowMs: number, check: Check, compare: Compare = () => []): Plan {
  const upserts: Resource[] = [];
  const changes: ResourceChange[] = [];
  const expired: Problem[] = [];
  for (const { row, message: sent, ordinal } of edit.puts) {
    const stored = findResource(state.resources, { kind: row.kind, name: sent.name });
    const before = stored === undefined ? undefined : fromResource(row, stored);
    const message = completed(toKeep(sent, before), before);
    if (before !== undefined && equalBytes(contentOf(row, before), contentOf(row, message))) continue;
    upserts.push(toResource(row, message, before?.meta, { revision: state.version.revision + 1n, ordinal, nowMs }));
    changes.push(changeOf(row, before, message));
    const problem = expiryProblem(message, nowMs);
    if (problem !== null) expired.push(problem);
  }
  const deletes = edit.deletes
    .filter((key) => findResource(state.resources, key) !== undefined)
    .map((key) => create(ResourceKeySchema, key));
  for (const { kind, name } of deletes)
    changes.push(create(ResourceChangeSchema, { kind, name, action: ChangeAction.DELETE }));
  const change = { upserts, deletes };
  refuseNewProblems(state.resources, change, edit, check, expired);
  for (const each of changes) each.schemaChanges = schemaChanges(each, state.resources, upserts, compare);
  return { change, changes: changes.toSorted(inReportOrder) };
}

/** Only now, when it is known that the descriptors are good. */
function schemaChanges(
  { kind, name, action }: ResourceChange,
  resources: readonly Resource[],
  upserts: readonly Resource[],
  compare: Compare,
): SchemaChange[] {
  const before = findResource(resources, { kind, name });
  const after = upserts.find((resource) => resource.kind === kind && resource.name === name);
  if (kind !== Kind.SCHEMA || action !== ChangeAction.UPDATE || before === undefined || after === undefined) return [];
  return compare(before, after).map((difference) => create(SchemaChangeSchema, difference));
}

function changeOf(row: ResourceKind, before: ConfigMessage | undefined, after: ConfigMessage): ResourceChange {
  return create(ResourceChangeSchema, {
    kind: row.kind,
    name: after.name,
    action: before === undefined ? ChangeAction.CREATE : ChangeAction.UPDATE,
    fields: before === undefined ? [] : diffFields(row, before, after),
  });
}

function inReportOrder(a: ResourceChange, b: ResourceChange): number {
  const rank = ({ kind }: ResourceChange) => kinds.findIndex((row) => row.kind === kind);
  return rank(a) - rank(b) || compareNames(a.name, b.name);
}

/** Faults that are there already, as after an upgrade to stricter checks, do not stop a change that has nothing to do with them. */
function refuseNewProblems(
  resources: readonly Resource[],
  change: Change,
  edit: Edit,
  check: Check,
  expired: readonly Problem[],
): void {
  if (change.upserts.length + change.deletes.length === 0) return;
  const problems = [...check(applyChange(resources, change)), ...expired];
  if (problems.length === 0) return;
  const changed = new Set(change.upserts.map(keyOf));
  const known = new Set(check(resources).map(identity));
  const caused = problems.filter((problem) => changed.has(keyOf(problem)) || !known.has(identity(problem)));
  if (caused.length > 0) throw refusal(caused, edit);
}

function identity({ kind, name, field, reason }: Problem): string {
  return JSON.stringify([kind, name, field, reason]);
}

/** A fault in what was sent is an invalid argument; one that the change would bring to other resources is a failed precondition. */
function refusal(problems: readonly Problem[], edit: Edit): AdminError {
  const fields = new Map(
    edit.puts.map(({ row, message, field }) => [keyOf({ kind: row.kind, name: message.name }), field]),
  );
  const sent = problems.filter((problem) => fields.has(keyOf(problem)));
  const others = problems.filter((problem) => !fields.has(keyOf(problem)));
  const violations = [...sent, ...others].map((problem) => violationOf(problem, fields.get(keyOf(problem))));
  if (sent.length > 0) return invalid(violations);
  if (edit.puts.length > 0)
    return new AdminError(code.failedPrecondition, 'CONFIG_INVALID', summary(violations), violations);
  const users = [...new Set(others.map(nameOf))].join(', ');
  return new AdminError(code.failedPrecondition, 'RESOURCE_IN_USE', `It is in use by ${users}.`, violations);
}

function violationOf(problem: Problem, sentAs: string | undefined): FieldViolation {
  const root = sentAs ?? nameOf(problem);
  return { field: problem.field === '' ? root : `${root}.${problem.field}`, description: problem.reason };
}

function nameOf({ kind, name }: Key): string {
  return `${kindOf(kind).word} "${name}"`;
}
