import type { Kind } from '../gen/sluice/v1/snapshot_pb.js';

/** A fault in the config, reported as data and never thrown: which resource, which field, why. */
export interface Problem {
  readonly kind: Kind;
  readonly name: string;
  /** Path within the resource in proto names, as `paths[0].regex.pattern`; '' when it is the whole resource. */
  readonly field: string;
  readonly reason: string;
}
