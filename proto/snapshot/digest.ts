import { equalBytes, sha256, sha256Framed } from './hash.js';
import { compareResources, keyOf } from './order.js';

import type { Resource, ResourceKey } from '../gen/sluice/v1/snapshot_pb.js';
import type { ResourceChanges } from './apply.js';

interface Entry {
  readonly kind: number;
  readonly name: string;
  readonly hash: Uint8Array;
}

/** Immutable: entries in resource order, and the hash over their hashes. */
interface Bucket {
  readonly entries: readonly Entry[];
  readonly hash: Uint8Array;
}

const BUCKETS = 256;
const EMPTY_BUCKET: Bucket = { entries: [], hash: sha256() };

/**
 * The digest of a set of resources, kept so that a change costs as much as the change is large. It proves the same state
 * whatever the path to it: every resource's stored bytes are hashed into one of 256 buckets (by the hash of kind and name),
 * every bucket is hashed in resource order, and the 256 results are hashed. Immutable: `with` leaves this one as it is.
 */
export class StateDigest {
  static readonly empty = new StateDigest(Array.from({ length: BUCKETS }, () => EMPTY_BUCKET));

  readonly #buckets: readonly Bucket[];
  #value: Uint8Array | undefined;

  private constructor(buckets: readonly Bucket[]) {
    this.#buckets = buckets;
  }

  static of(resources: Iterable<Resource>): StateDigest {
    return StateDigest.empty.with({ upserts: [...resources], deletes: [] });
  }

  /** The digest after `change`: deletes first, then upserts in their order. */
  with(change: ResourceChanges): StateDigest {
    const touched = new Map<number, Map<string, Entry>>();
    const open = (resource: ResourceKey | Resource): Map<string, Entry> => {
      const index = bucketOf(resource.kind, resource.name);
      let entries = touched.get(index);
      if (entries === undefined) {
        entries = new Map(this.#buckets[index]?.entries.map((entry) => [keyOf(entry), entry]));
        touched.set(index, entries);
      }
      return entries;
    };
    for (const key of change.deletes) open(key).delete(keyOf(key));
    for (const resource of change.upserts) open(resource).set(keyOf(resource), entryOf(resource));

    const buckets = [...this.#buckets];
    for (const [index, entries] of touched) buckets[index] = toBucket(entries.values());
    return new StateDigest(buckets);
  }

  /** 32 bytes. */
  get value(): Uint8Array {
    this.#value ??= sha256(...this.#buckets.map((bucket) => bucket.hash));
    return this.#value;
  }

  /** The indexes of the buckets that differ, for looking closer at two states that should be one. */
  differingBuckets(other: StateDigest): number[] {
    const differing: number[] = [];
    this.#buckets.forEach((bucket, index) => {
      const theirs = other.#buckets[index] ?? EMPTY_BUCKET;
      if (!equalBytes(bucket.hash, theirs.hash)) differing.push(index);
    });
    return differing;
  }
}

/** The digest of `resources`, in whatever order they come. */
export function digestState(resources: Iterable<Resource>): Uint8Array {
  return StateDigest.of(resources).value;
}

function bucketOf(kind: number, name: string): number {
  return sha256Framed(String(kind), name)[0] ?? 0;
}

function entryOf({ kind, name, body }: Resource): Entry {
  return { kind, name, hash: sha256Framed(String(kind), name, body) };
}

function toBucket(entries: Iterable<Entry>): Bucket {
  const sorted = [...entries].toSorted(compareResources);
  return { entries: sorted, hash: sha256(...sorted.map((entry) => entry.hash)) };
}
