import { createHash, createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { serverName } from './sni.js';

export interface CertificateText {
  /** PEM: the certificate, then those that lead from it to an authority. */
  readonly certPem: string;
  readonly keyPem: string;
  /** Names to serve it for; none takes the names in the certificate. */
  readonly snis: readonly string[];
  readonly isDefault: boolean;
}

/** What a node needs to know of a certificate that it can use. */
export interface CertificateFacts {
  /** As `serverName` gives them. */
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of the certificate, in hex. */
  readonly fingerprint: string;
  /** Of the public key, see keyFingerprint. */
  readonly keyFingerprint: string;
}

export interface CertificateFault {
  readonly field: string;
  readonly reason: string;
}

export type CertificateCheck =
  | { readonly facts: CertificateFacts; readonly faults: readonly [] }
  | { readonly facts: null; readonly faults: readonly CertificateFault[] };

/**
 * Whether a node can serve TLS with a certificate and key, and what it has to know of them. Both planes ask this one function. Looks
 * at no clock: whether the certificate has expired is the caller's to say. No reason ever holds a part of a key.
 */
export function checkCertificate({ certPem, keyPem, snis, isDefault }: CertificateText): CertificateCheck {
  const chain = readChain(certPem);
  const key = readKey(keyPem);
  const faults: CertificateFault[] = [];
  if (typeof chain === 'string') faults.push({ field: 'cert_pem', reason: chain });
  if (typeof key === 'string') faults.push({ field: 'key_pem', reason: key });
  snis.forEach((sni, i) => {
    if (serverName(sni) === null) faults.push({ field: `snis[${i}]`, reason: badName(sni) });
  });
  if (typeof chain === 'string' || typeof key === 'string' || faults.length > 0) return { facts: null, faults };
  const [leaf] = chain;
  const names = namesOf(leaf, snis);
  if (!leaf.checkPrivateKey(key)) faults.push({ field: 'key_pem', reason: 'is not the key of the certificate' });
  if (names.length === 0 && !isDefault) {
    const reason = 'is empty, and the certificate names no host: say for which names it is, or make it the default';
    faults.push({ field: 'snis', reason });
  }
  if (faults.length > 0) return { facts: null, faults };
  const facts = {
    names,
    notBeforeMs: Date.parse(leaf.validFrom),
    notAfterMs: Date.parse(leaf.validTo),
    fingerprint: sha256(leaf.raw),
    keyFingerprint: fingerprintOf(leaf.publicKey),
  };
  return { facts, faults: [] };
}

/** When the first certificate ends; null when there is none. */
export function expiryMs(certPem: string): number | null {
  const chain = readChain(certPem);
  return typeof chain === 'string' ? null : Date.parse(chain[0].validTo);
}

/** SHA-256 of the public part of a key, in hex, which tells keys apart and gives none away; null for what is no key. */
export function keyFingerprint(keyPem: string): string | null {
  const key = readKey(keyPem);
  return typeof key === 'string' ? null : fingerprintOf(createPublicKey(key));
}

function fingerprintOf(publicKey: KeyObject): string {
  return sha256(publicKey.export({ type: 'spki', format: 'der' }));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

type Chain = readonly [X509Certificate, ...X509Certificate[]];

const blockPattern = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;

/** The certificates, or what is wrong. A key in here would be shown to everyone who may read the certificate. */
function readChain(pem: string): Chain | string {
  if (pem.includes('PRIVATE KEY-----')) return 'holds a private key, which belongs in key_pem';
  const blocks = [...pem.matchAll(blockPattern)];
  if (blocks.length === 0) return 'holds no certificate in PEM form';
  const chain: X509Certificate[] = [];
  for (const [i, [text, label]] of blocks.entries()) {
    if (label !== 'CERTIFICATE') return `holds a ${label}; only certificates belong here`;
    const certificate = parse(text);
    if (certificate === null) return `certificate ${i + 1} cannot be read`;
    const issued = chain.at(-1);
    if (issued !== undefined && !issued.checkIssued(certificate))
      return `certificate ${i + 1} is not the issuer of certificate ${i}; the server's own comes first, then each one's issuer`;
    chain.push(certificate);
  }
  return weakness((chain[0] as X509Certificate).publicKey) ?? (chain as [X509Certificate, ...X509Certificate[]]);
}

function parse(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}

function readKey(pem: string): KeyObject | string {
  if (pem.trim() === '') return 'is missing';
  if (/ENCRYPTED/.test(pem)) return 'is encrypted; give it without a passphrase';
  try {
    return createPrivateKey(pem);
  } catch {
    return 'is not a private key in PEM form';
  }
}

const curves = ['prime256v1', 'secp384r1', 'secp521r1'];
const minRsaBits = 2_048;

/** Why clients, or OpenSSL itself, would not take such a key; null when they would. */
function weakness({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string | null {
  switch (type) {
    case 'rsa':
    case 'rsa-pss': {
      const bits = details?.modulusLength ?? 0;
      return bits < minRsaBits ? `has an RSA key of ${bits} bits; at least ${minRsaBits} are needed` : null;
    }
    case 'ec': {
      const curve = details?.namedCurve ?? 'an unnamed curve';
      return curves.includes(curve) ? null : `has a key on ${curve}; use one of ${curves.join(', ')}`;
    }
    case 'ed25519':
    case 'ed448':
      return null;
    default:
      return `has a key of type ${type}; use RSA, EC or Ed25519`;
  }
}

/** Names of the certificate that are of no form that a client could ask for are passed over. */
function namesOf(leaf: X509Certificate, snis: readonly string[]): string[] {
  const texts = snis.length > 0 ? snis : alternativeNames(leaf);
  return [...new Set(texts.flatMap((text) => serverName(text) ?? []))];
}

function alternativeNames({ subjectAltName }: X509Certificate): string[] {
  return (subjectAltName ?? '').split(', ').flatMap((item) => (item.startsWith('DNS:') ? [item.slice(4)] : []));
}

function badName(sni: string): string {
  return `"${sni}" is neither a host name nor "*." and a host name`;
}
