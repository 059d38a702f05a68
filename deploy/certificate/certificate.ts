import { createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import { bitString, context, element, objectId, pem, positiveInteger, sequence, tag, time } from './der.js';

/**
 * Makes certificates for trying things out: for `npm start`, the local cluster and tests. Written out because it is a page, where
 * the libraries that make them come with twenty packages. What is made is read back by node:crypto before it is given.
 */
export interface CertificateRequest {
  /** Host names, wildcards and IP addresses; the first is also the subject. */
  readonly names: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Who signs; itself when left out. */
  readonly issuer?: CertificatePair;
  /** May sign others, and serves nobody. */
  readonly isAuthority?: boolean;
  /** A fresh P-256 key when left out. */
  readonly key?: KeyObject;
}

/** PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

export function makeCertificate(request: CertificateRequest): CertificatePair {
  const { issuer, names } = request;
  const key = request.key ?? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const signer = issuer === undefined ? key : issuer.key;
  const issuerName = issuer === undefined ? names[0] : commonName(issuer.cert);
  const signed = sequence(
    context(0, 'constructed', element(tag.integer, Buffer.from([versionThree]))),
    positiveInteger(randomBytes(16)),
    ecdsaWithSha256,
    nameOf(issuerName ?? ''),
    sequence(time(request.notBefore), time(request.notAfter)),
    nameOf(names[0] ?? ''),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    context(3, 'constructed', sequence(...extensions(request))),
  );
  const cert = pem('CERTIFICATE', sequence(signed, ecdsaWithSha256, bitString(sign('sha256', signed, signer))));
  new X509Certificate(cert);
  return { cert, key: key.export({ type: 'pkcs8', format: 'pem' }) as string };
}

const versionThree = 2;
const ecdsaWithSha256 = sequence(objectId('1.2.840.10045.4.3.2'));

function nameOf(text: string): Buffer {
  const attribute = sequence(objectId('2.5.4.3'), element(tag.utf8String, Buffer.from(text)));
  return sequence(element(tag.set, attribute));
}

function commonName(cert: string): string {
  return /^CN=(.*)$/m.exec(new X509Certificate(cert).subject)?.[1] ?? '';
}

function extensions({ names, isAuthority = false }: CertificateRequest): Buffer[] {
  const yes = element(tag.boolean, Buffer.from([0xff]));
  if (isAuthority) return [extension('2.5.29.19', sequence(yes), yes)];
  const serverAndClient = sequence(objectId('1.3.6.1.5.5.7.3.1'), objectId('1.3.6.1.5.5.7.3.2'));
  return [
    extension('2.5.29.19', sequence(), yes),
    extension('2.5.29.37', serverAndClient),
    extension('2.5.29.17', sequence(...names.map(alternativeName))),
  ];
}

function extension(id: string, value: Buffer, ...critical: readonly Buffer[]): Buffer {
  return sequence(objectId(id), ...critical, element(tag.octetString, value));
}

function alternativeName(name: string): Buffer {
  switch (isIP(name)) {
    case 4:
      return context(7, 'primitive', Buffer.from(name.split('.').map(Number)));
    case 6:
      return context(7, 'primitive', ipv6Bytes(name));
    default:
      return context(2, 'primitive', Buffer.from(name));
  }
}

function ipv6Bytes(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail)];
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Buffer.from(all.flatMap((group) => [group >>> 8, group & 0xff]));
}
