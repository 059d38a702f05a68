import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { code } from '../../control-plane/errors.js';
import { makeCertificate, type CertificatePair } from '../../deploy/certificate/certificate.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { refusalOf, startAdmin, type AdminFixture } from '../support/admin.js';
import { runCli, TestFolder, type CliResult } from '../support/cli.js';

const day = 86_400_000;
const now = Date.now();
const valid = (...names: string[]): CertificatePair =>
  makeCertificate({ names, notBefore: new Date(now - day), notAfter: new Date(now + 90 * day) });
const shop = valid('shop.example', '*.shop.example');
const renewed = valid('shop.example', '*.shop.example');
const other = valid('other.example');
const expired = makeCertificate({
  names: ['old.example'],
  notBefore: new Date('2020-01-01T00:00:00Z'),
  notAfter: new Date('2021-01-01T00:00:00Z'),
});
const keyBody = (key: string): string => key.split('\n')[1] ?? '';

let admin: AdminFixture;
let folder: TestFolder;
let aheadMs = 0;

beforeAll(async () => {
  admin = await startAdmin({ clock: () => Date.now() + aheadMs });
  folder = new TestFolder();
});

afterAll(async () => {
  folder.close();
  await admin.close();
});

beforeEach(async () => {
  aheadMs = 0;
  await admin.client.call('apply', { prune: true });
});

const certificate = (
  { cert, key }: CertificatePair,
  name = 'shop',
): { name: string; certPem: string; keyPem: string } => ({
  name,
  certPem: cert,
  keyPem: key,
});
const sluice = (...args: string[]): Promise<CliResult> => runCli(admin.address, args, folder);

/** The key that nodes get. */
async function storedKey(name = 'shop'): Promise<string> {
  const { resources } = await admin.store.read();
  const found = resources.find((resource) => resource.kind === Kind.CERTIFICATE && resource.name === name);
  return Buffer.from(found?.body ?? []).toString();
}

describe('the admin API', () => {
  test('gives a certificate back with what it says, and without its key', async () => {
    const created = await admin.client.call('createCertificate', { certificate: certificate(shop) });

    expect(created).toMatchObject({ name: 'shop', certPem: shop.cert, keyPem: '', snis: [], default: false });
    expect(created.facts).toMatchObject({
      names: ['shop.example', '*.shop.example'],
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      keyFingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await admin.client.call('getCertificate', { name: 'shop' })).toEqual(created);
    expect((await admin.client.call('listCertificates', {})).certificates).toEqual([created]);
    expect(await storedKey()).toContain(keyBody(shop.key));
  });

  test('keeps the key that is there when an update has none, facts or not', async () => {
    const created = await admin.client.call('createCertificate', { certificate: certificate(shop) });

    const { meta } = await admin.client.call('updateCertificate', { certificate: created });
    await admin.client.call('updateCertificate', { certificate: { ...created, snis: ['shop.example'] } });

    expect(meta?.etag).toBe(created.meta?.etag);
    expect((await admin.client.call('getCertificate', { name: 'shop' })).facts?.names).toEqual(['shop.example']);
    expect(await storedKey()).toContain(keyBody(shop.key));
  });

  test('refuses a renewed certificate that comes without its key', async () => {
    await admin.client.call('createCertificate', { certificate: certificate(shop) });

    const refusal = await refusalOf(
      admin.client.call('updateCertificate', { certificate: { ...certificate(renewed), keyPem: '' } }),
    );

    expect(refusal).toMatchObject({
      code: code.invalidArgument,
      fields: ['certificate.key_pem'],
      descriptions: ['is not the key of the certificate'],
    });
  });

  test('tells of a change by fingerprints', async () => {
    await admin.client.call('createCertificate', { certificate: certificate(shop) });

    const { changes } = await admin.client.call('apply', { certificates: [certificate(renewed)], dryRun: true });

    expect(changes[0]?.fields.map(({ path }) => path)).toEqual(['cert_pem', 'key_pem']);
    expect(changes[0]?.fields[0]?.after).toMatch(/^"\d+ characters, sha256 [0-9a-f]{16}…, ends \d{4}-\d\d-\d\dT.*Z"$/);
    expect(changes[0]?.fields[1]?.before).toMatch(/^"public key sha256 [0-9a-f]{16}…"$/);
    expect(
      JSON.stringify(changes, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
    ).not.toMatch(new RegExp(`PRIVATE KEY|${keyBody(shop.key).slice(0, 20)}|${keyBody(renewed.key).slice(0, 20)}`));
  });

  test.each([
    ['no key', { ...certificate(shop), keyPem: '' }, 'key_pem', 'is missing'],
    ['the key of another', { ...certificate(shop), keyPem: other.key }, 'key_pem', 'is not the key of the certificate'],
    ['one that has expired', certificate(expired), 'cert_pem', 'expired at 2021-01-01T00:00:00.000Z'],
    ['no PEM', { ...certificate(shop), certPem: 'hello' }, 'cert_pem', 'holds no certificate in PEM form'],
    ['nothing at all', { ...certificate(shop), certPem: '' }, 'cert_pem', 'value is required'],
  ])('refuses %s', async (_, sent, field, reason) => {
    const refusal = await refusalOf(admin.client.call('createCertificate', { certificate: sent }));

    expect(refusal).toMatchObject({
      code: code.invalidArgument,
      fields: [`certificate.${field}`],
      descriptions: [reason],
    });
  });

  test('refuses two certificates for one name, and names both', async () => {
    await admin.client.call('createCertificate', { certificate: certificate(shop) });

    const refusal = await refusalOf(
      admin.client.call('createCertificate', {
        certificate: { ...certificate(other, 'late'), snis: ['a.example', 'SHOP.example'] },
      }),
    );

    expect(refusal).toMatchObject({
      code: code.invalidArgument,
      fields: ['certificate.snis[1]', 'certificate "shop".cert_pem'],
      descriptions: [
        'certificate "shop" is for shop.example as well; a name belongs to one certificate',
        'certificate "late" is for shop.example as well; a name belongs to one certificate',
      ],
    });
  });

  test('refuses two defaults', async () => {
    await admin.client.call('createCertificate', { certificate: { ...certificate(shop), default: true } });

    const refusal = await refusalOf(
      admin.client.call('createCertificate', { certificate: { ...certificate(other, 'late'), default: true } }),
    );

    expect(refusal.fields).toEqual(['certificate.default', 'certificate "shop".default']);
  });

  test('a certificate that expires while it is there stands in the way of nothing but its own change', async () => {
    await admin.client.call('createCertificate', { certificate: certificate(shop) });
    aheadMs = 91 * day;

    const same = await admin.client.call('apply', { certificates: [certificate(shop)] });
    const service = {
      name: 'orders',
      discovery: { source: { case: 'consul' as const, value: { service: 'orders' } } },
    };
    await admin.client.call('createService', { service });
    const changed = { ...certificate(shop), snis: ['a.example'] };
    const refusal = await refusalOf(admin.client.call('updateCertificate', { certificate: changed }));

    expect(same.changes).toEqual([]);
    expect(refusal.descriptions).toEqual([expect.stringMatching(/^expired at /)]);
  });

  test('keeps the key of a client certificate in the same way', async () => {
    const tls = { certPem: other.cert, keyPem: other.key };
    const service = {
      name: 'orders',
      protocol: 2,
      discovery: { source: { case: 'consul' as const, value: { service: 'orders' } } },
      tls,
    };

    const created = await admin.client.call('createService', { service });
    const { changes } = await admin.client.call('apply', { services: [created], dryRun: true });
    const refusal = await refusalOf(
      admin.client.call('updateService', { service: { ...service, tls: { ...tls, keyPem: shop.key } } }),
    );

    expect(created.tls).toMatchObject({ certPem: other.cert, keyPem: '' });
    expect(changes).toEqual([]);
    expect(refusal).toMatchObject({
      fields: ['service.tls.key_pem'],
      descriptions: ['is not the key of the certificate'],
    });
  });
});

describe('the command line', () => {
  const file = (...lines: string[]): string =>
    folder.file('gw.yaml', ['certificates:', '  - name: shop', ...lines.map((line) => `    ${line}`), ''].join('\n'));

  beforeEach(() => {
    folder.file('tls/shop.pem', shop.cert);
    folder.file('tls/shop.key', shop.key);
    folder.file('other.key', other.key);
    folder.file('old.pem', expired.cert);
    folder.file('old.key', expired.key);
  });

  test('applies files, shows what they say, and dumps what can be applied again without a key', async () => {
    const path = file('cert_file: tls/shop.pem', 'key_file: tls/shop.key', 'default: true');

    const applied = await sluice('apply', '-f', path);
    const shown = await sluice('get', 'certificates');
    const dumped = await sluice('dump');
    const again = await sluice('apply', '--prune', '-f', folder.file('dump.yaml', dumped.out));

    expect(applied).toMatchObject({ code: 0, out: expect.stringContaining('+ certificate shop') });
    expect(shown.out).toMatch(
      /^NAME +FOR +EXPIRES +SHA-256 +REVISION\nshop +shop\.example,\*\.shop\.example,\(default\) +\d{4}-\d\d-\d\dT[\d:.]+Z +[0-9a-f]{16} +\d+\n$/,
    );
    expect(dumped.out).toContain('BEGIN CERTIFICATE');
    expect(dumped.out).not.toMatch(/PRIVATE KEY|key_pem|facts/);
    expect(again.out).toContain('nothing to change');
    expect(await storedKey()).toContain(keyBody(shop.key));
  });

  test.each(['table', 'yaml', 'json'])('never shows a key as %s', async (format) => {
    await sluice('apply', '-f', file('cert_file: tls/shop.pem', 'key_file: tls/shop.key'));

    const { out } = await sluice('get', 'certificate', 'shop', '-o', format);

    expect(out).toContain('shop');
    expect(out).not.toContain('PRIVATE KEY');
    expect(out).not.toContain(keyBody(shop.key).slice(0, 20));
  });

  test.each([
    [
      'a key of another',
      ['cert_file: tls/shop.pem', 'key_file: other.key'],
      '4: certificate "shop" key_file: is not the key of the certificate',
    ],
    ['no key', ['cert_file: tls/shop.pem'], '2: certificate "shop" key_pem: is missing'],
    [
      'an expired certificate',
      ['key_file: old.key', 'cert_file: old.pem'],
      '4: certificate "shop" cert_file: expired at 2021-01-01T00:00:00.000Z',
    ],
    [
      'a file that is not there',
      ['cert_file: no.pem'],
      '3: certificate "shop" cert_file: no.pem: there is no such file',
    ],
    [
      'the two files the wrong way round',
      ['cert_file: tls/shop.key', 'key_file: tls/shop.pem'],
      '3: certificate "shop" cert_file: holds a private key, which belongs in key_pem',
    ],
    [
      'a name of no form',
      ['cert_file: tls/shop.pem', 'key_file: tls/shop.key', 'snis:', '  - shop.example', '  - "*"'],
      '7: certificate "shop" snis[1]: "*" is neither a host name nor "*." and a host name',
    ],
    ['no certificate', ['key_file: tls/shop.key'], '2: certificate "shop": needs cert_pem or cert_file'],
  ])('refuses %s with file and line', async (_, lines, said) => {
    const { code: exit, err } = await sluice('apply', '-f', file(...lines));

    expect(err.split('\n')[0]).toBe(`DIR/gw.yaml:${said}`);
    expect(exit).toBe(1);
    expect(err).not.toContain('BEGIN');
  });
});
