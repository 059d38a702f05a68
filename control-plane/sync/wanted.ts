import { fromBinary } from '@bufbuild/protobuf';

import { ServiceSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { WantedService } from '../registry/registry.js';

/** Says for which services endpoints are wanted. Remembers what it read of a resource, since few change at a time. */
export class WantedServices {
  readonly #read = new WeakMap<Resource, WantedService | null>();

  of(resources: readonly Resource[]): WantedService[] {
    const wanted: WantedService[] = [];
    for (const resource of resources) {
      if (resource.kind !== Kind.SERVICE) continue;
      let service = this.#read.get(resource);
      if (service === undefined) {
        service = toWanted(resource);
        this.#read.set(resource, service);
      }
      if (service !== null) wanted.push(service);
    }
    return wanted;
  }
}

/** Null for bytes that are no service with discovery: admin let none in, so a newer replica must have written them. */
function toWanted(resource: Resource): WantedService | null {
  try {
    const { discovery } = fromBinary(ServiceSchema, resource.body);
    return discovery === undefined ? null : { service: resource.name, discovery };
  } catch {
    return null;
  }
}
