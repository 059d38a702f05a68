import type { Fault } from './fault.js';

const dot = '(?:\\.|%2e)';
const dotSegment = new RegExp(`^[^?]*/${dot}${dot}?(?:[/?]|$)`, 'i');

/** A path, perhaps with a query, that goes into request targets as it is. */
export function checkTarget(field: string, target: string): Fault[] {
  const fault = (reason: string): Fault[] => [{ field, reason }];
  if (/[^\x21-\x7e]/.test(target))
    return fault('must be ASCII without spaces and control characters; escape others as %XX');
  if (/%(?![0-9a-f]{2})/i.test(target)) return fault('has a malformed % escape');
  if (dotSegment.test(target)) return fault('must not have a "." or ".." segment');
  return [];
}

/** What goes into Host fields. */
export function checkHost(field: string, host: string): Fault[] {
  const port = /:(\d+)$/.exec(host)?.[1];
  if (port === undefined || (Number(port) >= 1 && Number(port) <= 65535)) return [];
  return [{ field, reason: 'has a port that is not between 1 and 65535' }];
}
