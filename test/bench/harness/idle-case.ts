import { setTimeout as sleep } from 'node:timers/promises';
import { openIdle, saturate } from '../load/load.js';
import { loadCore } from './cpu.js';
import { portFor, type Entrant } from './entrant.js';
import type { BenchOptions, Case, Row } from './harness.js';
import { residentBytes } from './memory.js';

/** For what is freed late: the last answers' buffers, young garbage. */
const settleMs = 1_500;
const warmUpConnections = 64;

/**
 * What a connection that waits for a request takes of memory: the system's with them less that without them, when it has been
 * warm. Once per system: a second time would find what the first has left.
 */
export async function runIdleCase(
  each: Case,
  entrants: readonly Entrant[],
  { seconds, progress }: BenchOptions,
): Promise<Row[]> {
  const { request, connections, tls } = each;
  const rows: Row[] = [];
  for (const { name, running } of entrants) {
    progress(`${each.name}: ${name}`);
    const work = { port: portFor(each, running), tls, request, core: loadCore };
    const warmUp = await saturate({ ...work, connections: warmUpConnections, seconds });
    const before = await settledBytes(running.pid);
    const idle = await openIdle({ ...work, connections });
    const bytesPerConnection = ((await settledBytes(running.pid)) - before) / connections;
    const errors = warmUp.errors + (await idle.release());
    rows.push({ ...noLoad, case: each.name, system: name, errors, bytesPerConnection });
  }
  return rows;
}

const noLoad = { rps: 0, cpuMicrosPerRequest: 0, p50Ms: 0, p99Ms: 0 };

async function settledBytes(pid: number): Promise<number> {
  await sleep(settleMs);
  return residentBytes(pid);
}
