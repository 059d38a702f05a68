import { readFileSync } from 'node:fs';

import { combineRegistries } from './combine.js';
import { createConsulRegistry } from './consul/consul.js';
import { createStaticRegistry } from './static.js';

import type { ConsulEvent } from './consul/consul.js';
import type { Registry } from './port.js';

export type { Registry, RegistryObserver, RegistryStatus, WantedService } from './port.js';

/** Where Consul is; nothing is asked of it before a service of it is wanted. */
export interface ConsulAddress {
  /** `http://host:port` or `https://host:port`. */
  readonly address: string;
  /** Needs `service_prefix "" { policy = "read" }` and `node_prefix "" { policy = "read" }`; none when empty. */
  readonly token: string;
  /** A PEM file of certificates to trust instead of the system's; none when empty. */
  readonly caFile: string;
}

export interface RegistryLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** The Registry of a control plane, for every discovery there is. Throws an Error that names a bad setting. */
export function createRegistry({ caFile, ...consul }: ConsulAddress, log: RegistryLog): Registry {
  const caPem = caFile === '' ? '' : readCaFile(caFile);
  const report = (event: ConsulEvent): void => logEvent(event, log);
  return combineRegistries({
    consul: createConsulRegistry({ ...consul, caPem, datacenter: '', report }),
    static: createStaticRegistry(),
  });
}

function readCaFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new Error(`cannot read the Consul CA file ${path}`, { cause });
  }
}

function logEvent(event: ConsulEvent, log: RegistryLog): void {
  const { kind, ...fields } = event;
  switch (kind) {
    case 'failing':
      return log.warn('Consul does not answer for a service; its endpoints stay as they are', fields);
    case 'recovered':
      return log.info('Consul answers for a service again', fields);
    case 'skipped':
      return log.warn('instances in Consul cannot be used', fields);
    case 'held':
      return log.warn('endpoints held as suspect after a mass loss', fields);
    default:
      return kind satisfies never;
  }
}
