import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { isMalformed, malformed, millis } from './durations.js';
import { checkHost, checkTarget } from './target.js';

import type { ActiveHealth } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';

/** Of a node, when the config says nothing. */
const defaultIntervalMs = 5_000;

/** What a node could not do of a service's probes. */
export function checkHealth({ probe, interval, timeout }: ActiveHealth, protocol: Protocol): Fault[] {
  return [
    ...checkProbe(probe, protocol),
    ...(isMalformed(interval) ? [malformed('health.active.interval')] : []),
    ...(isMalformed(timeout) ? [malformed('health.active.timeout')] : []),
    ...checkLength(millis(timeout), millis(interval) ?? defaultIntervalMs),
  ];
}

/** An endpoint gets one probe at a time. */
function checkLength(timeoutMs: number | null, intervalMs: number): Fault[] {
  if (timeoutMs === null || timeoutMs <= intervalMs) return [];
  const reason = `must not be longer than interval (${intervalMs} ms)`;
  return [{ field: 'health.active.timeout', reason }];
}

function checkProbe(probe: ActiveHealth['probe'], protocol: Protocol): Fault[] {
  const speaksGrpc = protocol === Protocol.GRPC || protocol === Protocol.GRPCS;
  switch (probe.case) {
    case 'http':
      if (speaksGrpc) return [wrongProbe('http', 'http or https', 'grpc or tcp')];
      return [
        ...checkTarget('health.active.http.path', probe.value.path),
        ...checkHost('health.active.http.host', probe.value.host),
      ];
    case 'grpc':
      return speaksGrpc ? [] : [wrongProbe('grpc', 'grpc or grpcs', 'http or tcp')];
    case 'tcp':
    case undefined:
      return [];
  }
}

function wrongProbe(probe: string, protocols: string, others: string): Fault {
  const reason = `is only for services whose protocol is ${protocols}; use ${others}`;
  return { field: `health.active.${probe}`, reason };
}
