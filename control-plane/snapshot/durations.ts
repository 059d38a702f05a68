import type { Duration } from '@bufbuild/protobuf/wkt';
import type { Fault } from './fault.js';

/** The rules in the proto compare durations as numbers and let such pass. */
export function isMalformed(duration: Duration | undefined): boolean {
  return duration !== undefined && (duration.nanos < 0 || duration.nanos > 999_999_999);
}

export function malformed(field: string): Fault {
  return { field, reason: 'has nanos that are not between 0 and 999,999,999' };
}

export function millis(duration: Duration | undefined): number | null {
  return duration === undefined ? null : Number(duration.seconds) * 1000 + duration.nanos / 1_000_000;
}
