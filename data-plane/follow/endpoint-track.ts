import { create } from '@bufbuild/protobuf';

import { EndpointVersionSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import {
  checkEndpointPatch,
  compareEndpointVersions,
  digestEndpoints,
  equalBytes,
} from '../../proto/snapshot/snapshot.js';

import type {
  EndpointPatch,
  EndpointSet,
  EndpointSnapshot,
  EndpointVersion,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Taken } from './config-track.js';

const maxWaiting = 256;

/**
 * The endpoint sets that this node goes by. Beside those that the leader announces it holds the last set of each service that the
 * leader does not list: a leader that has just started may not have heard from the registry, which must not empty anything. Whether
 * the service is still wanted is for the config to say (`keepOnly`). Pure.
 */
export class EndpointTrack {
  #announced = new Map<string, EndpointSet>();
  readonly #held = new Map<string, EndpointSet>();
  #wanted: ReadonlySet<string> | null = null;
  #version: EndpointVersion | null = null;
  /** By the sequence that they follow, of one epoch; waiting for a snapshot that is being fetched. */
  readonly #waiting = new Map<bigint, EndpointPatch>();
  #newest: EndpointVersion | null = null;

  /** What to tell the leader that we have. */
  get version(): EndpointVersion | null {
    return this.#version;
  }

  get isBehind(): boolean {
    return this.#newest !== null && this.#lacks(this.#newest);
  }

  get(service: string): EndpointSet | undefined {
    return this.#announced.get(service) ?? this.#held.get(service);
  }

  /** All sets; one that has not changed is the same object as before. */
  sets(): EndpointSet[] {
    const held = [...this.#held.values()].filter((set) => !this.#announced.has(set.service));
    return [...this.#announced.values(), ...held];
  }

  /** Starts from what a disk remembers: good to have, but of no version that patches could follow. */
  remember(sets: readonly EndpointSet[]): void {
    this.#announced = new Map(sets.map((set) => [set.service, set]));
    const digest = digestEndpoints(sets);
    this.#version = create(EndpointVersionSchema, { epoch: 0n, sequence: 0n, digest });
  }

  /** A beacon says what the newest version is. The same sets under another number, as after an election, need no fetching. */
  announce(version: EndpointVersion): Taken {
    if (this.#isOld(version)) return 'ignored';
    if (this.#version !== null && equalBytes(version.digest, this.#version.digest)) this.#version = version;
    this.#newest = version;
    return this.#lacks(version) ? 'behind' : 'ignored';
  }

  offer(patch: EndpointPatch): Taken {
    switch (checkEndpointPatch(this.#version, patch)) {
      case 'ok':
        return this.#apply(patch);
      case 'stale':
        return 'ignored';
      case 'gap':
        this.#wait(patch);
        return 'behind';
      case 'malformed':
        return 'behind';
    }
  }

  replace(snapshot: EndpointSnapshot): Taken {
    const { version, sets } = snapshot;
    if (version === undefined || !equalBytes(digestEndpoints(sets), version.digest)) return 'behind';
    if (this.#isOld(version)) return 'ignored';
    const before = this.#announced;
    this.#announced = new Map();
    for (const set of sets) {
      const known = before.get(set.service) ?? this.#held.get(set.service);
      const same = known !== undefined && equalBytes(known.digest, set.digest);
      this.#announced.set(set.service, same ? known : set);
    }
    for (const [service, set] of before) if (!this.#announced.has(service)) this.#hold(service, set);
    for (const service of this.#announced.keys()) this.#held.delete(service);
    this.#version = version;
    this.#followUp();
    return 'advanced';
  }

  /** From now on holds sets only of these services, which are those that the config names. */
  keepOnly(services: ReadonlySet<string>): void {
    this.#wanted = services;
    for (const service of this.#held.keys()) if (!services.has(service)) this.#held.delete(service);
  }

  #apply(patch: EndpointPatch): Taken {
    const next = new Map(this.#announced);
    for (const service of patch.removedServices) next.delete(service);
    for (const set of patch.sets) next.set(set.service, set);
    const { version } = patch;
    if (version === undefined || !equalBytes(digestEndpoints(next.values()), version.digest)) {
      this.#newest = version ?? this.#newest;
      this.#version = null;
      return 'behind';
    }
    for (const service of patch.removedServices) {
      const set = this.#announced.get(service);
      if (set !== undefined && !next.has(service)) this.#hold(service, set);
    }
    for (const set of patch.sets) this.#held.delete(set.service);
    this.#announced = next;
    this.#version = version;
    this.#followUp();
    return 'advanced';
  }

  #hold(service: string, set: EndpointSet): void {
    if (this.#wanted?.has(service) !== false) this.#held.set(service, set);
  }

  #wait(patch: EndpointPatch): void {
    const newest = patch.version;
    if (newest !== undefined && (this.#newest === null || compareEndpointVersions(newest, this.#newest) > 0))
      this.#newest = newest;
    const [other] = this.#waiting.values();
    if (this.#waiting.size >= maxWaiting || other?.version?.epoch !== newest?.epoch) this.#waiting.clear();
    this.#waiting.set(patch.fromSequence, patch);
  }

  /** Applies what waited for the state we have just reached. */
  #followUp(): void {
    const sequence = this.#version?.sequence ?? 0n;
    const next = this.#waiting.get(sequence);
    for (const from of this.#waiting.keys()) if (from <= sequence) this.#waiting.delete(from);
    if (next !== undefined && checkEndpointPatch(this.#version, next) === 'ok') this.#apply(next);
  }

  #isOld(version: EndpointVersion): boolean {
    return this.#version?.epoch === version.epoch && version.sequence < this.#version.sequence;
  }

  #lacks({ digest }: EndpointVersion): boolean {
    return this.#version === null || !equalBytes(this.#version.digest, digest);
  }
}
