import type { Duration } from '@bufbuild/protobuf/wkt';
import type { Timeouts } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';

type Limit = 'connect' | 'perTry' | 'request';

/** A part cannot take longer than the whole that it is a part of. */
const within: readonly (readonly [part: Limit, whole: Limit])[] = [
  ['connect', 'perTry'],
  ['connect', 'request'],
  ['perTry', 'request'],
];

const protoName: Readonly<Record<Limit, string>> = { connect: 'connect', perTry: 'per_try', request: 'request' };

/** `own` are the timeouts of the resource under check; what they leave unset comes from `inherited`, a route's service. */
export function checkTimeouts(own: Timeouts | undefined, inherited?: Timeouts): Fault[] {
  if (own === undefined) return [];
  const faults: Fault[] = [];
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

function millis(duration: Duration | undefined): number | null {
  return duration === undefined ? null : Number(duration.seconds) * 1000 + duration.nanos / 1_000_000;
}
