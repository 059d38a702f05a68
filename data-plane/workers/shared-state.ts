import { toBinary } from '@bufbuild/protobuf';
import { EndpointSetSchema, type EndpointSet, type Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { DataPlaneLog } from '../serving.js';
import type { PlainResource } from './messages.js';
import { WorkerGoneError, type Worker } from './worker.js';

/** A config at which so many workers end while they compile it is at fault, not they. */
const maxEndsAtTrial = 2;

/** What all workers run: the config, changed everywhere or nowhere, and the endpoints. */
export class SharedState {
  readonly #workers: () => readonly Worker[];
  readonly #log: DataPlaneLog;
  #resources: readonly PlainResource[] | null = null;
  readonly #endpoints = new Map<string, Uint8Array>();
  #waiting: (() => void)[] = [];
  #closed = false;

  constructor(workers: () => readonly Worker[], log: DataPlaneLog) {
    this.#workers = workers;
    this.#log = log;
  }

  get hasConfig(): boolean {
    return this.#resources !== null;
  }

  /** Gives a worker that is joining everything. When this resolves it is current, and gets what changes from then on. */
  async bring(worker: Worker): Promise<void> {
    worker.tell({ kind: 'endpoints', changed: [...this.#endpoints.values()], removed: [] });
    let given: readonly PlainResource[] | null = null;
    while (given !== this.#resources) {
      given = this.#resources;
      if (given !== null) await this.#give(worker, given);
    }
    if (worker.state !== 'joining') throw new WorkerGoneError(`worker ${worker.number} has ended`);
    worker.state = 'current';
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /**
   * One worker compiles the config first, so that what no worker survives does not take all of them; then the others; then all
   * commit. A refusal by any is thrown, and none runs the config then. Resolves when every worker runs it, which is at once when
   * there are none any more.
   */
  async applyConfig(resources: readonly Resource[]): Promise<void> {
    const change = resources.map(({ kind, name, body }) => ({ kind, name, body }));
    const first = await this.#try(change);
    if (first === null) return;
    const prepared = new Set([first]);
    const others = this.#current().filter((worker) => !prepared.has(worker));
    const outcomes = await Promise.allSettled(
      others.map(async (worker) => {
        await worker.ask({ kind: 'prepare', resources: change });
        prepared.add(worker);
      }),
    );
    const refusal = outcomes.find((outcome) => outcome.status === 'rejected' && !isGone(outcome.reason));
    if (refusal?.status === 'rejected') {
      for (const worker of prepared) worker.tell({ kind: 'discard' });
      throw refusal.reason;
    }
    // Decided: who joins from here on begins with it, and who joined meanwhile has yet to compile it.
    this.#resources = change;
    await Promise.all(this.#current().map((worker) => this.#enforce(worker, prepared.has(worker))));
  }

  applyEndpoints(changed: readonly EndpointSet[], removed: readonly string[]): void {
    for (const service of removed) this.#endpoints.delete(service);
    const sets = changed.map((set) => toBinary(EndpointSetSchema, set));
    changed.forEach(({ service }, i) => this.#endpoints.set(service, sets[i] as Uint8Array));
    for (const worker of this.#workers()) {
      if (worker.state !== 'starting') worker.tell({ kind: 'endpoints', changed: sets, removed });
    }
  }

  /** There will be no new worker: a change waits for none. */
  close(): void {
    this.#closed = true;
    for (const resume of this.#waiting.splice(0)) resume();
  }

  #current(): Worker[] {
    return this.#workers().filter(({ isCurrent }) => isCurrent);
  }

  async #try(resources: readonly PlainResource[]): Promise<Worker | null> {
    for (let ends = 0; ends < maxEndsAtTrial; ends++) {
      const worker = await this.#firstCurrent();
      if (worker === null) return null;
      try {
        await worker.ask({ kind: 'prepare', resources });
        return worker;
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
    throw new Error(`${maxEndsAtTrial} workers ended while they compiled it`);
  }

  async #firstCurrent(): Promise<Worker | null> {
    for (;;) {
      const [worker] = this.#current();
      if (worker !== undefined) return worker;
      if (this.#closed) return null;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** What other workers run, this one has to run too, or make room for one that does. */
  async #enforce(worker: Worker, isPrepared: boolean): Promise<void> {
    try {
      if (isPrepared) await worker.ask({ kind: 'commit' });
      else await this.#give(worker, this.#resources ?? []);
    } catch (error) {
      if (isGone(error)) return;
      this.#log.warn('a worker cannot run what the others run', { worker: worker.number, error: String(error) });
      worker.kill();
      await worker.end;
    }
  }

  async #give(worker: Worker, resources: readonly PlainResource[]): Promise<void> {
    await worker.ask({ kind: 'prepare', resources });
    await worker.ask({ kind: 'commit' });
  }
}

function isGone(error: unknown): boolean {
  return error instanceof WorkerGoneError;
}
