import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCertificate } from './certificate.js';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

const names = ['localhost', '127.0.0.1', '::1'];
const day = 86_400_000;
const validMs = 365 * day;
const renewMs = 30 * day;

/**
 * A certificate for this machine's loopback that nobody trusts, kept in `folder` so that browsers ask about it once. Made anew when
 * it is not there, cannot be used, or ends within a month.
 */
export async function localCertificate(folder: string, nowMs = Date.now()): Promise<CertificateFiles> {
  const files = { certFile: join(folder, 'localhost.pem'), keyFile: join(folder, 'localhost.key') };
  if (await isUsable(files, nowMs)) return files;
  // A clock that is a little behind ours must not find it to be from the future.
  const made = makeCertificate({ names, notBefore: new Date(nowMs - day), notAfter: new Date(nowMs + validMs) });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await replace(files.keyFile, made.key, 0o600);
  await replace(files.certFile, made.cert, 0o644);
  return files;
}

async function isUsable({ certFile, keyFile }: CertificateFiles, nowMs: number): Promise<boolean> {
  try {
    const certificate = new X509Certificate(await readFile(certFile));
    const isKey = certificate.checkPrivateKey(createPrivateKey(await readFile(keyFile)));
    return isKey && Date.parse(certificate.validTo) - nowMs > renewMs;
  } catch {
    return false;
  }
}

async function replace(file: string, content: string, mode: number): Promise<void> {
  const temporary = `${file}.new`;
  await writeFile(temporary, content, { mode });
  // One that was left behind keeps its mode.
  await chmod(temporary, mode);
  await rename(temporary, file);
}
