import type { Endpoint } from '../balancer/balancer.js';
import type { ProxyError } from '../errors.js';

export type { ProbeNews } from './news.js';
export { createProbe, type Probe } from './probe.js';
export { Prober, type ProberLog, type ProberOptions } from './prober.js';
export { isDown } from './verdict.js';

/**
 * Passive health: traffic itself shows who is sick, and the proxy reports it here. An ejection is a time in the endpoint's
 * counters that pickers respect. Explicit states of the registry are not touched: this room only ever doubts.
 * Active health is the prober's: it sends probes, ends ejections early, and keeps out who fails.
 */

/** Connect errors are cheap to be wrong about: two in a row, a short time out that doubles. */
const connect = { inARow: 2, baseMs: 1_000, maxMs: 60_000 } as const;
/** An error status may be one bad request: five in a row. */
const serverError = { inARow: 5, baseMs: 10_000, maxMs: 300_000 } as const;
/** At most this share of a service's endpoints (at least one of several) is out at a time, and never more than half. */
const maxEjectedShare = 0.34;

/** The endpoint gave a useful answer. */
export function reportSuccess(endpoint: Endpoint): void {
  const { health } = endpoint;
  health.successes = (health.successes + 1) | 0;
  if (health.connectFailures === 0 && health.serverErrors === 0 && health.ejections === 0) return;
  health.connectFailures = 0;
  health.serverErrors = 0;
  health.ejections = 0;
}

/** No connection could be made. Ejects from the second time in a row; true when it did. */
export function reportConnectFailure(endpoint: Endpoint, siblings: readonly Endpoint[], nowMs: number): boolean {
  endpoint.health.connectFailures++;
  return endpoint.health.connectFailures >= connect.inARow && eject(endpoint, siblings, connect, nowMs);
}

/** The endpoint answered with a status that means it failed (5xx), or broke off. Ejects from the fifth in a row; true when it did. */
export function reportServerError(endpoint: Endpoint, siblings: readonly Endpoint[], nowMs: number): boolean {
  endpoint.health.serverErrors++;
  endpoint.health.connectFailures = 0;
  return endpoint.health.serverErrors >= serverError.inARow && eject(endpoint, siblings, serverError, nowMs);
}

/** What an answer says of its endpoint. */
export function judgeAnswer(endpoint: Endpoint, siblings: readonly Endpoint[], failed: boolean, nowMs: number): void {
  if (failed) reportServerError(endpoint, siblings, nowMs);
  else reportSuccess(endpoint);
}

/**
 * What it says of an endpoint that an attempt brought no answer; nothing, if the fault is not the service's, or if only a
 * connection came to its end (as after so many requests, or so long): that takes all calls on their way with it at once.
 */
export function judgeFailure(
  endpoint: Endpoint,
  siblings: readonly Endpoint[],
  { kind, source, retry }: ProxyError,
  nowMs: number,
): void {
  if (source !== 'upstream' || kind === 'upstream_unsent') return;
  if (retry === 'if-unsent') reportConnectFailure(endpoint, siblings, nowMs);
  else reportServerError(endpoint, siblings, nowMs);
}

interface Threshold {
  readonly baseMs: number;
  readonly maxMs: number;
}

function eject(endpoint: Endpoint, siblings: readonly Endpoint[], threshold: Threshold, nowMs: number): boolean {
  const { health } = endpoint;
  if (health.ejectedUntilMs > nowMs || !mayEjectOneMore(siblings, nowMs)) return false;
  health.ejectedUntilMs = nowMs + Math.min(threshold.maxMs, threshold.baseMs * 2 ** health.ejections);
  health.ejections++;
  health.probes.passes = 0;
  return true;
}

function mayEjectOneMore(siblings: readonly Endpoint[], nowMs: number): boolean {
  const out = siblings.reduce((count, sibling) => count + (sibling.health.ejectedUntilMs > nowMs ? 1 : 0), 0);
  const allowed = Math.min(Math.max(1, Math.floor(siblings.length * maxEjectedShare)), Math.floor(siblings.length / 2));
  return out < allowed;
}
