import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkCertificate } from '../../data-plane/certificates/certificates.js';
import { localCertificate } from './local.js';

const day = 86_400_000;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-local-certificate-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test('a certificate for localhost is made once, and its key is for its user alone', async () => {
  const { certFile, keyFile } = await localCertificate(join(folder, 'tls'));
  const [certPem, keyPem] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  await localCertificate(join(folder, 'tls'));

  expect(checkCertificate({ certPem, keyPem, snis: [], isDefault: false }).facts?.names).toEqual(['localhost']);
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  expect(await readFile(certFile, 'utf8')).toBe(certPem);
});

test.each([
  ['ends within a month', async () => undefined, 340 * day],
  ['cannot be read', async (files: { certFile: string }) => writeFile(files.certFile, 'hello'), 0],
  ['has lost its key', async (files: { keyFile: string }) => rm(files.keyFile), 0],
])('one that %s is made anew', async (_, spoil, laterMs) => {
  const nowMs = Date.now();
  const files = await localCertificate(folder, nowMs);
  const before = await readFile(files.certFile, 'utf8');
  await spoil(files);

  await localCertificate(folder, nowMs + laterMs);

  const after = await readFile(files.certFile, 'utf8');
  expect(after).toContain('BEGIN CERTIFICATE');
  expect(after).not.toBe(before);
});
