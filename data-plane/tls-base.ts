import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { checkCertificate } from './certificates/certificates.js';
import type { DataPlaneConfig } from './config.js';
import type { ServedCertificate } from './listener/listener.js';

/** What all processes of a node have in common for TLS, beside the config. Plain data. */
export interface TlsBase {
  /** Drawn at each start: sessions are continued by every worker of this node, and by no other node. */
  readonly ticketKeys: Uint8Array;
  readonly fallback: ServedCertificate | null;
}

const ticketKeyBytes = 48;

/** Reads the certificate that the process config names. Throws an Error that names the flag and the file. */
export async function readTlsBase({ tlsCert, tlsKey }: DataPlaneConfig): Promise<TlsBase> {
  const ticketKeys = randomBytes(ticketKeyBytes);
  if (tlsCert === '' && tlsKey === '') return { ticketKeys, fallback: null };
  if (tlsCert === '' || tlsKey === '') throw new Error('--tls-cert and --tls-key are given together or not at all');
  const [certPem, keyPem] = await Promise.all([read('--tls-cert', tlsCert), read('--tls-key', tlsKey)]);
  const fallback = { name: fallbackName, certPem, keyPem, snis: [], isDefault: true };
  const [fault] = checkCertificate(fallback).faults;
  if (fault !== undefined) {
    const where = fault.field === 'key_pem' ? `--tls-key ${tlsKey}` : `--tls-cert ${tlsCert}`;
    throw new Error(`${where} ${fault.reason}`);
  }
  return { ticketKeys, fallback };
}

/** For people and metrics; no certificate of the config can have it. */
const fallbackName = '--tls-cert';

async function read(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${flag} ${file} cannot be read: ${reason}`, { cause: error });
  }
}
