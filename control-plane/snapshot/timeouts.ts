import { isMalformed, malformed, millis } from './durations.js';

import type { Timeouts } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';

const all = ['connect', 'read', 'write', 'request', 'perTry'] as const;
type Limit = (typeof all)[number];

/** A part cannot take longer than the whole that it is a part of. */
const within: readonly (readonly [part: Limit, whole: Limit])[] = [
  ['connect', 'perTry'],
  ['connect', 'request'],
  ['perTry', 'request'],
];

const protoName: Readonly<Record<Limit, string>> = {
  connect: 'connect',
  read: 'read',
  write: 'write',
  request: 'request',
  perTry: 'per_try',
};

/** `own` are the timeouts of the resource under check; what they leave unset comes from `inherited`, a route's service. */
export function checkTimeouts(own: Timeouts | undefined, inherited?: Timeouts): Fault[] {
  if (own === undefined) return [];
  const faults = all
    .filter((limit) => isMalformed(own[limit]))
    .map((limit) => malformed(`timeouts.${protoName[limit]}`));
  if (faults.length > 0) return faults;
  for (const [part, whole] of within) {
    const blamed = own[part] !== undefined ? part : whole;
    if (own[blamed] === undefined) continue;
    const shorter = millis(own[part] ?? inherited?.[part]);
    const longer = millis(own[whole] ?? inherited?.[whole]);
    if (shorter === null || longer === null || shorter <= longer) continue;
    faults.push({
      field: `timeouts.${protoName[blamed]}`,
      reason: `${protoName[part]} (${shorter} ms) must not be longer than ${protoName[whole]} (${longer} ms)`,
    });
  }
  return faults;
}
