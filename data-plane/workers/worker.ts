import type { Problem } from '../../proto/snapshot/problem.js';
import type { ProbeNews } from '../health/health.js';
import type { Call, FromWorker, LogFields, Report, ToWorker, Word } from './messages.js';

/** A process that runs Duties, as the operating system knows it. */
export interface WorkerProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Has no effect once the process is gone. */
  send(message: ToWorker): void;
  /** Ends the connection to it, whereupon it ends itself. */
  release(): void;
  /** At once. */
  kill(): void;
}

export interface ProcessEvents {
  heard(message: FromWorker): void;
  /** Comes last, once; `how` is for people. */
  ended(how: string): void;
}

export type Fork = (events: ProcessEvents) => WorkerProcess;

export interface WorkerObserver {
  reported(report: Report): void;
  probed(worker: Worker, news: ProbeNews): void;
  logged(worker: Worker, level: 'info' | 'warn', message: string, fields: LogFields): void;
}

/** The worker ended before it answered. Says nothing about what it was asked. */
export class WorkerGoneError extends Error {}

/** A worker could not do what it was asked, with the `problem` when it is the config's. */
export class WorkerFaultError extends Error {
  readonly problem: Problem | null;

  constructor(reason: string, problem: Problem | null) {
    super(reason);
    this.problem = problem;
  }
}

interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One worker as the primary process sees it, from its start to its end; the one that replaces it is another. */
export class Worker {
  /** Starting; fed with changes of endpoints; has the config in force; accepts connections. */
  state: 'starting' | 'joining' | 'current' | 'serving' | 'ended' = 'starting';
  /** Stays with the place: the worker that replaces this one has the same. */
  readonly number: number;
  readonly startMs = performance.now();
  /** Resolves with how it ended. */
  readonly end: Promise<string>;
  connections = 0;
  certificates: Report['certificates'] = [];
  requests = 0;
  /** Looks since the last word from it. */
  silentLooks = 0;
  readonly #observer: WorkerObserver;
  readonly #process: WorkerProcess;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;
  /** What is said before the process listens; null from then on. */
  #early: ToWorker[] | null = [];

  constructor(number: number, fork: Fork, observer: WorkerObserver) {
    this.number = number;
    this.#observer = observer;
    let ended: (how: string) => void = () => undefined;
    this.end = new Promise((resolve) => (ended = resolve));
    this.#process = fork({
      heard: (message) => this.#heard(message),
      ended: (how) => {
        this.#ended(how);
        ended(how);
      },
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Whether it has the config in force, and has to be told of the next one. */
  get isCurrent(): boolean {
    return this.state === 'current' || this.state === 'serving';
  }

  /** Resolves with the answer; rejects with WorkerFaultError or WorkerGoneError. */
  ask(call: Call): Promise<unknown> {
    if (this.state === 'ended') return Promise.reject(new WorkerGoneError(`worker ${this.number} has ended`));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#send({ id, call });
    });
  }

  tell(word: Word): void {
    if (this.state !== 'ended') this.#send({ word });
  }

  release(): void {
    this.#process.release();
  }

  kill(): void {
    if (this.state !== 'ended') this.#process.kill();
  }

  #send(message: ToWorker): void {
    if (this.#early === null) this.#process.send(message);
    else this.#early.push(message);
  }

  #isUp(): void {
    for (const message of this.#early ?? []) this.#process.send(message);
    this.#early = null;
  }

  #heard(message: FromWorker): void {
    this.silentLooks = 0;
    switch (message.kind) {
      case 'up':
        return this.#isUp();
      case 'answer':
        return this.#take(message.id)?.resolve(message.value);
      case 'fault':
        return this.#take(message.id)?.reject(new WorkerFaultError(message.reason, message.problem));
      case 'report':
        return this.#reported(message.report);
      case 'probe':
        return this.#observer.probed(this, message.news);
      case 'log':
        return this.#observer.logged(this, message.level, message.message, message.fields);
    }
  }

  #take(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    return asked;
  }

  #reported(report: Report): void {
    this.connections = report.connections;
    this.certificates = report.certificates;
    for (const { byStatusClass } of report.counted.routes.values()) {
      for (const count of byStatusClass) this.requests += count;
    }
    this.#observer.reported(report);
  }

  #ended(how: string): void {
    this.state = 'ended';
    this.connections = 0;
    for (const { reject } of this.#asked.values()) reject(new WorkerGoneError(`worker ${this.number}: ${how}`));
    this.#asked.clear();
  }
}
