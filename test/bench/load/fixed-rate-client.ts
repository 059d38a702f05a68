import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
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
const maxUtilization = 0.95;

interface Connection {
  readonly socket: Socket;
  /** When the request that it carries was due. */
  due: number;
  received: string;
}

/** Sends what is due once in a millisecond, each request on a free connection, or on the next that gets free. */
class Generator {
  readonly #work: FixedRate;
  readonly #free: Connection[] = [];
  /** When the requests that wait for a connection were due. */
  readonly #waiting: number[] = [];
  readonly #latencies: number[] = [];
  #started = 0;
  #sent = 0;
  #answered = 0;
  #errors = 0;

  constructor(work: FixedRate) {
    this.#work = work;
  }

  async run(): Promise<LoadResult> {
    const { connections, seconds, requestsPerSecond } = this.#work;
    const opened = await Promise.all(Array.from({ length: connections }, () => this.#open()));
    const idleAtStart = performance.eventLoopUtilization();
    this.#started = performance.now();
    const totalMs = settleMs + seconds * 1_000;
    const total = Math.floor((totalMs * requestsPerSecond) / 1_000);
    while (this.#sent + this.#waiting.length < total) {
      this.#sendDue(Math.min(total, Math.floor(((performance.now() - this.#started) * requestsPerSecond) / 1_000)));
      await sleep(1);
    }
    const micros = (performance.now() - this.#started) * 1_000;
    const { utilization } = performance.eventLoopUtilization(idleAtStart);
    if (utilization > maxUtilization)
      throw new Error('the load generator cannot keep up: its latencies would be its own');
    const deadline = performance.now() + lateAnswerMs;
    while (this.#answered + this.#errors < total && performance.now() < deadline) await sleep(1);
    for (const { socket } of opened) socket.destroy();
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const percentile = (part: number): number => Math.round((sorted[Math.floor(sorted.length * part)] ?? 0) * 1_000);
    const errors = Math.max(this.#errors, total - this.#answered);
    return { requests: this.#answered, micros, errors, p50Micros: percentile(0.5), p99Micros: percentile(0.99) };
  }

  #sendDue(due: number): void {
    const now = performance.now();
    while (this.#sent + this.#waiting.length < due) {
      const connection = this.#free.shift();
      if (connection === undefined) this.#waiting.push(now);
      else this.#send(connection, now);
    }
  }

  #send(connection: Connection, due: number): void {
    this.#sent++;
    connection.due = due;
    connection.received = '';
    connection.socket.write(this.#work.text);
  }

  #receive(connection: Connection, chunk: Buffer): void {
    connection.received += chunk.toString('latin1');
    if (!isWhole(connection.received)) return;
    if (connection.received.startsWith('HTTP/1.1 2')) this.#answered++;
    else this.#errors++;
    const now = performance.now();
    if (now - this.#started > settleMs) this.#latencies.push(now - connection.due);
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(connection);
    else this.#send(connection, next);
  }

  async #open(): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port: this.#work.port, noDelay: true });
    await once(socket, 'connect');
    const connection = { socket, due: 0, received: '' };
    socket.on('data', (chunk: Buffer) => this.#receive(connection, chunk));
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

const [, , work = '{}'] = process.argv;
console.log(JSON.stringify(await new Generator(JSON.parse(work) as FixedRate).run()));
