import { toBinary } from '@bufbuild/protobuf';

import { EndpointSchema } from '../gen/sluice/v1/snapshot_pb.js';
import { sha256Framed } from './hash.js';
import { compareNames } from './order.js';

import type { Endpoint, EndpointSet } from '../gen/sluice/v1/snapshot_pb.js';

/** The `digest` of an EndpointSet: over the encoded endpoints sorted by id, so their order in the list does not count. */
export function digestEndpointSet(endpoints: readonly Endpoint[]): Uint8Array {
  const sorted = endpoints.toSorted((a, b) => compareNames(a.id, b.id));
  return sha256Framed(...sorted.map((endpoint) => toBinary(EndpointSchema, endpoint)));
}

/** The `digest` of an EndpointVersion: over the names and digests of all sets sorted by service; believes each set's own digest. */
export function digestEndpoints(sets: Iterable<Pick<EndpointSet, 'service' | 'digest'>>): Uint8Array {
  const sorted = [...sets].toSorted((a, b) => compareNames(a.service, b.service));
  return sha256Framed(...sorted.flatMap((set) => [set.service, set.digest]));
}
