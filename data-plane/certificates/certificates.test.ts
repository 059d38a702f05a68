import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { makeCertificate, type CertificateRequest } from '../../deploy/certificate/certificate.js';
import { checkCertificate, keyFingerprint, serverName, ServerNames, type CertificateText } from './certificates.js';

const validity = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2027-01-01T00:00:00Z') };
const make = (names: string[], more: Partial<CertificateRequest> = {}): { cert: string; key: string } =>
  makeCertificate({ names, ...validity, ...more });

const authority = make(['Test CA'], { isAuthority: true });
const shop = make(['shop.example', '*.Shop.example', '127.0.0.1'], { issuer: authority });
const other = make(['other.example'], { issuer: authority });

function check(text: Partial<CertificateText>): ReturnType<typeof checkCertificate> {
  return checkCertificate({ certPem: shop.cert, keyPem: shop.key, snis: [], isDefault: false, ...text });
}

describe('a certificate that can be served', () => {
  test.each([
    ['by the names in it', {}, ['shop.example', '*.shop.example']],
    ['by the names that are given', { snis: ['WWW.example', '*.api.example'] }, ['www.example', '*.api.example']],
    ['with its chain', { certPem: shop.cert + authority.cert }, ['shop.example', '*.shop.example']],
    [
      'with text around the blocks',
      { certPem: `Bag Attributes\n${shop.cert}\n# end` },
      ['shop.example', '*.shop.example'],
    ],
    ['with line ends of Windows', { certPem: shop.cert.replaceAll('\n', '\r\n') }, ['shop.example', '*.shop.example']],
  ])('is known %s', (_, text, names) => {
    const { facts, faults } = check(text);

    expect(faults).toEqual([]);
    expect(facts).toMatchObject({ names, notAfterMs: Date.parse('2027-01-01T00:00:00Z') });
  });

  test('for no name at all is one that is the default', () => {
    const local = make(['127.0.0.1']);
    const text = { certPem: local.cert, keyPem: local.key };

    expect(check({ ...text, isDefault: true }).facts?.names).toEqual([]);
    expect(check(text).faults).toEqual([{ field: 'snis', reason: expect.stringMatching(/names no host/) }]);
  });

  test.each(['rsa', 'ed25519'] as const)('may have a key of type %s', (type) => {
    const made = type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2_048 }) : generateKeyPairSync('ed25519');
    const { cert } = make(['a.example'], { key: made.privateKey, issuer: authority });

    const keyPem = made.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

    expect(check({ certPem: cert, keyPem }).faults).toEqual([]);
  });
});

const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey;
const odd = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
const encrypted = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
  cipher: 'aes-256-cbc',
  passphrase: 'secret',
}) as string;

describe('a certificate that cannot be served is told what is wrong', () => {
  test.each([
    ['no PEM', { certPem: 'hello' }, 'cert_pem', 'holds no certificate in PEM form'],
    ['a private key', { certPem: shop.cert + shop.key }, 'cert_pem', 'holds a private key, which belongs in key_pem'],
    [
      'another kind of block',
      { certPem: shop.cert.replaceAll('CERTIFICATE', 'PUBLIC KEY') },
      'cert_pem',
      'holds a PUBLIC KEY; only certificates belong here',
    ],
    [
      'a block that is no certificate',
      { certPem: `${shop.cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n` },
      'cert_pem',
      'certificate 2 cannot be read',
    ],
    [
      'a chain the wrong way round',
      { certPem: authority.cert + shop.cert },
      'cert_pem',
      "certificate 2 is not the issuer of certificate 1; the server's own comes first, then each one's issuer",
    ],
    ['no key', { keyPem: '' }, 'key_pem', 'is missing'],
    ['a key that is none', { keyPem: shop.cert }, 'key_pem', 'is not a private key in PEM form'],
    ['a key with a passphrase', { keyPem: encrypted }, 'key_pem', 'is encrypted; give it without a passphrase'],
    ['the key of another', { keyPem: other.key }, 'key_pem', 'is not the key of the certificate'],
    [
      'a short RSA key',
      { certPem: make(['a.example'], { key: weak, issuer: authority }).cert },
      'cert_pem',
      'has an RSA key of 1024 bits; at least 2048 are needed',
    ],
    [
      'a curve that no client takes',
      { certPem: make(['a.example'], { key: odd, issuer: authority }).cert },
      'cert_pem',
      'has a key on secp256k1; use one of prime256v1, secp384r1, secp521r1',
    ],
    [
      'a name of another form',
      { snis: ['a.example', 'www.*.example'] },
      'snis[1]',
      '"www.*.example" is neither a host name nor "*." and a host name',
    ],
  ])('%s', (_, text, field, reason) => {
    expect(check(text)).toEqual({ facts: null, faults: [{ field, reason }] });
  });
});

test.each([
  ['shop.example', 'shop.example'],
  ['SHOP.Example', 'shop.example'],
  ['*.shop.example', '*.shop.example'],
  ['localhost', 'localhost'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['_sip.example', '_sip.example'],
  ['*', null],
  ['', null],
  ['shop.example.', null],
  ['f*.example', null],
  ['*.*.example', null],
  ['-a.example', null],
  ['a..example', null],
  ['bücher.example', null],
  ['192.0.2.1', null],
  ['::1', null],
  ['a b.example', null],
  [`${'a'.repeat(64)}.example`, null],
])('%j as a server name is %j', (text, expected) => {
  expect(serverName(text)).toBe(expected);
});

test.each([
  ['shop.example', 'exact'],
  ['SHOP.EXAMPLE', 'exact'],
  ['www.shop.example', 'wildcard'],
  ['api.shop.example', 'api'],
  ['a.b.shop.example', 'default'],
  ['.shop.example', 'default'],
  ['example', 'default'],
  ['', 'default'],
])('a client that asks for %j gets the %s one', (asked, expected) => {
  const names = new ServerNames('default');
  names.claim(['shop.example'], 'exact');
  names.claim(['*.shop.example'], 'wildcard');
  names.claim(['api.shop.example'], 'api');
  names.claim(['shop.example'], 'too late');

  expect(names.choose(asked)).toBe(expected);
});

test('a key is known by its public part, in whichever form it is written', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [one, two] = (['pkcs8', 'sec1'] as const).map((type) => privateKey.export({ type, format: 'pem' }) as string);

  expect(keyFingerprint(one ?? '')).toMatch(/^[0-9a-f]{64}$/);
  expect(keyFingerprint(two ?? '')).toBe(keyFingerprint(one ?? ''));
  expect(keyFingerprint(shop.key)).not.toBe(keyFingerprint(one ?? ''));
  expect(keyFingerprint('hello')).toBeNull();
});
