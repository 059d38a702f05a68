import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  Admin,
  ApplyRequestSchema,
  NodeConvergenceState,
  WatchConvergenceRequestSchema,
  type ApplyResponse,
  type Convergence,
} from '../../proto/gen/sluice/v1/admin_pb.js';
import { RefusedError, type AdminClient } from './client.js';
import { readConfigFiles, type DesiredConfig } from './files.js';
import { changeLines, problemLine, table, type Output } from './print.js';
import type { FileProblem } from './source.js';

/** The files or the API refused something; the lines say what, where and why. */
export class RefusedFiles extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}

export interface ApplyOptions {
  readonly dryRun: boolean;
  readonly prune: boolean;
  readonly expectedRevision: bigint | null;
}

/** Reads the files and sends them as one Apply; throws RefusedFiles with every problem at once. */
export async function applyFiles(client: AdminClient, paths: readonly string[], options: ApplyOptions): Promise<ApplyResponse> {
  const { config, problems } = readConfigFiles(paths);
  if (problems.length > 0) throw new RefusedFiles(problems.map(problemLine));
  const request: MessageInitShape<typeof ApplyRequestSchema> = {
    services: config.services,
    routes: config.routes,
    schemas: config.schemas,
    dryRun: options.dryRun,
    prune: options.prune,
    ...(options.expectedRevision === null ? {} : { expectedRevision: options.expectedRevision }),
  };
  try {
    return await client.call(Admin.method.apply, create(ApplyRequestSchema, request));
  } catch (error) {
    throw error instanceof RefusedError && error.violations.length > 0 ? locateViolations(error, config) : error;
  }
}

function locateViolations(error: RefusedError, config: DesiredConfig): RefusedFiles {
  return new RefusedFiles(
    error.violations.map(({ field, description }) => {
      const place = config.locate(field);
      const problem: FileProblem = place === null
        ? { file: 'config', line: 0, resource: '', field, reason: description }
        : { ...place, reason: description };
      return problemLine(problem);
    }),
  );
}

export function printApplied(output: Output, response: ApplyResponse, dryRun: boolean): void {
  for (const line of changeLines(response.changes)) output.line(line);
  const count = response.changes.length;
  if (count === 0) output.line(`nothing to change at revision ${response.revision}`);
  else output.line(dryRun ? `${count} to change; nothing was written` : `${count} changed in revision ${response.revision}`);
}

/** Waits until no live node is pending. False when a node refused the revision or the time ran out. */
export async function waitForNodes(client: AdminClient, output: Output, revision: bigint, timeoutMs: number): Promise<boolean> {
  let last: Convergence | null = null;
  const request = create(WatchConvergenceRequestSchema, { revision, timeout: durationFromMs(timeoutMs) });
  for await (const convergence of client.stream(Admin.method.watchConvergence, request)) {
    last = convergence;
    if (convergence.done) break;
  }
  if (last === null) return false;
  printConvergence(output, last);
  return last.done && last.refused === 0;
}

function printConvergence(output: Output, convergence: Convergence): void {
  const rows = convergence.nodes.map(({ nodeId, state, lagMs, refusal }) => [
    nodeId,
    (NodeConvergenceState[state] ?? '').toLowerCase(),
    state === NodeConvergenceState.APPLIED ? `${lagMs} ms` : '',
    refusal === undefined ? '' : `${refusal.name} ${refusal.field}: ${refusal.reason}`,
  ]);
  for (const line of table(rows)) output.line(line);
  const { applied, refused, pending, silent } = convergence;
  output.line(`revision ${convergence.revision}: ${applied} applied, ${refused} refused, ${pending} pending, ${silent} silent`);
}
