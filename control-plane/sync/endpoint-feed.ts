import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';

import {
  EndpointPatchSchema,
  EndpointSetSchema,
  EndpointSnapshotSchema,
  EndpointState,
  EndpointVersionSchema,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { digestEndpoints, digestEndpointSet, equalBytes } from '../../proto/snapshot/snapshot.js';

import type {
  Endpoint,
  EndpointPatch,
  EndpointSet,
  EndpointSnapshot,
  EndpointVersion,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** `urgent`: requests may be going to an endpoint that should get none. */
export type EndpointUrgency = 'none' | 'relaxed' | 'urgent';

/**
 * The endpoint sets of all wanted services: what has been announced, as versions count it, and what waits to be. A service without
 * a set is one the registry has not answered for; nodes keep what they have of it.
 */
export class EndpointFeed {
  readonly #announced = new Map<string, EndpointSet>();
  /** Null: to be removed. */
  readonly #waiting = new Map<string, EndpointSet | null>();
  #version: EndpointVersion = versionOf(0n, 0n, new Map());
  #observeTimeMs = 0;

  /** Of what has been announced. */
  get version(): EndpointVersion {
    return this.#version;
  }

  /** The newest set, announced or not. */
  get(service: string): EndpointSet | undefined {
    const waiting = this.#waiting.get(service);
    return waiting === undefined ? this.#announced.get(service) : (waiting ?? undefined);
  }

  change(service: string, endpoints: readonly Endpoint[], observeTimeMs: number): EndpointUrgency {
    const before = this.get(service);
    const set = create(EndpointSetSchema, {
      service,
      endpoints: [...endpoints],
      digest: digestEndpointSet(endpoints),
    });
    if (before !== undefined && equalBytes(before.digest, set.digest)) return 'none';
    this.#waiting.set(service, set);
    this.#observeTimeMs = observeTimeMs;
    // A first set is what a new route waits for.
    return before === undefined || losesEndpoint(before, set) ? 'urgent' : 'relaxed';
  }

  /** Drops the services that are not wanted any more. */
  keepOnly(services: ReadonlySet<string>, observeTimeMs: number): EndpointUrgency {
    let urgency: EndpointUrgency = 'none';
    for (const service of [...this.#announced.keys(), ...this.#waiting.keys()]) {
      if (services.has(service) || this.#waiting.get(service) === null) continue;
      this.#waiting.set(service, null);
      this.#observeTimeMs = observeTimeMs;
      urgency = 'relaxed';
    }
    return urgency;
  }

  /** Counts anew under `epoch`; the sets stay, so nodes that have them need not fetch them. */
  lead(epoch: bigint): void {
    this.#version = versionOf(epoch, 1n, this.#announced);
  }

  /** Announces what waits: the patch from the former version, or null when nothing has changed. */
  advance(): EndpointPatch | null {
    const sets: EndpointSet[] = [];
    const removedServices: string[] = [];
    for (const [service, set] of this.#waiting) {
      const announced = this.#announced.get(service);
      if (set === null) {
        if (this.#announced.delete(service)) removedServices.push(service);
      } else if (announced === undefined || !equalBytes(announced.digest, set.digest)) {
        this.#announced.set(service, set);
        sets.push(set);
      }
    }
    this.#waiting.clear();
    if (sets.length === 0 && removedServices.length === 0) return null;
    const { epoch, sequence: fromSequence } = this.#version;
    this.#version = versionOf(epoch, fromSequence + 1n, this.#announced);
    const observeTime = timestampFromMs(this.#observeTimeMs);
    return create(EndpointPatchSchema, { fromSequence, version: this.#version, sets, removedServices, observeTime });
  }

  snapshot(): EndpointSnapshot {
    return create(EndpointSnapshotSchema, {
      version: this.#version,
      sets: [...this.#announced.values()],
      observeTime: timestampFromMs(this.#observeTimeMs),
    });
  }
}

function versionOf(epoch: bigint, sequence: bigint, sets: ReadonlyMap<string, EndpointSet>): EndpointVersion {
  return create(EndpointVersionSchema, { epoch, sequence, digest: digestEndpoints(sets.values()) });
}

function losesEndpoint(before: EndpointSet, after: EndpointSet): boolean {
  const serving = new Set(after.endpoints.filter(takesRequests).map(targetOf));
  return before.endpoints.some((endpoint) => takesRequests(endpoint) && !serving.has(targetOf(endpoint)));
}

function targetOf({ id, address, port }: Endpoint): string {
  return `${id} ${address} ${port}`;
}

function takesRequests(endpoint: Endpoint): boolean {
  return endpoint.state !== EndpointState.OUT;
}
