import type { HttpRequest } from '../load/load.js';

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
  /** Of all rounds. */
  readonly errors: number;
}

export interface BenchResult {
  readonly rows: readonly Row[];
  /** Peers that cannot be had here, and why. */
  readonly skipped: readonly { readonly system: string; readonly reason: string }[];
  /** The system the others are compared with in the table; null when there is only one. */
  readonly reference: string | null;
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
  /** Starts it in front of the upstreams that listen on these ports. */
  start(upstreamPorts: readonly number[]): Promise<Running>;
}

/** One scenario. */
export interface Case {
  readonly name: string;
  readonly request: HttpRequest;
  readonly connections: number;
  /** As much as each system takes; or at a fixed rate for all, half of what the slowest of them takes. */
  readonly load: 'full' | 'half';
  /** Measurements per system when nobody asks for another number; a round to warm up comes on top. */
  readonly rounds: number;
  /** Whether it runs only when asked for: all cases of a bench should be done in a minute or so. */
  readonly onRequest: boolean;
  /** Systems that cannot do it, or are not worth the time. */
  readonly without: readonly string[];
  /** Whether this is the right body for the request: a fast wrong answer is no answer. */
  readonly isAnswer: (body: Buffer, system: string) => boolean;
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
