import type { Endpoint } from '../balancer/balancer.js';
import type { ActiveHealthSettings } from '../runtime/runtime.js';

/**
 * What probes mean for an endpoint. They speak to pickers by the same time that passive health sets: Infinity takes an endpoint
 * out until probes pass, 0 brings it back.
 */

/** Traffic or probes have taken the endpoint out. */
export function isOut({ health }: Endpoint, nowMs: number): boolean {
  return health.ejectedUntilMs > nowMs;
}

/** Probes have taken the endpoint out. */
export function isDown({ health }: Endpoint): boolean {
  return health.ejectedUntilMs === Infinity;
}

/** True when this probe brought the endpoint back. */
export function probePassed(endpoint: Endpoint, { probe, rise }: ActiveHealthSettings, nowMs: number): boolean {
  const { probes } = endpoint.health;
  probes.failures = 0;
  probes.passes++;
  if (!isOut(endpoint, nowMs) || probes.passes < rise) return false;
  if (probe.kind === 'tcp' && isOutForAnswers(endpoint)) return false;
  bringBack(endpoint);
  return true;
}

/** The last to fail were answers, not connections; that a connection can be made does not speak against it. */
function isOutForAnswers(endpoint: Endpoint): boolean {
  return !isDown(endpoint) && endpoint.health.connectFailures === 0;
}

/** True when this probe took the endpoint out. */
export function probeFailed(endpoint: Endpoint, { fall }: ActiveHealthSettings): boolean {
  const { health } = endpoint;
  health.probes.passes = 0;
  health.probes.failures++;
  if (isDown(endpoint) || health.probes.failures < fall) return false;
  health.ejectedUntilMs = Infinity;
  return true;
}

/** Nobody probes the endpoint any more, so that nothing could bring it back later. */
export function forgetProbes(endpoint: Endpoint): void {
  const { probes } = endpoint.health;
  probes.passes = 0;
  probes.failures = 0;
  probes.dueMs = Infinity;
  if (isDown(endpoint)) bringBack(endpoint);
}

/** Some passes or failures speak for a change, and not yet enough. */
export function isInTransition(endpoint: Endpoint, { rise, fall }: ActiveHealthSettings, nowMs: number): boolean {
  const { passes, failures } = endpoint.health.probes;
  return isOut(endpoint, nowMs) ? passes > 0 && passes < rise : failures > 0 && failures < fall;
}

/** The count of ejections stays, for traffic to clear: who fails again in spite of passing probes is out for longer. */
function bringBack({ health }: Endpoint): void {
  health.ejectedUntilMs = 0;
  health.connectFailures = 0;
  health.serverErrors = 0;
}
