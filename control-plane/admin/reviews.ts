import { Reviewer, type Review } from '../../data-plane/explain/explain.js';
import { build, type CheckMemo } from '../snapshot/snapshot.js';

import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** Configs as nodes run them: without the resources that have a problem, compiled by a node's own steps. */
export class ConfigReviews {
  readonly #memo: CheckMemo;
  readonly #reviewer = new Reviewer();
  #last: { readonly resources: readonly Resource[]; readonly review: Review } | null = null;

  constructor(memo: CheckMemo) {
    this.#memo = memo;
  }

  /** The last list is remembered: the newest config is what is asked for most. */
  of(resources: readonly Resource[]): Review {
    if (this.#last?.resources === resources) return this.#last.review;
    const review = this.#reviewer.review(build(resources, this.#memo).resources);
    this.#last = { resources, review };
    return review;
  }
}
