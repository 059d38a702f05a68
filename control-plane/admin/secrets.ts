import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';

import { checkCertificate, expiryMs, keyFingerprint } from '../../data-plane/certificates/certificates.js';
import { CertificateFactsSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { sha256 } from '../../proto/snapshot/snapshot.js';

import type { Certificate, CertificateFacts, Service } from '../../proto/gen/sluice/v1/config_pb.js';
import type { ConfigMessage } from './convert.js';

/**
 * Private keys go in and never come out: what callers see has none, and what they send back without one keeps the one there is.
 * Everything that leaves the admin room goes through `toShow` or `toCompare`.
 */

/** What to keep of a message that was sent, as the successor of `before`: with its key, and without what is output only. */
export function toKeep(sent: ConfigMessage, before: ConfigMessage | undefined): ConfigMessage {
  if (isCertificate(sent)) {
    const { facts: _, ...written } = sent;
    const known = before !== undefined && isCertificate(before) ? before.keyPem : '';
    return { ...written, keyPem: sent.keyPem === '' ? known : sent.keyPem };
  }
  if (!isService(sent) || sent.tls === undefined || sent.tls.certPem === '' || sent.tls.keyPem !== '') return sent;
  const keyPem = before !== undefined && isService(before) ? (before.tls?.keyPem ?? '') : '';
  return { ...sent, tls: { ...sent.tls, keyPem } };
}

/** What callers get of a message that is kept. */
export function toShow<M extends ConfigMessage>(kept: M): M {
  if (isCertificate(kept)) return { ...kept, keyPem: '', ...factsOf(kept) };
  if (isService(kept) && kept.tls !== undefined) return { ...kept, tls: { ...kept.tls, keyPem: '' } };
  return kept;
}

/** What stands in reports of changes: in place of certificate and key what tells them from others. */
export function toCompare<M extends ConfigMessage>(kept: M): M {
  if (isCertificate(kept)) return { ...kept, certPem: certText(kept.certPem), keyPem: keyText(kept.keyPem) };
  if (!isService(kept) || kept.tls === undefined) return kept;
  const { certPem, keyPem } = kept.tls;
  return { ...kept, tls: { ...kept.tls, certPem: certText(certPem), keyPem: keyText(keyPem) } };
}

/** Pages of base64 tell people less than by when it has to be renewed. */
function certText(certPem: string): string {
  if (certPem === '') return '';
  const hash = Buffer.from(sha256(certPem)).toString('hex').slice(0, 16);
  const endMs = expiryMs(certPem);
  const end = endMs === null ? '' : `, ends ${new Date(endMs).toISOString()}`;
  return `${certPem.length} characters, sha256 ${hash}…${end}`;
}

function keyText(keyPem: string): string {
  if (keyPem === '') return '';
  const fingerprint = keyFingerprint(keyPem);
  return fingerprint === null ? 'unreadable' : `public key sha256 ${fingerprint.slice(0, 16)}…`;
}

function factsOf({ certPem, keyPem, snis, default: isDefault }: Certificate): { readonly facts?: CertificateFacts } {
  const { facts } = checkCertificate({ certPem, keyPem, snis, isDefault });
  if (facts === null) return {};
  const { names, notBeforeMs, notAfterMs, fingerprint } = facts;
  return {
    facts: create(CertificateFactsSchema, {
      names: [...names],
      notBefore: timestampFromMs(notBeforeMs),
      notAfter: timestampFromMs(notAfterMs),
      fingerprint,
      keyFingerprint: facts.keyFingerprint,
    }),
  };
}

function isCertificate(message: ConfigMessage): message is Certificate {
  return message.$typeName === 'sluice.v1.Certificate';
}

function isService(message: ConfigMessage): message is Service {
  return message.$typeName === 'sluice.v1.Service';
}
