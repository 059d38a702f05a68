import { expiryMs } from '../../data-plane/certificates/certificates.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type { Problem } from '../../proto/snapshot/problem.js';
import type { ConfigMessage } from './convert.js';

/**
 * Why a resource must not be written now: its certificate has expired. One that expires while it is there is no fault of the
 * config, which would stop every other change; nodes go on serving it and their metrics tell.
 */
export function expiryProblem(message: ConfigMessage, nowMs: number): Problem | null {
  switch (message.$typeName) {
    case 'sluice.v1.Certificate':
      return expired(message.certPem, nowMs, { kind: Kind.CERTIFICATE, name: message.name, field: 'cert_pem' });
    case 'sluice.v1.Service':
      return expired(message.tls?.certPem ?? '', nowMs, {
        kind: Kind.SERVICE,
        name: message.name,
        field: 'tls.cert_pem',
      });
    default:
      return null;
  }
}

function expired(certPem: string, nowMs: number, place: Omit<Problem, 'reason'>): Problem | null {
  const endMs = certPem === '' ? null : expiryMs(certPem);
  if (endMs === null || endMs > nowMs) return null;
  return { ...place, reason: `expired at ${new Date(endMs).toISOString()}` };
}
