import { availableParallelism } from 'node:os';
import { canTakePart, type Entrant } from './entrant.js';
import { missingFiles } from './files.js';
import { loadCore, pin, systemCore } from './cpu.js';
import {
  chosen,
  type BenchOptions,
  type BenchResult,
  type Case,
  type Row,
  type Running,
  type Skipped,
  type System,
} from './harness.js';
import { runIdleCase } from './idle-case.js';
import { runCase } from './run-case.js';
import { runSlowCase } from './slow-case.js';

/** Systems that do the same work in front of the same upstreams. */
export interface Contest {
  readonly reference: string;
  readonly systems: readonly System[];
  readonly cases: readonly Case[];
  startUpstream(): Promise<Upstream>;
}

export interface Upstream {
  readonly ports: readonly number[];
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/**
 * Starts upstream and systems once, then measures the systems of a case one after the other, round by round, so that whatever
 * slows the machine for a while slows all of them. Ends all it started, also when it fails.
 */
export async function runContest(contest: Contest, options: BenchOptions): Promise<BenchResult> {
  if (availableParallelism() < 2) throw new Error('needs two cores: one for the system, one for the load');
  const cases = chosen(contest.cases, options.cases, 'case').filter(
    ({ onRequest }) => !onRequest || options.cases !== null,
  );
  const systems = chosen(contest.systems, options.systems, 'system');
  const opened: { stop(): Promise<void> }[] = [];
  const skipped: Skipped[] = [];
  try {
    const upstream = await contest.startUpstream();
    opened.push(upstream);
    for (const pid of upstream.pids) await pin(pid, loadCore);
    const entrants: Entrant[] = [];
    for (const system of systems) {
      try {
        const running = await system.start(upstream.ports);
        opened.push(running);
        await place(running);
        entrants.push({ name: system.name, isGateway: system.required, running });
      } catch (error) {
        if (system.required) throw error;
        skipped.push({ name: system.name, reason: error instanceof Error ? error.message : String(error) });
      }
    }
    const rows: Row[] = [];
    for (const each of cases) {
      const reason = missingFiles(each.connections);
      const able = entrants.filter((entrant) => canTakePart(each, entrant));
      if (reason === null) rows.push(...(await runnerOf(each)(each, able, options)));
      else skipped.push({ name: each.name, reason });
    }
    return { rows, skipped, reference: contest.reference };
  } finally {
    for (const each of opened.toReversed()) await each.stop();
  }
}

function runnerOf({ load }: Case): typeof runCase {
  if (load === 'idle') return runIdleCase;
  return load === 'slow' ? runSlowCase : runCase;
}

async function place({ pid, helpers }: Running): Promise<void> {
  await pin(pid, systemCore);
  for (const helper of helpers) await pin(helper, loadCore);
}
