import { checkCertificate } from '../../data-plane/certificates/certificates.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type { Problem } from '../../proto/snapshot/problem.js';
import type { ConfigMessage } from './convert.js';

/**
 * Why a resource must not be written now: its certificate has expired. One that expires while it is there is no fault of the
 * config, which would stop every other change; nodes go on serving it and their metrics tell.
 */
export function expiryProblem(message: ConfigMessage, nowMs: number): Problem | null {
  switch (message.$typeName) {
    case 'sluice.v1.Certificate': {
      const { name, certPem, keyPem } = message;
      return problem(Kind.CERTIFICATE, name, 'cert_pem', certPem, keyPem, nowMs);
    }
    case 'sluice.v1.Service': {
      const { name, tls } = message;
      return problem(Kind.SERVICE, name, 'tls.cert_pem', tls?.certPem ?? '', tls?.keyPem ?? '', nowMs);
    }
    default:
      return null;
  }
}

function problem(
  kind: Kind,
  name: string,
  field: string,
  certPem: string,
  keyPem: string,
  nowMs: number,
): Problem | null {
  if (certPem === '') return null;
  const { facts } = checkCertificate({ certPem, keyPem, snis: [], isDefault: true });
  if (facts === null || facts.notAfterMs > nowMs) return null;
  return { kind, name, field, reason: `expired at ${new Date(facts.notAfterMs).toISOString()}` };
}
