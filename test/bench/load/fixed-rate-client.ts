import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { LoadResult } from './contract.js';

/** What fixed-rate.ts asks of this process, as its one argument. */
export interface FixedRate {
  readonly port: number;
  /** The whole request as it is sent. */
  readonly text: string;
  readonly connections: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
}

/** This process compiles its own code at first; latencies of that time are its own and not counted. */
const settleMs = 500;
const lateAnswerMs = 2_000;
const timerMs = 1.5;

interface Connection {
  readonly socket: Socket;
  /** When the request that it carries was due. */
  dueMs: number;
  received: string;
}

/**
 * Open loop: request i is due i / rate seconds after the start, whatever became of those before. It leaves on a free connection,
 * or on the next that gets free, and its latency begins when it was due. So a system that stalls is charged for all that had to
 * wait, and what this process is late is charged to the system as well, never taken off.
 */
class Generator {
  readonly #work: FixedRate;
  readonly #total: number;
  readonly #intervalMs: number;
  readonly #free: Connection[] = [];
  /** How many requests were due so far; each has been sent or waits. */
  #due = 0;
  /** How many of them have been sent. */
  #sent = 0;
  #answered = 0;
  #errors = 0;
  #startedMs = 0;
  readonly #latencies: number[] = [];
  readonly #lateness: number[] = [];

  constructor(work: FixedRate) {
    this.#work = work;
    this.#intervalMs = 1_000 / work.requestsPerSecond;
    this.#total = Math.floor((settleMs + work.seconds * 1_000) / this.#intervalMs);
  }

  async run(): Promise<LoadResult> {
    const opened = await Promise.all(Array.from({ length: this.#work.connections }, () => this.#open()));
    this.#startedMs = performance.now();
    await this.#until(() => this.#due === this.#total);
    const micros = (performance.now() - this.#startedMs) * 1_000;
    const deadlineMs = performance.now() + lateAnswerMs;
    await this.#until(() => this.#answered + this.#errors >= this.#total || performance.now() > deadlineMs);
    for (const { socket } of opened) socket.destroy();
    return {
      requests: this.#answered,
      micros,
      errors: Math.max(this.#errors, this.#total - this.#answered),
      p50Micros: Math.round(percentile(this.#latencies, 0.5) * 1_000),
      p99Micros: Math.round(percentile(this.#latencies, 0.99) * 1_000),
      lateMicros: Math.round(percentile(this.#lateness, 0.5) * 1_000),
    };
  }

  /**
   * Timers are exact to a millisecond or two, in which dozens may be due: so it turns and looks, as often as there is time, and
   * sleeps only while nothing is due for longer.
   */
  #until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const turn = (): void => {
        this.#sendDue();
        if (done()) resolve();
        else if (this.#dueMs(this.#due) - performance.now() > timerMs) setTimeout(turn, 1);
        else setImmediate(turn);
      };
      turn();
    });
  }

  #sendDue(): void {
    const nowMs = performance.now();
    this.#due = Math.min(this.#total, 1 + Math.floor((nowMs - this.#startedMs) / this.#intervalMs));
    while (this.#sent < this.#due) {
      const connection = this.#free.shift();
      if (connection === undefined) return;
      this.#lateness.push(nowMs - this.#dueMs(this.#sent));
      this.#send(connection);
    }
  }

  #dueMs(request: number): number {
    return this.#startedMs + request * this.#intervalMs;
  }

  #send(connection: Connection): void {
    connection.dueMs = this.#dueMs(this.#sent++);
    connection.received = '';
    connection.socket.write(this.#work.text);
  }

  #receive(connection: Connection, chunk: Buffer): void {
    connection.received += chunk.toString('latin1');
    if (!isWhole(connection.received)) return;
    if (connection.received.startsWith('HTTP/1.1 2')) this.#answered++;
    else this.#errors++;
    const nowMs = performance.now();
    if (connection.dueMs - this.#startedMs >= settleMs) this.#latencies.push(nowMs - connection.dueMs);
    if (this.#sent < this.#due) this.#send(connection);
    else this.#free.push(connection);
  }

  async #open(): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port: this.#work.port, noDelay: true });
    await once(socket, 'connect');
    const connection = { socket, dueMs: 0, received: '' };
    socket.on('data', (chunk: Buffer) => this.#receive(connection, chunk));
    // What it carries is not answered, and nothing is sent on it again: both are errors in the end.
    socket.on('error', () => this.#errors++);
    this.#free.push(connection);
    return connection;
  }
}

/** Answers of a bench have a length. */
function isWhole(received: string): boolean {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(received)?.[1];
  return length === undefined || received.length >= headEnd + 4 + Number(length);
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length * part)] ?? 0;
}

const [, , work = '{}'] = process.argv;
console.log(JSON.stringify(await new Generator(JSON.parse(work) as FixedRate).run()));
