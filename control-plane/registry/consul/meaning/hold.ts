import { clone } from '@bufbuild/protobuf';

import { EndpointSchema, EndpointState } from '../../../../proto/gen/sluice/v1/snapshot_pb.js';
import { compareNames } from '../../../../proto/snapshot/snapshot.js';

import type { Endpoint } from '../../../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Instance } from './translate.js';

/** Losses this close together are one event. */
export const LOSS_WINDOW_MS = 1_000;

/**
 * The hold on mass loss, for one service: when more than half of what served is lost within a second, Consul's view is likelier to
 * be at fault than every instance, so the lost ones go on as SUSPECT for a while. Only what nobody chose counts as lost:
 * instances that went critical (two or more: a single one is no mass), and those that are missing from an answer which is no proof
 * of deregistration. A deregistration by a healthy Consul, maintenance and weight 0 act at once, also on what is held.
 * Pure: time comes in, and `heldUntilMs` tells when to call again.
 */
export interface HoldState {
  /** The latest answer, sorted by id. */
  readonly instances: readonly Instance[];
  /** What serves, and what served until lately; by id. */
  readonly members: ReadonlyMap<string, Member>;
  readonly heldUntilMs: number | null;
  /** How long a hold lasts; 0 is none. */
  readonly holdMs: number;
}

interface Member {
  readonly endpoint: Endpoint;
  readonly sinceMs: number;
  readonly loss: Loss | null;
}

interface Loss {
  readonly kind: 'critical' | Absence;
  readonly atMs: number;
}

/** What it means that an answer lacks an instance: `explicit`, it was deregistered; `doubtful`, the answer may be at fault. */
export type Absence = 'explicit' | 'doubtful';

export function firstSight(instances: readonly Instance[], holdMs: number): HoldState {
  return see({ instances: [], members: new Map(), heldUntilMs: null, holdMs }, instances, 'explicit', -Infinity);
}

/** The next answer. */
export function see(state: HoldState, instances: readonly Instance[], absence: Absence, nowMs: number): HoldState {
  const members = new Map<string, Member>();
  const seen = new Set<string>();
  for (const instance of instances) {
    seen.add(instance.endpoint.id);
    const member = memberOf(instance, state.members.get(instance.endpoint.id), nowMs);
    if (member !== null) members.set(instance.endpoint.id, member);
  }
  for (const [id, member] of state.members) {
    if (!seen.has(id)) members.set(id, missing(member, absence, nowMs));
  }
  return settle({ ...state, instances, members }, nowMs);
}

/** The removals of the last second turned out to be no deregistrations: too much went with them. */
export function doubtRemovals(state: HoldState, nowMs: number): HoldState {
  const members = new Map<string, Member>();
  for (const [id, member] of state.members) {
    const { loss } = member;
    members.set(id, loss?.kind === 'explicit' ? { ...member, loss: { ...loss, kind: 'doubtful' } } : member);
  }
  return settle({ ...state, members }, nowMs);
}

/** Ends the hold when its time has come, and forgets losses too old to be part of a mass. */
export function settle(state: HoldState, nowMs: number): HoldState {
  const over = state.heldUntilMs !== null && nowMs >= state.heldUntilMs;
  const holding = state.heldUntilMs !== null && !over;
  const members = new Map<string, Member>();
  for (const [id, member] of state.members) {
    if (member.loss === null || (!over && isKept(member.loss, holding, nowMs))) members.set(id, member);
  }
  const lost = [...members.values()].some(isHoldable);
  if (holding) return { ...state, members, heldUntilMs: lost ? state.heldUntilMs : null };
  return {
    ...state,
    members,
    heldUntilMs: lost && state.holdMs > 0 && isMassLoss(members, nowMs) ? nowMs + state.holdMs : null,
  };
}

/** What to report, sorted by id. */
export function endpointsOf({ instances, members, heldUntilMs }: HoldState): readonly Endpoint[] {
  if (heldUntilMs === null) return instances.map(({ endpoint }) => endpoint);
  const endpoints = new Map(instances.map(({ endpoint }) => [endpoint.id, endpoint]));
  for (const [id, member] of members) {
    if (!isHoldable(member)) continue;
    const listed = endpoints.get(id);
    const reason = listed === undefined ? 'held: missing from the answer' : `held: ${listed.reason}`;
    endpoints.set(id, suspect(listed ?? member.endpoint, reason));
  }
  return [...endpoints.values()].toSorted((a, b) => compareNames(a.id, b.id));
}

export function heldCount({ members, heldUntilMs }: HoldState): number {
  return heldUntilMs === null ? 0 : [...members.values()].filter(isHoldable).length;
}

function memberOf({ endpoint, standing }: Instance, before: Member | undefined, nowMs: number): Member | null {
  switch (standing) {
    case 'serving':
      return { endpoint, sinceMs: before?.sinceMs ?? nowMs, loss: null };
    case 'critical':
      if (before === undefined || before.loss?.kind === 'explicit') return null;
      return { endpoint, sinceMs: before.sinceMs, loss: { kind: 'critical', atMs: before.loss?.atMs ?? nowMs } };
    case 'withdrawn':
      return null;
    default:
      return standing satisfies never;
  }
}

/** A member that was missing before already keeps the first verdict. */
function missing(member: Member, absence: Absence, nowMs: number): Member {
  if (member.loss !== null && member.loss.kind !== 'critical') return member;
  return { ...member, loss: { kind: absence, atMs: absence === 'doubtful' ? (member.loss?.atMs ?? nowMs) : nowMs } };
}

function isKept(loss: Loss, holding: boolean, nowMs: number): boolean {
  return (holding && loss.kind !== 'explicit') || nowMs - loss.atMs <= LOSS_WINDOW_MS;
}

function isHoldable({ loss }: Member): boolean {
  return loss !== null && loss.kind !== 'explicit';
}

/** Newcomers count for what serves now and not for what served before: a replacement is no loss. */
function isMassLoss(members: ReadonlyMap<string, Member>, nowMs: number): boolean {
  let lost = 0;
  let doubtful = 0;
  let serving = 0;
  let stayed = 0;
  for (const member of members.values()) {
    if (member.loss === null) {
      serving += 1;
      if (nowMs - member.sinceMs > LOSS_WINDOW_MS) stayed += 1;
    } else if (isHoldable(member)) {
      lost += 1;
      if (member.loss.kind === 'doubtful') doubtful += 1;
    }
  }
  return serving * 2 < lost + stayed && (lost > 1 || doubtful > 0);
}

function suspect(endpoint: Endpoint, reason: string): Endpoint {
  const held = clone(EndpointSchema, endpoint);
  held.state = EndpointState.SUSPECT;
  held.reason = reason;
  return held;
}
