import { create } from '@bufbuild/protobuf';

import { createConsulRegistry } from '../../control-plane/registry/consul/consul.js';
import { DiscoverySchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { Recorder } from '../contract/registry.recorder.js';

import type { ConsulEvent, ConsulOptions } from '../../control-plane/registry/consul/consul.js';
import type { Registry, WantedService } from '../../control-plane/registry/registry.js';

export interface Watch {
  readonly registry: Registry;
  readonly heard: Recorder;
  readonly events: readonly ConsulEvent[];
}

/** Makes Consul registries, and closes them after each test. */
export class Watches {
  readonly #open: Registry[] = [];

  start(address: string, services: readonly WantedService[], options: Partial<ConsulOptions> = {}): Watch {
    const events: ConsulEvent[] = [];
    const report = (event: ConsulEvent): number => events.push(event);
    const registry = createConsulRegistry({ address, token: '', caPem: '', datacenter: '', report, ...options });
    this.#open.push(registry);
    const heard = Recorder.of(registry);
    registry.want(services);
    return { registry, heard, events };
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((registry) => registry.close()));
  }
}

/** A service of ours with the name that it has in Consul. */
export function consul(
  service: string,
  more: { readonly tags?: string[]; readonly datacenter?: string } = {},
): WantedService {
  return { service, discovery: create(DiscoverySchema, { source: { case: 'consul', value: { service, ...more } } }) };
}
