import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { onProcessExit } from './exit.js';
import { spawnServer } from './spawn.js';
import { processTree, signalAll, waitUntilGone } from './tree.js';

import type { ChildProcess } from 'node:child_process';
import type { SpawnOptions } from './spawn.js';

/** A server as a test or script holds it. Every method resolves when what it says has happened. */
export interface RunningServer {
  readonly name: string;
  /** What clients connect to. */
  readonly url: string;
  readonly port: number;
  /** As the server itself answers it. */
  readonly version: string;
  /** Of the running process; undefined while it does not run, or when it is not ours. */
  readonly pid: number | undefined;
  /** Ends the server in its orderly way and removes its temporary folder, for good. May be called twice. */
  stop(): Promise<void>;
  /** Ends the server and its children by SIGKILL; its files stay for {@link restart}. */
  kill(): Promise<void>;
  /** Starts again on the same port and files, after an orderly end if it still runs. */
  restart(): Promise<void>;
  /** Freezes the server: connections stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** The last lines the server wrote. */
  log(): string;
}

/** Everything needed to start one server, as often as asked. */
export type Launch = SpawnOptions & {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  /** What ends it in an orderly way, then harder signals for when that is overdue. */
  readonly stopSignals: readonly NodeJS.Signals[];
  /** Asks the server for its version over its own protocol; rejects while it cannot answer. */
  readonly probe: (timeoutMs: number) => Promise<string>;
};

const READY_TIMEOUT_MS = 20_000;
const PROBE_TIMEOUT_MS = 2_000;
const PROBE_PAUSE_MS = 25;
const STOP_STEP_MS = 5_000;
const LOG_LINES = 40;

/** One server run as our child. It is ready when start() resolves, and it never outlives this process. */
export class ServerProcess implements RunningServer {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  readonly #launch: Launch;
  readonly #forgetExit: () => void;
  #child: ChildProcess | undefined;
  #version = '';
  #log: readonly string[] = [];

  private constructor(launch: Launch) {
    this.name = launch.name;
    this.url = launch.url;
    this.port = launch.port;
    this.#launch = launch;
    this.#forgetExit = onProcessExit(() => this.#endNow());
  }

  /** Starts and waits until the server answers; else throws with its last log lines, and leaves nothing behind. */
  static async start(launch: Launch): Promise<ServerProcess> {
    const server = new ServerProcess(launch);
    try {
      await server.#run();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get version(): string {
    return this.#version;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async stop(): Promise<void> {
    await this.#end();
    await rm(this.#launch.workDir, { recursive: true, force: true });
    this.#forgetExit();
  }

  async kill(): Promise<void> {
    if (this.pid === undefined) return;
    const pids = await processTree(this.pid);
    signalAll(pids, 'SIGKILL');
    // Postgres refuses to start while a child of the old server is still attached to its memory.
    await waitUntilGone(pids, STOP_STEP_MS);
    await this.#exited(STOP_STEP_MS);
  }

  async restart(): Promise<void> {
    await this.#end();
    await this.#run();
  }

  async pause(): Promise<void> {
    if (this.pid !== undefined) signalAll(await processTree(this.pid), 'SIGSTOP');
  }

  async resume(): Promise<void> {
    if (this.pid !== undefined) signalAll(await processTree(this.pid), 'SIGCONT');
  }

  log(): string {
    return this.#log.join('\n');
  }

  async #run(): Promise<void> {
    const child = spawnServer(this.#launch);
    this.#child = child;
    child.once('exit', () => this.#forget(child));
    child.once('error', (error) => {
      this.#keepLines(String(error));
      this.#forget(child);
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.#keepLines(text));
    await this.#untilReady(Date.now() + READY_TIMEOUT_MS);
  }

  #forget(child: ChildProcess): void {
    if (this.#child === child) this.#child = undefined;
  }

  #keepLines(text: string): void {
    const lines = text.split('\n').filter((line) => line !== '');
    this.#log = [...this.#log, ...lines].slice(-LOG_LINES);
  }

  async #untilReady(deadline: number): Promise<void> {
    let reason = 'ended at once';
    while (this.#child !== undefined) {
      try {
        this.#version = await this.#launch.probe(PROBE_TIMEOUT_MS);
        return;
      } catch (error) {
        if (Date.now() > deadline) {
          reason = `was not ready after ${READY_TIMEOUT_MS} ms (${String(error)})`;
          break;
        }
        await sleep(PROBE_PAUSE_MS);
      }
    }
    throw new Error(`${this.name} ${reason}; its last lines:\n${this.log()}`);
  }

  /** Each signal has its time; the last resort always works. */
  async #end(): Promise<void> {
    if (this.pid === undefined) return;
    const pids = await processTree(this.pid);
    await this.resume();
    for (const signal of this.#launch.stopSignals) {
      this.#child?.kill(signal);
      if (await this.#exited(STOP_STEP_MS)) return waitUntilGone(pids, STOP_STEP_MS);
    }
    await this.kill();
  }

  async #exited(timeoutMs: number): Promise<boolean> {
    const child = this.#child;
    if (child === undefined) return true;
    try {
      await once(child, 'exit', { signal: AbortSignal.timeout(timeoutMs) });
      return true;
    } catch {
      return this.#child !== child;
    }
  }

  #endNow(): void {
    if (this.pid !== undefined) signalAll([this.pid], 'SIGKILL');
    // Its children may write for a moment longer.
    rmSync(this.#launch.workDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }
}
