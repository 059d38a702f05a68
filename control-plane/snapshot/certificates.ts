import { checkCertificate } from '../../data-plane/certificates/certificates.js';

import type { CertificateCheck } from '../../data-plane/certificates/certificates.js';
import type { Certificate } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';

/** By the check that a node makes before it serves one. */
export function checkCertificateAlone({ certPem, keyPem, snis, default: isDefault }: Certificate): CertificateCheck {
  return checkCertificate({ certPem, keyPem, snis, isDefault });
}

/** A certificate that is good by itself, with the names it is served for. */
export interface NamedCertificate {
  readonly certificate: Certificate;
  readonly names: readonly string[];
}

/** Two certificates of which a node could serve only one; each has the fault as it reads to it. */
export interface CertificateConflict {
  readonly older: { readonly name: string; readonly fault: Fault };
  readonly younger: { readonly name: string; readonly fault: Fault };
}

/** Those that claim the same name, and those that both are the default. Two are reported once, by the first name they share. */
export function findConflicts(certificates: readonly NamedCertificate[]): CertificateConflict[] {
  const conflicts = new Map<string, CertificateConflict>();
  const owners = new Map<string, Certificate>();
  const claim = (claimed: string, certificate: Certificate): void => {
    const owner = owners.get(claimed);
    if (owner === undefined) owners.set(claimed, certificate);
    else if (!conflicts.has(pairOf(owner, certificate)))
      conflicts.set(pairOf(owner, certificate), conflictOf(claimed, owner, certificate));
  };
  for (const { certificate, names } of certificates.toSorted(byAge)) {
    for (const name of names) claim(name, certificate);
    if (certificate.default) claim(theDefault, certificate);
  }
  return [...conflicts.values()];
}

/** No host name. */
const theDefault = '';

function byAge({ certificate: a }: NamedCertificate, { certificate: b }: NamedCertificate): number {
  const revisions = Number((a.meta?.createdRevision ?? 0n) - (b.meta?.createdRevision ?? 0n));
  return revisions === 0 ? (a.meta?.ordinal ?? 0) - (b.meta?.ordinal ?? 0) : revisions;
}

function pairOf(owner: Certificate, certificate: Certificate): string {
  return JSON.stringify([owner.name, certificate.name]);
}

function conflictOf(claimed: string, older: Certificate, younger: Certificate): CertificateConflict {
  const side = (own: Certificate, other: Certificate): CertificateConflict['older'] => ({
    name: own.name,
    fault: { field: fieldOf(claimed, own), reason: reasonOf(claimed, other) },
  });
  return { older: side(older, younger), younger: side(younger, older) };
}

function fieldOf(claimed: string, { snis }: Certificate): string {
  if (claimed === theDefault) return 'default';
  const index = snis.findIndex((sni) => sni.toLowerCase() === claimed);
  return index < 0 ? 'cert_pem' : `snis[${index}]`;
}

function reasonOf(claimed: string, { name }: Certificate): string {
  if (claimed === theDefault) return `certificate "${name}" is the default as well; only one can be`;
  return `certificate "${name}" is for ${claimed} as well; a name belongs to one certificate`;
}
