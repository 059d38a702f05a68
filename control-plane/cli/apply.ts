import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';

import {
  Admin,
  ApplyRequestSchema,
  NodeConvergenceState,
  WatchConvergenceRequestSchema,
} from '../../proto/gen/sluice/v1/admin_pb.js';
import { RefusedCall } from './client.js';
import { RefusedError } from './errors.js';
import { loadConfig } from './config-file/config-file.js';
import { changeLines, kindWord, problemLine, table } from './print.js';

import type { ApplyRequest, ApplyResponse, Convergence } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { AdminClient } from './client.js';
import type { DesiredConfig } from './config-file/config-file.js';
import type { Output } from './print.js';

export interface ApplyOptions {
  readonly dryRun: boolean;
  readonly prune: boolean;
  readonly expectedRevision: bigint | null;
}

/** Reads the files and sends them as one Apply; throws RefusedError with a line for every problem. */
export async function applyFiles(
  client: AdminClient,
  paths: readonly string[],
  { dryRun, prune, expectedRevision }: ApplyOptions,
): Promise<ApplyResponse> {
  const { request, call } = readFiles(paths);
  const revision = expectedRevision === null ? {} : { expectedRevision };
  return call(() => client.call(Admin.method.apply, { ...request, dryRun, prune, ...revision }));
}

/** What files describe. */
export interface ReadFiles {
  readonly request: ApplyRequest;
  /** Makes a call with the request; a refusal of it becomes one that names files and lines. */
  call<T>(make: () => Promise<T>): Promise<T>;
}

/** Throws RefusedError with a line for every problem. */
export function readFiles(paths: readonly string[]): ReadFiles {
  const { config, problems } = loadConfig(paths);
  if (problems.length > 0) throw new RefusedError(problems.map(problemLine));
  const request = create(ApplyRequestSchema, {
    services: [...config.services],
    routes: [...config.routes],
    schemas: [...config.schemas],
    certificates: [...config.certificates],
  });
  return {
    request,
    async call(make) {
      try {
        return await make();
      } catch (error) {
        throw error instanceof RefusedCall ? (locateViolations(error, config) ?? error) : error;
      }
    },
  };
}

/** Null when nothing that was refused stands in a file or in the running config, as with an expected revision. */
function locateViolations({ violations }: RefusedCall, config: DesiredConfig): RefusedError | null {
  const problems = violations.flatMap(({ field, description }) => {
    const place = config.locate(field.replace(/^candidate\./, '')) ?? running(field);
    return place === null ? [] : [{ ...place, reason: description }];
  });
  const inOrder = problems.toSorted((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
  return problems.length === 0 ? null : new RefusedError(inOrder.map(problemLine));
}

/** What the change would break and does not name itself: `route "orders".service`. */
function running(field: string): { file: string; line: number; resource: string; field: string } | null {
  const [, resource, inner = ''] = /^(\w+ "[^"]*")(?:\.(.*))?$/.exec(field) ?? [];
  return resource === undefined ? null : { file: 'running config', line: 0, resource, field: inner };
}

export function printApplied(output: Output, { changes, revision }: ApplyResponse, dryRun: boolean): void {
  for (const line of changeLines(changes)) output.line(line);
  if (changes.length === 0) output.line(`nothing to change at revision ${revision}`);
  else if (dryRun) output.line(`${changes.length} to change; nothing was written`);
  else output.line(`${changes.length} changed in revision ${revision}`);
}

/** Waits until no live node is pending, and says how far each is. False when a node refuses the revision or the time ran out. */
export async function waitForNodes(
  client: AdminClient,
  output: Output,
  revision: bigint,
  timeoutMs: number,
): Promise<boolean> {
  const last = await lastConvergence(client, revision, timeoutMs);
  if (last === null) return false;
  printConvergence(output, last);
  if (!last.done) output.error(`not every live node has applied revision ${last.revision} after ${timeoutMs} ms`);
  return last.done && last.refused === 0;
}

async function lastConvergence(client: AdminClient, revision: bigint, timeoutMs: number): Promise<Convergence | null> {
  const request = create(WatchConvergenceRequestSchema, { revision, timeout: durationFromMs(timeoutMs) });
  let last: Convergence | null = null;
  try {
    for await (const convergence of client.stream(Admin.method.watchConvergence, request, timeoutMs)) {
      last = convergence;
      if (convergence.done) break;
    }
  } catch (error) {
    if (!(error instanceof RefusedCall && error.isTimeout)) throw error;
  }
  return last;
}

function printConvergence(output: Output, { nodes, ...convergence }: Convergence): void {
  const rows = nodes.map(({ nodeId, state, lagMs, refusal }) => [
    nodeId,
    (NodeConvergenceState[state] ?? '').toLowerCase(),
    state === NodeConvergenceState.APPLIED ? `${lagMs} ms` : '',
    refusal === undefined ? '' : `${kindWord(refusal.kind)} ${refusal.name} ${refusal.field}: ${refusal.reason}`,
  ]);
  for (const line of table(rows)) output.line(line);
  const { revision, applied, refused, pending, silent } = convergence;
  output.line(`revision ${revision}: ${applied} applied, ${refused} refused, ${pending} pending, ${silent} silent`);
}
