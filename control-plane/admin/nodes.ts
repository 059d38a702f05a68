import { create, toJsonString } from '@bufbuild/protobuf';
import { durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt';

import {
  ConvergenceSchema,
  ListEndpointsResponseSchema,
  ListNodesResponseSchema,
  NodeSchema,
} from '../../proto/gen/sluice/v1/admin_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { AdminError, code } from '../errors.js';
import { convergenceOf } from './convergence.js';
import { invalid } from './validate.js';

import type { Admin, Convergence, WatchConvergenceRequest } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Store } from '../store/store.js';
import type { Handlers } from './grpc/grpc.js';
import type { EndpointTable, NodeTable } from './tables.js';

const defaultTimeoutMs = 30_000;

export interface NodeDeps {
  readonly store: Store;
  readonly nodes: NodeTable;
  readonly endpoints: EndpointTable;
  /** Aborts when the server closes: streams end. */
  readonly closing: AbortSignal;
}

type NodeMethods = Pick<Handlers<typeof Admin>, 'listNodes' | 'watchConvergence' | 'listEndpoints'>;

export function nodeHandlers({ store, nodes, endpoints, closing }: NodeDeps): NodeMethods {
  return {
    listNodes: async () => {
      const { version } = await store.read();
      const list = nodes
        .nodes()
        .map(({ status, silent, lastSeenMs }) =>
          create(NodeSchema, { status, silent, lastSeen: timestampFromMs(lastSeenMs) }),
        );
      const byId = list.toSorted((a, b) => ((a.status?.nodeId ?? '') < (b.status?.nodeId ?? '') ? -1 : 1));
      return create(ListNodesResponseSchema, { nodes: byId, revision: version.revision });
    },
    watchConvergence: (request, { signal }) => watchConvergence(request, store, nodes, signal, closing),
    listEndpoints: async ({ name }) => {
      const { resources } = await store.read();
      if (!resources.some((resource) => resource.kind === Kind.SERVICE && resource.name === name)) {
        throw new AdminError(code.notFound, 'NOT_FOUND', `There is no service "${name}".`);
      }
      const set = endpoints.endpoints(name);
      if (set === null) {
        throw new AdminError(
          code.unavailable,
          'ENDPOINTS_UNKNOWN',
          `The registry has not answered for service "${name}" yet.`,
        );
      }
      return create(ListEndpointsResponseSchema, { endpoints: set, version: endpoints.version() });
    },
  };
}

async function* watchConvergence(
  request: WatchConvergenceRequest,
  store: Store,
  table: NodeTable,
  gone: AbortSignal,
  closing: AbortSignal,
): AsyncGenerator<Convergence> {
  // The rule in the proto compares durations as numbers and lets such pass.
  if (request.timeout !== undefined && (request.timeout.nanos < 0 || request.timeout.nanos > 999_999_999)) {
    throw invalid([{ field: 'timeout', description: 'has nanos that are not between 0 and 999,999,999' }]);
  }
  const { version } = await store.read();
  const revision = request.revision === 0n ? version.revision : request.revision;
  if (revision > version.revision) {
    throw invalid([{ field: 'revision', description: `the newest revision is ${version.revision}` }]);
  }
  const turns = new Turns(table, request.timeout === undefined ? defaultTimeoutMs : durationMs(request.timeout), [
    gone,
    closing,
  ]);
  try {
    for (let sent = ''; ;) {
      const picture = convergenceOf({ lineage: version.lineage, revision }, table.nodes());
      const text = toJsonString(ConvergenceSchema, picture);
      if (text !== sent) yield picture;
      sent = text;
      if (picture.done || gone.aborted) return;
      if (closing.aborted)
        throw new AdminError(code.unavailable, 'CLOSING', 'This control plane is shutting down; ask another.');
      if (turns.late) {
        const message = `${picture.pending} nodes are still pending at revision ${revision}.`;
        throw new AdminError(code.deadlineExceeded, 'NOT_CONVERGED', message);
      }
      await turns.next();
    }
  } finally {
    turns.stop();
  }
}

/** Wakes one waiter when the table changes, the time is over or a signal aborts; a change between two waits is not lost. */
class Turns {
  readonly #unwatch: () => void;
  readonly #timer: NodeJS.Timeout;
  readonly #signals: readonly AbortSignal[];
  #wake: (() => void) | null = null;
  #due = false;
  #late = false;

  constructor(table: NodeTable, timeoutMs: number, signals: readonly AbortSignal[]) {
    this.#unwatch = table.watch(this.#turn);
    this.#timer = setTimeout(() => {
      this.#late = true;
      this.#turn();
    }, timeoutMs);
    this.#signals = signals;
    for (const signal of signals) signal.addEventListener('abort', this.#turn);
  }

  get late(): boolean {
    return this.#late;
  }

  async next(): Promise<void> {
    if (!this.#due) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#due = false;
  }

  stop(): void {
    this.#unwatch();
    clearTimeout(this.#timer);
    for (const signal of this.#signals) signal.removeEventListener('abort', this.#turn);
  }

  readonly #turn = (): void => {
    this.#due = true;
    this.#wake?.();
    this.#wake = null;
  };
}
