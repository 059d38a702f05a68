import { Kind, type EndpointSet, type Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { DataPlaneConfig } from '../config.js';
import { openApiPage, type OpenApiPage, type OpenApiRequest } from '../explain/explain.js';
import type { ProbeNews } from '../health/health.js';
import { Metrics, type Value } from '../ops/ops.js';
import {
  certificateValue,
  spareMs,
  type Serving,
  type ServingParts,
  type ServingPorts,
  type StopStep,
} from '../serving.js';
import { forkByCluster } from './fork.js';
import type { PageName } from './messages.js';
import { Roster } from './roster.js';
import { SharedState } from './shared-state.js';
import type { Fork, Worker } from './worker.js';

const lookMs = 1_000;
/** How long a page on the ops port waits for a worker; what comes later counts, and shows the next time. */
const answerMs = 500;
/** A document of a large schema takes its time. */
const documentMs = 20_000;

/**
 * Serves a node's requests in several processes on one port, for a machine with many cores. The primary process, which makes
 * this, follows the control plane, counts for all, and has the ops port; it touches no request. A config is in force when every
 * worker runs it, and a refusal by one is the node's. This room never compiles a config in the primary process.
 */
export function serveByWorkers(config: DataPlaneConfig, parts: ServingParts): Serving {
  return new WorkersServing(config, parts, forkByCluster());
}

export class WorkersServing implements Serving {
  readonly debug = {
    workers: () => this.#roster.workers.map(describe),
    routes: () => this.#routesPage(),
    endpoints: () => this.#endpointPages(),
  };
  readonly stopSteps: readonly StopStep[];
  readonly #config: DataPlaneConfig;
  readonly #parts: ServingParts;
  readonly #roster: Roster;
  readonly #state: SharedState;
  readonly #total = new Metrics();
  #looks: NodeJS.Timeout | undefined;
  #ports: ServingPorts = { http: 0, tls: null };
  #registryIsSilent = false;
  #retiring = false;

  constructor(config: DataPlaneConfig, parts: ServingParts, fork: Fork) {
    const { log } = parts;
    this.#config = config;
    this.#parts = parts;
    this.#state = new SharedState(() => this.#roster.workers, log);
    this.#roster = new Roster({
      count: config.workers,
      fork,
      log,
      observer: {
        reported: ({ counted }) => this.#total.add(counted),
        probed: (from, news) => this.#pass(news, from),
        logged: ({ number }, level, message, fields) => log[level](message, { worker: number, ...fields }),
      },
      join: (worker) => this.#join(worker),
    });
    const stopMs = config.drainDeadlineMs + 3 * spareMs;
    this.stopSteps = [{ name: 'workers', deadlineMs: stopMs, stop: () => this.#stop() }];
  }

  async listen(): Promise<ServingPorts> {
    await this.#roster.start();
    this.#looks = setInterval(() => this.#look(), lookMs);
    this.#looks.unref();
    return this.#ports;
  }

  get ready(): boolean {
    return this.#state.hasConfig && this.#serving().length > 0;
  }

  get gauges(): Value[] {
    const serving = this.#serving();
    const connections = serving.reduce((sum, worker) => sum + worker.connections, 0);
    return [
      ['sluice_connections', 'Client connections open.', connections],
      ['sluice_workers', 'Worker processes that serve.', serving.length],
      ['sluice_workers_replaced_total', 'Worker processes started in place of others.', this.#roster.replaced],
      ...(serving[0]?.certificates ?? []).map(certificateValue),
    ];
  }

  async metrics(): Promise<Metrics> {
    await Promise.all(this.#serving().map((worker) => within(answerMs, worker.ask({ kind: 'report' }))));
    return this.#total;
  }

  async applyConfig(resources: readonly Resource[]): Promise<void> {
    await this.#state.applyConfig(resources);
    const routes = resources.filter(({ kind }) => kind === Kind.ROUTE).map(({ name }) => name);
    for (const name of routes) this.#total.route(name);
    this.#total.retain(new Set(routes));
  }

  applyEndpoints(changed: readonly EndpointSet[], removed: readonly string[]): void {
    this.#state.applyEndpoints(changed, removed);
  }

  async openApi(request: OpenApiRequest): Promise<OpenApiPage> {
    const [worker] = this.#serving();
    const document = worker === undefined ? null : await within(documentMs, worker.ask({ kind: 'openapi', request }));
    return document === null ? openApiPage(null, request) : (document as OpenApiPage);
  }

  retire(): void {
    this.#retiring = true;
    for (const worker of this.#started()) worker.tell({ kind: 'retire' });
  }

  destroy(): void {
    clearInterval(this.#looks);
    this.#roster.close();
    this.#state.close();
    void this.#roster.kill();
  }

  /** What it has to know it gets before it listens. */
  async #join(worker: Worker): Promise<void> {
    await worker.ask({ kind: 'start', config: this.#config, tls: this.#parts.tls });
    worker.state = 'joining';
    if (this.#registryIsSilent) worker.tell({ kind: 'registry', silent: true });
    if (this.#retiring) worker.tell({ kind: 'retire' });
    await this.#state.bring(worker);
    this.#ports = (await worker.ask({ kind: 'listen' })) as ServingPorts;
    worker.state = 'serving';
  }

  #started(): Worker[] {
    return this.#roster.workers.filter(({ state }) => state !== 'starting');
  }

  #serving(): Worker[] {
    return this.#roster.workers.filter(({ state }) => state === 'serving');
  }

  /** What one worker has found of an endpoint counts for all. */
  #pass(news: ProbeNews, from: Worker): void {
    for (const worker of this.#started()) if (worker !== from) worker.tell({ kind: 'probe', news });
  }

  #look(): void {
    this.#roster.look();
    const silent = this.#parts.registryIsSilent();
    if (silent === this.#registryIsSilent) return;
    this.#registryIsSilent = silent;
    for (const worker of this.#started()) worker.tell({ kind: 'registry', silent });
  }

  async #stop(): Promise<void> {
    this.#roster.close();
    this.#state.close();
    await Promise.all(this.#roster.workers.map((worker) => finish(worker)));
    clearInterval(this.#looks);
  }

  async #routesPage(): Promise<unknown> {
    const [worker] = this.#serving();
    return worker === undefined ? null : page('routes', worker);
  }

  /** By worker, since each judges the health of endpoints for itself. */
  async #endpointPages(): Promise<unknown> {
    const pages = this.#serving().map(async (worker) => [worker.number, await page('endpoints', worker)]);
    return Object.fromEntries(await Promise.all(pages));
  }
}

/** Lets a worker finish what it has in flight; one that has not begun to serve has nothing. */
async function finish(worker: Worker): Promise<void> {
  if (worker.state === 'serving') await worker.ask({ kind: 'stop' }).catch(() => worker.kill());
  else worker.kill();
  worker.release();
  await worker.end;
}

interface WorkerPage extends Pick<Worker, 'number' | 'pid' | 'state' | 'connections' | 'requests'> {
  readonly upMs: number;
}

function describe({ number, pid, state, startMs, connections, requests }: Worker): WorkerPage {
  return { number, pid, state, upMs: Math.round(performance.now() - startMs), connections, requests };
}

function page(name: PageName, worker: Worker): Promise<unknown> {
  return within(answerMs, worker.ask({ kind: 'page', name }));
}

/** The answer, or null when it does not come within `ms`. */
async function within(ms: number, answer: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), ms)));
  try {
    return await Promise.race([answer, late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
