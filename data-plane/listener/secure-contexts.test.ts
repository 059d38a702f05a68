import { describe, expect, test } from 'vitest';
import { localCertificate, shopCertificate } from './certificates.fixture.js';
import { SecureContexts, type ServedCertificate } from './listener.js';

const served = (
  name: string,
  { cert, key }: typeof shopCertificate,
  more: Partial<ServedCertificate> = {},
): ServedCertificate => ({
  name,
  certPem: cert,
  keyPem: key,
  snis: [],
  isDefault: false,
  ...more,
});
const shop = served('shop', shopCertificate);
const local = served('local', localCertificate);

function contexts(fallback: ServedCertificate | null = null): SecureContexts {
  return new SecureContexts({ ticketKeys: Buffer.alloc(48), fallback });
}

describe('contexts for handshakes', () => {
  test('are there from the commit on', () => {
    const all = contexts();

    const prepared = all.prepare([shop]);
    expect(all.secureContext('shop.example')).toBeNull();
    prepared.commit();

    expect(all.secureContext('shop.example')).not.toBeNull();
    expect(all.expiries.map(({ name }) => name)).toEqual(['shop']);
  });

  test('of a certificate that did not change are the same ones, whatever it is called', () => {
    const all = contexts();
    all.prepare([shop, local]).commit();
    const before = all.secureContext('shop.example');

    all.prepare([served('renamed', shopCertificate)]).commit();

    expect(all.secureContext('shop.example')).toBe(before);
  });

  test('of a certificate that is gone are let go of', () => {
    const all = contexts();
    all.prepare([shop, local]).commit();
    const before = all.secureContext('localhost');
    all.prepare([shop]).commit();

    all.prepare([shop, local]).commit();

    expect(all.secureContext('localhost')).not.toBe(before);
  });

  test('of the fallback are for its own names and for those of nobody, unless the config has a default', () => {
    const all = contexts(served('file', localCertificate, { isDefault: true }));
    all.prepare([shop]).commit();
    const fallback = all.secureContext('localhost');

    expect(all.secureContext('else.example')).toBe(fallback);
    expect(all.secureContext('shop.example')).not.toBe(fallback);
    all.prepare([{ ...shop, isDefault: true }]).commit();
    expect(all.secureContext('else.example')).toBe(all.secureContext('shop.example'));
  });

  test('are known to be for every name while there is but one', () => {
    const all = contexts();
    expect(all.onlyContext()).toBeNull();
    all.prepare([shop]).commit();
    expect(all.onlyContext()).toBe(all.secureContext('else.example'));

    all.prepare([shop, local]).commit();

    expect(all.onlyContext()).toBeNull();
  });

  test('are not made of what cannot be served, of which every one is named', () => {
    const all = contexts();

    const { faults } = all.prepare([
      { ...shop, keyPem: localCertificate.key },
      { ...local, certPem: 'hello' },
    ]);

    expect(faults).toEqual([
      { certificate: 'local', field: 'cert_pem', reason: 'holds no certificate in PEM form' },
      { certificate: 'shop', field: 'key_pem', reason: 'is not the key of the certificate' },
    ]);
    expect(() => contexts({ ...shop, keyPem: '' })).toThrow('shop is missing');
  });
});
