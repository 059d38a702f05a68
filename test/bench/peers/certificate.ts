import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { localCertificate } from '../../../data-plane/listener/certificates.fixture.js';
import { makeWorkDir } from '../../../deploy/servers/servers.js';

/** What every system shows its TLS clients: the kind of the key is most of a handshake's cost. */
export const certificate = localCertificate;

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  /** Both in one. */
  readonly pem: string;
  remove(): Promise<void>;
}

/** The certificate in files of their own folder, for who reads it when it starts. */
export async function certificateFiles(): Promise<CertificateFiles> {
  const dir = await makeWorkDir('bench-certificate', undefined);
  const files = { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem'), pem: join(dir, 'both.pem') };
  await writeFile(files.cert, certificate.cert);
  await writeFile(files.key, certificate.key);
  await writeFile(files.pem, certificate.cert + certificate.key);
  return { ...files, remove: () => rm(dir, { recursive: true, force: true }) };
}
