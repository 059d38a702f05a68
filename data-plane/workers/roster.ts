import { setTimeout as sleep } from 'node:timers/promises';
import type { DataPlaneLog } from '../serving.js';
import { RestartPace } from './restart-pace.js';
import { Worker, type Fork, type WorkerObserver } from './worker.js';

/** A worker that says nothing for so many looks, with one a second, is stuck. Looks, so that a suspended machine counts none. */
const maxSilentLooks = 30;

export interface RosterOptions {
  readonly count: number;
  readonly fork: Fork;
  readonly observer: WorkerObserver;
  readonly log: DataPlaneLog;
  /** Brings a new worker to where it serves; rejects when it cannot be, and the worker is ended then. */
  join(worker: Worker): Promise<void>;
}

/** Keeps so many workers running: who dies is replaced, at once at first and then ever slower; who is stuck is killed. */
export class Roster {
  readonly #options: RosterOptions;
  readonly #workers = new Map<number, Worker>();
  readonly #closing = new AbortController();
  #replaced = 0;

  constructor(options: RosterOptions) {
    this.#options = options;
  }

  /** Those that have not ended. */
  get workers(): Worker[] {
    return [...this.#workers.values()].filter(({ state }) => state !== 'ended');
  }

  /** Workers started in place of others, so far. */
  get replaced(): number {
    return this.#replaced;
  }

  /** Resolves when every worker has joined; when one cannot, ends all of them and rejects with its reason. */
  async start(): Promise<void> {
    const workers = Array.from({ length: this.#options.count }, (_, i) => this.#fork(i + 1));
    try {
      await Promise.all(workers.map((worker) => this.#options.join(worker)));
    } catch (error) {
      this.close();
      await this.kill();
      throw error;
    }
    for (const worker of workers) void this.#keep(worker);
  }

  /** Kills who is stuck. To be called once a second. */
  look(): void {
    for (const worker of this.workers) {
      if (++worker.silentLooks <= maxSilentLooks) continue;
      this.#options.log.warn('a worker is stuck and is killed', { worker: worker.number, pid: worker.pid });
      worker.kill();
    }
  }

  /** Nobody is replaced from now on. */
  close(): void {
    this.#closing.abort();
  }

  /** Ends all of them at once. */
  async kill(): Promise<void> {
    await Promise.all(
      this.workers.map((worker) => {
        worker.kill();
        return worker.end;
      }),
    );
  }

  #fork(number: number): Worker {
    const worker = new Worker(number, this.#options.fork, this.#options.observer);
    this.#workers.set(number, worker);
    return worker;
  }

  async #keep(first: Worker): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#closing;
    const pace = new RestartPace();
    for (let worker = first; ;) {
      const how = await worker.end;
      if (signal.aborted) return;
      const pauseMs = pace.pauseMs(performance.now() - worker.startMs);
      log.warn('a worker has ended and is replaced', { worker: worker.number, pid: worker.pid, how, pauseMs });
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      this.#replaced++;
      worker = this.#fork(first.number);
      void this.#join(worker);
    }
  }

  async #join(worker: Worker): Promise<void> {
    try {
      await this.#options.join(worker);
    } catch (error) {
      this.#options.log.warn('a worker cannot serve', { worker: worker.number, pid: worker.pid, error: String(error) });
      worker.kill();
    }
  }
}
