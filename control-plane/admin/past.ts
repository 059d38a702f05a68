import { fromBinary } from '@bufbuild/protobuf';

import { ConfigChangeSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { compareResources, keyOf } from '../../proto/snapshot/snapshot.js';
import { AdminError, code } from '../errors.js';
import { fromResource, kindOf } from './convert.js';

import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { CommittedRevision, State, Store } from '../store/store.js';

/** Each may hold a change of many megabytes. */
const revisionsAtOnce = 50;

/** The config as it was at a revision, or as it is at 0; throws NOT_FOUND for one that is not there. */
export async function stateAt(store: Store, revision: bigint): Promise<{ state: State; revision: bigint }> {
  const state = await store.read();
  const newest = state.version.revision;
  if (revision === 0n || revision === newest) return { state, revision: newest };
  if (revision > newest) throw notThere(revision, `the newest is ${newest}`);
  const past = new Past(state.resources, revision);
  for (let before: bigint | null = null; !past.isKnown;) {
    const page: CommittedRevision[] = await store.history(before, revisionsAtOnce);
    for (const committed of page) past.undo(committed);
    const last = page[page.length - 1];
    if (last === undefined) break;
    before = last.version.revision;
  }
  if (!past.isKnown) throw notThere(revision, 'its history is not kept any more');
  return { state: { ...state, resources: past.resources() }, revision };
}

function notThere(revision: bigint, why: string): AdminError {
  return new AdminError(code.notFound, 'NOT_FOUND', `There is no revision ${revision}: ${why}.`, [
    { field: 'revision', description: why },
  ]);
}

/** Goes back through the history, newest first, until every resource that changed since is as it was. */
class Past {
  readonly #revision: bigint;
  readonly #resources: Map<string, Resource>;
  /** Keys that changed since, and whose older form has not been met. */
  readonly #wanted = new Set<string>();
  #reached = false;

  constructor(resources: readonly Resource[], revision: bigint) {
    this.#resources = new Map(resources.map((resource) => [keyOf(resource), resource]));
    this.#revision = revision;
  }

  get isKnown(): boolean {
    return this.#reached && this.#wanted.size === 0;
  }

  undo({ version, change }: CommittedRevision): void {
    const { upserts, deletes } = fromBinary(ConfigChangeSchema, change);
    if (version.revision <= this.#revision) {
      this.#reached = true;
      for (const resource of upserts)
        if (this.#wanted.delete(keyOf(resource))) this.#resources.set(keyOf(resource), resource);
      for (const key of deletes) this.#wanted.delete(keyOf(key));
      return;
    }
    for (const resource of upserts) {
      const key = keyOf(resource);
      this.#resources.delete(key);
      const isNew = fromResource(kindOf(resource.kind), resource).meta?.createdRevision === version.revision;
      if (isNew) this.#wanted.delete(key);
      else this.#wanted.add(key);
    }
    for (const key of deletes) this.#wanted.add(keyOf(key));
    // The first revision has nothing before it.
    if (version.revision === 1n) this.#reached = true;
  }

  resources(): Resource[] {
    return [...this.#resources.values()].toSorted(compareResources);
  }
}
