import type { EndpointSet, Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { OpenApiPage, OpenApiRequest } from '../explain/explain.js';
import type { ProbeNews } from '../health/health.js';
import { Metrics } from '../ops/ops.js';
import type { PreparedConfig } from '../runtime/runtime.js';
import type { ServingPorts, StopStep } from '../serving.js';
import { Duties, type WorkerServing } from './duties.js';
import type { FromWorker, ToWorker } from './messages.js';
import type { ProcessEvents, WorkerProcess } from './worker.js';

/** Duties as a worker has them, in this process, over messages that are cloned and take a moment. */
export class FakeProcess implements WorkerProcess {
  readonly pid: number;
  readonly serving: NotedServing;
  readonly #events: ProcessEvents;
  readonly #duties: Duties;
  #gone = false;

  constructor(pid: number, events: ProcessEvents, notes: string[], bad: BadConfigs) {
    this.pid = pid;
    this.#events = events;
    this.serving = new NotedServing(`worker ${pid}`, notes, bad, () => this.end('out of memory'));
    this.#duties = new Duties(
      () => this.serving,
      (message) => this.#say(message),
    );
    this.#say({ kind: 'up' });
  }

  send(message: ToWorker): void {
    const copy = structuredClone(message);
    setImmediate(() => {
      if (!this.#gone) this.#duties.hear(copy);
    });
  }

  release(): void {
    this.end('exit code 0');
  }

  kill(): void {
    this.end('SIGKILL');
  }

  end(how: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.serving.destroy();
    setImmediate(() => this.#events.ended(how));
  }

  /** As if its duties had said it. */
  tell(message: FromWorker): void {
    this.#say(message);
  }

  #say(message: FromWorker): void {
    if (this.#gone) return;
    const copy = structuredClone(message);
    setImmediate(() => this.#events.heard(copy));
  }
}

/** What a config with a resource of this name does to every worker, or to one, as `worker 2 NAME`. */
export type BadConfigs = Map<string, 'refused' | 'deadly'>;

/** A stand-in for the request path that notes what it is given. */
export class NotedServing implements WorkerServing {
  readonly endpoints = new Map<string, EndpointSet>();
  readonly counted = new Metrics();
  readonly connections = 1;
  readonly certificates = [];
  readonly debug = { routes: () => this.names, endpoints: () => [...this.endpoints.keys()] };
  readonly stopSteps: readonly StopStep[];
  /** Of the resources that run. */
  names: readonly string[] = [];
  listening = false;
  failure: Error | null = null;
  readonly #name: string;
  readonly #notes: string[];
  readonly #bad: BadConfigs;
  readonly #die: () => void;

  constructor(name: string, notes: string[], bad: BadConfigs, die: () => void) {
    this.#name = name;
    this.#notes = notes;
    this.#bad = bad;
    this.#die = die;
    this.stopSteps = [{ name: 'listener', deadlineMs: 0, stop: async () => this.#note('finishes') }];
  }

  openApi({ host }: OpenApiRequest): OpenApiPage {
    return { status: 200, text: JSON.stringify({ host, routes: this.names }) };
  }

  prepareConfig(resources: readonly Resource[]): PreparedConfig {
    const names = resources.map(({ name }) => name);
    this.#note(`prepares ${names.join()}`);
    for (const { kind, name } of resources) {
      const fault = this.#bad.get(`${this.#name} ${name}`) ?? this.#bad.get(name);
      if (fault === 'deadly') this.#die();
      if (fault !== 'refused') continue;
      const problem = { kind, name, field: 'paths[0]', reason: 'cannot be run' };
      throw Object.assign(new Error('refused'), { problem });
    }
    return {
      commit: () => {
        this.#note(`runs ${names.join()}`);
        this.names = names;
      },
    };
  }

  applyEndpoints(changed: readonly EndpointSet[], removed: readonly string[]): void {
    for (const service of removed) this.endpoints.delete(service);
    for (const set of changed) this.endpoints.set(set.service, set);
  }

  async listen(): Promise<ServingPorts> {
    if (this.#bad.get('listen') !== undefined) throw new Error('listen EADDRINUSE');
    this.#note('listens');
    this.listening = true;
    return { http: 8080, tls: 8443 };
  }

  metrics(): Metrics {
    return this.counted;
  }

  hearProbe({ service, endpoint, stage }: ProbeNews): void {
    this.#note(`hears that a probe of ${service} ${endpoint} was ${stage}`);
  }

  retire(): void {
    this.#note('retires');
  }

  destroy(): void {
    this.listening = false;
  }

  #note(text: string): void {
    this.#notes.push(`${this.#name} ${text}`);
  }
}
