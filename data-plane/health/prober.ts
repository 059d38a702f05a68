import type { Endpoint } from '../balancer/balancer.js';
import type { ActiveHealthSettings, RunningService, ServiceSettings } from '../runtime/runtime.js';
import type { ProbeNews, ProbeStage } from './news.js';
import type { Probe } from './probe.js';
import { forgetProbes, isInTransition, isOut, probeFailed, probePassed } from './verdict.js';

/** How often the prober looks who is due; no probe is later than this. */
const defaultTickMs = 100;
/** Of a node. With the default timeout of a second that many endpoints can be silent and still be probed every second. */
const defaultMaxInFlight = 256;
/** Between probes of an endpoint that is about to change its state. */
const transitionIntervalMs = 1_000;
/** Intervals differ by this share either way, so that the nodes of a fleet do not fall into step. */
const jitter = 0.2;

export interface ProberOptions {
  /** The services and their endpoints, as they are now. */
  services(): Iterable<RunningService>;
  /** Nothing is heard of the registry: what it said of endpoints may have become untrue, so that all of them are in doubt. */
  registryIsSilent(): boolean;
  readonly probe: Probe;
  /** Milliseconds, on the clock by which endpoints are picked. */
  nowMs(): number;
  /** [0, 1). */
  random(): number;
  readonly log: ProberLog;
  /** Takes what the other processes of the node, which probe the same endpoints, are to hear; without it there are none. */
  tell?(news: ProbeNews): void;
  readonly tickMs?: number;
  readonly maxInFlight?: number;
}

export interface ProberLog {
  info(message: string, fields: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

interface Due {
  readonly service: ServiceSettings;
  readonly health: ActiveHealthSettings;
  readonly endpoint: Endpoint;
}

/**
 * Sends the probes of a node and applies what they show. It holds no list of endpoints: at each tick it looks at those that
 * run now, so whoever has left is not probed, and a new config holds from the next tick on. An endpoint's counters and its next
 * probe stand in the endpoint and outlive all of that. Never picks, never sends a request of a client.
 *
 * Where several processes probe for one node, each tells the others of its probes and takes theirs for its own: whoever is due
 * first sends, the others plan anew, and all count the same outcomes. None is in charge, so none has to be replaced.
 */
export class Prober {
  readonly #options: ProberOptions;
  readonly #inFlight = new Map<AbortController, Promise<void>>();
  #probed: ReadonlySet<RunningService['upstream']> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), this.#options.tickMs ?? defaultTickMs);
    this.#timer.unref();
  }

  /** Sends what is due. The timer calls it; tests with a clock of their own do too. */
  look(): void {
    const nowMs = this.#options.nowMs();
    const probed = new Set<RunningService['upstream']>();
    const due: Due[] = [];
    for (const { settings, upstream } of this.#options.services()) {
      const health = settings.activeHealth;
      if (health === null) continue;
      probed.add(upstream);
      for (const endpoint of upstream.endpoints) {
        if (this.#isDue(endpoint, health, nowMs)) due.push({ service: settings, health, endpoint });
      }
    }
    this.#forgetOthers(probed);
    this.#send(due);
  }

  /** Another process of the node has sent a probe, or has its outcome. */
  hear({ service, endpoint: id, stage }: ProbeNews): void {
    const running = this.#serviceNamed(service);
    const health = running?.settings.activeHealth ?? null;
    const endpoint = running?.upstream.endpoints.find((each) => each.id === id);
    if (health === null || endpoint === undefined) return;
    const nowMs = this.#options.nowMs();
    switch (stage) {
      case 'sent':
        // Until its outcome is here, or overdue.
        return this.#plan(
          endpoint,
          nowMs + Math.min(health.timeoutMs + this.#pauseMs(endpoint, health, nowMs), health.intervalMs),
        );
      case 'passed':
        probePassed(endpoint, health, nowMs);
        break;
      case 'failed':
        probeFailed(endpoint, health);
        break;
    }
    this.#planNext(endpoint, health, nowMs);
  }

  /** Sends nothing more; what is on its way is broken off and counts for nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const controller of this.#inFlight.keys()) controller.abort(new Error('the node stops'));
    await Promise.all(this.#inFlight.values());
  }

  #isDue(endpoint: Endpoint, health: ActiveHealthSettings, nowMs: number): boolean {
    const { probes } = endpoint.health;
    if (probes.inFlight) return false;
    if (!this.#isWanted(endpoint, health, nowMs)) {
      probes.dueMs = Infinity;
      return false;
    }
    // Nothing was planned, or by settings with a longer interval.
    if (probes.dueMs > nowMs + health.intervalMs * (1 + jitter))
      this.#plan(endpoint, nowMs + health.intervalMs * this.#options.random());
    if (probes.dueMs > nowMs) return false;
    if (!isProvenByTraffic(endpoint, health, nowMs)) return true;
    probes.failures = 0;
    this.#planNext(endpoint, health, nowMs);
    return false;
  }

  #isWanted(endpoint: Endpoint, { when }: ActiveHealthSettings, nowMs: number): boolean {
    if (when === 'always' || endpoint.suspect || isOut(endpoint, nowMs)) return true;
    return endpoint.health.probes.failures > 0 || this.#options.registryIsSilent();
  }

  /** Who waits the longest is first, so that at the limit of probes in flight everybody gets a turn. */
  #send(due: Due[]): void {
    const room = (this.#options.maxInFlight ?? defaultMaxInFlight) - this.#inFlight.size;
    if (due.length > room) due.sort((a, b) => a.endpoint.health.probes.dueMs - b.endpoint.health.probes.dueMs);
    for (const each of due.slice(0, room)) {
      const controller = new AbortController();
      const probing = this.#probe(each, controller).finally(() => this.#inFlight.delete(controller));
      this.#inFlight.set(controller, probing);
    }
  }

  async #probe({ service, health, endpoint }: Due, controller: AbortController): Promise<void> {
    const { probes } = endpoint.health;
    const overdue = (): void => controller.abort(new Error(`no answer within ${health.timeoutMs} ms`));
    const timer = setTimeout(overdue, health.timeoutMs);
    probes.inFlight = true;
    this.#tell(service, endpoint, 'sent');
    try {
      await this.#options.probe(service, endpoint, health, controller.signal);
      this.#passed(service, endpoint, health);
    } catch (error) {
      this.#failed(service, endpoint, health, controller.signal.aborted ? controller.signal.reason : error);
    } finally {
      clearTimeout(timer);
      probes.inFlight = false;
      this.#planNext(endpoint, health, this.#options.nowMs());
    }
  }

  #passed(service: ServiceSettings, endpoint: Endpoint, health: ActiveHealthSettings): void {
    this.#tell(service, endpoint, 'passed');
    if (!probePassed(endpoint, health, this.#options.nowMs())) return;
    this.#options.log.info('endpoint is back', { service: service.name, endpoint: endpoint.authority });
  }

  #failed(service: ServiceSettings, endpoint: Endpoint, health: ActiveHealthSettings, error: unknown): void {
    if (this.#closed) return;
    this.#tell(service, endpoint, 'failed');
    if (!probeFailed(endpoint, health)) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log.warn('endpoint is down', { service: service.name, endpoint: endpoint.authority, reason });
  }

  #planNext(endpoint: Endpoint, health: ActiveHealthSettings, nowMs: number): void {
    const pauseMs = this.#pauseMs(endpoint, health, nowMs);
    this.#plan(endpoint, nowMs + pauseMs * (1 - jitter + 2 * jitter * this.#options.random()));
  }

  #pauseMs(endpoint: Endpoint, health: ActiveHealthSettings, nowMs: number): number {
    const { intervalMs } = health;
    return isInTransition(endpoint, health, nowMs) ? Math.min(transitionIntervalMs, intervalMs) : intervalMs;
  }

  #plan({ health }: Endpoint, dueMs: number): void {
    health.probes.dueMs = dueMs;
    health.probes.successesSeen = health.successes;
  }

  #tell(service: ServiceSettings, endpoint: Endpoint, stage: ProbeStage): void {
    this.#options.tell?.({ service: service.name, endpoint: endpoint.id, stage });
  }

  #serviceNamed(name: string): RunningService | null {
    for (const running of this.#options.services()) if (running.settings.name === name) return running;
    return null;
  }

  #forgetOthers(probed: ReadonlySet<RunningService['upstream']>): void {
    for (const upstream of this.#probed) {
      if (!probed.has(upstream)) for (const endpoint of upstream.endpoints) forgetProbes(endpoint);
    }
    this.#probed = probed;
  }
}

/**
 * Requests have succeeded since the probe was planned and none has failed since, so that it would tell nothing new. Where all
 * endpoints are to be probed, `/healthz` may know what requests do not show, as that its instance is about to stop.
 */
function isProvenByTraffic(endpoint: Endpoint, { when, probe }: ActiveHealthSettings, nowMs: number): boolean {
  const { successes, connectFailures, serverErrors, probes } = endpoint.health;
  if (when === 'always' && probe.kind !== 'tcp') return false;
  return successes !== probes.successesSeen && connectFailures === 0 && serverErrors === 0 && !isOut(endpoint, nowMs);
}
