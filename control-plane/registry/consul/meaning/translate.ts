import { create } from '@bufbuild/protobuf';

import { EndpointSchema, EndpointState } from '../../../../proto/gen/sluice/v1/snapshot_pb.js';
import { compareNames } from '../../../../proto/snapshot/snapshot.js';
import { entryId } from './entry.js';

import type { Endpoint } from '../../../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Check, Entry } from './entry.js';

/** An endpoint, and how sure its state is. */
export interface Instance {
  readonly endpoint: Endpoint;
  /** `withdrawn`: somebody chose that it takes no requests (maintenance, weight 0). `critical`: only a check says so. */
  readonly standing: 'serving' | 'critical' | 'withdrawn';
}

/**
 * What Consul's entries mean for a service that wants all of `tags` (compared without case, as Consul compares them), sorted by id.
 * Any critical check puts an instance out, those of its node included: a crashed one stays listed for a minute or more.
 */
export function toInstances(entries: readonly Entry[], tags: readonly string[]): readonly Instance[] {
  const wanted = tags.map((tag) => tag.toLowerCase());
  return entries
    .filter((entry) => hasTags(entry, wanted))
    .map(toInstance)
    .toSorted((a, b) => compareNames(a.endpoint.id, b.endpoint.id));
}

function hasTags(entry: Entry, wanted: readonly string[]): boolean {
  if (wanted.length === 0) return true;
  const present = new Set(entry.tags.map((tag) => tag.toLowerCase()));
  return wanted.every((tag) => present.has(tag));
}

function toInstance(entry: Entry): Instance {
  const { standing, weight, reason } = judge(entry);
  const endpoint = create(EndpointSchema, {
    id: entryId(entry),
    address: entry.address,
    port: entry.port,
    weight,
    tags: [...entry.tags],
    state: standing === 'serving' ? EndpointState.ACTIVE : EndpointState.OUT,
    reason,
  });
  return { endpoint, standing };
}

interface Judgement {
  readonly standing: Instance['standing'];
  readonly weight: number;
  readonly reason: string;
}

/** A check's output is not part of the reason: it changes with every run, and each change would travel to every node. */
function judge({ checks, weights }: Entry): Judgement {
  const maintenance = checks.find((check) => isMaintenance(check) && check.status !== 'passing');
  if (maintenance !== undefined) {
    const notes = maintenance.notes === '' ? '' : `: ${maintenance.notes}`;
    return { standing: 'withdrawn', weight: weights.passing, reason: `maintenance${notes}` };
  }
  const warned = checks.some((check) => check.status === 'warning');
  const weight = warned ? weights.warning : weights.passing;
  const failed = checks.find((check) => check.status !== 'passing' && check.status !== 'warning');
  if (failed !== undefined) {
    return { standing: weight === 0 ? 'withdrawn' : 'critical', weight, reason: `${failed.status}: ${failed.name}` };
  }
  if (weight === 0) return { standing: 'withdrawn', weight, reason: warned ? 'weight 0 while warning' : 'weight 0' };
  return { standing: 'serving', weight, reason: '' };
}

function isMaintenance({ id }: Check): boolean {
  return id === '_node_maintenance' || id.startsWith('_service_maintenance:');
}
