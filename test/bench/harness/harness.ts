import type { HttpRequest, SlowClients } from '../load/load.js';

/** One line of a result: what one system did in one case, each figure the median of the rounds. */
export interface Row {
  /** The scenario, by the same name for every system; `small` is the headline of each bench. */
  readonly case: string;
  readonly system: string;
  readonly rps: number;
  /** User and system time of the whole process tree of the system, per request. */
  readonly cpuMicrosPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The same without what disturbs the requests, where something does. */
  readonly quietP99Ms?: number;
  /** Of all rounds. */
  readonly errors: number;
  /** What a connection that waits or is slow costs in memory, where the case is about that. */
  readonly bytesPerConnection?: number;
}

export interface BenchResult {
  readonly rows: readonly Row[];
  /** Peers and cases that cannot be had here, and why. */
  readonly skipped: readonly Skipped[];
  /** The system the others are compared with in the table; null when there is only one. */
  readonly reference: string | null;
}

export interface Skipped {
  readonly name: string;
  readonly reason: string;
}

export interface BenchOptions {
  /** How often each system is measured per case; null leaves it to the case. */
  readonly rounds: number | null;
  /** How long one measurement lasts. */
  readonly seconds: number;
  /** Null means those that need not be asked for. */
  readonly cases: readonly string[] | null;
  /** Null means all. */
  readonly systems: readonly string[] | null;
  readonly progress: (line: string) => void;
}

export type Bench = (options: BenchOptions) => Promise<BenchResult>;

/** A wrong argument; the command line shows how it is meant. */
export class UsageError extends Error {}

/** A system that runs and answers. */
export interface Running {
  readonly port: number;
  /** Where it speaks TLS; null when it does not. */
  readonly tlsPort: number | null;
  /** The process whose time, with that of its children, is counted. It has core 0 for itself. */
  readonly pid: number;
  /** What else it needs to run; these share core 1 with the load. */
  readonly helpers: readonly number[];
  stop(): Promise<void>;
}

/** What takes part: the gateway, or a peer of it. */
export interface System {
  readonly name: string;
  /** A peer that does not start is skipped by name; without the gateway there is nothing to measure. */
  readonly required: boolean;
  /** Starts it in front of the upstreams that listen on these ports, with their weights if it knows any (`weightOf`). */
  start(upstreamPorts: readonly number[]): Promise<Running>;
}

/** How much the upstream at this place among the ports gets, beside the others. */
export function weightOf(index: number): number {
  return index === 0 ? 3 : 1;
}

/**
 * How a system is loaded.
 * - `full`: as much as each takes, every connection sends as soon as it has its answer
 * - `half`: at a fixed rate, the same for all, half of what the gateway takes
 * - `websocket`: as `full`, with messages that are echoed on upgraded connections
 * - `calls`: as `full`, with gRPC calls over HTTP/2, many on each connection
 * - `idle`: not at all; each connection has had one answer and stays
 * - `slow`: at a low fixed rate, without and with slow clients beside
 */
export type Load = 'full' | 'half' | 'websocket' | 'calls' | 'idle' | 'slow';

/** One scenario. */
export interface Case {
  readonly name: string;
  readonly request: HttpRequest;
  readonly connections: number;
  /** Whether clients come with TLS. */
  readonly tls: boolean;
  readonly load: Load;
  /** How many times as long as others it is measured: what happens once, as handshakes do, weighs less then. */
  readonly times?: number;
  /** Measurements per system when nobody asks for another number; a round to warm up comes on top. */
  readonly rounds: number;
  /** Whether it runs only when asked for: all cases of a bench should be done in a minute or so. */
  readonly onRequest: boolean;
  /** Systems that cannot do it, or are not worth the time. */
  readonly without: readonly string[];
  /** Whether this is the right body for the request: a fast wrong answer is no answer. */
  readonly isAnswer: (body: Buffer, system: string) => boolean;
  /** Of `slow`. */
  readonly slowClients?: SlowClients;
  /** How long each answer is, where the load generator is to look at that only. */
  readonly answerBytes?: number;
}

/** Those that are named, all when `names` is null; a name that nothing has is a wrong argument. */
export function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[] | null,
  what: string,
): readonly T[] {
  if (names === null) return all;
  const known = all.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`there is no ${what} "${unknown}", only ${known.join(', ')}`);
  return all.filter(({ name }) => names.includes(name));
}
