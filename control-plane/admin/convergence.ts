import { create } from '@bufbuild/protobuf';

import { ConvergenceSchema, NodeConvergenceSchema, NodeConvergenceState } from '../../proto/gen/sluice/v1/admin_pb.js';

import type { Convergence, NodeConvergence } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { NodeRecord } from './tables.js';

export interface Target {
  readonly lineage: string;
  readonly revision: bigint;
}

/** How far the nodes are with a revision. A node that runs a later one of the same lineage has applied it. Pure. */
export function convergenceOf(target: Target, records: readonly NodeRecord[]): Convergence {
  const nodes = records
    .map((record) => nodeConvergence(target, record))
    .toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const count = (state: NodeConvergenceState) => nodes.filter((node) => node.state === state).length;
  const pending = count(NodeConvergenceState.PENDING);
  return create(ConvergenceSchema, {
    revision: target.revision,
    applied: count(NodeConvergenceState.APPLIED),
    refused: count(NodeConvergenceState.REFUSED),
    pending,
    silent: count(NodeConvergenceState.SILENT),
    nodes,
    done: pending === 0,
  });
}

function nodeConvergence(target: Target, record: NodeRecord): NodeConvergence {
  const { nodeId, configLagMs, refusal } = record.status;
  const state = stateOf(target, record);
  if (state === NodeConvergenceState.APPLIED)
    return create(NodeConvergenceSchema, { nodeId, state, lagMs: configLagMs });
  if (state === NodeConvergenceState.REFUSED && refusal !== undefined)
    return create(NodeConvergenceSchema, { nodeId, state, refusal });
  return create(NodeConvergenceSchema, { nodeId, state });
}

function stateOf({ lineage, revision }: Target, { status, silent }: NodeRecord): NodeConvergenceState {
  const { config } = status;
  if (config !== undefined && config.lineage === lineage && config.revision >= revision)
    return NodeConvergenceState.APPLIED;
  if (silent) return NodeConvergenceState.SILENT;
  if (status.refusal !== undefined && status.refusal.revision >= revision) return NodeConvergenceState.REFUSED;
  return NodeConvergenceState.PENDING;
}
